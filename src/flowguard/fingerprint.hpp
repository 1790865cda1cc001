// Keyed fingerprints of values that must not turn up elsewhere, and a scanner that finds them.
//
// What it does: every window of 16 bytes of a value has a fingerprint here; of a shorter value the
// whole. A scanner is fed the bytes of another value and says whether such a piece is in it: as it
// is, in hex (either case), or in base64 (standard or URL alphabet, at any of its phases, line
// breaks in it or not). The hash rolls over the bytes (Cohen, "Recursive hashing functions for
// n-grams", 1997: cyclic polynomials, here over a random table), and what it finds is confirmed
// with SipHash-2-4. Both are keyed with what is drawn when the set is made and is nowhere else.
//
// What it does not see: pieces shorter than 16 bytes of a longer value, values shorter than
// kLeastBytes, pieces of fewer than kLeastKinds different bytes (they tell nothing from other
// values), what was compressed, encrypted, reversed, or encoded in any other way, and a piece that
// is split over two values.
//
// Invariants
// 1. No byte of a value is kept: the set holds keyed hashes only, and a scanner zeroes the last
//    bytes that it has seen.
// 2. Bounded: most_windows of them, about 33 bytes each; what finds no room is counted.
// One thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace sessionblocks::flowguard {

inline constexpr std::size_t kWindowBytes = 16;
inline constexpr std::size_t kLeastBytes = 6;
inline constexpr std::size_t kLeastKinds = 4;
inline constexpr std::size_t kMostBytesOfValue = 65'536;  // what is behind them is not looked for

using ValueId = std::uint32_t;  // of a value in the set; 0: none

class FingerprintSet {
 public:
  static constexpr std::size_t kMostWindows = std::size_t{1} << 20U;

  explicit FingerprintSet(std::size_t most_windows = kMostWindows);
  ~FingerprintSet();
  FingerprintSet(const FingerprintSet&) = delete;
  FingerprintSet& operator=(const FingerprintSet&) = delete;

  // The value may be forgotten by the caller. One that is too short is counted, and found nowhere.
  [[nodiscard]] ValueId add(std::span<const std::byte> value);
  void remove(ValueId value);

  [[nodiscard]] std::size_t values() const noexcept { return values_.size(); }
  [[nodiscard]] std::size_t windows() const noexcept { return live_windows_; }
  [[nodiscard]] std::size_t most_windows() const noexcept { return most_windows_; }
  // Of all that were added: windows for want of room, and values for want of bytes.
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }
  [[nodiscard]] std::uint64_t too_short() const noexcept { return too_short_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  friend class Scanner;
  friend class RollingWindow;

  struct Row {
    std::uint32_t rolling = 0;
    ValueId value = 0;  // 0: free
    std::uint64_t strong = 0;
  };
  struct Value {
    std::uint64_t bytes = 0;
    std::uint32_t windows = 0;
    std::uint8_t length = 0;  // of its windows
  };

  [[nodiscard]] std::uint64_t strong_of(std::span<const std::byte> window) const noexcept;
  [[nodiscard]] std::size_t place_of(std::uint32_t rolling) const noexcept {
    return static_cast<std::size_t>((std::uint64_t{rolling} * 0x9E37'79B9'7F4A'7C15U) >> shift_);
  }
  [[nodiscard]] bool may_have(std::uint32_t rolling) const noexcept {
    const std::uint32_t bit = rolling & filter_mask_;
    return ((filter_[bit / 64] >> (bit % 64)) & 1U) != 0;
  }
  // A value that has this window; 0: none.
  [[nodiscard]] ValueId find(std::uint32_t rolling,
                             std::span<const std::byte> window) const noexcept;
  [[nodiscard]] std::span<const std::uint8_t> lengths() const noexcept {
    return std::span(lengths_).first(length_count_);
  }
  void note_lengths() noexcept;
  [[nodiscard]] ValueId next_id();
  void insert(const Row& row) noexcept;
  void rebuild(std::size_t rows);
  [[nodiscard]] bool make_room();

  std::array<std::uint64_t, 256> table_{};
  std::array<unsigned char, 16> key_{};
  std::size_t most_windows_;
  std::vector<Row> rows_;
  unsigned shift_ = 0;
  std::vector<std::uint64_t> filter_;  // bits of rolling hashes that may be there
  std::uint32_t filter_mask_ = 0;
  std::unordered_map<ValueId, Value> values_;
  std::array<std::uint32_t, kWindowBytes + 1> of_length_{};  // live values by window length
  std::array<std::uint8_t, kWindowBytes + 1 - kLeastBytes> lengths_{};  // those in use
  std::size_t length_count_ = 0;
  std::size_t live_windows_ = 0;
  std::size_t used_rows_ = 0;  // with those of removed values
  ValueId last_id_ = 0;
  std::uint64_t left_out_ = 0;
  std::uint64_t too_short_ = 0;
};

enum class Form : std::uint8_t { plain = 1, hex = 2, base64 = 3 };

struct Match {
  ValueId value{};
  Form form = Form::plain;
  std::size_t bytes = 0;  // of the value, in one piece, at least
  bool is_whole = false;
};

// The bytes of one stream, and which windows of them the set knows.
class RollingWindow {
 public:
  RollingWindow() = default;
  ~RollingWindow() { forget(); }
  RollingWindow(const RollingWindow&) = default;
  RollingWindow& operator=(const RollingWindow&) = default;

  void forget() noexcept;  // the stream has a gap here
  // The longest piece that ends with this byte; bytes 0: none.
  Match push(const FingerprintSet& set, std::byte byte) noexcept;

 private:
  [[nodiscard]] Match match_of(const FingerprintSet& set, std::uint32_t rolling,
                               std::span<const std::byte> window) noexcept;

  std::array<std::byte, 2 * kWindowBytes>
      last_{};  // twice the same, so that windows are in one piece
  std::array<std::uint64_t, kWindowBytes + 1> rolling_{};  // by the window's length
  std::uint64_t count_ = 0;
  ValueId run_of_{};
  std::size_t run_ = 0;  // windows of that value, one after the other
};

// Feed it the bytes of one value after the other.
class Scanner {
 public:
  static constexpr std::size_t kMostMatches = 16;  // of one value

  explicit Scanner(const FingerprintSet& set) noexcept : set_(&set) {}

  void feed(std::span<const std::byte> bytes);
  // What was found since the last finish(), the longest piece of each value and form.
  [[nodiscard]] std::vector<Match> finish();

 private:
  void feed_hex(std::byte byte) noexcept;
  void feed_base64(std::byte byte) noexcept;
  void keep(Match match, Form form);

  const FingerprintSet* set_;
  RollingWindow plain_;
  RollingWindow hex_[2];     // by whether a byte begins at an even or an odd digit
  RollingWindow base64_[4];  // by the place of the first digit of four
  std::uint64_t hex_digits_ = 0;
  std::uint64_t base64_digits_ = 0;
  unsigned last_hex_ = 0;
  unsigned last_base64_ = 0;
  std::vector<Match> matches_;
};

}  // namespace sessionblocks::flowguard
