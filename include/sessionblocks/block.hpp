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
//   unreachable      the block moved to another generation, or is about to, and the director that
//                    lets us in there is away; denied: it does not let us in any more
//   forked           this process is a fork of the one that attached
//   reentrant        called from a callback of the same session
//   audit_full       the audit ring is full and the block's policy is "fail"
//   too_many         more threads use the session than it has lanes (32)
// Operations that write can also return:
//   read_only        the grant is "r", or what a revocation has left
//   out_of_memory    quota reached or /dev/shm full; the old value is still there
//   value_too_large  no block of this quota could hold it
//   overflow         an unsigned integer above INT64_MAX
#pragma once

#include <sessionblocks/block_link.hpp>
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

class BlockAt;  // checkpoint.hpp
struct Checkpoint;

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
  [[nodiscard]] Result<Entry<T>> get(const Key& key) const;
  // Copies the value's bytes, whatever the type (integers and reals: 8, booleans: 1 byte,
  // little-endian). Returns their number. buffer_too_small: Error::needed_bytes(), nothing copied.
  [[nodiscard]] Result<std::size_t> get_into(const Key& key, std::span<std::byte> buffer) const;
  [[nodiscard]] Result<bool> contains(const Key& key) const;
  // Zero copy: the bytes cannot be reused while the callback runs. They may be called again: when
  // the entry changed meanwhile, visit fails with conflict after the callback, whose work on
  // the bytes must then be thrown away.
  [[nodiscard]] Result<Version> visit(
      const Key& key, const std::function<void(std::span<const std::byte>)>& callback) const;
  // One result per key, in order; cheaper than single gets when the block is larger than the cache.
  [[nodiscard]] std::vector<Result<Entry<Value>>> get_many(std::span<const Key> keys) const;
  // Every live entry whose key begins with `prefix`, in no order; false from the callback ends it.
  // Each entry is whole; entries put or erased meanwhile may be seen or not; none is seen twice.
  // Returns how many were shown.
  [[nodiscard]] Result<std::uint64_t> for_each(
      std::string_view prefix, const std::function<bool(const EntryView&)>& callback) const;
  // Live entries. Counts them: time grows with the number of slots.
  [[nodiscard]] Result<std::uint64_t> size() const;

  // Checkpoints (checkpoint.hpp). The director takes and releases them for who opened the block for
  // writing (read_only); everybody else may list them and read at them. exists: the name is taken;
  // invalid_argument: no name; too_many: a block has 56; no_such_checkpoint; unreachable.
  [[nodiscard]] Result<Checkpoint> take_checkpoint(std::string_view name);
  [[nodiscard]] Result<void> release_checkpoint(std::string_view name);
  // From now on the block is as that checkpoint shows it, for everybody who has it open, in one
  // step: what was put, changed or erased since is changed back. Versions are not: an entry that is
  // changed back has a new one. Later checkpoints end; this one and those before it stay. Writers
  // wait while what differs is looked for, readers never.
  [[nodiscard]] Result<void> roll_back(std::string_view name);
  [[nodiscard]] Result<std::vector<Checkpoint>> checkpoints() const;  // the oldest first
  [[nodiscard]] BlockAt at(Checkpoint checkpoint) const;              // shares this handle

  // Writing. Each returns the entry's new version unless it says otherwise.
  [[nodiscard]] Result<Version> put(const Key& key, const ValueView& value,
                                    Expiry expiry = Expiry::never());
  // exists: there is one already (Error::version()).
  [[nodiscard]] Result<Version> add(const Key& key, const ValueView& value,
                                    Expiry expiry = Expiry::never());
  // not_found: there is none.
  [[nodiscard]] Result<Version> replace(const Key& key, const ValueView& value,
                                        Expiry expiry = Expiry::never());
  // conflict: another version is there (Error::version()); not_found: there is none.
  [[nodiscard]] Result<Version> compare_and_set(const Key& key, Version expected,
                                                const ValueView& value,
                                                Expiry expiry = Expiry::keep());
  // Adds to an integer; a new entry starts at 0. Returns the sum. overflow: nothing changed.
  [[nodiscard]] Result<std::int64_t> increment(const Key& key, std::int64_t by = 1,
                                               Expiry expiry = Expiry::keep());
  // Adds to a real. overflow: the sum would not be finite.
  [[nodiscard]] Result<double> increment_real(const Key& key, double by,
                                              Expiry expiry = Expiry::keep());
  // To text or bytes of the same type; a new entry starts empty. Returns the value's new size.
  [[nodiscard]] Result<std::size_t> append(const Key& key, const ValueView& suffix,
                                           Expiry expiry = Expiry::keep());
  // not_found: there is none. Works in a full block: an erase frees at least what it takes.
  [[nodiscard]] Result<Version> erase(const Key& key);
  template <EntryValue T>
  [[nodiscard]] Result<Entry<T>> get_and_erase(const Key& key);
  // Changes only when the entry expires.
  [[nodiscard]] Result<Version> touch(const Key& key, Expiry expiry);

  // Waits until the entry's version differs from `known` (Version{0}: until there is an entry).
  // Returns the version that is there, Version{0} when there is none now.
  // timed_out: the limit passed. cancelled: `stop` was requested.
  [[nodiscard]] Result<Version> wait(const Key& key, Version known, std::chrono::milliseconds limit,
                                     std::stop_token stop = {}) const;
  [[nodiscard]] Result<ChangeFd> change_fd(const Key& key, Version known) const;

 private:
  friend class Session;
  friend class FlowScope;
  BlockLink link_;
};

}  // namespace sessionblocks
