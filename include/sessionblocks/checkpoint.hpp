// Checkpoints: instants of a block that stay readable while its writers go on.
//
// The director takes and releases them (Block::take_checkpoint); taking one costs the same
// whatever the block holds, and pauses nobody. Reading at one needs no director. A checkpoint
// belongs to one block and ends with it, or when the block is rolled back to an earlier one; it
// outlives the process that asked for it, also one that was killed. What an operation in flight at
// the taking did is in it or not, as a whole.
//
// The idea: versions chained behind the newest one, each stamped with the instant of its commit, as
// multi-version stores keep them (D. P. Reed, "Naming and Synchronization in a Decentralized
// Computer System", 1978).
#pragma once

#include <sessionblocks/block_link.hpp>
#include <sessionblocks/error.hpp>
#include <sessionblocks/key.hpp>
#include <sessionblocks/value.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace sessionblocks {

struct EntryView;  // block.hpp

struct Checkpoint {
  std::string name;           // unique in its block; as blocks are named
  std::uint64_t instant = 0;  // of the block's own clock: a later checkpoint has a larger one
  std::chrono::system_clock::time_point taken;
};

// What happened to an entry between two moments.
enum class Change : std::uint8_t { added = 1, changed = 2, removed = 3 };
// "added", "changed", "removed".
[[nodiscard]] std::string_view change_name(Change change) noexcept;

struct Difference {
  std::string_view key;  // ends with the callback
  Change change{};
  Version before{};  // Version{0}: it was not there
  Version after{};   // Version{0}: it is not there
};

// A block as one of its checkpoints holds it. Every function fails with no_such_checkpoint once the
// checkpoint was released, also when that happens meanwhile, besides what the block's state says
// (gone, quarantined, corrupt). Entries that had expired when it was taken are not there; all
// others are, however long ago that was.
class BlockAt {
 public:
  BlockAt(BlockLink link, Checkpoint checkpoint) noexcept;
  BlockAt(BlockAt&&) noexcept;
  BlockAt& operator=(BlockAt&&) noexcept;
  ~BlockAt();

  [[nodiscard]] const Checkpoint& checkpoint() const noexcept { return checkpoint_; }

  // As Block::get and get_into. Absent then: not_found.
  template <EntryValue T>
  [[nodiscard]] Result<Entry<T>> get(const Key& key) const;
  [[nodiscard]] Result<std::size_t> get_into(const Key& key, std::span<std::byte> buffer) const;
  // As Block::for_each, of what was there at the instant: all of it, and nothing else.
  [[nodiscard]] Result<std::uint64_t> for_each(
      std::string_view prefix, const std::function<bool(const EntryView&)>& callback) const;

  // What differs at `later`, a checkpoint of the same block, key by key in no order; false from the
  // callback ends it. Returns how many were told. invalid_argument: another block's.
  [[nodiscard]] Result<std::uint64_t> diff(
      const BlockAt& later, const std::function<bool(const Difference&)>& callback) const;
  // The same against the block as it is. It is looked at entry by entry, not at one instant: take a
  // checkpoint where that matters.
  [[nodiscard]] Result<std::uint64_t> diff_to_now(
      const std::function<bool(const Difference&)>& callback) const;

  // Bytes of the block that only checkpoints hold and that this one needs: releasing it gives back
  // those that no other one needs. Counts them: time grows with the number of slots.
  [[nodiscard]] Result<std::uint64_t> held_bytes() const;

 private:
  BlockLink link_;
  Checkpoint checkpoint_;
};

}  // namespace sessionblocks
