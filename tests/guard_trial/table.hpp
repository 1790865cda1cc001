// What came of all runs: a line for each attack, and the false alarms.
#pragma once

#include <map>
#include <mutex>

#include "trial.hpp"

namespace sessionblocks::guard_trial {

// Threads may add to it.
class Table {
 public:
  // A line, in the order in which they are begun; its number.
  [[nodiscard]] std::size_t begin(std::string_view kind, const std::string& attack,
                                  const std::string& what);
  void add(std::size_t line, std::uint64_t seed, const Played& played);
  void add_normal(double hours, std::uint64_t seed, const Calm& calm);
  // Markdown on stdout.
  void print() const;
  // No attack was missed, and no hour of normal traffic had more than one false alarm.
  [[nodiscard]] bool is_good() const;

 private:
  struct Line {
    std::string kind;
    std::string attack;
    std::string what;
    std::uint64_t runs = 0;
    std::vector<std::uint64_t> after_ms;              // of those that were found
    std::map<std::string, std::uint64_t> found_by{};  // rule and action
  };
  void tell(const std::string& where, const std::vector<Found>& alarms);

  mutable std::mutex mutex_;
  std::vector<Line> lines_;
  double hours_ = 0;
  std::uint64_t operations_ = 0;
  std::uint64_t failed_ = 0;
  std::uint64_t normal_alarms_ = 0;
  std::uint64_t other_alarms_ = 0;  // in runs with an attack, about something else
  double worst_per_hour_ = 0;
};

}  // namespace sessionblocks::guard_trial
