// What the control segment says, read once: the blocks, scopes and workers of a session system.
// Works the same whether a director lives or not.
#pragma once

#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"
#include "core/words.hpp"
#include "director/sensitive_keys.hpp"
#include "layout/control.hpp"
#include "platform/process.hpp"
#include "segment_copy.hpp"

namespace sessionblocks::ctl {

struct RevocationInfo {
  std::string path;
  Rights left{};
  bool is_under_way = false;  // who had more is not dealt with yet
};

struct BlockInfo {
  BlockId id{};
  Generation generation{};
  BlockState state{};
  BlockKind kind{};
  AuditLevel audit{};
  FullRing full_ring{};
  Enforce enforce{};
  AtLimit at_limit{};
  bool logs_values = false;
  ScopeId owner{};
  std::uint64_t reserved_bytes = 0;
  std::uint64_t segment_bytes = 0;
  std::uint64_t quota_bytes = 0;
  std::uint64_t ends_at_ms = 0;  // CLOCK_BOOTTIME, 0: with its scope
  std::uint64_t idle_ms = 0;     // 0: however long nobody uses it
  AtEnd at_end{};
  ScopeId heir{};
  std::int64_t created_unix_ms = 0;
  BlockId origin{};
  std::string name;
  std::string owner_path;
  std::string heir_path;  // empty: it is not there, or there is none
  std::vector<RevocationInfo> revocations;
  layout::Masking masking{};
  director::SensitivePatterns sensitive;  // over keys

  // The segment of an inherited block is the one that it comes from.
  [[nodiscard]] bool has_memory() const noexcept { return segment_bytes != 0; }
};

struct ScopeInfo {
  ScopeId id{};
  ScopeId parent{};
  ScopeKind kind{};
  bool is_ending = false;
  std::uint16_t slot = 0;
  std::uint64_t budget_bytes = 0;  // 0: no bound of its own
  std::int64_t started_unix_ms = 0;
  std::string name;
  std::string path;
};

struct WorkerInfo {
  WorkerId id{};
  ScopeId scope{};
  platform::ProcessIdentity process;
  std::uint32_t state = 0;  // layout::WorkerRow
  std::uint64_t ring_records = 0;
  std::int64_t started_unix_ms = 0;
  std::uint32_t restarts = 0;
  std::string scope_path;
  bool is_director = false;

  [[nodiscard]] std::string_view state_word() const noexcept;
};

struct ControlImage {
  std::string system;
  platform::ProcessIdentity director;
  std::uint64_t pid_namespace = 0;
  std::uint64_t epoch = 0;
  std::uint64_t hash_seed = 0;
  bool is_stopped = false;         // the director ended in order
  std::uint64_t budget_bytes = 0;  // of all blocks; 0: no bound
  std::vector<BlockInfo> blocks;
  std::vector<ScopeInfo> scopes;
  std::vector<WorkerInfo> workers;

  // malformed: no control segment; layout_mismatch.
  [[nodiscard]] static Result<ControlImage> read(const SegmentReader& segment);

  // Whether the process that directs this system lives. Pids of another boot or pid namespace say
  // nothing: false.
  [[nodiscard]] bool is_directed() const;
  // Whether the pids in it mean anything to this process.
  [[nodiscard]] bool is_of_this_time() const;
  [[nodiscard]] const ScopeInfo* scope(ScopeId id) const noexcept;
  // By name, or "#ID". `scope` (a path, may be empty) chooses where several scopes have one of the
  // name. no_such_block; invalid_argument: several are left, all are listed.
  [[nodiscard]] Result<const BlockInfo*> block(std::string_view name, std::string_view scope) const;
};

}  // namespace sessionblocks::ctl
