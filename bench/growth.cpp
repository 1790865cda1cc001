// sessionbench growth KEYS: how long single puts take while the index grows under them.
//
// A block is filled with KEYS new keys; each doubling of the entries makes the index grow once. For
// comparison each row's keys are put once more, into an index at rest: what takes as long there, or
// longer, is the machine's doing (the scheduler's, above all), not the growth's.
#include "embedded_block.hpp"
#include "local.hpp"
#include "peers/clock.hpp"
#include "peers/histogram.hpp"

#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>

namespace sessionblocks::bench {
namespace {

constexpr std::uint64_t kFewestKeys = 1'024;
constexpr std::uint64_t kMostKeys = 10'000'000;
constexpr std::uint64_t kBytesAKey = 512;  // room to spare: a full block is another benchmark
constexpr double kLongNs = 20'000;

class Puts {
 public:
  Puts(Block& block, const Clock& clock) : block_(&block), clock_(&clock) {}

  // Keys [first, last), each once.
  void run(std::uint64_t first, std::uint64_t last) {
    times_ = std::make_unique<Histogram>();
    long_ = 0;
    for (std::uint64_t key = first; key < last; ++key) {
      const std::string name = "visitor/" + std::to_string(key * 7'919);
      const std::uint64_t start = clock_->now();
      const auto version = block_->put(name, value_);
      const double ns = clock_->ns(clock_->now() - start);
      if (!version) Workload::die(version.error());
      times_->record(static_cast<std::uint64_t>(ns));
      if (ns > kLongNs) ++long_;
    }
  }
  void print() const {
    std::printf("  %7" PRIu64 " %7" PRIu64 " %7" PRIu64 " %9" PRIu64 " %6" PRIu64,
                times_->percentile(0.5), times_->percentile(0.99), times_->percentile(0.999),
                times_->highest(), long_);
  }

 private:
  Block* block_;
  const Clock* clock_;
  std::string value_ = std::string(kValueBytes, 'v');
  std::unique_ptr<Histogram> times_;
  std::uint64_t long_ = 0;
};

}  // namespace

int run_growth(const char* keys) {
  char* end = nullptr;
  const std::uint64_t count = std::strtoull(keys, &end, 10);
  if (*end != '\0' || count < kFewestKeys || count > kMostKeys) {
    std::fprintf(stderr, "sessionbench: growth KEYS, from %" PRIu64 " to %" PRIu64 "\n",
                 kFewestKeys, kMostKeys);
    return 2;
  }
  const Clock clock = Clock::calibrated();
  EmbeddedBlock place(count * kBytesAKey + (16ULL << 20U));
  Puts growing(place.block(), clock);
  Puts at_rest(place.block(), clock);
  std::printf("ns of a put (with %.0f ns of the clock's own); over: puts of more than %.0f us\n",
              clock.cost_ns(), kLongNs / 1'000);
  std::printf("%22s  %40s  %40s\n", "", "new, the index grows", "again, the index at rest");
  std::printf("%10s %11s", "from", "to");
  for (int i = 0; i < 2; ++i) {
    std::printf("  %7s %7s %7s %9s %6s", "p50", "p99", "p99.9", "max", "over");
  }
  std::putchar('\n');
  for (std::uint64_t first = 0; first < count;) {
    const std::uint64_t last = std::min(count, std::max(first * 2, kFewestKeys));
    growing.run(first, last);
    at_rest.run(first, last);
    std::printf("%10" PRIu64 " %11" PRIu64, first, last);
    growing.print();
    at_rest.print();
    std::putchar('\n');
    first = last;
  }
  return 0;
}

}  // namespace sessionblocks::bench
