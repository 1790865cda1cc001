#include "block_reader.hpp"

#include <algorithm>
#include <cstring>

#include "core/bounds.hpp"
#include "platform/clock.hpp"
#include "segment/format.hpp"
#include "segment/key_view.hpp"

namespace sessionblocks::ctl {
namespace {

constexpr std::uint64_t kSlotsAtOnce = 4'096;
constexpr std::uint64_t kNodeGuess = 512;  // most nodes are smaller: one pread
constexpr int kSlotTries = 1'000;
constexpr int kGrowthTries = 16;

template <typename Word>
Word word_at(const std::vector<std::byte>& bytes, std::size_t offset) {
  Word word{};
  std::memcpy(&word, bytes.data() + offset, sizeof word);
  return word;
}

bool is_type(layout::ValueType type) {
  return type >= layout::ValueType::bytes && type <= layout::ValueType::boolean;
}

}  // namespace

Result<BlockReader> BlockReader::open(const director::RuntimePaths& paths, const BlockInfo& block,
                                      std::uint64_t hash_seed) {
  const std::string text = "block " + block.name;
  if (block.state == BlockState::quarantined) return fail(Errc::quarantined, text);
  if (block.state == BlockState::wiped) return fail(Errc::wiped, text);
  if (!block.has_memory()) {
    return fail(Errc::invalid_argument, text +
                                            " is inherited and has no memory of its own; name "
                                            "the block that it comes from, or give --scope");
  }
  auto segment = SegmentReader::open(paths.block_segment(block.id, block.generation));
  if (!segment && segment.error() == Errc::not_found) return fail(Errc::gone, text);
  if (!segment) return tl::unexpected(segment.error());
  if (segment->bytes() < block.segment_bytes) {
    return fail(Errc::corrupt, text + ": its segment is smaller than control says");
  }
  layout::Identity identity{};
  auto read = segment->read(0, std::as_writable_bytes(std::span(&identity, 1)));
  if (read) read = segment::check_identity(identity, layout::Magic::block);
  if (!read) return tl::unexpected(read.error());
  return BlockReader(std::move(*segment), block.segment_bytes, hash_seed);
}

Result<BlockReader::TableWords> BlockReader::tables() const {
  std::uint64_t words[2] = {};
  static_assert(offsetof(layout::BlockHeader, old_table) ==
                offsetof(layout::BlockHeader, table) + sizeof(std::uint64_t));
  auto read =
      segment_.read(offsetof(layout::BlockHeader, table), std::as_writable_bytes(std::span(words)));
  if (!read) return tl::unexpected(read.error());
  return TableWords{{words[0]}, {words[1]}};
}

Result<Entries> BlockReader::read(const Wanted& wanted) {
  if (wanted.key) {
    const auto bytes = std::as_bytes(std::span(*wanted.key));
    wanted_tag_ =
        static_cast<std::uint16_t>(segment::hash_key(bytes.data(), bytes.size(), seed_) >> 48U);
  }
  now_ms_ = platform::monotonic_coarse_ms();
  for (int tries = 0; tries < kGrowthTries; ++tries) {
    entries_.clear();
    damaged_ = 0;
    budget_bytes_ = 4 * geometry_.segment_bytes;
    const auto before = tables();
    if (!before) return tl::unexpected(before.error());
    Result<void> done;
    if (before->is_growing()) done = read_table(before->old, wanted);
    if (done) done = read_table(before->current, wanted);
    const auto after = tables();
    if (!after) return tl::unexpected(after.error());
    const bool only_finished =
        after->old == layout::TableWord::idle(after->current.id()) || after->old == before->old;
    // Memory of a table that is gone holds anything: errors count only if it is still there.
    if (after->current != before->current || !only_finished) continue;
    if (!done) return tl::unexpected(done.error());
    return std::move(entries_);
  }
  return fail(Errc::conflict, "the block's index grew whenever it was read; try again");
}

Result<void> BlockReader::read_table(layout::TableWord table, const Wanted& wanted) {
  const unsigned log2 = table.log2_slots();
  const bool in_range = log2 >= layout::kMinTableLog2 && log2 <= layout::kMaxTableLog2;
  const std::uint64_t pages = table.slots() * sizeof(layout::Slot) / layout::kPageBytes;
  if (!in_range || !fits(table.page(), pages, geometry_.page_count)) {
    return fail(Errc::corrupt, "the block's header names no table that fits it");
  }
  std::vector<SlotWords> slots(std::min(table.slots(), kSlotsAtOnce));
  const std::uint64_t begin = geometry_.page_at(table.page());
  for (std::uint64_t first = 0; first < table.slots(); first += slots.size()) {
    const std::uint64_t at = begin + first * sizeof(SlotWords);
    if (auto read = segment_.read(at, std::as_writable_bytes(std::span(slots))); !read) return read;
    for (std::size_t index = 0; index < slots.size(); ++index) {
      const layout::SlotRef ref{slots[index].ref};
      if (!ref.holds_node() || ref.offset() == 0) continue;
      if (wanted.key && ref.tag() != wanted_tag_) continue;
      auto read = read_slot(at + index * sizeof(SlotWords), slots[index], wanted);
      if (!read) return read;
    }
  }
  return {};
}

Result<void> BlockReader::read_slot(std::uint64_t at, SlotWords words, const Wanted& wanted) {
  for (int tries = 0; tries < kSlotTries; ++tries) {
    const layout::SlotRef ref{words.ref};
    if (!ref.holds_node() || ref.offset() == 0) return {};  // it moved on or was dropped meanwhile
    const auto whole = read_node(ref.offset());
    if (!whole) return tl::unexpected(whole.error());
    SlotWords again{};
    auto read = segment_.read(at, std::as_writable_bytes(std::span(&again, 1)));
    if (!read) return read;
    if (again == words) {
      if (*whole) {
        take_entry(wanted);
      } else {
        ++damaged_;
      }
      return {};
    }
    words = again;
  }
  ++damaged_;
  return {};
}

// False: no node of an entry stands there.
Result<bool> BlockReader::read_node(std::uint64_t offset) {
  const std::uint64_t end = geometry_.page_at(geometry_.page_count);
  if (offset < geometry_.heap_at || !fits(offset, sizeof(layout::Node), end)) return false;
  node_.resize(std::min(kNodeGuess, end - offset));
  if (auto read = segment_.read(offset, node_); !read) return tl::unexpected(read.error());
  const auto gen = word_at<layout::Gen>(node_, offsetof(layout::Node, gen));
  const auto shape =
      layout::Shape::unpack(word_at<std::uint64_t>(node_, offsetof(layout::Node, shape)));
  if (layout::state_of(gen) != layout::NodeState::in_use) return false;
  if (shape.key_bytes == 0 || shape.key_bytes > layout::kMaxKeyBytes) return false;
  if (shape.type != layout::ValueType::tombstone && !is_type(shape.type)) return false;
  if (!fits(offset, shape.node_bytes(), end)) return false;
  if (shape.node_bytes() > budget_bytes_) {
    return fail(Errc::corrupt, "the block's entries are together larger than the block");
  }
  budget_bytes_ -= shape.node_bytes();
  if (shape.node_bytes() <= node_.size()) return true;
  // The head as it was judged stays; the rest is read behind it.
  const std::size_t have = node_.size();
  node_.resize(shape.node_bytes());
  auto read = segment_.read(offset + have, std::span(node_).subspan(have));
  if (!read) return tl::unexpected(read.error());
  return true;
}

void BlockReader::take_entry(const Wanted& wanted) {
  const auto shape =
      layout::Shape::unpack(word_at<std::uint64_t>(node_, offsetof(layout::Node, shape)));
  const auto expiry_ms = word_at<std::uint64_t>(node_, offsetof(layout::Node, expiry_ms));
  if (shape.type == layout::ValueType::tombstone) return;
  if (expiry_ms != 0 && expiry_ms <= now_ms_) return;
  const auto* const text = reinterpret_cast<const char*>(node_.data());
  std::string key(text + shape.key_at(), shape.key_bytes);
  if (wanted.key ? key != *wanted.key : !key.starts_with(wanted.prefix)) return;
  StoredEntry entry;
  entry.type = static_cast<Type>(shape.type);
  entry.version = word_at<std::uint64_t>(node_, offsetof(layout::Node, version));
  if (!wanted.keys_only) entry.value.assign(text + shape.value_at(), shape.value_bytes);
  if (expiry_ms != 0) entry.expires_in = std::chrono::milliseconds(expiry_ms - now_ms_);
  // While the index grows a key may stand in both tables; the newer one is the entry.
  const auto known = entries_.find(key);
  if (known != entries_.end() && known->second.version > entry.version) return;
  entries_.insert_or_assign(std::move(key), std::move(entry));
}

}  // namespace sessionblocks::ctl
