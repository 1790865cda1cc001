#include "flowlog/record_codec.hpp"

#include <array>
#include <bit>
#include <cstring>

namespace sessionblocks::flowlog {

namespace {

constexpr std::uint8_t kMeaningBit = 1U << 0U;
constexpr std::uint8_t kKeyBit = 1U << 1U;
constexpr std::uint8_t kInlineBit = 1U << 2U;
constexpr std::uint8_t kVersionBit = 1U << 3U;
constexpr std::uint8_t kBytesBit = 1U << 4U;
constexpr std::uint8_t kTimeBit = 1U << 5U;
constexpr std::uint8_t kCountBit = 1U << 6U;
constexpr std::uint8_t kRepeatBit = 1U << 7U;
constexpr std::uint8_t kValueBit = 1U << 7U;  // of the op in a new meaning

// A key reference: bit 0 set: place in the key table. Otherwise a new key: bit 1 set: the number
// of its thread follows; bits 2 to 5 its thread's place; above, its counter's signed difference.
constexpr unsigned kThreadShift = 2;
constexpr unsigned kCounterShift = 6;

constexpr auto kNotFound = static_cast<std::uint16_t>(Errc::not_found);

std::byte* put_signed(std::byte* to, std::int64_t value) noexcept {
  return write_varint(to, zigzag(value));
}

bool is_same(const RingCell& a, const RingCell& b) noexcept {
  using Words = std::array<std::uint64_t, sizeof(RingCell) / 8>;
  const auto left = std::bit_cast<Words>(a);
  const auto right = std::bit_cast<Words>(b);
  return ((left[0] ^ right[0]) | (left[1] ^ right[1]) | (left[2] ^ right[2]) |
          (left[3] ^ right[3])) == 0;
}

}  // namespace

namespace detail {

CodecTables::CodecTables() : keys_(std::make_unique<Key[]>(kKeyPlaces)) {}

void CodecTables::begin() {
  if (++frame_ == 0) {
    keys_ = std::make_unique<Key[]>(kKeyPlaces);
    frame_ = 1;
  }
  meanings.clear();
  for (Thread& thread : threads) thread = {};
  meaning = 0;
  key_id = 0;
  version = 0;
  bytes = 0;
}

std::uint64_t CodecTables::expected_version(const Key& key, const Meaning& meaning) noexcept {
  if (meaning.outcome == kNotFound) return 0;
  return key.version + (changes(meaning.op) && meaning.outcome == 0 ? 1U : 0U);
}

void CodecTables::remember(Key& key, const Meaning& record_meaning, std::uint64_t record_version,
                           std::uint32_t record_bytes) noexcept {
  if (record_version != 0) key.version = version = record_version;
  if (record_meaning.outcome == 0) key.bytes = bytes = record_bytes;
}

}  // namespace detail

void RecordEncoder::begin(ByteBuffer& out, std::uint32_t first_time_ms, KeyNamed& named) {
  tables_.begin();
  out_ = &out;
  named_ = &named;
  time_ms_ = first_time_ms;
  records_ = 0;
  repeats_ = 0;
  has_last_ = false;
}

void RecordEncoder::add(const RingCell& record, BlockRef block, std::span<const std::byte> key,
                        std::uint64_t logged_bytes) {
  ++records_;
  const bool is_inline = (record.flags & layout::kInlineKey) != 0;
  const bool has_value = (record.flags & layout::kInlineValue) != 0;
  if (has_last_ && record.flags == 0 && block == last_block_ && is_same(record, last_)) {
    ++repeats_;
    return;
  }
  flush_repeats();
  std::byte* const start = out_->room(detail::kMaxRecordBytes + key.size());
  last_at_ = out_->size();
  std::uint8_t tag = 0;
  std::byte* to =
      put_meaning(start + 1, {block, static_cast<Op>(record.op), record.outcome, has_value}, tag);
  to = put_key(to, record.key_id, block, tag);
  if (is_inline) {
    tag |= kInlineBit;
    const std::uint64_t cells = key_cells(record.value_bytes);
    if (cells != key_cells(key.size())) to = write_varint(to, layout::kMaxKeyBytes + cells);
    to = write_varint(to, key.size());
    if (!key.empty()) std::memcpy(to, key.data(), key.size());
    to += key.size();
    if (record.key_id != 0) named_->key_defined({block, record.key_id}, key);
  }
  to = put_numbers(to, record, tag);
  if (has_value) to = write_varint(to, logged_bytes);
  *start = static_cast<std::byte>(tag);
  out_->commit(to);
  last_ = record;
  last_block_ = block;
  has_last_ = true;
}

std::byte* RecordEncoder::put_meaning(std::byte* to, const detail::Meaning& meaning,
                                      std::uint8_t& tag) {
  auto& known = tables_.meanings;
  if (tables_.meaning < known.size() && known[tables_.meaning] == meaning) return to;
  tag |= kMeaningBit;
  std::size_t at = 0;
  while (at < known.size() && !(known[at] == meaning)) ++at;
  to = write_varint(to, at);
  if (at == known.size()) {
    // Full: it starts again, so that made-up meanings cannot make the search long.
    if (at == detail::kMaxMeanings) known.clear();
    at = known.size();
    known.push_back(meaning);
    to = write_varint(to, raw(meaning.block.block()));
    to = write_varint(to, raw(meaning.block.generation()));
    const auto op = static_cast<std::uint8_t>(meaning.op);
    *to++ = static_cast<std::byte>(meaning.has_value ? op | kValueBit : op);
    to = write_varint(to, meaning.outcome);
  }
  tables_.meaning = static_cast<std::uint32_t>(at);
  return to;
}

std::byte* RecordEncoder::put_key(std::byte* to, std::uint64_t key_id, BlockRef block,
                                  std::uint8_t& tag) {
  const std::size_t place = detail::CodecTables::place_of(key_id);
  auto& key = tables_.key_at(place);
  const bool is_known = tables_.is_filled(key) && key.id == key_id && key.block == block;
  if (is_known && has_last_ && last_.key_id == key_id && last_block_ == block) return to;
  tag |= kKeyBit;
  if (is_known) return write_varint(to, (place << 1U) | 1U);
  tables_.fill(key, key_id, block);
  if (key_id != 0) named_->key_named({block, key_id});
  const auto number = static_cast<std::uint32_t>(key_id >> 32U);
  const auto counter = static_cast<std::uint32_t>(key_id);
  const std::size_t at = number % detail::kThreadPlaces;
  auto& thread = tables_.threads[at];
  const bool is_new_thread = thread.number != number;
  if (is_new_thread) thread = {number, 0};
  const std::int64_t step = std::int64_t{counter} - std::int64_t{thread.counter};
  thread.counter = counter;
  to = write_varint(
      to, (zigzag(step) << kCounterShift) | (at << kThreadShift) | (is_new_thread ? 2U : 0U));
  return is_new_thread ? write_varint(to, number) : to;
}

std::byte* RecordEncoder::put_numbers(std::byte* to, const RingCell& record, std::uint8_t& tag) {
  auto& key = tables_.key_at(detail::CodecTables::place_of(record.key_id));
  const auto& meaning = tables_.meanings[tables_.meaning];
  const std::uint64_t expected = detail::CodecTables::expected_version(key, meaning);
  if (record.version != expected) {
    tag |= kVersionBit;
    to = put_signed(to, static_cast<std::int64_t>(record.version - expected));
  }
  const bool is_inline = (tag & kInlineBit) != 0;
  if (!is_inline && record.value_bytes != key.bytes) {
    tag |= kBytesBit;
    to = write_varint(to, record.value_bytes);
  }
  tables_.remember(key, meaning, record.version, is_inline ? key.bytes : record.value_bytes);
  if (record.time_ms != time_ms_) {
    tag |= kTimeBit;
    to = put_signed(to, static_cast<std::int32_t>(record.time_ms - time_ms_));
    time_ms_ = record.time_ms;
  }
  if (record.count != 1) {
    tag |= kCountBit;
    to = write_varint(to, record.count);
  }
  return to;
}

void RecordEncoder::flush_repeats() {
  if (repeats_ == 0) return;
  out_->put_varint(repeats_);
  out_->data()[last_at_] |= static_cast<std::byte>(kRepeatBit);
  repeats_ = 0;
}

void RecordDecoder::begin(std::span<const std::byte> payload, const LogRecord& start,
                          std::uint32_t records) {
  tables_.begin();
  in_ = ByteReader(payload);
  last_ = start;
  sequence_ = start.sequence;
  repeats_ = 0;
  left_ = records;
  failed_ = false;
}

bool RecordDecoder::next(LogRecord& record) {
  if (failed_) return false;
  if (left_ == 0) {
    failed_ = !in_.at_end() || repeats_ != 0;
    return false;
  }
  --left_;
  if (repeats_ != 0) {
    --repeats_;
  } else if (!decode()) {
    failed_ = true;
    return false;
  }
  hand_out(record);
  return true;
}

std::uint64_t RecordDecoder::skip_repeats() noexcept {
  const std::uint64_t count = repeats_;  // at most left_, by decode()
  sequence_ += count * last_.cells();
  left_ -= static_cast<std::uint32_t>(count);
  repeats_ = 0;
  return count;
}

void RecordDecoder::hand_out(LogRecord& record) {
  last_.sequence = sequence_;
  record = last_;
  sequence_ += last_.cells();
}

bool RecordDecoder::decode() {
  const std::uint8_t tag = in_.byte();
  if ((tag & kMeaningBit) != 0 && !take_meaning()) return false;
  if (tables_.meaning >= tables_.meanings.size()) return false;
  const auto& meaning = tables_.meanings[tables_.meaning];
  last_.block = meaning.block;
  last_.op = meaning.op;
  last_.outcome = meaning.outcome;
  last_.has_value = meaning.has_value;
  if ((tag & kKeyBit) != 0 && !take_key()) return false;
  key_ = &tables_.key_at(detail::CodecTables::place_of(tables_.key_id));
  if (!tables_.is_filled(*key_) || key_->id != tables_.key_id || key_->block != last_.block) {
    return false;
  }
  last_.key_id = tables_.key_id;
  last_.key.clear();
  last_.has_key = last_.key_inline = (tag & kInlineBit) != 0;
  if (last_.has_key) take_inline_key();
  take_numbers(tag);
  last_.logged_bytes = last_.has_value ? in_.bounded(layout::kMostLoggedBytes) : 0;
  repeats_ = (tag & kRepeatBit) != 0 ? in_.bounded(left_) : 0;
  return !in_.failed();
}

bool RecordDecoder::take_meaning() {
  auto& known = tables_.meanings;
  auto at = static_cast<std::size_t>(in_.bounded(detail::kMaxMeanings));
  if (at > known.size()) return false;
  if (at == known.size()) {
    if (at == detail::kMaxMeanings) known.clear();
    at = known.size();
    const auto block = static_cast<BlockId>(in_.bounded(UINT32_MAX));
    const auto generation = static_cast<Generation>(in_.bounded(UINT32_MAX));
    const std::uint8_t op = in_.byte();
    const auto outcome = static_cast<std::uint16_t>(in_.bounded(UINT16_MAX));
    if (in_.failed()) return false;
    known.push_back({BlockRef::make(block, generation), static_cast<Op>(op & ~kValueBit), outcome,
                     (op & kValueBit) != 0});
  }
  tables_.meaning = static_cast<std::uint32_t>(at);
  return true;
}

bool RecordDecoder::take_key() {
  const std::uint64_t word = in_.varint();
  if ((word & 1U) != 0) {
    if ((word >> 1U) >= detail::kKeyPlaces) return false;
    const auto& key = tables_.key_at(static_cast<std::size_t>(word >> 1U));
    tables_.key_id = key.id;
    return tables_.is_filled(key);
  }
  auto& thread = tables_.threads[(word >> kThreadShift) % detail::kThreadPlaces];
  if ((word & 2U) != 0) thread = {static_cast<std::uint32_t>(in_.bounded(UINT32_MAX)), 0};
  // Wraps for made-up differences only, to another counter.
  thread.counter += static_cast<std::uint32_t>(unzigzag(word >> kCounterShift));
  tables_.key_id = (std::uint64_t{thread.number} << 32U) | thread.counter;
  tables_.fill(tables_.key_at(detail::CodecTables::place_of(tables_.key_id)), tables_.key_id,
               last_.block);
  return !in_.failed();
}

void RecordDecoder::take_inline_key() {
  constexpr std::uint64_t kMostCells = key_cells(layout::kMaxKeyBytes);
  std::uint64_t size = in_.bounded(layout::kMaxKeyBytes + kMostCells);
  last_.key_cells = key_cells(size);
  if (size > layout::kMaxKeyBytes) {
    last_.key_cells = size - layout::kMaxKeyBytes;
    size = in_.bounded(layout::kMaxKeyBytes);
  }
  const auto key = in_.bytes(size);
  last_.key.assign(reinterpret_cast<const char*>(key.data()), key.size());
}

void RecordDecoder::take_numbers(std::uint8_t tag) {
  const auto& meaning = tables_.meanings[tables_.meaning];
  last_.version = detail::CodecTables::expected_version(*key_, meaning);
  if ((tag & kVersionBit) != 0) {
    last_.version += static_cast<std::uint64_t>(in_.signed_varint());
  }
  std::uint32_t bytes = key_->bytes;
  if ((tag & kBytesBit) != 0) bytes = static_cast<std::uint32_t>(in_.bounded(UINT32_MAX));
  last_.value_bytes = last_.key_inline ? 0 : bytes;  // the ring's are those of the key
  tables_.remember(*key_, meaning, last_.version, bytes);
  if ((tag & kTimeBit) != 0) {
    const auto step = static_cast<std::uint64_t>(in_.signed_varint());
    last_.time_ms += step;
    last_.unix_ms = static_cast<std::int64_t>(static_cast<std::uint64_t>(last_.unix_ms) + step);
  }
  last_.count = (tag & kCountBit) != 0 ? static_cast<std::uint16_t>(in_.bounded(UINT16_MAX)) : 1;
}

}  // namespace sessionblocks::flowlog
