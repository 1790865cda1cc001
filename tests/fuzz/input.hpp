// What a fuzzer made up, read from its front. Reading past the end gives zeroes, so that every
// input means something and a shorter one is the beginning of a longer one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace sessionblocks::fuzz {

class Input {
 public:
  Input(const std::uint8_t* data, std::size_t size) noexcept : bytes_(data, size) {}

  [[nodiscard]] bool at_end() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::span<const std::uint8_t> rest() const noexcept { return bytes_; }
  template <typename Number>
  [[nodiscard]] Number take() noexcept {
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      number |= std::uint64_t{next()} << (i * 8U);
    }
    return static_cast<Number>(number);
  }
  [[nodiscard]] std::uint8_t byte() noexcept { return next(); }

 private:
  [[nodiscard]] std::uint8_t next() noexcept {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }

  std::span<const std::uint8_t> bytes_;
};

}  // namespace sessionblocks::fuzz
