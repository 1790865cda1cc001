// Values that records carry: from the ring into the files, encrypted, and back.
#include "flowlog/values.hpp"

#include <catch2/catch.hpp>

#include "flowlog/replay.hpp"
#include "layout/node.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

constexpr auto kText = static_cast<std::uint8_t>(layout::ValueType::text);

snapshot::Key key_of(std::uint8_t number) {
  snapshot::Key key;
  key.id.fill(number);
  key.bytes.fill(static_cast<unsigned char>(number + 1));
  return key;
}

// Finds the one key, as long as it is there.
struct Keyring {
  snapshot::Key key = key_of(1);
  bool is_wiped = false;
  [[nodiscard]] FindValueKey finder() {
    return [this](const snapshot::KeyId& id) -> Result<snapshot::Key> {
      if (is_wiped) return fail(Errc::wiped, "key");
      if (id == key.id) return key;
      return fail(Errc::denied, "key");
    };
  }
};

layout::ValueDetail detail_of(std::string_view bytes, std::uint64_t kept = 0,
                              std::uint64_t expiry_ms = 0) {
  layout::ValueDetail detail{};
  detail.type = kText;
  detail.logged_bytes = bytes.size();
  detail.kept_bytes = kept;
  detail.expiry_ms = expiry_ms;
  return detail;
}

// One thread that defines its keys and changes them.
struct Thread {
  explicit Thread(AuditRingWriter writer) : ring(writer) {}
  void define(std::uint64_t key_id, std::string_view name) {
    ring.push_with_key(cell(Op::define_key, key_id, 1, 0, time_ms), bytes_of(name));
  }
  void change(Op op, std::uint64_t key_id, std::uint64_t version, std::string_view bytes,
              std::uint64_t kept = 0, std::uint64_t expiry_ms = 0) {
    ring.lay_value(detail_of(bytes, kept, expiry_ms), bytes_of(bytes));
    const auto size = static_cast<std::uint32_t>(kept + bytes.size());
    ring.push_with_value(cell(op, key_id, version, size, time_ms), bytes.size());
  }
  void erase(std::uint64_t key_id, std::uint64_t version) {
    ring.push(cell(Op::erase, key_id, version, 0, time_ms));
  }
  void fill(std::uint64_t key_id, std::string_view name, std::uint64_t version,
            std::string_view bytes, std::uint64_t kept = 0) {
    ring.lay_value(detail_of(bytes, kept), bytes_of(bytes), key_cells(name.size()));
    ring.push_with_key_and_value(cell(Op::define_key, key_id, version, 0, time_ms), bytes_of(name),
                                 bytes.size());
  }
  AuditRingWriter ring;
  std::uint32_t time_ms = 1'000;
};

struct Logged {
  explicit Logged(std::uint64_t ring_records = 4'096) : worker(ring_records), other(ring_records) {
    open();
  }
  void open() {
    log = std::move(*FlowLog::open({config_in(folder), OnFullDisk::wait}));
    REQUIRE(log->add_worker(WorkerId{3}, worker.segment(), worker.ring_records(), "s"));
    REQUIRE(log->add_worker(WorkerId{4}, other.segment(), other.ring_records(), "s"));
    for (const WorkerId id : {WorkerId{3}, WorkerId{4}}) {
      REQUIRE(log->open_block(id, 1, kBlock, "cart"));
    }
    log->keep_values(kBlock, "cart", keys.key);
  }
  // Another generation of the block, which `open` 2 of worker 4 stands for.
  BlockRef next_generation() {
    const BlockRef next = BlockRef::make(kBlock.block(), Generation{2});
    REQUIRE(log->open_block(WorkerId{4}, 2, next, "cart"));
    return next;
  }
  std::vector<Entry> entries() {
    log.reset();
    std::vector<Entry> found;
    auto reader = LogReader::open(folder.path());
    REQUIRE(reader);
    reader->give_values(keys.finder());
    Entry entry;
    while (reader->next(entry).value_or(false)) {
      if (entry.kind == EntryKind::problem) FAIL(entry.problem);
      if (entry.kind == EntryKind::record && entry.record.op != Op::define_key) {
        found.push_back(entry);
      }
    }
    return found;
  }
  Replay replay() {
    log.reset();
    auto loaded = Replay::load(folder.path(), "cart", keys.finder());
    if (!loaded) throw std::runtime_error(loaded.error().message());
    return std::move(*loaded);
  }

