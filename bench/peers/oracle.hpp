// What a cache must answer: which keys are there, until when. Follows one process's requests.
//
// Time passes while an operation runs, and a store's clock has steps: a get that falls between the
// earliest and the latest instant at which the entry may end is undecided, never wrong.
#pragma once

#include <cstdint>
#include <unordered_map>

namespace sessionblocks::bench {

struct WorkerJob;
class Client;

class Oracle {
 public:
  enum class Answer : std::uint8_t { hit, miss, either };

  // `step_ms`: how much earlier or later than asked an entry may end; 0: it never does.
  explicit Oracle(std::uint32_t step_ms) : step_ms_(step_ms) {}

  // Instants in milliseconds: before the operation was begun, and after it was over.
  void put(std::uint64_t key, std::uint32_t ttl_ms, double before, double after) {
    entries_[key] = {before + ttl_ms - step_ms_, after + ttl_ms + step_ms_,
                     ttl_ms != 0 && step_ms_ != 0};
  }
  void erase(std::uint64_t key) { entries_.erase(key); }
  [[nodiscard]] Answer get(std::uint64_t key, double before, double after) const {
    const auto found = entries_.find(key);
    if (found == entries_.end()) return Answer::miss;
    if (!found->second.ends || after < found->second.earliest_ms) return Answer::hit;
    return before > found->second.latest_ms ? Answer::miss : Answer::either;
  }

 private:
  struct Entry {
    double earliest_ms = 0;
    double latest_ms = 0;
    bool ends = false;
  };
  std::uint32_t step_ms_;
  std::unordered_map<std::uint64_t, Entry> entries_;
};

// A case with a cluster: look-aside, so that a get that misses is followed by a put. Throws when
// an answer is not the oracle's.
void run_with_oracle(const WorkerJob& job, Client& client);

}  // namespace sessionblocks::bench
