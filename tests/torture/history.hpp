// What happened to one key between two pauses, held against what may happen.
//
// Every change of a key has a version of its own, and the audit log tells the version of each
// operation, so the order of changes is known. It must be one that the operations themselves allow
// (each finds what the one before it left) and that real time allows (whatever ended before another
// began stands before it). Reads stand between the changes in the same way. That is linearizability
// of the key, with the versions as witness; tests/linearizability decides it without them.
//
// All operations given are over, or were cut off and have been decided by the log.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/words.hpp"

namespace sessionblocks::torture {

struct KeyState;

// One operation that was done.
struct Done {
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;    // of one that was cut off: when its process had died
  std::uint64_t start_ms = 0;  // the same by the coarse clock
  std::uint64_t end_ms = 0;
  std::uint64_t version = 0;  // that it made or saw; 0: the key was not there at all
  std::uint64_t written = 0;  // as in JournalEntry
  std::uint64_t seen = 0;
  std::uint64_t argument = 0;
  std::uint64_t bytes = 0;        // written, or seen
  std::uint64_t value_bytes = 0;  // of the entry afterwards, as the log has it
  std::uint32_t ttl_ms = 0;
  std::uint16_t outcome = 0;  // Errc
  Op op = Op::get;
  bool has_value = false;    // a read: `seen` and `bytes` are what it saw
  bool was_cut_off = false;  // its caller never heard of it
  std::uint32_t slot = 0;
  std::uint32_t life = 0;
  const KeyState* back = nullptr;  // a rollback, to this
  bool needs_expired = false;      // an eviction that may take out nothing else

  [[nodiscard]] bool changes() const noexcept {
    return outcome == 0 && ((op >= Op::put && op <= Op::get_and_erase) || op == Op::evict);
  }
  // Of a change: whether there is no entry after it.
  [[nodiscard]] bool takes_out() const noexcept {
    return op == Op::erase || op == Op::get_and_erase || op == Op::evict;
  }
};

// The entry of a key after some version of it.
struct KeyState {
  std::uint64_t version = 0;
  bool is_live = false;       // an entry, though it may have expired; else a tombstone or nothing
  std::uint64_t content = 0;  // of a text; a counter's value
  std::uint64_t bytes = 0;
  // Between these it expires, by the coarse clock in ms; 0: never.
  std::uint64_t expires_first_ms = 0;
  std::uint64_t expires_last_ms = 0;
  // Once the block was rolled back: an entry that has expired may have been left behind, and the
  // key's next version is any that is higher.
  bool may_be_left_behind = false;

  // Whether it may count as there, or as gone, for who looks between these times
  // of the coarse clock.
  [[nodiscard]] bool may_be_there(std::uint64_t start_ms) const noexcept;
  [[nodiscard]] bool may_be_gone(std::uint64_t end_ms) const noexcept;
};

using Complain = std::function<void(const std::string&)>;

// `state`: before all of `done` (in any order); afterwards: behind it.
void check_key(const std::string& name, bool is_counter, KeyState& state, std::vector<Done>& done,
               const Complain& complain);

// "slot 2 life 17 put version 41 ..." for messages.
[[nodiscard]] std::string describe(const Done& done);

}  // namespace sessionblocks::torture