  TemporaryFolder folder;
  FakeWorker worker;
  FakeWorker other;
  Keyring keys;
  std::unique_ptr<FlowLog> log;
};

std::string text_of(const Replay& replay) {
  std::string text;
  for (const auto& [key, entry] : replay.entries()) {
    text += key + "=" + (entry.is_known ? entry.value : "?") + ";";
  }
  return text;
}

TEST_CASE("values come back as they were, of any length, over the end of the ring") {
  Logged logged;
  std::vector<std::string> values;
  {
    Thread lane(logged.worker.writer(0));
    lane.define(5, "key");
    for (std::uint64_t i = 0; i < 40; ++i) {
      values.push_back(std::string(i * 167 % 6'000, static_cast<char>('a' + i % 26)));
      while (!lane.ring.has_room(1 + value_cells(values.back().size()))) {
      }
      lane.change(Op::put, 5, i + 1, values.back(), 0, i);
    }
  }
  const auto entries = logged.entries();
  REQUIRE(entries.size() == values.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    REQUIRE(entries[i].value);
    CHECK(entries[i].value->bytes == values[i]);
    CHECK(entries[i].value->expiry_ms == i);
    CHECK(entries[i].value->type == kText);
    CHECK(entries[i].record.logged_bytes == values[i].size());
    CHECK(entries[i].record.key == "key");
  }
  const auto report = verify(logged.folder.path());
  REQUIRE(report);
  CHECK(report->is_whole());
}

TEST_CASE("a value that is longer than a batch of the drain is logged whole") {
  Logged logged(std::uint64_t{1} << 15U);
  const std::string value(LogWriter::kBatchCells * sizeof(RingCell) + 4'321, 'x');
  {
    Thread lane(logged.worker.writer(0));
    lane.define(5, "key");
    lane.change(Op::put, 5, 1, value);
    lane.change(Op::put, 5, 2, "short");
  }
  const auto entries = logged.entries();
  REQUIRE(entries.size() == 2);
  REQUIRE(entries[0].value);
  CHECK(entries[0].value->bytes == value);
  REQUIRE(entries[1].value);
  CHECK(entries[1].value->bytes == "short");
}

TEST_CASE("without the block's key no value is kept, and none is read") {
  const std::string value = "in no file as it is";
  for (const bool is_dropped : {false, true}) {
    Logged logged;
    Thread lane(logged.worker.writer(0));
    lane.define(5, "key");
    lane.change(Op::put, 5, 1, value);
    REQUIRE(logged.log->drain_fully(WorkerId{3}));
    if (is_dropped) logged.log->drop_values(kBlock.block());
    lane.change(Op::put, 5, 2, value);
    logged.keys.is_wiped = is_dropped;
    const auto entries = logged.entries();
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].value.has_value() == !is_dropped);
    CHECK(entries[1].value.has_value() == !is_dropped);
    if (is_dropped) {
      CHECK(entries[0].value_code == Errc::wiped);
      CHECK(entries[1].value_code == Errc::not_found);
      logged.keys.is_wiped = false;  // whoever kept a copy of the key: what came later is nowhere
      const auto again = logged.entries();
      CHECK(again[0].value);
      CHECK_FALSE(again[1].value);
    }
    CHECK(slurp(logged.folder.path() + "/flow-0000000001.sblog").find(value) == std::string::npos);
  }
}

TEST_CASE("logged values that another key sealed, or that were altered, are not taken") {
  const FrameHeader header{.kind = FrameKind::values, .worker = 3, .first = 7, .records = 1};
  ValueRows rows;
  rows.add(2, detail_of("value", 3, 4), bytes_of("value"));
  ByteBuffer payload;
  REQUIRE(seal_values(payload, header, kBlock, key_of(1), rows));
  SealedValues sealed;
  REQUIRE(read_values(payload.bytes(), sealed));
  CHECK(sealed.block == kBlock);
  CHECK(sealed.key == key_of(1).id);
  auto opened = open_values(header, sealed, key_of(1));
  REQUIRE(opened);
  REQUIRE(opened->size() == 1);
  CHECK(opened->at(9).bytes == "value");
  CHECK(opened->at(9).kept_bytes == 3);
  CHECK(open_values(header, sealed, key_of(2)).error() == Errc::corrupt);
  for (const auto change : {&FrameHeader::first}) {
    FrameHeader moved = header;
    moved.*change += 1;
    CHECK(open_values(moved, sealed, key_of(1)).error() == Errc::corrupt);
  }
  FrameHeader stolen = header;
  stolen.worker = 4;
  CHECK(open_values(stolen, sealed, key_of(1)).error() == Errc::corrupt);
  for (std::size_t i = 0; i < payload.size(); ++i) {
    payload.data()[i] ^= std::byte{1};
    SealedValues altered;
    const bool is_read = read_values(payload.bytes(), altered);
    CHECK((!is_read || altered.key != key_of(1).id || !open_values(header, altered, key_of(1))));
    payload.data()[i] ^= std::byte{1};
  }
  CHECK_FALSE(read_values(payload.bytes().first(40), sealed));
}

TEST_CASE("a ring's values are believed as far as they can be") {
  OpenTable opens(0);
  opens.set(1, kBlock);
  const auto forged = [&](const RingCell& record, const layout::ValueDetail& detail,
                          std::uint64_t pending = 10) {
    std::vector<RingCell> cells(10);
    cells[0] = record;
    std::memcpy(&cells[1], &detail, sizeof detail);
    return check_cells(std::span(cells).first(pending), pending, opens).forged;
  };
  RingCell put = cell(Op::put, 5, 1);
  put.flags = layout::kInlineValue;
  CHECK(forged(put, detail_of("0123456789"), 3).empty());
  CHECK(forged(put, detail_of(std::string(1'000, 'v'))).find("cut short") != std::string::npos);
  layout::ValueDetail detail = detail_of("v");
  detail.type = 6;
  CHECK(forged(put, detail, 3) == "a value of no known type");
  detail = detail_of("v");
  detail.logged_bytes = ~std::uint64_t{0};
  CHECK_FALSE(forged(put, detail).empty());
  detail = detail_of("v", std::uint64_t{1} << 41U);
  CHECK(forged(put, detail, 3) == "a value of impossible size");
  CHECK(forged(put, detail_of("v"), 1).find("cut short") != std::string::npos);
  for (const Op op : {Op::get, Op::erase, Op::get_and_erase, Op::evict, Op::for_each}) {
    RingCell other = put;
    other.op = static_cast<std::uint8_t>(op);
    CHECK(forged(other, detail_of("v"), 3) == "a record of no change with a value");
  }
  RingCell failed = put;
  failed.outcome = 1;
  CHECK_FALSE(forged(failed, detail_of("v"), 3).empty());
  // Its detail is not at hand yet: it waits, and says for how much.
  const CellCheck waiting = check_cells(std::span(&put, 1), 10, opens);
  CHECK(waiting.cells == 0);
  CHECK(waiting.forged.empty());
  CHECK(waiting.wanted == 2);
}

TEST_CASE("a replay shows the block behind each operation, forward and back") {
  Logged logged;
  {
    Thread first(logged.worker.writer(0));
    Thread second(logged.other.writer(0));
    first.define(5, "a");
    first.change(Op::put, 5, 1, "one");
    second.define(6, "b");
    // By version, not by time: the other thread's clock is ahead.
    second.time_ms = 500;
    second.change(Op::append, 5, 2, "two", 3);
    first.change(Op::append, 5, 3, "three", 6);
    second.change(Op::add, 6, 1, "b");
    first.change(Op::touch, 5, 4, "", 11, 99);
    first.erase(6, 2);
  }
  Replay replay = logged.replay();
  CHECK(replay.remarks().empty());
  REQUIRE(replay.steps() == 7);
  const std::vector<std::string> after = {"",
                                          "",
                                          "a=one;",
                                          "a=onetwo;",
                                          "a=onetwo;b=b;",
                                          "a=onetwothree;b=b;",
                                          "a=onetwothree;b=b;",
                                          "a=onetwothree;"};
  std::vector<std::string> seen;
  for (std::size_t i = 0; i <= replay.steps(); ++i) {
    replay.seek(i);
    seen.push_back(text_of(replay));
  }
  CHECK(seen == after);
  for (std::size_t i = replay.steps() + 1; i-- > 0;) {
    replay.seek(i);
    CHECK(text_of(replay) == seen[i]);
  }
  replay.seek(replay.steps());
  CHECK(replay.entries().at("a").expiry_ms == 99);
  CHECK(replay.entries().at("a").version == 4);
  REQUIRE(replay.moment_after({3, 0}, 2));
  replay.seek(*replay.moment_after({3, 0}, 2));
  CHECK(text_of(replay).find("a=one;") == 0);
  CHECK_FALSE(replay.moment_after({3, 0}, 3));
  const auto found = replay.difference(0, replay.steps());
  REQUIRE(found.size() == 0);  // it has expired by then: 99 ms is long ago
}

TEST_CASE("a replay of a generation begins with what it was filled with") {
  Logged logged;
  {
    Thread worker(logged.worker.writer(0));
    worker.define(5, "a");
    worker.change(Op::put, 5, 1, "one");
    worker.define(6, "b");
    worker.change(Op::put, 6, 1, "two");
    Thread director(logged.other.writer(0));
    const BlockRef next = logged.next_generation();
    const auto fill = [&](std::uint64_t id, std::string_view name, std::uint64_t version,
                          std::string_view bytes, std::uint64_t kept) {
      director.ring.lay_value(detail_of(bytes, kept), bytes_of(bytes), key_cells(name.size()));
      RingCell record = cell(Op::define_key, id, version, 0);
      record.open = 2;
      director.ring.push_with_key_and_value(record, bytes_of(name), bytes.size());
    };
    fill(1, "a", 1, "on", 0);
    fill(1, "a", 1, "e", 2);
    logged.log->keep_values(next, "cart", logged.keys.key);
  }
  Replay replay = logged.replay();
  REQUIRE(replay.steps() == 4);
  CHECK(text_of(replay) == "a=one;");
  CHECK(replay.generation() == Generation{2});
  replay.seek(3);
  CHECK(text_of(replay) == "a=one;b=two;");
  CHECK(replay.generation() == Generation{1});
}

TEST_CASE("a generation that was given up is not replayed") {
  Logged logged;
  {
    Thread worker(logged.worker.writer(0));
    worker.define(5, "a");
    worker.change(Op::put, 5, 1, "one");
    Thread director(logged.other.writer(0));
    (void)logged.next_generation();
    director.ring.lay_value(detail_of("x"), bytes_of("x"), 1);
    RingCell record = cell(Op::define_key, 1, 1, 0);
    record.open = 2;
    director.ring.push_with_key_and_value(record, bytes_of("b"), 1);
  }
  Replay replay = logged.replay();
  CHECK(replay.steps() == 2);
  CHECK(text_of(replay) == "a=one;");
}

TEST_CASE("what the log lacks is said, and what was built on it is not made up") {
  Logged logged;
  {
    Thread lane(logged.worker.writer(0));
    lane.define(5, "a");
    lane.change(Op::append, 5, 7, "end", 10);  // of what a removed file had
    lane.define(6, "b");
    lane.change(Op::put, 6, 3, "whole");
    lane.change(Op::append, 6, 5, "gap", 5);  // version 4 was lost
  }
  Replay replay = logged.replay();
  CHECK(text_of(replay) == "a=?;b=?;");
  replay.seek(replay.steps() - 1);
  CHECK(text_of(replay) == "a=?;b=whole;");
}

}  // namespace
}  // namespace sessionblocks::flowlog
