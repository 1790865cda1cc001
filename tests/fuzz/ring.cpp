// An arbitrary lane head and arbitrary cells, as the log's drain takes them: bounded, copied,
// checked, packed. What it packs is what it unpacks.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <vector>

#include "flowlog/lane.hpp"
#include "flowlog/record_codec.hpp"
#include "guarded.hpp"
#include "input.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::flowlog;
using namespace sessionblocks::fuzz;

constexpr std::uint64_t kCells = layout::kMinRingRecords;
const BlockRef kBlock = BlockRef::make(BlockId{7}, Generation{1});

struct NoNames final : KeyNamed {
  void key_named(KeyRef) override {}
  void key_defined(KeyRef, std::span<const std::byte>) override {}
};

class Ring {
 public:
  void clear() {
    std::memset(head_.data(), 0, head_.size());
    std::memset(cells_.data(), 0, cells_.size());
  }
  [[nodiscard]] layout::LaneHead& head() const {
    return *reinterpret_cast<layout::LaneHead*>(head_.data());
  }
  [[nodiscard]] RingCell* cells() const { return reinterpret_cast<RingCell*>(cells_.data()); }
  [[nodiscard]] AuditRingReader reader() const { return {head(), cells(), kCells}; }

  // One cell, mostly such as a worker writes; or a word of it; or an index.
  void change(Input& input) const {
    const auto what = input.byte();
    RingCell& cell = cells()[input.byte() % kCells];
    switch (what % 6) {
      case 0: {
        RingCell made{};
        made.op = static_cast<std::uint8_t>(input.byte() % 17);
        made.open = input.byte() % 4;
        made.key_id = input.byte();
        made.version = input.byte();
        made.value_bytes = input.take<std::uint16_t>();
        made.flags = input.byte() % 8 == 0 ? 1 : 0;
        made.count = 1;
        cell = made;
        break;
      }
      case 1: {
        const auto at = input.byte() % 4U;
        const auto word = input.take<std::uint64_t>();
        std::memcpy(reinterpret_cast<std::byte*>(&cell) + at * 8, &word, 8);
        break;
      }
      case 2:
        head().ring_written.store(input.take<std::uint64_t>());
        break;
      case 3:
        head().ring_drained.store(input.take<std::uint64_t>());
        break;
      case 4:
        head().ring_written.fetch_add(input.take<std::uint16_t>());
        break;
      default:  // many good records at once
        for (std::uint64_t i = 0, count = input.byte(); i < count; ++i) {
          RingCell made{};
          made.op = static_cast<std::uint8_t>(Op::get);
          made.open = 1;
          made.key_id = i % 7;
          made.version = i;
          made.count = 1;
          cells()[(head().ring_written.load() + i) % kCells] = made;
        }
    }
  }

 private:
  Guarded head_{4'096};
  Guarded cells_{kCells * sizeof(RingCell)};
};

// Packs whole records and unpacks them.
void log_cells(std::span<const RingCell> cells, const OpenTable& opens) {
  static RecordEncoder encoder;
  static RecordDecoder decoder;
  ByteBuffer packed;
  NoNames names;
  encoder.begin(packed, 0, names);
  for (std::size_t at = 0; at < cells.size();) {
    const RingCell& record = cells[at++];
    std::span<const std::byte> key;
    if ((record.flags & layout::kInlineKey) != 0) {
      key = std::as_bytes(cells.subspan(at)).first(record.value_bytes);
      at += key_cells(record.value_bytes);
    }
    std::uint64_t logged_bytes = 0;
    if ((record.flags & layout::kInlineValue) != 0) {
      logged_bytes = value_detail(cells[at]).logged_bytes;
      at += value_cells(logged_bytes);
    }
    encoder.add(record, opens.get(record.open), key, logged_bytes);
  }
  encoder.end();
  LogRecord record;
  decoder.begin(packed.bytes(), record, encoder.records());
  std::uint32_t count = 0;
  while (decoder.next(record)) ++count;
  if (decoder.failed() || count != encoder.records()) std::abort();
}

void unpack_anything(std::span<const std::uint8_t> bytes) {
  static RecordDecoder decoder;
  LogRecord record;
  decoder.begin(std::as_bytes(bytes), record, 1'000);
  for (int records = 0; decoder.next(record); ++records) {
    if (records > 1'000 || record.key.size() > bytes.size()) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Ring ring;
  Input input(data, size);
  ring.clear();
  const auto begin = input.byte();
  if (begin == 0xFF) {
    unpack_anything(input.rest());
    return 0;
  }
  for (int changes = begin % 16; changes > 0; --changes) ring.change(input);
  auto opens = std::make_shared<OpenTable>(0);
  opens->set(1, kBlock);
  opens->set(3, kBlock);
  if (begin % 2 == 0) opens->settle();
  Lane lane({1, 0}, ring.reader(), input.byte(), opens);
  KeyBook keys(10'000);
  std::vector<RingCell> scratch;
  std::vector<RingCell> batch(layout::kMinRingRecords);
  std::uint64_t now_ms = 0;
  for (int steps = 0; steps < 32 && !input.at_end(); ++steps) {
    const auto step = input.byte();
    if (step % 4 == 0) lane.learn_ahead(keys, scratch);
    if (step % 4 != 1) {
      ring.change(input);
      continue;
    }
    now_ms += step;
    (void)lane.waiting(now_ms);
    const auto out = std::span(batch).first(40 + step % 200);  // the longest record is 33 cells
    const Lane::Taken taken = lane.take(out, now_ms);
    if (taken.cells > out.size() || taken.waiting > kCells) std::abort();
    log_cells(out.first(taken.cells), *opens);
    lane.release(taken.first + taken.cells);
  }
  (void)lane.published();
  if (begin % 4 < 2) {
    (void)lane.keep_rest();
    const Lane::Taken rest = lane.take(batch, now_ms + OpenTable::kPatienceMs);
    log_cells(std::span(batch).first(rest.cells), *opens);
  } else {
    (void)lane.detach();
  }
  return 0;
}
