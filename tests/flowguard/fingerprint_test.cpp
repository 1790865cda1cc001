#include "flowguard/fingerprint.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace sessionblocks::flowguard {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

// Bytes of which none says anything about the next.
std::string random_text(std::size_t size, unsigned seed) {
  std::mt19937_64 random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string hex_of(std::string_view text, bool is_upper) {
  const char* const digits = is_upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    out += digits[static_cast<unsigned char>(c) >> 4U];
    out += digits[static_cast<unsigned char>(c) & 15U];
  }
  return out;
}

// Without padding, which is no part of the alphabet.
std::string base64_of(std::string_view text, bool is_url) {
  const std::string digits =
      std::string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789") +
      (is_url ? "-_" : "+/");
  std::string out;
  unsigned bits = 0;
  unsigned have = 0;
  for (const char c : text) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    for (have += 8; have >= 6; have -= 6) out += digits[(bits >> (have - 6)) & 63U];
  }
  if (have != 0) out += digits[(bits << (6 - have)) & 63U];
  return out;
}

std::vector<Match> scan(const FingerprintSet& set, std::string_view text) {
  Scanner scanner(set);
  scanner.feed(bytes_of(text));
  return scanner.finish();
}

// Of that form; bytes 0: none.
Match found(const FingerprintSet& set, std::string_view text, Form form) {
  for (const Match& match : scan(set, text)) {
    if (match.form == form) return match;
  }
  return {};
}

TEST_CASE("every piece of 16 bytes and more is found, wherever it was cut") {
  const std::string secret = random_text(48, 1);
  FingerprintSet set;
  const ValueId id = set.add(bytes_of(secret));
  const std::string before = random_text(5, 2);
  for (std::size_t size = 16; size <= 40; ++size) {
    for (std::size_t at = 0; at + size <= secret.size(); ++at) {
      const std::string piece = secret.substr(at, size);
      const Match match = found(set, before + piece + before, Form::plain);
      CAPTURE(size, at);
      REQUIRE(match.value == id);
      REQUIRE(match.bytes == size);
      REQUIRE_FALSE(match.is_whole);
      for (const bool is_upper : {false, true}) {
        // Behind one hex digit more, too: a byte then begins at an odd place.
        for (const char* const lead : {"x", "x0"}) {
          const Match hex = found(set, lead + hex_of(piece, is_upper) + "!", Form::hex);
          REQUIRE(hex.value == id);
          REQUIRE(hex.bytes == size);
        }
      }
    }
  }
  const Match whole = found(set, before + secret, Form::plain);
  CHECK(whole.is_whole);
  CHECK(whole.bytes == secret.size());
}

TEST_CASE("base64 is found at every phase, in both alphabets, and cut at any place") {
  const std::string secret = random_text(40, 3);
  FingerprintSet set;
  const ValueId id = set.add(bytes_of(secret));
  for (const bool is_url : {false, true}) {
    for (std::size_t phase = 0; phase < 3; ++phase) {
      for (std::size_t size = 16; size <= 40; ++size) {
        for (std::size_t at = 0; at + size <= secret.size(); at += 3) {
          const std::string message =
              random_text(phase, 4) + secret.substr(at, size) + random_text(2, 5);
          const std::string text = base64_of(message, is_url);
          CAPTURE(is_url, phase, size, at);
          for (std::size_t lead = 0; lead < 4; ++lead) {
            const Match match = found(set, "=" + std::string(lead, 'A') + text, Form::base64);
            REQUIRE(match.value == id);
            REQUIRE(match.bytes == size);
          }
        }
      }
    }
  }
  std::string lines = base64_of(secret, false);
  for (std::size_t at = 19; at < lines.size(); at += 21) lines.insert(at, "\r\n");
  CHECK(found(set, lines, Form::base64).is_whole);
}

TEST_CASE("a short value is found whole, and not in part") {
  for (std::size_t size = kLeastBytes; size < kWindowBytes; ++size) {
    FingerprintSet set;
    const std::string secret = random_text(size, 7 + static_cast<unsigned>(size));
    const ValueId id = set.add(bytes_of(secret));
    CAPTURE(size);
    const std::string around = random_text(3, 6);
    const Match match = found(set, around + secret + around, Form::plain);
    CHECK(match.value == id);
    CHECK(match.is_whole);
    CHECK(found(set, hex_of(secret, false), Form::hex).is_whole);
    CHECK(found(set, base64_of(around + secret, true), Form::base64).is_whole);
    CHECK(scan(set, secret.substr(1)).empty());
    CHECK(scan(set, secret.substr(0, size - 1)).empty());
  }
}

