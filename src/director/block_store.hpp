// The blocks of a session system: their memory, their rows in control, their end.
//
// What it does: creates (memory, format, publish), reserves ahead of use, destroys. What it does
// not: decide who may (grants.hpp), know who has a block open (worker_table.hpp), or run timers.
//
// Creation: segments, reservation, format, row. The row comes last, so that a crash leaves segments
// without a row, which adoption removes. Destruction: goal and state into the row, wake, settle,
// unlink, withdraw the row; each step may be repeated.
//
// What is reserved is a prefix of the heap and the descriptors of its pages: reserved_bytes = R in
// control means that memory is there for [0, end of the descriptors of all pages below R) and
// for [heap, R).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "director/control_directory.hpp"
#include "director/data_plane.hpp"
#include "director/grants.hpp"
#include "director/permits.hpp"
#include "director/runtime_paths.hpp"
#include "director/segment_file.hpp"
#include "director/sensitive_rows.hpp"

namespace sessionblocks::director {

// By patterns of keys; of those that match a key the one with the most bytes besides '*' counts, of
// several the first. None: refuse.
using JoinPolicies = std::vector<std::pair<std::string, sessionblocks::JoinPolicy>>;

// What ends a block besides its scope and its lifespan, and what becomes of it then.
struct Ending {
  std::uint64_t idle_ms = 0;  // 0: however long nobody uses it
  sessionblocks::AtEnd at_end = sessionblocks::AtEnd::destroy;
  // With AtEnd::heir. What the suite declares names whoever has that path when the block ends;
  // what a worker creates names the very scope.
  ScopeId heir{};
  std::string heir_path{};
  bool is_heir_by_path = false;
  JoinPolicies join{};  // with AtEnd::join; a suite declares it
};

// What somebody wants: the suite file, a script, or the program that embeds the director.
struct BlockRequest {
  BlockPolicy policy;
  std::uint64_t quota_bytes = std::uint64_t{64} << 20U;
  std::uint64_t lifespan_ms = 0;  // 0: with its owner scope
  Ending ending;
  sessionblocks::AuditLevel audit = sessionblocks::AuditLevel::full;
  sessionblocks::FullRing full_ring = sessionblocks::FullRing::wait;
  sessionblocks::Enforce enforce = sessionblocks::Enforce::cooperative;
  sessionblocks::AtLimit at_limit = sessionblocks::AtLimit::refuse;
  bool logs_values = false;
  std::uint32_t permits = 0;  // bits of Permit
  SensitivePatterns sensitive{};
  bool is_loaded = false;  // begins with what the youngest DataBlock of its line has
  std::string from;        // inherited, forked: the name of the block that it comes from
  BlockId origin{};        // forked: that block
};

// A pinned instant of a block that somebody named.
struct Checkpoint {
  std::string name;
  std::uint64_t instant = 0;
  std::uint64_t taken_ms = 0;  // CLOCK_REALTIME
  std::uint32_t row = 0;
};

struct StoredBlock {
  BlockId id{};
  Generation generation{1};
  BlockPolicy policy;
  std::string from;
  BlockId origin{};  // forked: of which block
  std::uint32_t row = 0;
  std::uint64_t quota_bytes = 0;
  std::uint32_t permits = 0;  // bits of Permit
  // As in control; ours, because a row may have another tenant when we still recover this block.
  std::shared_ptr<std::atomic<std::uint64_t>> reserved =
      std::make_shared<std::atomic<std::uint64_t>>(0);
  sessionblocks::AuditLevel audit = sessionblocks::AuditLevel::full;
  sessionblocks::FullRing full_ring = sessionblocks::FullRing::wait;
  sessionblocks::Enforce enforce = sessionblocks::Enforce::cooperative;
  sessionblocks::AtLimit at_limit = sessionblocks::AtLimit::refuse;
  bool logs_values = false;
  std::uint64_t ends_at_ms = 0;  // CLOCK_BOOTTIME, 0: with its scope
  Ending ending;
  std::uint64_t last_used_ms = 0;  // CLOCK_BOOTTIME, as far as anybody looked
  std::uint64_t counted_use = 0;   // what holders had counted by then
  bool is_changing_hands = false;  // an earlier director was handing it over
  bool is_joining = false;         // the same: joining it to its origin
  std::uint32_t enforcing = 0;     // as layout::BlockRow has it
  sessionblocks::BlockState state = sessionblocks::BlockState::active;
  bool is_suspect = false;               // somebody says that it is damaged; to be examined
  bool is_unfinished = false;            // housekeeping has more to do
  bool is_denied_growth = false;         // by a guard: what it has reserved is all that it gets
  std::uint64_t excess_bytes = 0;        // that its segments were longer than they are, so far
  std::uint64_t mode_changes = 0;        // how often others changed their mode or owner, so far
  std::uint64_t activity = 0;            // its header as housekeeping saw it last
  std::shared_ptr<SegmentFile> segment;  // none: inherited
  std::shared_ptr<SegmentFile> readers;
  std::vector<Checkpoint> checkpoints;  // the oldest first
  std::vector<Revocation> revocations;
  SharedMask mask;  // of its sensitive keys; none: it has none

