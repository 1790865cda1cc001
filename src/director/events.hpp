// What the director did, for people: the tools write it with spdlog, tests collect it.
//
// Calls come from the director's event loop and, when a log is kept (logs.hpp), from the log's
// threads too. They must not call back into the director.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/ids.hpp"

namespace sessionblocks::director {

enum class EventKind : std::uint8_t {
  started,      // a director, a script's worker process
  adopted,      // what an earlier director left alive
  swept,        // what a dead one left
  created,      // a block
  attached,     // a worker
  opened,       // a block by a worker
  denied,       // a request
  detached,     // a worker, in order
  died,         // a worker or its process
  recovered,    // what it left is put right
  restarted,    // a worker process
  ended,        // a scope
  destroyed,    // a block
  timed_out,    // a script
  failed,       // a script, or something that the operating system refused
  stopped,      // the director
  quarantined,  // a block in which damage was found
  forged,       // something that a worker left and that cannot be true
  sealed,       // a block: no more writes
  unsealed,     // a sealed block
  released,     // a block from quarantine: it was looked at and is sound
  wiped,        // a block: its bytes are gone
  killed,       // a worker that held what is enforced against it
  shared,       // a block, as a reference
  rolled_back,  // a block, to a checkpoint
  handed_over,  // a block, to its heir
  saved,        // blocks, to a snapshot file
  elevated,     // a block, to a DataBlock
  joined,       // a block, by a fork of it
  loaded,       // a block, from a DataBlock
  deleted,      // a snapshot, a DataBlock
  revoked,      // rights on a block, from a scope
  granted,      // what was revoked, back
  compacted,    // a block
  begun,        // a scope
  closed,       // a block by a worker
  redeemed,     // a reference, by a worker
  pinned,       // a checkpoint of a block, taken
  unpinned,     // a checkpoint of a block, released
  forked,       // a block, as another one
  restored,     // a block, from a snapshot file
  acting,       // an operator, as a scope
  found,        // something that a rule of FlowGuard looks for
};
inline constexpr unsigned kEventKinds = static_cast<unsigned>(EventKind::found) + 1;

[[nodiscard]] std::string_view word(EventKind kind) noexcept;

struct Event {
  EventKind kind = EventKind::started;
  std::string subject;  // block "cart", worker 7, scope shop/checkout#2
  std::string detail;   // why, or with what; may be empty
  // Where the subject is a block, or has to do with one.
  BlockId block{};
  Generation generation{};
  WorkerId worker{};           // that it is about; else the one that asked for it; else 0
  std::string asked_by{};      // empty: nobody, the director does it of itself
  std::uint64_t left_out = 0;  // denied: further ones that no note of their own says
};

class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual void on_event(const Event& event) = 0;
};

}  // namespace sessionblocks::director