TEST_CASE("a piece of 15 bytes of a longer value is not found") {
  const std::string secret = random_text(40, 8);
  FingerprintSet set;
  static_cast<void>(set.add(bytes_of(secret)));
  for (std::size_t at = 0; at + 15 <= secret.size(); ++at) {
    const std::string piece = secret.substr(at, 15);
    CHECK(scan(set, piece + "!" + hex_of(piece, true) + "!" + base64_of(piece, false)).empty());
  }
}

TEST_CASE("what tells too little is counted or passed over, and found nowhere") {
  FingerprintSet set;
  static_cast<void>(set.add(bytes_of("short")));
  CHECK(set.too_short() == 1);
  const std::string zeros(64, '\0');
  static_cast<void>(set.add(bytes_of(zeros)));
  static_cast<void>(set.add(bytes_of("ababababababababababababc")));
  CHECK(set.windows() == 0);
  CHECK(scan(set, "short" + zeros + "abababababababababababab").empty());
}

TEST_CASE("a value that was removed is not found, and another one with the same bytes is") {
  FingerprintSet set;
  const std::string secret = random_text(32, 9);
  const ValueId first = set.add(bytes_of(secret));
  const ValueId second = set.add(bytes_of(secret));
  set.remove(first);
  CHECK(found(set, secret, Form::plain).value == second);
  set.remove(second);
  CHECK(scan(set, secret).empty());
  CHECK(set.values() == 0);
  CHECK(set.windows() == 0);
}

TEST_CASE("a value that comes in pieces is found over their borders") {
  FingerprintSet set;
  const std::string secret = random_text(24, 10);
  static_cast<void>(set.add(bytes_of(secret)));
  for (std::size_t cut = 0; cut <= secret.size(); ++cut) {
    Scanner scanner(set);
    scanner.feed(bytes_of(secret.substr(0, cut)));
    scanner.feed(bytes_of(secret.substr(cut)));
    const auto matches = scanner.finish();
    REQUIRE(matches.size() == 1);
    CHECK(matches.front().is_whole);
    // The end of one value and the beginning of the next are no piece.
    scanner.feed(bytes_of(secret.substr(0, 12)));
    CHECK(scanner.finish().empty());
    scanner.feed(bytes_of(secret.substr(12)));
    CHECK(scanner.finish().empty());
  }
}

TEST_CASE("memory is bounded, and what finds no room is counted") {
  FingerprintSet set(10'000);
  const std::size_t empty = set.memory_bytes();
  std::vector<ValueId> ids;
  for (unsigned i = 0; i < 1'000; ++i) ids.push_back(set.add(bytes_of(random_text(64, i))));
  CHECK(set.windows() == 10'000);
  CHECK(set.left_out() == 1'000 * 49 - 10'000);
  CHECK(set.memory_bytes() < empty + 10'000 * 64);
  const std::size_t full = set.memory_bytes();
  // However many come and go.
  for (unsigned i = 0; i < 20'000; ++i) {
    set.remove(ids[i % ids.size()]);
    ids[i % ids.size()] = set.add(bytes_of(random_text(64, 1'000'000 + i)));
  }
  CHECK(set.windows() <= 10'000);
  CHECK(set.memory_bytes() <= 2 * full);
  const std::string last = random_text(64, 1'000'000 + 19'999);
  for (const ValueId id : ids) set.remove(id);
  static_cast<void>(set.add(bytes_of(last)));
  CHECK(found(set, last, Form::plain).is_whole);
}

TEST_CASE("random bytes hold none of what is looked for") {
  FingerprintSet set;
  for (unsigned i = 0; i < 1'000; ++i) {
    static_cast<void>(set.add(bytes_of(random_text(i % 2 == 0 ? 64 : 12, i))));
  }
  Scanner scanner(set);
  for (unsigned i = 0; i < 10; ++i) {
    scanner.feed(bytes_of(random_text(1'000'000, 5'000'000 + i)));
    CHECK(scanner.finish().empty());
  }
  std::mt19937 random(1);
  std::string digits(1'000'000, '0');
  for (char& c : digits) c = "0123456789abcdef"[random() % 16];
  scanner.feed(bytes_of(digits));
  CHECK(scanner.finish().empty());
}

}  // namespace
}  // namespace sessionblocks::flowguard
