// Bytes of a file: a growing buffer to encode into, and a bounded reader to decode from.
//
// Numbers are varints: seven bits a byte, low bits first, at most ten bytes; signed ones zigzag.
// The reader never leaves its bytes: after the first failure every read gives zero and failed()
// stays true, so a decoder asks once, at its end.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace sessionblocks {

inline constexpr std::size_t kMaxVarintBytes = 10;

[[nodiscard]] constexpr std::uint64_t zigzag(std::int64_t value) noexcept {
  return (static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63U);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>((value >> 1U) ^ (~(value & 1U) + 1U));
}

// Writes at `to`, which has kMaxVarintBytes of room; returns the end.
inline std::byte* write_varint(std::byte* to, std::uint64_t value) noexcept {
  while (value >= 0x80U) {
    *to++ = static_cast<std::byte>(value | 0x80U);
    value >>= 7U;
  }
  *to++ = static_cast<std::byte>(value);
  return to;
}

class ByteBuffer {
 public:
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::byte* data() noexcept { return data_.get(); }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_.get(), size_}; }
  void clear() noexcept { size_ = 0; }
  void cut(std::size_t size) noexcept { size_ = std::min(size, size_); }

  // Room for `bytes` more behind the end; counted only by commit(). bad_alloc when there is none.
  [[nodiscard]] std::byte* room(std::size_t bytes) {
    if (capacity_ - size_ < bytes) enlarge(size_ + bytes);
    return data_.get() + size_;
  }
  // `end` lies in what room() gave.
  void commit(const std::byte* end) noexcept {
    size_ = static_cast<std::size_t>(end - data_.get());
  }

  void put_byte(std::uint8_t value) {
    std::byte* to = room(1);
    *to = static_cast<std::byte>(value);
    commit(to + 1);
  }
  void put_varint(std::uint64_t value) { commit(write_varint(room(kMaxVarintBytes), value)); }
  void put_bytes(std::span<const std::byte> bytes) {
    std::byte* to = room(bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
    commit(to + bytes.size());
  }
  void put_text(std::string_view text) {
    put_varint(text.size());
    put_bytes(std::as_bytes(std::span(text)));
  }

 private:
  void enlarge(std::size_t needed) {
    const std::size_t capacity = std::max<std::size_t>({needed, capacity_ * 2, 4'096});
    auto grown = std::make_unique_for_overwrite<std::byte[]>(capacity);
    if (size_ != 0) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<std::byte[]> data_;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool failed() const noexcept { return failed_; }
  [[nodiscard]] bool at_end() const noexcept { return at_ == bytes_.size(); }
  void fail() noexcept { failed_ = true; }

  std::uint8_t byte() noexcept {
    if (failed_ || at_ == bytes_.size()) return failed_ = true, std::uint8_t{0};
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint64_t varint() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::uint8_t part = byte();
      if (shift == 63 && part > 1) break;  // would not fit 64 bits
      value |= static_cast<std::uint64_t>(part & 0x7FU) << shift;
      if ((part & 0x80U) == 0) return failed_ ? 0 : value;
    }
    failed_ = true;
    return 0;
  }
  std::int64_t signed_varint() noexcept { return unzigzag(varint()); }
  // A varint that must not pass `limit`.
  std::uint64_t bounded(std::uint64_t limit) noexcept {
    const std::uint64_t value = varint();
    if (value <= limit) return value;
    failed_ = true;
    return 0;
  }
  std::span<const std::byte> bytes(std::uint64_t count) noexcept {
    if (failed_ || count > bytes_.size() - at_) return failed_ = true, std::span<const std::byte>();
    const auto part = bytes_.subspan(at_, static_cast<std::size_t>(count));
    at_ += static_cast<std::size_t>(count);
    return part;
  }
  std::span<const std::byte> rest() noexcept { return bytes(bytes_.size() - at_); }
  std::string text() {
    const auto part = bytes(varint());
    return {reinterpret_cast<const char*>(part.data()), part.size()};
  }

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
  bool failed_ = false;
};

}  // namespace sessionblocks
