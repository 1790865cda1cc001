// Walking the entries of a block that changed since the walk before, in slices, while workers
// write.
//
// What it does: it keeps a sum over each chunk of 256 slots of the index, which every write changes
// because a slot's version only goes up, and reads the entries of a chunk whose sum is another one.
// That finds a write without a sign from anybody and costs a sequential read of 16 bytes a slot.
// A chunk that changed is given in the next walk too, so that what was learnt in between is looked
// for in it. A large value is given in pieces.
// What it does not see: what was written and overwritten or erased again between two walks.
//
// Only loads; nobody waits for it. One thread. The block's memory stays mapped as long as this is.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "director/block_store.hpp"
#include "segment/lookup.hpp"

namespace sessionblocks::flowguard {

inline constexpr std::uint64_t kChunkSlots = 256;
inline constexpr std::uint64_t kPieceBytes = 65'536;

// A piece of an entry's value; nothing of it is there after the call.
struct EntryPiece {
  std::uint64_t chunk = 0;
  std::string_view key;
  std::span<const std::byte> value;
  std::uint64_t version = 0;
  std::optional<WorkerId> writer;  // whose page the entry lies in, if that has an owner still
  bool is_first = true;
  bool is_last = true;
};

class EntryVisitor {
 public:
  virtual void piece(const EntryPiece& piece) = 0;
  // The entry whose pieces came was overwritten meanwhile; it comes again in the next walk.
  virtual void cut_off() = 0;
  // All entries of the chunk were given, or not all (`is_whole` false).
  virtual void chunk_done(std::uint64_t chunk, bool is_whole) = 0;
  // The index is another one: chunks are new.
  virtual void index_changed() = 0;

 protected:
  ~EntryVisitor() = default;
};

class ChangedEntries {
 public:
  explicit ChangedEntries(const director::StoredBlock& block);
  ~ChangedEntries();
  ChangedEntries(const ChangedEntries&) = delete;
  ChangedEntries& operator=(const ChangedEntries&) = delete;

  [[nodiscard]] Generation generation() const noexcept { return generation_; }
  enum class Which : std::uint8_t { changed, all };
  // A chunk, or 64 KiB of one and at most as much again. False: the walk is over; the next call
  // begins another one.
  bool step(Which which, EntryVisitor& visitor);

 private:
  struct Cursor {
    std::uint64_t chunk = 0;
    std::uint64_t slot = 0;  // of the chunk; 0: it was not looked at yet
    std::uint64_t offset = 0;
    bool is_whole = true;
    segment::SlotView at;  // with offset: the entry that is being given
    std::string key;
  };

  bool load(EntryVisitor& visitor);
  [[nodiscard]] std::uint64_t chunks() const noexcept;
  [[nodiscard]] const segment::TableView& view_of(std::uint64_t& chunk) const noexcept;
  [[nodiscard]] std::uint64_t sum_of(std::uint64_t chunk) const noexcept;
  bool give(Cursor& cursor, EntryVisitor& visitor);
  bool give_slot(Cursor& cursor, std::uint64_t index, const segment::TableView& view,
                 EntryVisitor& visitor);
  bool go_on(Cursor& cursor, EntryVisitor& visitor);
  [[nodiscard]] std::optional<WorkerId> writer_of(std::uint64_t offset) const noexcept;

  std::shared_ptr<director::SegmentFile> file_;
  std::shared_ptr<std::atomic<std::uint64_t>> reserved_;
  Generation generation_;
  segment::BlockMemory memory_;
  segment::Tables tables_;
  bool has_tables_ = false;
  std::vector<std::uint64_t> sums_;  // 0: not looked at
  std::vector<bool> again_;
  Cursor changed_;
  Cursor all_;
  std::vector<std::byte> piece_;
  std::uint64_t given_bytes_ = 0;  // in this step
};

}  // namespace sessionblocks::flowguard
