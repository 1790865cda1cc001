#include "flowlog/record_codec.hpp"

#include <catch2/catch.hpp>
#include <iostream>
#include <random>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using testing::bytes_of;
using testing::cell;
using testing::kBlock;

class Silent final : public KeyNamed {
 public:
  void key_named(KeyRef key) override { named.push_back(key); }
  void key_defined(KeyRef key, std::span<const std::byte>) override { defined.push_back(key); }
  std::vector<KeyRef> named;
  std::vector<KeyRef> defined;
};

struct Input {
  RingCell record;
  BlockRef block;
  std::string key;
};

// Encodes and decodes; checks that all comes back; returns the payload's size.
std::size_t round_trip(const std::vector<Input>& inputs) {
  Silent silent;
  ByteBuffer out;
  auto encoder = std::make_unique<RecordEncoder>();
  encoder->begin(out, inputs.front().record.time_ms, silent);
  for (const Input& input : inputs) encoder->add(input.record, input.block, bytes_of(input.key));
  encoder->end();
  REQUIRE(encoder->records() == inputs.size());

  RecordDecoder decoder;
  LogRecord start;
  start.sequence = 100;
  start.time_ms = inputs.front().record.time_ms;
  decoder.begin(out.bytes(), start, encoder->records());
  LogRecord got;
  std::uint64_t sequence = 100;
  bool all_equal = true;
  for (const Input& input : inputs) {
    REQUIRE(decoder.next(got));
    all_equal = all_equal && got.sequence == sequence && got.block == input.block &&
                static_cast<std::uint8_t>(got.op) == input.record.op &&
                got.outcome == input.record.outcome && got.count == input.record.count &&
                got.key_id == input.record.key_id && got.version == input.record.version &&
                got.value_bytes == (input.key.empty() ? input.record.value_bytes : 0) &&
                got.key == input.key &&
                static_cast<std::uint32_t>(got.time_ms) == input.record.time_ms;
    if (!all_equal) FAIL("record " << sequence << " came back different");
    sequence += 1 + key_cells(input.key.size());
  }
  CHECK_FALSE(decoder.next(got));
  CHECK_FALSE(decoder.failed());
  return out.size();
}

Input with_key(Op op, std::uint64_t key_id, std::string key) {
  Input input{cell(op, key_id, 0), kBlock, std::move(key)};
  input.record.flags = layout::kInlineKey;
  input.record.value_bytes = static_cast<std::uint32_t>(input.key.size());
  return input;
}

TEST_CASE("any records come back as they were") {
  std::mt19937_64 random(1);
  for (int round = 0; round < 50; ++round) {
    std::vector<Input> inputs;
    for (int i = 0; i < 500; ++i) {
      if (random() % 8 == 0) {
        inputs.push_back(with_key(Op::define_key, random(), std::string(1 + random() % 1024, 'k')));
        continue;
      }
      Input input{cell(static_cast<Op>(2 + random() % 14), random(), random()), kBlock, {}};
      if (random() % 2 == 0) input.record.key_id = random() % 50;
      input.record.value_bytes = static_cast<std::uint32_t>(random());
      input.record.time_ms = static_cast<std::uint32_t>(random());
      input.record.outcome = static_cast<std::uint8_t>(random() % 40);
      input.record.count = static_cast<std::uint16_t>(1 + random() % 65'535);
      input.block = {random() % 3 == 0 ? random() : kBlock.word};
      inputs.push_back(input);
      for (std::uint64_t repeats = random() % 4; repeats > 0; --repeats) inputs.push_back(input);
    }
    round_trip(inputs);
  }
}

TEST_CASE("equal key ids of different blocks are named each") {
  Silent silent;
  ByteBuffer out;
  RecordEncoder encoder;
  encoder.begin(out, 0, silent);
  const BlockRef other = BlockRef::make(BlockId{8}, Generation{1});
  encoder.add(cell(Op::get, 5, 1), kBlock, {});
  encoder.add(cell(Op::get, 5, 1), other, {});
  encoder.end();
  REQUIRE(silent.named.size() == 2);
  CHECK(silent.named[1].block == other);
}

TEST_CASE("records of hot and of mixed work take few bytes") {
  const auto print = [](const char* what, const std::vector<Input>& inputs) {
    const double each =
        static_cast<double>(round_trip(inputs)) / static_cast<double>(inputs.size());
    std::cout << "bytes per record, " << what << ": " << each << "\n";
    CHECK(each < 12);
  };
  std::mt19937_64 random(2);
  const std::uint64_t thread = std::uint64_t{9} << 32U;
  const std::uint64_t first = std::uint64_t{1} << 32U;
  std::vector<std::uint64_t> versions(100'000, first + 1);
  const auto make = [&](auto key_of, unsigned writes_in_100) {
    std::vector<Input> inputs;
    for (std::uint32_t i = 0; i < 8'192; ++i) {
      const std::size_t key = key_of();
      const bool is_write = random() % 100 < writes_in_100;
      if (is_write) ++versions[key];
      const auto record = cell(is_write ? Op::put : Op::get, thread + 1 + key, versions[key], 64,
                               1'000 + i / 2'048 * 4);
      inputs.push_back({record, kBlock, {}});
    }
    return inputs;
  };
  const auto hot = [] { return std::size_t{0}; };
  const auto of_sixty_four = [&] { return static_cast<std::size_t>(random() % 64); };
  const auto of_many = [&] { return static_cast<std::size_t>(random() % 100'000); };
  print("hot get of one key", make(hot, 0));
  print("get over 64 keys", make(of_sixty_four, 0));
  print("increment of one key", make(hot, 100));
  print("mixed, 30 % puts, 64 keys", make(of_sixty_four, 30));
  print("mixed, 30 % puts, 100,000 random keys", make(of_many, 30));
}

TEST_CASE("random bytes as a payload give an end or a failure") {
  std::mt19937_64 random(3);
  RecordDecoder decoder;
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> payload(random() % 200);
    for (std::byte& byte : payload) {
      byte = static_cast<std::byte>(random() % 3 == 0 ? random() : random() % 8);
    }
    decoder.begin(payload, {}, static_cast<std::uint32_t>(random() % 300));
    LogRecord record;
    std::uint32_t count = 0;
    while (decoder.next(record)) ++count;
    REQUIRE(count <= 300);
  }
}

}  // namespace
}  // namespace sessionblocks::flowlog
