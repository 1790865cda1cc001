// Latencies in buckets: eight to each power of two of nanoseconds, so a bucket is at most 12.5 %
// off.
//
// One process adds at a time, others may look. What is shared is only counted: a worker that is
// killed while it adds loses its own last one, at most.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace sessionblocks::torture {

class Histogram {
 public:
  void add(std::uint64_t ns) noexcept {
    auto& count = counts_[bucket_of(ns)];
    // Relaxed: a statistic, and one writer at a time.
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (ns > most_.load(std::memory_order_relaxed)) most_.store(ns, std::memory_order_relaxed);
  }
  void add_all(const Histogram& other) noexcept {
    for (std::size_t i = 0; i < kBuckets; ++i) {
      counts_[i].fetch_add(other.counts_[i].load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    }
    const std::uint64_t most = other.most();
    if (most > most_.load(std::memory_order_relaxed)) most_.store(most, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t count() const noexcept {
    std::uint64_t sum = 0;
    for (const auto& count : counts_) sum += count.load(std::memory_order_relaxed);
    return sum;
  }
  // The upper end of the bucket below which this share of all values lies, in ns.
  [[nodiscard]] std::uint64_t percentile(double share) const noexcept {
    const auto wanted = static_cast<std::uint64_t>(share * static_cast<double>(count()));
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      sum += counts_[i].load(std::memory_order_relaxed);
      if (sum > wanted) return end_of(i);
    }
    return most();
  }
  [[nodiscard]] std::uint64_t most() const noexcept {
    return most_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr unsigned kParts = 3;  // log2 of the buckets in a power of two
  static constexpr std::size_t kBuckets = std::size_t{64} << kParts;

  [[nodiscard]] static constexpr std::size_t bucket_of(std::uint64_t ns) noexcept {
    if (ns < (1U << kParts)) return ns;
    const auto power = static_cast<unsigned>(std::bit_width(ns)) - 1;
    const std::uint64_t part = (ns >> (power - kParts)) & ((1U << kParts) - 1);
    return ((power - kParts + 1) << kParts) + part;
  }
  [[nodiscard]] static constexpr std::uint64_t end_of(std::size_t bucket) noexcept {
    if (bucket < (1U << kParts)) return bucket;
    const std::uint64_t power = (bucket >> kParts) + kParts - 1;
    const std::uint64_t part = bucket & ((1U << kParts) - 1);
    return ((std::uint64_t{1} << kParts) + part + 1) << (power - kParts);
  }

  std::array<std::atomic<std::uint64_t>, kBuckets> counts_{};
  std::atomic<std::uint64_t> most_{0};
};

}  // namespace sessionblocks::torture
