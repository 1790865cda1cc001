// Memory with nothing around it: the first byte before and behind it, and a gibibyte more, is a
// fault. What is inside can be put back as it was.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

namespace sessionblocks::fuzz {

class Guarded {
 public:
  // A multiple of 4 KiB.
  explicit Guarded(std::size_t bytes) : bytes_(bytes) {
    whole_ = ::mmap(nullptr, bytes + 2 * kGuard, PROT_NONE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (whole_ == MAP_FAILED) std::abort();
    data_ = static_cast<std::byte*>(whole_) + kGuard;
    if (::mprotect(data_, bytes, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  ~Guarded() { ::munmap(whole_, bytes_ + 2 * kGuard); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_; }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {data_, bytes_}; }

  // Of its first bytes.
  [[nodiscard]] std::vector<std::byte> copy(std::size_t bytes) const {
    return {data_, data_ + bytes};
  }
  void put(const std::vector<std::byte>& bytes) const noexcept {
    std::memcpy(data_, bytes.data(), bytes.size());
  }

 private:
  static constexpr std::size_t kGuard = std::size_t{1} << 30U;
  std::size_t bytes_;
  void* whole_ = nullptr;
  std::byte* data_ = nullptr;
};

}  // namespace sessionblocks::fuzz
