// Block: a handle on one SessionBlock that this session may read, or read and write.
//
// Handles are move-only, keep the mapping that they need alive, and may be used from several
// threads at once. Reading functions are const and store nothing in the block.
//
// What a crash leaves: a change is there in full or not at all. Nobody waits for a process that
// died or stopped inside one of these calls.
//
// Errors that every operation can return, besides those it names:
//   invalid_key      the key has 0 or more than 1,024 bytes
//   gone, sealed, quarantined, wiped     the state of the block forbids it
//   corrupt          shared bytes break an invariant
//   forked           this process is a fork of the one that attached
//   reentrant        called from a callback of the same session
//   audit_full       the audit ring is full and the block's policy is "fail"
//   too_many         more threads use the session than it has lanes (32)
// Operations that write can also return:
//   read_only        the grant is "r"
//   out_of_memory    quota reached or /dev/shm full; the old value is still there
//   value_too_large  no block of this quota could hold it
//   overflow         an unsigned integer above INT64_MAX
#pragma once

#include <sessionblocks/error.hpp>
#include <sessionblocks/key.hpp>
#include <sessionblocks/value.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

namespace sessionblocks {

class BlockHandle;  // src/session

// How long an entry lives. Default of a put: for ever; of increment and append: as before.
struct Expiry {
  enum class Kind : std::uint8_t { never, after, keep };
  Kind kind = Kind::never;
  std::chrono::milliseconds ttl{0};

  [[nodiscard]] static Expiry never() noexcept { return {}; }
  // From now, in steps of the coarse clock (4 ms); at most 100 years; 0 or less: invalid_argument.
  [[nodiscard]] static Expiry after(std::chrono::milliseconds ttl) noexcept {
    return {Kind::after, ttl};
  }
  // The expiry that the entry has now; never for a new one.
  [[nodiscard]] static Expiry keep() noexcept { return {Kind::keep, {}}; }
};

// What for_each and visit show: views that end with the callback.
struct EntryView {
  std::string_view key;
  Type type;
  std::span<const std::byte> value;
  Version version;
  std::optional<std::chrono::milliseconds> expires_in;
};

// A file descriptor that becomes readable when the key's version differs from the one given, or
// the block's state changes: for event loops. Owns a thread; closing it ends both.
class ChangeFd {
 public:
  struct State;
  explicit ChangeFd(std::unique_ptr<State> state) noexcept;
  ChangeFd(ChangeFd&&) noexcept;
  ChangeFd& operator=(ChangeFd&&) noexcept;
  ~ChangeFd();
  [[nodiscard]] int fd() const noexcept;

 private:
  std::unique_ptr<State> state_;
};

class Block {
 public:
  explicit Block(std::shared_ptr<BlockHandle> handle) noexcept;
  Block(Block&&) noexcept;
  Block& operator=(Block&&) noexcept;
  ~Block();

  [[nodiscard]] const std::string& name() const noexcept;
  [[nodiscard]] std::uint32_t id() const noexcept;
  [[nodiscard]] bool is_writable() const noexcept;

  // Reading. Absent or expired: not_found. Another type: wrong_type, which names both.
  template <EntryValue T>
  [[nodiscard]] Result<Entry<T>> get(Key key) const;
  // Copies the value's bytes, whatever the type (integers and reals: 8, booleans: 1 byte,
  // little-endian). Returns their number. buffer_too_small: Error::needed_bytes(), nothing copied.
  [[nodiscard]] Result<std::size_t> get_into(Key key, std::span<std::byte> buffer) const;
  [[nodiscard]] Result<bool> contains(Key key) const;
  // Zero copy: the bytes cannot be reused while the callback runs. They may be called again: when
  // the entry changed meanwhile, visit fails with conflict after the callback, whose work on
  // the bytes must then be thrown away.
  [[nodiscard]] Result<Version> visit(
      Key key, const std::function<void(std::span<const std::byte>)>& callback) const;
  // One result per key, in order; cheaper than single gets when the block is larger than the cache.
  [[nodiscard]] std::vector<Result<Entry<Value>>> get_many(std::span<const Key> keys) const;
  // Every live entry whose key begins with `prefix`, in no order; false from the callback ends it.
  // Each entry is whole; entries put or erased meanwhile may be seen or not; none is seen twice.
  // Returns how many were shown.
  [[nodiscard]] Result<std::uint64_t> for_each(
      std::string_view prefix, const std::function<bool(const EntryView&)>& callback) const;
  // Live entries. Counts them: time grows with the number of slots.
  [[nodiscard]] Result<std::uint64_t> size() const;

  // Writing. Each returns the entry's new version unless it says otherwise.
  [[nodiscard]] Result<Version> put(Key key, ValueView value, Expiry expiry = Expiry::never());
  // exists: there is one already (Error::version()).
  [[nodiscard]] Result<Version> add(Key key, ValueView value, Expiry expiry = Expiry::never());
  // not_found: there is none.
  [[nodiscard]] Result<Version> replace(Key key, ValueView value, Expiry expiry = Expiry::never());
  // conflict: another version is there (Error::version()); not_found: there is none.
  [[nodiscard]] Result<Version> compare_and_set(Key key, Version expected, ValueView value,
                                                Expiry expiry = Expiry::keep());
  // Adds to an integer; a new entry starts at 0. Returns the sum. overflow: nothing changed.
  [[nodiscard]] Result<std::int64_t> increment(Key key, std::int64_t by = 1,
                                               Expiry expiry = Expiry::keep());
  // Adds to a real. overflow: the sum would not be finite.
  [[nodiscard]] Result<double> increment_real(Key key, double by, Expiry expiry = Expiry::keep());
  // To text or bytes of the same type; a new entry starts empty. Returns the value's new size.
  [[nodiscard]] Result<std::size_t> append(Key key, ValueView suffix,
                                           Expiry expiry = Expiry::keep());
  // not_found: there is none. Works in a full block: an erase frees at least what it takes.
  [[nodiscard]] Result<Version> erase(Key key);
  template <EntryValue T>
  [[nodiscard]] Result<Entry<T>> get_and_erase(Key key);
  // Changes only when the entry expires.
  [[nodiscard]] Result<Version> touch(Key key, Expiry expiry);

  // Waits until the entry's version differs from `known` (Version{0}: until there is an entry).
  // Returns the version that is there, Version{0} when there is none now.
  // timed_out: the limit passed. cancelled: `stop` was requested.
  [[nodiscard]] Result<Version> wait(Key key, Version known, std::chrono::milliseconds limit,
                                     std::stop_token stop = {}) const;
  [[nodiscard]] Result<ChangeFd> change_fd(Key key, Version known) const;

 private:
  friend class Session;
  std::shared_ptr<BlockHandle> handle_;
};

}  // namespace sessionblocks
