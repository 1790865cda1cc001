#include "flowguard/finding.hpp"

#include <utility>

#include "core/units.hpp"

namespace sessionblocks::flowguard {

Message row_of(const Finding& finding) {
  return {{"number", finding.number},    {"time", finding.found_unix_ms},
          {"lasted", finding.lasted_ms}, {"rule", finding.rule},
          {"what", finding.what},        {"scope", finding.scope},
          {"worker", finding.worker},    {"evidence", finding.evidence},
          {"action", finding.action},    {"done", finding.done}};
}

std::string text_of(const Finding& finding) {
  std::string text = "rule " + finding.rule + ": " + finding.evidence;
  if (finding.lasted_ms != 0) {
    text += ", for " + units::format_duration_ms(finding.lasted_ms);
  }
  if (!finding.worker.empty()) text += ", by " + finding.worker;
  return text + "; " + finding.done;
}

const Finding& Findings::add(Finding finding) {
  finding.number = next_++;
  if (kept_.size() == kMost) kept_.pop_front();
  return kept_.emplace_back(std::move(finding));
}

Message Findings::after(std::uint64_t number, std::size_t most) const {
  Message rows = Message::array();
  for (const Finding& finding : kept_) {
    if (finding.number <= number) continue;
    if (rows.size() == most) break;
    rows.push_back(row_of(finding));
  }
  return rows;
}

}  // namespace sessionblocks::flowguard
