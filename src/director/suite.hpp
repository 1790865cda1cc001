// A suite as the director runs it: plain data, with every default in it.
//
// It comes from a suite file (suite_file.hpp) or from a program that embeds the director;
// check_suite (suite_check.hpp) judges both alike. Nothing here touches the file system or TOML.
//
// 1. Every value that a person can get wrong keeps its place in the file in `where`, under the key
// as it
//    is written ("quota", "grants.checkout"), so that an error found hours later can still name it.
// 2. Absence is std::optional or an empty container, never a magic number.
// 3. Blocks, scripts and guards are in the order of the file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "director/suite_diagnostic.hpp"

namespace sessionblocks::director {

// The places of one table of the file.
struct Places {
  SourceLocation self;                                      // the table's header
  std::map<std::string, SourceLocation, std::less<>> keys;  // each value, by its key
  std::set<std::string, std::less<>> unread;  // keys with a refused value; the default stands in

  [[nodiscard]] bool has(std::string_view key) const { return keys.find(key) != keys.end(); }
  [[nodiscard]] bool refused(std::string_view key) const { return unread.contains(key); }
  // The value's place; the table's when the key was not written.
  [[nodiscard]] SourceLocation at(std::string_view key) const {
    const auto found = keys.find(key);
    return found == keys.end() ? self : found->second;
  }
};

enum class BlockKind : std::uint8_t { private_to_scope, shared, inherited, forked };
enum class Rights : std::uint8_t { read = 1, read_write = 2 };  // ordered: a larger one may do more
enum class ScopeKind : std::uint8_t { suite, script, worker, flow };
enum class AuditLevel : std::uint8_t { full, writes, counted };
enum class OnFullRing : std::uint8_t { wait, fail, count };
enum class Enforce : std::uint8_t { cooperative, swap, kill };
enum class AtEnd : std::uint8_t { destroy, heir, snapshot, elevate, join };
enum class AtStart : std::uint8_t { empty, load };
enum class AtLimit : std::uint8_t { refuse, evict_expired, evict_lru };
enum class StartWhen : std::uint8_t { with_suite, on_request };
enum class RestartPolicy : std::uint8_t { never, on_failure, always };
enum class ShmAccess : std::uint8_t { automatic, private_mount, deny };
enum class GuardAction : std::uint8_t { log, deny, seal, quarantine, kill, end_scope };

// suite, script.NAME, worker (every worker slot has its own instance), flow.NAME (every flow block
// of that name has its own instance). `name` is empty for suite and worker.
struct ScopeRef {
  ScopeKind kind = ScopeKind::suite;
  std::string name;
  friend bool operator==(const ScopeRef&, const ScopeRef&) = default;
};

using RightsByScript = std::map<std::string, Rights>;

// What holders may do with the block besides reading and writing.
struct Permits {
  bool share = false;    // hand out references
  bool fork = false;     // clone it
  bool persist = false;  // snapshots, logged values
  bool elevate = false;  // to a DataBlock
  friend bool operator==(const Permits&, const Permits&) = default;
};

inline constexpr std::uint64_t kDefaultQuotaBytes = std::uint64_t{64} << 20U;

struct BlockSpec {
  std::string name;
  BlockKind kind = BlockKind::private_to_scope;  // the narrowest, when nothing is said
  ScopeRef owner;
  std::string from;  // inherited, forked: the block that it comes from
  std::uint64_t quota_bytes = kDefaultQuotaBytes;
  std::optional<std::uint64_t> lifespan_ms;  // none: until its scope ends
  std::optional<std::uint64_t> idle_ms;      // none: however long nobody uses it
  AuditLevel audit = AuditLevel::full;
  OnFullRing on_full_ring = OnFullRing::wait;
  Enforce enforce = Enforce::cooperative;
  AtStart at_start = AtStart::empty;
  AtEnd at_end = AtEnd::destroy;
  AtLimit at_limit = AtLimit::refuse;
  bool log_values = false;
  std::optional<ScopeRef> heir;  // takes the block over at its end; only with AtEnd::heir
  // Policies by patterns of keys, for AtEnd::join: sessionblocks/join.hpp.
  std::map<std::string, std::string> join;
  // Private and owned by worker or flow: the scripts whose slots or flows have an instance; none
  // means all. Otherwise the scripts that may open it. The owner always may.
  RightsByScript grants;
  RightsByScript heirs;  // inherited: the child scopes that it is passed down to
  Permits permit;
  std::vector<std::string> sensitive;  // patterns over keys (suite_words.hpp, matches_pattern)
  Places where;
};

struct RestartBudget {
  std::uint32_t count = 5;
  std::uint64_t within_ms = 60'000;
  friend bool operator==(const RestartBudget&, const RestartBudget&) = default;
};

inline constexpr std::uint32_t kMaxWorkers = 1'024;

struct ScriptSpec {
  std::string name;
  // Starting at command[0]: a path (absolute once read from a file) or a bare program name, which
  // find_program (suite_check.hpp) looks up.
  std::vector<std::string> command;
  std::uint32_t workers = 1;
  std::string parent;  // a script; empty: the suite
  std::optional<std::string> user;
  std::vector<std::filesystem::path> read_paths;   // besides the built-in allow-list
  std::vector<std::filesystem::path> write_paths;  // reading included
  std::vector<std::string> may_create;             // patterns over block names
  std::optional<std::uint64_t> timeout_ms;         // of the scope, restarts included
  std::optional<std::uint64_t> memory_bytes;  // of its blocks and its children's; none: no bound
  StartWhen start = StartWhen::with_suite;    // on_request: by a worker of the parent script
  RestartPolicy restart = RestartPolicy::on_failure;
  RestartBudget budget;
  ShmAccess shm = ShmAccess::automatic;
  std::map<std::string, std::string> env;
  // Where workers start, and may write. None: they start in the suite's folder and only read it.
  std::optional<std::filesystem::path> cwd;
  Places where;
};

struct GuardSpec {
  std::string name;
  std::string when;  // an expression; FlowGuard reads it
  GuardAction action = GuardAction::log;
  std::int32_t priority = 0;  // higher acts first
  std::uint64_t for_ms = 0;   // how long it must hold before it acts
  // Who is told, besides: a program with its arguments, or "unix:" and the path of a socket.
  std::vector<std::string> notify;
  Places where;
};

inline constexpr std::uint32_t kDefaultRingRecords = 1U << 20U;
inline constexpr std::uint32_t kMinRingRecords = 64;
inline constexpr std::uint32_t kMaxRingRecords = 1U << 24U;

// Table [director].
struct DirectorSpec {
  std::uint32_t ring_records =
      kDefaultRingRecords;  // audit records per worker thread; a power of two
  Places where;
};

struct Suite {
  std::string name;
  std::optional<std::uint64_t> memory_bytes;  // of all blocks; none: no bound
  std::string file;              // as it was named to the reader; empty when built by a program
  std::filesystem::path folder;  // absolute; relative paths of the file start here
  DirectorSpec director;
  std::vector<BlockSpec> blocks;
  std::vector<ScriptSpec> scripts;
  std::vector<GuardSpec> guards;
  Places where;  // of [suite]
};

}  // namespace sessionblocks::director
