// Errors: one code per thing that can go wrong, and a message that says what to do next.
//
// Every function of the library that can fail returns Result<T>. No exception crosses the API: an
// allocation that fails inside the library becomes Errc::out_of_memory. Codes are append-only; a
// number is never reused, so logs and other languages may keep them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace sessionblocks {

enum class Errc : std::uint16_t {
  not_found = 1,            // no such key, or its entry has expired
  conflict = 2,             // compare_and_set: the entry has another version (Error::version)
  exists = 3,               // add: the key has an entry; create: the name is taken
  wrong_type = 4,           // the entry has another type than the operation needs
  overflow = 5,             // increment would leave the range of its type
  invalid_key = 6,          // a key is 1 to 1,024 bytes
  value_too_large = 7,      // a value that no block of this quota could hold
  buffer_too_small = 8,     // get_into: Error::version is the size that is needed, in bytes
  out_of_memory = 9,        // quota reached, /dev/shm full, or no memory; nothing was changed
  denied = 10,              // no grant for this, or the suite does not permit it
  read_only = 11,           // the grant is "r"
  sealed = 12,              // readable, not written while sealed
  quarantined = 13,         // nobody but the director
  wiped = 14,               // contents gone
  gone = 15,                // the block or its scope has ended; this handle is stale
  no_such_block = 16,       // open: no block of this name is visible to this scope
  no_such_scope = 17,       // a scope that does not exist or has ended
  unreachable = 18,         // the director does not answer; data operations go on
  not_attached = 19,        // no session system in the environment, or it ended
  audit_full = 20,          // the audit ring is full and the block's policy is "fail"
  corrupt = 21,             // shared bytes break an invariant; latched for this mapping
  layout_mismatch = 22,     // the segment has another layout version; both are named
  timed_out = 23,           // the time limit of a wait passed
  cancelled = 24,           // the stop token of a wait was used
  forked = 25,              // this process is a fork; it must attach for itself
  reentrant = 26,           // a callback called back into its own session
  too_many = 27,            // a fixed limit (threads, open blocks, waits) is reached; named
  invalid_argument = 28,    // anything else that the caller can correct
  already_running = 29,     // a second director for one session system
  io_error = 30,            // the operating system refused; its own message is attached
  not_permitted = 31,       // the suite does not permit this to the script
  malformed = 32,           // a message or file that cannot be read as what it should be
  unsupported = 33,         // this kernel or build lacks what the call needs; named
  no_such_checkpoint = 34,  // the block has no checkpoint of this name

  reference_forged = 35,          // redeem: no reference of this system, or a changed one
  reference_expired = 36,         // redeem: its lifetime has passed
  reference_used = 37,            // redeem: it was good for one use
  reference_wrong_audience = 38,  // redeem: it was made for another scope
  reference_revoked = 39,         // redeem: who shared it has ended, or has lost these rights
  join_conflict = 40,             // join: keys that both sides changed, and no policy for them
};

// The code's name as it appears in logs and JSON, e.g. "out_of_memory".
[[nodiscard]] std::string_view errc_name(Errc code) noexcept;

class [[nodiscard]] Error {
 public:
  explicit Error(Errc code) noexcept : code_(code) {}
  Error(Errc code, std::string context) noexcept : code_(code), context_(std::move(context)) {}
  // `number` is the current version (conflict) or the bytes that are needed (buffer_too_small).
  Error(Errc code, std::uint64_t number) noexcept : code_(code), number_(number) {}

  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] std::uint64_t version() const noexcept { return number_; }
  [[nodiscard]] std::uint64_t needed_bytes() const noexcept { return number_; }
  // What was tried and on what; empty on hot paths, which do not allocate.
  [[nodiscard]] const std::string& context() const noexcept { return context_; }
  // One line: what was tried, why it failed, what to do next.
  [[nodiscard]] std::string message() const;

  friend bool operator==(const Error& error, Errc code) noexcept { return error.code_ == code; }

 private:
  Errc code_;
  std::uint64_t number_ = 0;
  std::string context_;
};

template <typename T>
using Result = tl::expected<T, Error>;

// fail(Errc::gone) reads better than tl::unexpected<Error>(Error(Errc::gone)).
template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(Errc code, Args&&... args) {
  return tl::unexpected<Error>(Error(code, std::forward<Args>(args)...));
}

}  // namespace sessionblocks
