// Copies between private memory and shared bytes that another process may be changing.
//
// A reader copies first and checks afterwards that nothing changed (a sequence lock's pattern),
// so the copy may see torn bytes and must only be free of undefined behaviour as the machine sees
// it. Short copies go by strides of 32 bytes (two vector moves) and the rest by relaxed 8-byte
// words; long ones are one memcpy, three times as fast for 64 KiB. Compiler barriers on both sides
// keep either where it stands. Under the thread sanitizer all go by words.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace sessionblocks {

#if defined(__SANITIZE_THREAD__)
#define SESSIONBLOCKS_BY_WORDS 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SESSIONBLOCKS_BY_WORDS 1
#endif
#endif
#ifdef SESSIONBLOCKS_BY_WORDS
inline constexpr bool kCopiesByWords = true;
#else
inline constexpr bool kCopiesByWords = false;
#endif
#undef SESSIONBLOCKS_BY_WORDS
inline constexpr std::size_t kShortCopy = 1'024;

namespace detail {
inline std::uint64_t load_word(const std::byte* shared) noexcept {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(shared), __ATOMIC_RELAXED);
}
inline void store_word(std::byte* shared, std::uint64_t word) noexcept {
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(shared), word, __ATOMIC_RELAXED);
}

// The 1 to 7 bytes at `bytes` as the low bytes of a word, the others zero. No byte beyond is read,
// and no call is made: a memcpy of unknown length costs more than all the rest of a short compare.
inline std::uint64_t load_short(const std::byte* bytes, std::size_t count) noexcept {
  if (count >= 4) {
    std::uint32_t low = 0;
    std::uint32_t high = 0;
    std::memcpy(&low, bytes, 4);
    std::memcpy(&high, bytes + count - 4, 4);
    return low | (std::uint64_t{high} << ((count - 4) * 8U));
  }
  std::uint64_t word = std::to_integer<std::uint64_t>(bytes[0]);
  if (count > 1) word |= std::to_integer<std::uint64_t>(bytes[1]) << 8U;
  if (count > 2) word |= std::to_integer<std::uint64_t>(bytes[2]) << 16U;
  return word;
}
// The same for the last bytes of many: one load, when there is a word of them.
inline std::uint64_t load_last(const std::byte* bytes, std::size_t all,
                               std::size_t count) noexcept {
  if (all < 8) return load_short(bytes, count);
  std::uint64_t word = 0;
  std::memcpy(&word, bytes + all - 8, 8);
  return word >> ((8 - count) * 8U);
}
inline void store_short(std::byte* bytes, std::uint64_t word, std::size_t count) noexcept {
  if (count >= 4) {
    const auto low = static_cast<std::uint32_t>(word);
    const auto high = static_cast<std::uint32_t>(word >> ((count - 4) * 8U));
    std::memcpy(bytes, &low, 4);
    std::memcpy(bytes + count - 4, &high, 4);
    return;
  }
  bytes[0] = static_cast<std::byte>(word);
  if (count > 1) bytes[1] = static_cast<std::byte>(word >> 8U);
  if (count > 2) bytes[2] = static_cast<std::byte>(word >> 16U);
}
[[nodiscard]] constexpr std::uint64_t low_bytes(std::size_t count) noexcept {
  return (std::uint64_t{1} << (count * 8U)) - 1;
}

inline constexpr std::size_t kStride = 32;

// At least one stride. The last one ends where the bytes end, and may overlap the one before.
[[gnu::always_inline]] inline void copy_by_strides(std::byte* to, const std::byte* from,
                                                   std::size_t bytes) noexcept {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const std::size_t last = bytes - kStride;
  for (std::size_t done = 0; done < last; done += kStride) {
    std::memcpy(to + done, from + done, kStride);
  }
  std::memcpy(to + last, from + last, kStride);
  std::atomic_signal_fence(std::memory_order_seq_cst);
}

// The first whole words of a copy, fast; how many bytes that was.
[[gnu::always_inline]] inline std::size_t copy_most(std::byte* to, const std::byte* from,
                                                    std::size_t bytes) noexcept {
  if constexpr (kCopiesByWords) return 0;
  std::size_t done = 0;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  if (bytes > kShortCopy) {
    done = bytes & ~std::size_t{7};
    std::memcpy(to, from, done);
  } else {
    for (; done + kStride <= bytes; done += kStride) std::memcpy(to + done, from + done, kStride);
    if (done + kStride / 2 <= bytes) {
      std::memcpy(to + done, from + done, kStride / 2);
      done += kStride / 2;
    }
  }
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return done;
}

