#include "flowguard/changed_entries.hpp"

#include <sodium.h>

#include <algorithm>

#include "layout/page.hpp"

namespace sessionblocks::flowguard {
namespace {

// Of a slot that is changed all the time: the chunk is looked at again in the next walk.
constexpr int kMostLooks = 64;

using segment::detail::Look;

}  // namespace

ChangedEntries::ChangedEntries(const director::StoredBlock& block)
    : file_(block.segment),
      reserved_(block.reserved),
      generation_(block.generation),
      memory_(file_->memory().data(), file_->memory().size(), reserved_.get(), {}),
      piece_(kPieceBytes) {}

ChangedEntries::~ChangedEntries() {
  sodium_memzero(piece_.data(), piece_.size());
}

// Whether there is a table to walk.
bool ChangedEntries::load(EntryVisitor& visitor) {
  const segment::Tables before = tables_;
  if (!segment::load_tables(memory_, tables_)) return has_tables_ = false;
  const bool is_same = has_tables_ && before.current.word == tables_.current.word &&
                       before.is_growing() == tables_.is_growing() &&
                       (!tables_.is_growing() || before.old.word == tables_.old.word);
  has_tables_ = true;
  if (is_same) return true;
  sums_.assign(chunks(), 0);
  again_.assign(chunks(), false);
  changed_ = all_ = Cursor{};
  visitor.index_changed();
  return true;
}

std::uint64_t ChangedEntries::chunks() const noexcept {
  const auto of = [](const segment::TableView& view) {
    return (view.mask + kChunkSlots) / kChunkSlots;
  };
  return of(tables_.current_view) + (tables_.is_growing() ? of(tables_.old_view) : 0);
}

// The table of a chunk, which becomes its number there. That which grows comes last.
const segment::TableView& ChangedEntries::view_of(std::uint64_t& chunk) const noexcept {
  const std::uint64_t current = (tables_.current_view.mask + kChunkSlots) / kChunkSlots;
  if (chunk < current) return tables_.current_view;
  chunk -= current;
  return tables_.old_view;
}

std::uint64_t ChangedEntries::sum_of(std::uint64_t chunk) const noexcept {
  const segment::TableView& view = view_of(chunk);
  std::uint64_t sum = 1;
  const std::uint64_t begin = chunk * kChunkSlots;
  const std::uint64_t end = std::min(begin + kChunkSlots, view.mask + 1);
  for (std::uint64_t i = begin; i < end; ++i) {
    // Acquire: what is read of the entries afterwards is at least as new.
    sum = (sum ^ view.slots[i].low.load(std::memory_order_acquire)) * 0x9E37'79B9'7F4A'7C15U;
    sum = (sum ^ view.slots[i].high.load(std::memory_order_acquire)) * 0xD6E8'FEB8'6659'FD93U;
    sum ^= sum >> 29U;
  }
  return sum == 0 ? 1 : sum;
}

bool ChangedEntries::step(Which which, EntryVisitor& visitor) {
  Cursor& cursor = which == Which::changed ? changed_ : all_;
  if (!load(visitor)) {
    changed_ = all_ = Cursor{};
    return false;
  }
  if (cursor.chunk >= chunks()) {
    cursor = Cursor{};
    return false;
  }
  const std::uint64_t chunk = cursor.chunk;
  if (cursor.slot == 0 && cursor.offset == 0) {
    cursor.is_whole = true;
    if (which == Which::changed) {
      const std::uint64_t sum = sum_of(chunk);
      const bool has_changed = sum != sums_[chunk];
      const bool is_due = has_changed || again_[chunk];
      sums_[chunk] = sum;
      again_[chunk] = has_changed;
      if (!is_due) {
        ++cursor.chunk;
        return true;
      }
    }
  }
  if (!give(cursor, visitor)) return true;
  if (!cursor.is_whole) again_[chunk] = true;
  visitor.chunk_done(chunk, cursor.is_whole);
  cursor = Cursor{};
  cursor.chunk = chunk + 1;
  return true;
}

// False: there is more of the chunk.
bool ChangedEntries::give(Cursor& cursor, EntryVisitor& visitor) {
  if (cursor.offset != 0) {
    if (!go_on(cursor, visitor)) return false;
    ++cursor.slot;
  }
  std::uint64_t chunk = cursor.chunk;
  const segment::TableView& view = view_of(chunk);
  const std::uint64_t begin = chunk * kChunkSlots;
  const std::uint64_t count = std::min(kChunkSlots, view.mask + 1 - begin);
  given_bytes_ = 0;
  for (; cursor.slot < count; ++cursor.slot) {
    if (!give_slot(cursor, begin + cursor.slot, view, visitor)) return false;
    if (given_bytes_ < kPieceBytes) continue;
    ++cursor.slot;
    return false;
  }
  return true;
}

bool ChangedEntries::give_slot(Cursor& cursor, std::uint64_t index, const segment::TableView& view,
                               EntryVisitor& visitor) {
  segment::SlotView at;
  at.table = view;
  at.index = index;
  at.slot = &view.slots[index];
  std::uint64_t version = 0;
  std::size_t size = 0;
  const auto copy = [&](const segment::SlotView& seen) {
    const auto* const node = reinterpret_cast<const std::byte*>(seen.node);
    std::array<std::byte, layout::kMaxKeyBytes> key{};
    const std::size_t key_bytes = std::min<std::size_t>(seen.shape.key_bytes, key.size());
    copy_out(key.data(), node + seen.shape.key_at(), key_bytes);
    cursor.key.assign(reinterpret_cast<const char*>(key.data()), key_bytes);
    sodium_memzero(key.data(), key.size());
    size = static_cast<std::size_t>(std::min(seen.shape.value_bytes, kPieceBytes));
    copy_out(piece_.data(), node + seen.shape.value_at(), size);
    version = seen.node->version.load(std::memory_order_relaxed);
  };
  for (int looks = 0;; ++looks) {
    if (looks == kMostLooks) {
      cursor.is_whole = false;
      return true;
    }
    at.ver = at.slot->high.load(std::memory_order_acquire);
    at.ref.word = at.slot->low.load(std::memory_order_acquire);
    if (!at.ref.holds_node()) return true;
    const Look look = segment::detail::look_at_any_node(memory_, at, copy);
    if (look == Look::corrupt) return true;
    if (look == Look::hit) break;
  }
  if (at.shape.type == layout::ValueType::tombstone) return true;
  const bool is_last = size == at.shape.value_bytes;
  given_bytes_ += size + cursor.key.size();
  visitor.piece({cursor.chunk,
                 cursor.key,
                 {piece_.data(), size},
                 version,
                 writer_of(at.ref.offset()),
                 true,
                 is_last});
  sodium_memzero(piece_.data(), size);
  if (is_last) {
    sodium_memzero(cursor.key.data(), cursor.key.size());
    return true;
  }
  cursor.at = at;
  cursor.offset = size;
  return false;
}

// The next piece; true: that was the last, or the entry is another one by now.
bool ChangedEntries::go_on(Cursor& cursor, EntryVisitor& visitor) {
  const segment::SlotView& at = cursor.at;
  const std::uint64_t left = at.shape.value_bytes - cursor.offset;
  const auto size = static_cast<std::size_t>(std::min(left, kPieceBytes));
  // The slot still shows this node, and the bytes were present when it was found.
  const bool was_there = segment::detail::unchanged(at);
  if (was_there) copy_out(piece_.data(), at.value() + cursor.offset, size);
  const std::uint64_t version = at.node->version.load(std::memory_order_relaxed);
  const bool is_there = was_there && segment::detail::unchanged(at);
  const bool is_last = !is_there || size == left;
  if (is_there) {
    visitor.piece({cursor.chunk,
                   cursor.key,
                   {piece_.data(), size},
                   version,
                   writer_of(at.ref.offset()),
                   false,
                   is_last});
  } else {
    cursor.is_whole = false;
    visitor.cut_off();
  }
  sodium_memzero(piece_.data(), size);
  cursor.offset = is_last ? 0 : cursor.offset + size;
  if (is_last) sodium_memzero(cursor.key.data(), cursor.key.size());
  return is_last;
}

std::optional<WorkerId> ChangedEntries::writer_of(std::uint64_t offset) const noexcept {
  const auto& page = memory_.descriptor(memory_.page_of(offset));
  const auto entry = layout::PageEntry::unpack(page.entry.load(std::memory_order_acquire));
  if (entry.owner == OwnerId{}) return std::nullopt;
  return worker_of(entry.owner);
}

}  // namespace sessionblocks::flowguard
