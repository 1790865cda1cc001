#include "flowlog/key_masks.hpp"

#include <catch2/catch.hpp>
#include <filesystem>

#include "flowlog/director_sinks.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;
using director::make_mask;
using director::MaskKey;

const MaskKey kKey = director::random_mask_key();

// All bytes of all files of the log.
std::string all_of(const TemporaryFolder& folder) {
  std::string all;
  for (const auto& file : std::filesystem::directory_iterator(folder.path())) {
    all += slurp(file.path().string());
  }
  return all;
}

// A worker's record that carries its key.
void push_key(const FakeWorker& worker, Op op, std::uint64_t key_id, std::string_view key) {
  worker.writer(0).push_with_key(cell(op, key_id, 1), bytes_of(key));
}

TEST_CASE("a mask names equal keys alike, says nothing of them, and leaves others as they are") {
  const auto mask = make_mask({"token:*", "pin"}, kKey);
  CHECK(mask->covers("token:"));
  CHECK(mask->covers("pin"));
  CHECK_FALSE(mask->covers("pin2"));
  CHECK(mask->shown("pin2") == "pin2");
  const std::string shown = mask->shown("token:1");
  CHECK(shown.size() == director::kMaskedPrefix.size() + 16);
  CHECK(shown.starts_with(director::kMaskedPrefix));
  CHECK(shown == make_mask({"*"}, kKey)->shown("token:1"));
  CHECK(shown != mask->shown("token:2"));
  CHECK(shown != make_mask({"*"}, director::random_mask_key())->shown("token:1"));
  CHECK(make_mask({}, kKey) == nullptr);
}

TEST_CASE("keys that a block's mask covers never get into the log's files") {
  const auto mask = make_mask({"token:*"}, kKey);
  // One ring cell, and several: what is shown takes one, and records keep their numbers.
  for (const std::size_t size : {1U, 20U, 26U, 40U, 900U}) {
    CAPTURE(size);
    const std::string secret(size, 'S');
    const std::string key = "token:" + secret + "!";
    TemporaryFolder folder;
    FakeWorker worker(256);
    FlowLogSink sink({config_in(folder), OnFullDisk::wait}, nullptr);
    REQUIRE(sink.begin({9}));
    sink.block_masked(BlockId{7}, mask);
    sink.worker_added({WorkerId{3}, worker.segment(), worker.ring_records()}, "s");
    sink.block_opened(WorkerId{3}, 1, BlockId{7}, Generation{1}, "cart");
    push_key(worker, Op::define_key, 42, key);
    worker.writer(0).push(cell(Op::put, 42, 1));
    push_key(worker, Op::get, 0, key);
    push_key(worker, Op::get, 0, "plain key");
    worker.writer(0).push(cell(Op::get, 42, 1));
    sink.drain_fully(WorkerId{3});
    sink.worker_removed(WorkerId{3});
    const auto records = read_records(folder.path());
    int named = 0;
    for (const LogRecord& record : records) {
      if (record.key == mask->shown(key)) ++named;
      CHECK((record.key.empty() || record.key == "plain key" || record.key == mask->shown(key)));
    }
    CHECK(named >= 3);
    CHECK(all_of(folder).find(key) == std::string::npos);
    if (size >= 20) CHECK(all_of(folder).find("SSSSSSSSSSSSSSSS") == std::string::npos);
    CHECK(all_of(folder).find("plain key") != std::string::npos);
    const auto report = verify(folder.path());
    REQUIRE(report);
    INFO(report->text());
    CHECK(report->is_whole());
    CHECK(report->missing_cells == 0);
  }
}

TEST_CASE("a definition that the writer reads ahead in a ring is masked too") {
  const auto mask = make_mask({"token:*"}, kKey);
  KeyBook keys(1U << 20U);
  keys.masks()->set(BlockId{7}, mask);
  const KeyRef key{kBlock, 5};
  CHECK(keys.define_masked(key, "token:secret").bytes == mask->shown("token:secret"));
  CHECK(keys.define_masked({BlockRef::make(BlockId{8}, Generation{1}), 5}, "token:secret").bytes ==
        "token:secret");
  CHECK(keys.conflicts() == 0);
}

TEST_CASE("a name in an older file is shown as it stands there") {
  const auto mask = make_mask({"*"}, kKey);
  TemporaryFolder folder;
  FakeWorker worker(256);
  for (int run = 0; run < 2; ++run) {
    FlowLogSink sink({config_in(folder), OnFullDisk::wait}, nullptr);
    REQUIRE(sink.begin({9}));
    sink.block_masked(BlockId{7}, mask);
    sink.worker_added({WorkerId{3}, worker.segment(), worker.ring_records()}, "s");
    sink.block_opened(WorkerId{3}, 1, BlockId{7}, Generation{1}, "cart");
    if (run == 0) push_key(worker, Op::define_key, 42, "secret");
    worker.writer(0).push(cell(Op::put, 42, 1));
    sink.drain_fully(WorkerId{3});
  }
  for (const LogRecord& record : read_records(folder.path())) {
    CHECK((record.key.empty() || record.key == mask->shown("secret")));
  }
}

TEST_CASE("masks of blocks beyond the bound mask every key of blocks as old") {
  KeyMasks masks;
  const auto mask = make_mask({"a"}, kKey);
  for (std::uint32_t id = 2; id <= KeyMasks::kMostBlocks + 2; ++id) masks.set(BlockId{id}, mask);
  const auto of = [](std::uint32_t id) { return BlockRef::make(BlockId{id}, Generation{1}); };
  CHECK(masks.mask(of(2), "other").has_value());
  CHECK(masks.mask(of(1), "other").has_value());
  CHECK_FALSE(masks.mask(of(3), "other").has_value());
  CHECK(masks.mask(of(3), "a") == mask->shown("a"));
  CHECK_FALSE(masks.mask(of(KeyMasks::kMostBlocks + 3), "a").has_value());
}

}  // namespace
}  // namespace sessionblocks::flowlog
