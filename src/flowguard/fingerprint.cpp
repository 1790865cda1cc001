#include "flowguard/fingerprint.hpp"

#include <sodium.h>

#include <algorithm>
#include <bit>
#include <utility>

namespace sessionblocks::flowguard {
namespace {

constexpr std::size_t kFewestRows = 1'024;
constexpr std::size_t kFilterBitsOfRow = 8;

std::uint32_t folded(std::uint64_t rolling) noexcept {
  return static_cast<std::uint32_t>(rolling ^ (rolling >> 32U));
}

bool tells_enough(std::span<const std::byte> window) noexcept {
  std::array<std::byte, kLeastKinds> kinds{};
  std::size_t count = 0;
  for (const std::byte byte : window) {
    const auto end = kinds.begin() + static_cast<std::ptrdiff_t>(count);
    if (std::find(kinds.begin(), end, byte) != end) continue;
    kinds[count++] = byte;
    if (count == kLeastKinds) return true;
  }
  return false;
}

// 16: no digit.
unsigned hex_digit(unsigned char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10U;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10U;
  return 16;
}

// 64: no digit.
unsigned base64_digit(unsigned char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26U;
  if (c >= '0' && c <= '9') return c - '0' + 52U;
  if (c == '+' || c == '-') return 62;
  if (c == '/' || c == '_') return 63;
  return 64;
}

bool is_line_break(std::byte byte) noexcept {
  return byte == std::byte{'\n'} || byte == std::byte{'\r'};
}

}  // namespace

FingerprintSet::FingerprintSet(std::size_t most_windows) : most_windows_(most_windows) {
  randombytes_buf(table_.data(), sizeof table_);
  randombytes_buf(key_.data(), key_.size());
  static_assert(crypto_shorthash_KEYBYTES == sizeof key_);
  rebuild(kFewestRows);
}

FingerprintSet::~FingerprintSet() {
  sodium_memzero(table_.data(), sizeof table_);
  sodium_memzero(key_.data(), key_.size());
}

std::uint64_t FingerprintSet::strong_of(std::span<const std::byte> window) const noexcept {
  std::uint64_t hash = 0;
  static_assert(crypto_shorthash_BYTES == sizeof hash);
  crypto_shorthash(reinterpret_cast<unsigned char*>(&hash),
                   reinterpret_cast<const unsigned char*>(window.data()), window.size(),
                   key_.data());
  return hash;
}

// After 2^32 values they begin anew, and what is left of removed ones must not be taken for theirs.
ValueId FingerprintSet::next_id() {
  do {
    if (++last_id_ == 0) rebuild(rows_.size());
  } while (last_id_ == 0 || values_.contains(last_id_));
  return last_id_;
}

ValueId FingerprintSet::add(std::span<const std::byte> value) {
  const ValueId id = next_id();
  if (value.size() < kLeastBytes) {
    ++too_short_;
    return id;
  }
  const auto looked_for = value.first(std::min(value.size(), kMostBytesOfValue));
  if (looked_for.size() < value.size()) left_out_ += value.size() - looked_for.size();
  Value added{value.size(), 0, 0};
  const std::size_t length = std::min(looked_for.size(), kWindowBytes);
  added.length = static_cast<std::uint8_t>(length);
  std::uint64_t last = 0;
  for (std::size_t at = 0; at + length <= looked_for.size(); ++at) {
    const auto window = looked_for.subspan(at, length);
    if (!tells_enough(window)) continue;
    std::uint64_t rolling = 0;
    for (const std::byte byte : window) {
      rolling = std::rotl(rolling, 1) ^ table_[static_cast<std::uint8_t>(byte)];
    }
    const Row row{folded(rolling), id, strong_of(window)};
    if (row.strong == last) continue;
    last = row.strong;
    if (!make_room()) {
      ++left_out_;
      continue;
    }
    insert(row);
    ++used_rows_;
    ++live_windows_;
    ++added.windows;
  }
  if (added.windows == 0) return id;
  if (of_length_[length]++ == 0) note_lengths();
  values_.emplace(id, added);
  return id;
}

void FingerprintSet::remove(ValueId value) {
  const auto found = values_.find(value);
  if (found == values_.end()) return;
  live_windows_ -= found->second.windows;
  const bool was_last = --of_length_[found->second.length] == 0;
  values_.erase(found);
  if (was_last) note_lengths();
  // What is left of it is passed over until there is more of that than of the others.
  if (used_rows_ - live_windows_ > live_windows_ + kFewestRows) rebuild(rows_.size());
}

// The longest first: of two pieces that end in one place, that is the one to report.
void FingerprintSet::note_lengths() noexcept {
  length_count_ = 0;
  for (std::size_t length = kWindowBytes; length >= kLeastBytes; --length) {
    if (of_length_[length] != 0) lengths_[length_count_++] = static_cast<std::uint8_t>(length);
  }
}

bool FingerprintSet::make_room() {
  if (live_windows_ >= most_windows_) return false;
  if (2 * (used_rows_ + 1) <= rows_.size()) return true;
  const bool is_mostly_dead = live_windows_ < used_rows_ / 2;
  rebuild(is_mostly_dead ? rows_.size() : rows_.size() * 2);
  return true;
}

void FingerprintSet::insert(const Row& row) noexcept {
  std::size_t at = place_of(row.rolling);
  while (rows_[at].value != 0) at = (at + 1) & (rows_.size() - 1);
  rows_[at] = row;
  const std::uint32_t bit = row.rolling & filter_mask_;
  filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
}

// `rows`: a power of two, at least twice what lives. The value that is being added lives too.
void FingerprintSet::rebuild(std::size_t rows) {
  std::vector<Row> old(rows);
  old.swap(rows_);
  shift_ = 64U - static_cast<unsigned>(std::countr_zero(rows));
  const std::size_t bits = rows * kFilterBitsOfRow;
  filter_.assign(bits / 64, 0);
  filter_mask_ = static_cast<std::uint32_t>(bits - 1);
  used_rows_ = 0;
  for (const Row& row : old) {
    if (row.value == 0 || (row.value != last_id_ && !values_.contains(row.value))) continue;
    insert(row);
    ++used_rows_;
  }
}

ValueId FingerprintSet::find(std::uint32_t rolling,
                             std::span<const std::byte> window) const noexcept {
  std::uint64_t strong = 0;
  bool has_strong = false;
  for (std::size_t at = place_of(rolling); rows_[at].value != 0;
       at = (at + 1) & (rows_.size() - 1)) {
    if (rows_[at].rolling != rolling) continue;
    if (!has_strong) strong = strong_of(window);
    has_strong = true;
    if (rows_[at].strong == strong && values_.contains(rows_[at].value)) return rows_[at].value;
  }
  return 0;
}

std::size_t FingerprintSet::memory_bytes() const noexcept {
  return rows_.capacity() * sizeof(Row) + filter_.capacity() * sizeof(std::uint64_t) +
         values_.size() * (sizeof(Value) + 4 * sizeof(void*));
}

void RollingWindow::forget() noexcept {
  sodium_memzero(last_.data(), last_.size());
  rolling_.fill(0);
  count_ = run_ = 0;
  run_of_ = 0;
}

Match RollingWindow::push(const FingerprintSet& set, std::byte byte) noexcept {
  Match match;
  const std::size_t at = count_ % kWindowBytes;
  const std::byte out_of_longest = last_[at];
  last_[at] = last_[at + kWindowBytes] = byte;
  const std::uint64_t in = set.table_[static_cast<std::uint8_t>(byte)];
  bool goes_on = false;
  for (const std::size_t length : set.lengths()) {
    std::uint64_t rolling = std::rotl(rolling_[length], 1) ^ in;
    // Bytes before the stream began have no part in it.
    if (count_ >= length) {
      const std::byte out =
          length == kWindowBytes ? out_of_longest : last_[(count_ - length) % kWindowBytes];
      rolling ^= std::rotl(set.table_[static_cast<std::uint8_t>(out)], static_cast<int>(length));
    }
    rolling_[length] = rolling;
    if (count_ + 1 < length || match.bytes != 0 || !set.may_have(folded(rolling))) continue;
    const std::span<const std::byte> window(&last_[at + kWindowBytes + 1 - length], length);
    match = match_of(set, folded(rolling), window);
    goes_on = goes_on || (match.bytes != 0 && length == kWindowBytes);
  }
  ++count_;
  if (!goes_on) run_ = run_of_ = 0;
  return match;
}

Match RollingWindow::match_of(const FingerprintSet& set, std::uint32_t rolling,
                              std::span<const std::byte> window) noexcept {
  const ValueId found = set.find(rolling, window);
  if (found == 0) return {};
  const auto& value = set.values_.at(found);
  if (value.length != window.size()) return {};
  Match match{found, Form::plain, window.size(), false};
  if (window.size() == kWindowBytes) {
    run_ = run_of_ == found ? run_ + 1 : 1;
    run_of_ = found;
    match.bytes += run_ - 1;
  }
  match.is_whole = match.bytes >= value.bytes;
  return match;
}

void Scanner::keep(Match match, Form form) {
  if (match.bytes == 0) return;
  match.form = form;
  for (Match& known : matches_) {
    if (known.value != match.value || known.form != form) continue;
    if (match.bytes > known.bytes) known = match;
    return;
  }
  if (matches_.size() < kMostMatches) matches_.push_back(match);
}

void Scanner::feed(std::span<const std::byte> bytes) {
  if (set_->values() == 0) return;
  for (const std::byte byte : bytes) {
    if (const Match match = plain_.push(*set_, byte); match.bytes != 0) keep(match, Form::plain);
    feed_hex(byte);
    feed_base64(byte);
  }
}

void Scanner::feed_hex(std::byte byte) noexcept {
  const unsigned digit = hex_digit(static_cast<unsigned char>(byte));
  if (digit == 16) {
    if (hex_digits_ == 0 || is_line_break(byte)) return;
    for (RollingWindow& window : hex_) window.forget();
    hex_digits_ = 0;
    return;
  }
  const std::uint64_t at = hex_digits_++;
  if (at != 0) {
    const auto decoded = static_cast<std::byte>((last_hex_ << 4U) | digit);
    keep(hex_[at % 2].push(*set_, decoded), Form::hex);
  }
  last_hex_ = digit;
}

void Scanner::feed_base64(std::byte byte) noexcept {
  const unsigned digit = base64_digit(static_cast<unsigned char>(byte));
  if (digit == 64) {
    if (base64_digits_ == 0 || is_line_break(byte)) return;
    for (RollingWindow& window : base64_) window.forget();
    base64_digits_ = 0;
    return;
  }
  const std::uint64_t at = base64_digits_++;
  const unsigned both = (last_base64_ << 6U) | digit;  // 12 bits, of which a byte is cut
  for (unsigned first = 0; first < 4 && first < at; ++first) {
    const auto place = static_cast<unsigned>((at - first) % 4);
    if (place == 0) continue;
    const auto decoded = static_cast<std::byte>((both >> (2 * (3 - place))) & 0xFFU);
    keep(base64_[first].push(*set_, decoded), Form::base64);
  }
  last_base64_ = digit;
}

std::vector<Match> Scanner::finish() {
  plain_.forget();
  for (RollingWindow& window : hex_) window.forget();
  for (RollingWindow& window : base64_) window.forget();
  hex_digits_ = base64_digits_ = 0;
  last_hex_ = last_base64_ = 0;
  return std::exchange(matches_, {});
}

}  // namespace sessionblocks::flowguard
