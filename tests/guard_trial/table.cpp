#include "table.hpp"

#include <cstdio>

namespace sessionblocks::guard_trial {
namespace {

std::string seconds_text(std::uint64_t ms) {
  constexpr std::uint64_t kMinuteMs = 60'000;
  char text[32];
  if (ms < 10'000) {
    std::snprintf(text, sizeof text, "%.1f s", static_cast<double>(ms) / 1'000);
  } else if (ms < 2 * kMinuteMs) {
    std::snprintf(text, sizeof text, "%.0f s", static_cast<double>(ms) / 1'000);
  } else {
    std::snprintf(text, sizeof text, "%.0f min", static_cast<double>(ms) / kMinuteMs);
  }
  return text;
}

}  // namespace

void Table::tell(const std::string& where, const std::vector<Found>& alarms) {
  for (const Found& alarm : alarms) {
    std::fprintf(stderr, "false alarm in %s: rule %s: %s: %s\n", where.c_str(), alarm.rule.c_str(),
                 alarm.what.c_str(), alarm.evidence.c_str());
  }
}

std::size_t Table::begin(std::string_view kind, const std::string& attack,
                         const std::string& what) {
  const std::lock_guard lock(mutex_);
  lines_.push_back({std::string(kind), attack, what, 0, {}, {}});
  return lines_.size() - 1;
}

void Table::add(std::size_t number, std::uint64_t seed, const Played& played) {
  const std::lock_guard lock(mutex_);
  Line* const line = &lines_.at(number);
  ++line->runs;
  const std::string where = line->attack + ", seed " + std::to_string(seed);
  if (played.found_after_ms) {
    line->after_ms.push_back(*played.found_after_ms);
    ++line->found_by[played.found.rule + ": " + played.found.action];
  }
  std::fprintf(stderr, "%s: %s%s%s\n", where.c_str(),
               played.found_after_ms
                   ? ("found after " + seconds_text(*played.found_after_ms) + " by " +
                      played.found.rule + ": " + played.found.what + ": " + played.found.evidence)
                         .c_str()
                   : "MISSED",
               played.drawn.empty() ? "" : "; drawn: ", played.drawn.c_str());
  other_alarms_ += played.false_alarms.size();
  tell(where, played.false_alarms);
}

void Table::add_normal(double hours, std::uint64_t seed, const Calm& calm) {
  const std::lock_guard lock(mutex_);
  hours_ += hours;
  operations_ += calm.operations;
  failed_ += calm.failed;
  normal_alarms_ += calm.false_alarms.size();
  worst_per_hour_ = std::max(worst_per_hour_,
                             static_cast<double>(calm.false_alarms.size()) / std::max(hours, 1.0));
  const std::string where = "normal traffic, seed " + std::to_string(seed);
  std::fprintf(stderr, "%s: %llu operations, %llu failed, %zu false alarms\n", where.c_str(),
               static_cast<unsigned long long>(calm.operations),
               static_cast<unsigned long long>(calm.failed), calm.false_alarms.size());
  if (calm.failed != 0) std::fprintf(stderr, "failed first: %s\n", calm.first_failure.c_str());
  tell(where, calm.false_alarms);
}

void Table::print() const {
  const std::lock_guard lock(mutex_);
  if (!lines_.empty()) {
    std::printf("| kind | attack | runs | found | missed | median | worst | by |\n");
    std::printf("|---|---|---|---|---|---|---|---|\n");
  }
  for (const Line& line : lines_) {
    std::vector<std::uint64_t> after = line.after_ms;
    std::sort(after.begin(), after.end());
    std::string by;
    for (const auto& [rule, times] : line.found_by) by += (by.empty() ? "" : ", ") + rule;
    std::printf("| %s | %s | %llu | %zu | %llu | %s | %s | %s |\n", line.kind.c_str(),
                line.what.c_str(), static_cast<unsigned long long>(line.runs), after.size(),
                static_cast<unsigned long long>(line.runs - after.size()),
                after.empty() ? "-" : seconds_text(after[(after.size() - 1) / 2]).c_str(),
                after.empty() ? "-" : seconds_text(after.back()).c_str(), by.c_str());
  }
  if (hours_ > 0) {
    std::printf(
        "\nnormal traffic: %.1f h of the guard's time, %llu operations, %llu of them failed: "
        "%llu false alarms, %.2f an hour\n",
        hours_, static_cast<unsigned long long>(operations_),
        static_cast<unsigned long long>(failed_), static_cast<unsigned long long>(normal_alarms_),
        static_cast<double>(normal_alarms_) / hours_);
  }
  if (!lines_.empty()) {
    std::printf("false alarms in runs with an attack: %llu\n",
                static_cast<unsigned long long>(other_alarms_));
  }
}

bool Table::is_good() const {
  const std::lock_guard lock(mutex_);
  const bool all_found = std::all_of(lines_.begin(), lines_.end(), [](const Line& line) {
    return line.after_ms.size() == line.runs;
  });
  return all_found && worst_per_hour_ <= 1 && failed_ == 0;
}

}  // namespace sessionblocks::guard_trial
