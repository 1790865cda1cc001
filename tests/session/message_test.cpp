#include "session/message.hpp"

#include <catch2/catch.hpp>
#include <random>

namespace sessionblocks {
namespace {

using Bytes = std::vector<std::uint8_t>;

Errc refusal(const Bytes& bytes) {
  const auto message = decode_message(bytes);
  REQUIRE_FALSE(message.has_value());
  return message.error().code();
}

// {"a": [[[...]]]} with this many arrays.
Bytes nested(unsigned arrays) {
  Bytes bytes = {0xA1, 0x61, 'a'};
  bytes.insert(bytes.end(), arrays, 0x81);
  bytes.push_back(0x01);
  return bytes;
}

TEST_CASE("a message comes back as it was sent") {
  const Message sent = {{"op", "open"},
                        {"id", 7},
                        {"list", {1, -2, 3.5, true, nullptr, "text"}},
                        {"key", Message::binary({1, 2, 255})}};
  const auto bytes = encode_message(sent);
  REQUIRE(bytes);
  const auto back = decode_message(*bytes);
  REQUIRE(back);
  CHECK(*back == sent);
}

TEST_CASE("eight levels are read and nine are refused") {
  CHECK(decode_message(nested(7)).has_value());
  CHECK(refusal(nested(8)) == Errc::malformed);
}

TEST_CASE("two hundred thousand open arrays cost nothing and are refused") {
  CHECK(refusal(Bytes(200'000, 0x81)) == Errc::malformed);
  CHECK(refusal(Bytes(kMaxMessageBytes, 0x81)) == Errc::malformed);
  Bytes deep = {0xA1, 0x61, 'a'};
  deep.resize(kMaxMessageBytes, 0x81);
  CHECK(refusal(deep) == Errc::malformed);
}

TEST_CASE("what is not one whole map of known forms is malformed") {
  const std::vector<Bytes> wrong = {
      {},                                                      // nothing
      {0x01},                                                  // a number
      {0x80},                                                  // an array
      {0xA1, 0x01, 0x01},                                      // a key that is a number
      {0xA1, 0x61, 'a'},                                       // no value
      {0xA1, 0x61},                                            // a cut key
      {0xA0, 0x00},                                            // bytes after its end
      {0xBF, 0xFF},                                            // indefinite map
      {0xA1, 0x61, 'a', 0x9F, 0xFF},                           // indefinite array
      {0xA1, 0x61, 'a', 0x7F, 0xFF},                           // indefinite text
      {0xA1, 0x61, 'a', 0xC0, 0x00},                           // a tag
      {0xA1, 0x61, 'a', 0xF8, 0x20},                           // an unknown simple value
      {0xA1, 0x61, 'a', 0x1C},                                 // a reserved head
      {0xBB, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF},  // 2^64 - 1 pairs
      {0xA1, 0x61, 'a', 0x9B, 0x80, 0, 0, 0, 0, 0, 0, 0},      // 2^63 items
      {0xA1, 0x61, 'a', 0x5B, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}  // 2^64 - 1 bytes
  };
  for (const Bytes& bytes : wrong) CHECK(refusal(bytes) == Errc::malformed);
}

TEST_CASE("every cut and every changed byte of a message is read or refused") {
  const auto whole = encode_message({{"op", "create"}, {"id", 3}, {"list", {1, {{"a", 2}}}}});
  REQUIRE(whole);
  for (std::size_t length = 0; length < whole->size(); ++length) {
    CHECK_FALSE(decode_message(std::span(*whole).first(length)).has_value());
  }
  for (std::size_t at = 0; at < whole->size(); ++at) {
    for (unsigned value = 0; value < 256; ++value) {
      Bytes changed = *whole;
      changed[at] = static_cast<std::uint8_t>(value);
      const auto message = decode_message(changed);
      CHECK((message.has_value() || message.error().code() == Errc::malformed));
    }
  }
}

TEST_CASE("random bytes are read or refused") {
  std::mt19937_64 random(20'251);
  for (int round = 0; round < 20'000; ++round) {
    Bytes bytes(random() % 64);
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    if (!bytes.empty()) bytes[0] = static_cast<std::uint8_t>(0xA0 + random() % 4);
    const auto message = decode_message(bytes);
    CHECK((message.has_value() || message.error().code() == Errc::malformed));
  }
}

TEST_CASE("an error travels with its code, and its context or its number") {
  const Message named = error_reply(5, Error(Errc::denied, std::string("open cart")));
  CHECK(named["id"] == 5);
  CHECK(error_of(named).code() == Errc::denied);
  CHECK(error_of(named).context() == "open cart");
  CHECK(error_of(error_reply(6, Error(Errc::conflict, std::uint64_t{9}))).version() == 9);
  for (unsigned code = 1; errc_name(static_cast<Errc>(code)) != "unknown"; ++code) {
    CHECK(error_of(error_reply(7, Error(static_cast<Errc>(code)))) == static_cast<Errc>(code));
  }
  CHECK(error_of({{"error", 60'000}}).code() == Errc::malformed);
  CHECK(error_of({{"error", 65'537}}).code() == Errc::malformed);
  CHECK(error_of({{"error", 0}}).code() == Errc::malformed);
  CHECK(error_of({{"error", "x"}}).code() == Errc::malformed);
}

}  // namespace
}  // namespace sessionblocks
