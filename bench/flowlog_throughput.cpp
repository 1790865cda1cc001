// flowlog_throughput [SECONDS] [FOLDER] [LANES]: records a second that one process puts into rings
// and FlowLog takes to files without losing one, and what a record takes there.
//
// One thread a lane publishes gets as fast as its ring (1 Mi records) lets it: 30 % of another key
// of 1,000, the rest the key before, no two of them merged by the worker.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "flowlog/flow_log.hpp"
#include "platform/clock.hpp"

namespace {

using namespace sessionblocks;

constexpr std::uint64_t kKeys = 1'000;

struct Segment {
  explicit Segment(std::uint64_t records)
      : bytes(layout::worker_bytes(records)),
        memory(static_cast<std::byte*>(std::calloc(bytes + 4'096, 1))) {}
  [[nodiscard]] std::byte* base() const {
    const auto address = reinterpret_cast<std::uintptr_t>(memory.get());
    return memory.get() + ((4'096 - address % 4'096) % 4'096);
  }
  struct Free {
    void operator()(std::byte* at) const { std::free(at); }
  };
  std::size_t bytes;
  std::unique_ptr<std::byte, Free> memory;
};

void publish(AuditRingWriter ring, std::uint64_t thread_number, const std::atomic<bool>& stop) {
  std::uint64_t random = thread_number * 0x9E37'79B9'7F4A'7C15U + 1;
  RingCell record{};
  record.op = static_cast<std::uint8_t>(Op::get);
  record.open = 1;
  record.count = 1;
  record.value_bytes = 64;
  for (std::uint64_t i = 0; !stop.load(std::memory_order_relaxed); ++i) {
    if (i % 64 == 0) record.time_ms = static_cast<std::uint32_t>(platform::monotonic_coarse_ms());
    random = random * 6'364'136'223'846'793'005U + 1'442'695'040'888'963'407U;
    if ((random >> 33U) % 10 < 3) {
      record.key_id = (thread_number << 32U) | (1 + (random >> 40U) % kKeys);
      record.version = (std::uint64_t{1} << 32U) + record.key_id % 97;
    }
    while (!ring.has_room(1)) std::this_thread::yield();
    ring.push(record);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int seconds = argc > 1 ? std::atoi(argv[1]) : 5;
  const std::string folder = argc > 2 ? argv[2] : "flowlog-throughput";
  const unsigned lanes = argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 1;
  flowlog::FlowLogConfig config;
  config.log.folder = folder;
  config.log.system = "bench";
  auto log = flowlog::FlowLog::open(config);
  if (!log) return std::fprintf(stderr, "%s\n", log.error().message().c_str()), 1;
  constexpr std::uint64_t kRecords = layout::kDefaultRingRecords;
  const Segment segment(kRecords);
  const auto block = flowlog::BlockRef::make(BlockId{1}, Generation{1});
  auto ready = (*log)->add_worker(WorkerId{1}, {segment.base(), segment.bytes}, kRecords, "bench");
  if (ready) ready = (*log)->open_block(WorkerId{1}, 1, block, "bench");
  if (!ready) return std::fprintf(stderr, "%s\n", ready.error().message().c_str()), 1;

  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  const std::uint64_t begun_ns = platform::monotonic_ns();
  for (unsigned lane = 0; lane < lanes; ++lane) {
    std::byte* const at = segment.base() + layout::lane_at(lane, kRecords);
    auto* const cells =
        reinterpret_cast<RingCell*>(at + layout::kLaneHeadBytes + layout::kLaneCounterBytes);
    const AuditRingWriter ring(*reinterpret_cast<layout::LaneHead*>(at), cells, kRecords);
    threads.emplace_back([ring, lane, &stop] { publish(ring, lane + 1, stop); });
  }
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
  stop = true;
  for (std::thread& thread : threads) thread.join();
  if (!(*log)->drain_fully(WorkerId{1})) return std::fprintf(stderr, "the disk refuses\n"), 1;
  const double took_s = static_cast<double>(platform::monotonic_ns() - begun_ns) / 1e9;
  const flowlog::LogTotals totals = (*log)->totals();
  const auto records = static_cast<double>(totals.cells);
  std::printf("records %.0f  records/s %.0f  bytes/record %.2f  lost %llu\n", records,
              records / took_s, static_cast<double>(totals.bytes) / records,
              static_cast<unsigned long long>(totals.lost_cells));
  log->reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return 0;
}
