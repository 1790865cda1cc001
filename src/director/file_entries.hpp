// Entries between a block and a file: expiry by one clock and by the other.
#pragma once

#include "director/snapshots.hpp"
#include "platform/clock.hpp"
#include "snapshot/entry.hpp"

namespace sessionblocks::director {

static_assert(static_cast<int>(layout::ValueType::bytes) == static_cast<int>(Type::bytes));
static_assert(static_cast<int>(layout::ValueType::boolean) == static_cast<int>(Type::boolean));

[[nodiscard]] inline std::uint64_t unix_ms() noexcept {
  return platform::realtime_ns() / 1'000'000;
}

[[nodiscard]] inline snapshot::FileEntry to_file(const EntryBytes& entry, const Instants& taken) {
  snapshot::FileEntry made{entry.key, static_cast<Type>(entry.type), entry.value, entry.version, 0};
  if (entry.expiry_ms != 0) {
    made.expires_unix_ms = taken.taken_unix_ms + (entry.expiry_ms - taken.clock_ms);
  }
  return made;
}

// Puts what has not expired into a block, and counts.
class Incoming {
 public:
  explicit Incoming(const TakeEntry& put) : put_(&put) {}

  [[nodiscard]] Result<void> take(const snapshot::FileEntry& entry) {
    EntryBytes bytes{entry.key, static_cast<layout::ValueType>(entry.type), entry.value, 0, 0};
    if (entry.expires_unix_ms != 0) {
      if (entry.expires_unix_ms <= now_unix_ms_) return ++expired, Result<void>();
      bytes.expiry_ms = now_ms_ + (entry.expires_unix_ms - now_unix_ms_);
    }
    ++entries;
    return (*put_)(bytes);
  }

  std::uint64_t entries = 0;
  std::uint64_t expired = 0;

 private:
  const TakeEntry* put_;
  std::uint64_t now_unix_ms_ = unix_ms();
  std::uint64_t now_ms_ = platform::monotonic_coarse_ms();
};

}  // namespace sessionblocks::director
