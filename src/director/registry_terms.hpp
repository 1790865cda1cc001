// What a registry is told and tells: its options, what can be asked of a block, what opening one
// gave, and the limits of flow blocks.
#pragma once

#include <memory>
#include <optional>

#include "director/audit_sink.hpp"
#include "director/block_store.hpp"
#include "director/events.hpp"
#include "director/guard.hpp"
#include "director/scope_tree.hpp"

namespace sessionblocks::director {

struct RegistryOptions {
  RuntimePaths paths;
  Naming naming = Naming::named;
  std::uint64_t ring_records = layout::kDefaultRingRecords;
  std::optional<std::uint64_t> budget_bytes;  // of all blocks, 0: no bound; none: as control says
  std::optional<MaskKey> mask_key;            // of sensitive keys; none: a random one
  std::optional<Budgets> budgets;             // of scopes; none: as control says
  std::shared_ptr<DataPlane> data_plane;      // none: the real one, src/segment
  MakeAuditSink make_audit;                   // none: records are drained and dropped
  std::shared_ptr<AuditSink> audit;           // made by the above, once the system is known
  std::shared_ptr<EventSink> events;          // none: silent
  Guard* guard = nullptr;                     // none: nobody watches; outlives the registry
};

// A state that somebody asks for. What a block can be: src/director/README.md.
enum class Transition : std::uint8_t { seal, unseal, quarantine, release, wipe };

// How a change is enforced: as the block's policy says, or by name, for one time.
struct Enforcement {
  static constexpr std::uint32_t kSparing = 0x100;

  sessionblocks::Enforce how = sessionblocks::Enforce::cooperative;
  bool may_kill = true;  // where a swap cannot be made

  // As control keeps it while the change is under way; never 0.
  [[nodiscard]] constexpr std::uint32_t code() const noexcept {
    return static_cast<std::uint32_t>(how) | (may_kill ? 0U : kSparing);
  }
  [[nodiscard]] static constexpr Enforcement of(std::uint32_t code) noexcept {
    return {static_cast<sessionblocks::Enforce>(code & 0xFFU), (code & kSparing) == 0};
  }
};

enum class OpenMode : std::uint8_t { best = 0, read = 1, read_write = 2 };

// Flow blocks: how deep below the worker's own scope, how many of one worker at a time, and how
// long a path becomes, so that listings and requests hold it.
inline constexpr std::size_t kMaxFlowDepth = 16;
inline constexpr std::size_t kMaxFlowsOfWorker = 64;
inline constexpr std::size_t kMaxFlowPathBytes = 400;

// The names of the checkpoints that a fork keeps: in its origin, with its own id, and in itself.
inline constexpr std::string_view kForkPrefix = "fork-";
inline constexpr std::string_view kForkBase = "base";

// What a worker is told when it opened a block.
struct Opening {
  BlockId block{};
  Generation generation{};
  std::uint32_t row = 0;
  std::uint64_t bytes = 0;
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  bool is_narrowed = false;  // by a seal: reopened when that has ended, it is for writing
  unsigned open = 0;
  platform::UniqueFd descriptor;
};

}  // namespace sessionblocks::director