// At least one word; the last one ends where the bytes end.
[[gnu::always_inline]] inline bool equal_by_words(const std::byte* left, const std::byte* right,
                                                  std::size_t bytes) noexcept {
  const auto differ = [&](std::size_t at) {
    std::uint64_t words[2];
    std::memcpy(&words[0], left + at, 8);
    std::memcpy(&words[1], right + at, 8);
    return words[0] != words[1];
  };
  std::atomic_signal_fence(std::memory_order_seq_cst);
  const std::size_t last = bytes - 8;
  bool differs = differ(last);
  for (std::size_t at = 0; at < last && !differs; at += 8) differs = differ(at);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return !differs;
}
}  // namespace detail

// Shared -> private. `shared` is 8-byte aligned and readable up to the next multiple of 8.
[[gnu::always_inline]] inline void copy_out(std::byte* private_bytes, const std::byte* shared,
                                            std::size_t bytes) noexcept {
  if (!kCopiesByWords && bytes >= detail::kStride && bytes <= kShortCopy) [[likely]] {
    return detail::copy_by_strides(private_bytes, shared, bytes);
  }
  std::size_t done = detail::copy_most(private_bytes, shared, bytes);
  for (; done + 8 <= bytes; done += 8) {
    const std::uint64_t word = detail::load_word(shared + done);
    std::memcpy(private_bytes + done, &word, 8);
  }
  if (done < bytes) {
    detail::store_short(private_bytes + done, detail::load_word(shared + done), bytes - done);
  }
}

// Private -> shared. `shared` is 8-byte aligned and writable up to the next multiple of 8, where
// the rest of the last word becomes zero.
[[gnu::always_inline]] inline void copy_in(std::byte* shared, const std::byte* private_bytes,
                                           std::size_t bytes) noexcept {
  std::size_t done = detail::copy_most(shared, private_bytes, bytes);
  for (; done + 8 <= bytes; done += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, private_bytes + done, 8);
    detail::store_word(shared + done, word);
  }
  if (done < bytes) {
    detail::store_word(shared + done, detail::load_last(private_bytes, bytes, bytes - done));
  }
}

// Shared `kept` bytes followed by private ones, to shared memory that nobody else writes: what an
// append builds. `to` and `from` are 8-byte aligned; the rest of the last word of `to` is zero.
inline void append_copy(std::byte* to, const std::byte* from, std::size_t kept,
                        std::span<const std::byte> tail) noexcept {
  std::size_t done = detail::copy_most(to, from, kept);
  for (; done + 8 <= kept; done += 8) detail::store_word(to + done, detail::load_word(from + done));
  if (done == kept) return copy_in(to + done, tail.data(), tail.size());
  const std::size_t odd = kept - done;
  std::uint64_t word = detail::load_word(from + done) & detail::low_bytes(odd);
  const std::size_t filled = std::min(std::size_t{8} - odd, tail.size());
  if (filled > 0) {
    const std::uint64_t head = detail::load_short(tail.data(), filled);
    word |= head << (odd * 8U);
  }
  detail::store_word(to + done, word);
  copy_in(to + done + 8, tail.data() + filled, tail.size() - filled);
}

// Whether `bytes` shared bytes equal the private ones. Same alignment rule as copy_out.
[[gnu::always_inline]] inline bool equal_bytes(const std::byte* shared,
                                               const std::byte* private_bytes,
                                               std::size_t bytes) noexcept {
  if (!kCopiesByWords && bytes >= 8) [[likely]]
    return detail::equal_by_words(shared, private_bytes, bytes);
  std::size_t done = 0;
  for (; done + 8 <= bytes; done += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, private_bytes + done, 8);
    if (detail::load_word(shared + done) != word) return false;
  }
  if (done == bytes) return true;
  const std::uint64_t word = detail::load_word(shared + done) & detail::low_bytes(bytes - done);
  return word == detail::load_short(private_bytes + done, bytes - done);
}

}  // namespace sessionblocks
