// Some steps of a schedule as operations: made before they are timed, checked after.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "case.hpp"
#include "operation.hpp"
#include "schedule.hpp"

namespace sessionblocks::bench {

// How thoroughly a get's buffer is spoilt beforehand, so that a copy that never came is noticed.
enum class Spoil : std::uint8_t {
  ends,  // first and last word: cheap
  all,
};

class Window {
 public:
  Window(const Case& one, unsigned process, std::vector<Step> steps);

  // The next steps as operations, at most `count` of them. Valid until the next call.
  [[nodiscard]] std::span<Operation> fill(std::size_t count, Spoil spoil);
  // Throws what is wrong: bytes that are no value of the key, a sum that did not grow, a failure,
  // an absent entry that was loaded. `runs`: how often the operations were run since fill().
  void check(unsigned runs = 1) const;
  // Steps that the last fill() has taken: a modify is two operations.
  [[nodiscard]] std::uint64_t steps_filled() const noexcept { return steps_filled_; }
  [[nodiscard]] std::uint64_t increments() const noexcept { return increments_; }

  static constexpr std::size_t kMostSteps = 256;
  // So many steps that the copies of a window stay in a first-level cache, where they can.
  [[nodiscard]] static std::size_t steps_for(std::uint64_t value_bytes) noexcept;

 private:
  void set(std::size_t at, OpKind kind, std::uint64_t key, Spoil spoil);
  [[nodiscard]] std::uint64_t key_of(const Step& step);

  Case case_;
  unsigned process_;
  std::vector<Step> steps_;
  std::size_t next_ = 0;
  std::uint64_t inserted_ = 0;
  std::uint32_t version_ = 1;
  std::uint64_t steps_filled_ = 0;
  mutable std::uint64_t increments_ = 0;
  mutable std::int64_t last_sum_ = 0;
  std::vector<Operation> operations_;
  std::vector<std::uint64_t> keys_;  // of operations_
  std::vector<char> key_bytes_;
  std::vector<std::byte> value_bytes_;
  std::size_t filled_ = 0;
};

}  // namespace sessionblocks::bench
