// Key: a view of 1 to 1,024 bytes, any bytes, that names an entry of a block.
//
// It does not own the bytes: they must outlive the call. A key that is used often can carry its
// hash (Session::hashed), which saves hashing it again in each operation; such a key is valid for
// every block of the session system that made it, and is refused nowhere: with the wrong system's
// hash it simply finds nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sessionblocks {

inline constexpr std::size_t kMaxKeyBytes = 1'024;

class Key {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a key is what the caller has at hand
  Key(std::string_view text) noexcept : data_(text.data()), size_(text.size()) {}
  Key(const std::string& text) noexcept : Key(std::string_view(text)) {}
  Key(const char* text) noexcept : Key(std::string_view(text)) {}
  Key(std::span<const std::byte> bytes) noexcept
      : data_(reinterpret_cast<const char*>(bytes.data())), size_(bytes.size()) {}
  // NOLINTEND(google-explicit-constructor)

  [[nodiscard]] std::string_view text() const noexcept { return {data_, size_}; }
  [[nodiscard]] const std::byte* data() const noexcept {
    return reinterpret_cast<const std::byte*>(data_);
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

  [[nodiscard]] bool is_hashed() const noexcept { return hashed_; }
  [[nodiscard]] std::uint64_t hash() const noexcept { return hash_; }
  [[nodiscard]] Key with_hash(std::uint64_t hash) const noexcept {
    Key copy = *this;
    copy.hash_ = hash;
    copy.hashed_ = true;
    return copy;
  }

 private:
  const char* data_;
  std::size_t size_;
  std::uint64_t hash_ = 0;
  bool hashed_ = false;
};

}  // namespace sessionblocks