  [[nodiscard]] BlockMemory memory() const;
  // What opening it is refused with by its state: quarantined, wiped; Errc{0}: not at all.
  [[nodiscard]] Errc refusal() const noexcept {
    if (state == sessionblocks::BlockState::quarantined) return Errc::quarantined;
    return state == sessionblocks::BlockState::wiped ? Errc::wiped : Errc{};
  }
  // Whether there is anything in it to look after.
  [[nodiscard]] bool is_maintained() const noexcept {
    return segment && (state == sessionblocks::BlockState::active ||
                       state == sessionblocks::BlockState::sealed);
  }
  // Its owner is no longer the one that it was made for.
  [[nodiscard]] bool is_handed_over() const noexcept {
    return ending.at_end == sessionblocks::AtEnd::heir && ending.heir == policy.owner;
  }
  [[nodiscard]] std::string text() const;  // as events and the log call it
  [[nodiscard]] std::uint64_t reserved_bytes() const noexcept {
    return reserved->load(std::memory_order_relaxed);  // only we store it
  }
};

class BlockStore {
 public:
  struct Parts {
    const RuntimePaths& paths;
    ControlDirectory& control;
    platform::OpenerThread& opener;
    DataPlane& data_plane;
    Naming naming;
    MaskKey mask_key;
  };
  explicit BlockStore(Parts parts) noexcept : parts_(parts), sensitive_(parts.control) {}

  // invalid_argument: a quota below layout::kMinBlockBytes or above kMaxBlockBytes; out_of_memory:
  // /dev/shm cannot hold the quota now; too_many. Nothing is left on an error.
  // `fill` puts entries into it before anybody can know of it; what it says.
  using Fill = std::function<Result<void>(StoredBlock& block)>;
  [[nodiscard]] Result<BlockId> create(const BlockRequest& request, const Fill& fill = {});

  // Takes a row that an earlier director published. gone: the block was on its way out, and is
  // now; corrupt: row and segments contradict each other, and both are removed.
  [[nodiscard]] Result<BlockId> adopt(std::uint32_t row, const ScriptRights& grants,
                                      std::string from);

  // State, wake, unlink, row. What is still mapped stays mapped, here too: the caller settles in
  // between and drops the returned block once nobody has it open.
  void begin_destroy(StoredBlock& block) noexcept;
  [[nodiscard]] std::optional<StoredBlock> finish_destroy(BlockId block) noexcept;

  // Segments for the block's next generation, which nobody can know of yet. What create says.
  [[nodiscard]] Result<StoredBlock> make_generation(const StoredBlock& block, Room room);
  // From now on the block is what `next` holds. Returns what it was.
  [[nodiscard]] StoredBlock publish_generation(StoredBlock& block, StoredBlock next,
                                               sessionblocks::BlockState state) noexcept;
  static void unlink(StoredBlock& block) noexcept;

  // Goal, then the new owner. In between the caller sees to it that nobody holds more than the new
  // owner's block permits. With the owner go lifespan and idle time.
  void begin_hand_over(StoredBlock& block, ScopeId heir) noexcept;
  void finish_hand_over(StoredBlock& block) noexcept;
  // A fork's: the goal, and nobody writes until it has ended or the goal is withdrawn.
  void begin_join(StoredBlock& fork) noexcept;
  void end_join(StoredBlock& fork) noexcept;
  // Whom its heir's path means now, for whoever reads control.
  void name_heir(StoredBlock& block, ScopeId heir) noexcept;

  // More of its keys are sensitive from now on. Whether that changed anything.
  bool add_sensitive(StoredBlock& block, const SensitivePatterns& patterns);
  [[nodiscard]] SharedMask mask_of(const SensitivePatterns& patterns) const {
    return make_mask(patterns, parts_.mask_key);
  }
  // Drops what control has of patterns of blocks that are not there.
  void sweep_sensitive() noexcept;

  // How the change of state that follows is enforced, if not as the policy says; 0: it is done.
  void begin_enforcing(StoredBlock& block, std::uint32_t code) noexcept;
  // Handles answer by it from now on; wakes who waits. The caller settles, and logs.
  void change_state(StoredBlock& block, sessionblocks::BlockState state) noexcept;

  // Keeps max(1 MiB, a quarter of what is used) reserved ahead of use, and at least `wanted_bytes`
  // of the segment. Returns what is reserved now. out_of_memory: /dev/shm is full.
  [[nodiscard]] Result<std::uint64_t> reserve_ahead(StoredBlock& block,
                                                    std::uint64_t wanted_bytes = 0);

  [[nodiscard]] StoredBlock* find(BlockId block) noexcept;
  [[nodiscard]] std::map<BlockId, StoredBlock>& all() noexcept { return blocks_; }
  // Every block of this name; only private blocks of different slots share one.
  [[nodiscard]] std::vector<StoredBlock*> named(std::string_view name);

 private:
  [[nodiscard]] Result<void> make_memory(StoredBlock& block, std::uint32_t first_table_id);
  [[nodiscard]] Result<std::uint32_t> publish(const StoredBlock& block, const BlockRequest& request,
                                              layout::Masking masking);
  void insert(StoredBlock block);

  Parts parts_;
  SensitiveRows sensitive_;
  std::map<BlockId, StoredBlock> blocks_;
  std::multimap<std::string, BlockId, std::less<>> by_name_;
};

}  // namespace sessionblocks::director
