#include "flowguard/rule_book.hpp"

namespace sessionblocks::flowguard {

RuleBook::Judged RuleBook::judge(std::span<const Observed> observed, std::uint64_t now_ms) {
  Judged judged;
  for (std::size_t index = 0; index < rules_.size(); ++index) {
    const Rule& rule = rules_[index];
    for (const Observed& one : observed) {
      if (one.kind != rule.when.kind()) continue;
      const Name name{index, one.kind, one.id};
      const auto known = episodes_.find(name);
      if (!rule.when.holds(one.measures)) {
        if (known == episodes_.end()) continue;
        known->second.looked_ms = now_ms;
        if (!known->second.was_due) episodes_.erase(known);  // a break
        continue;
      }
      Episode& episode =
          known != episodes_.end()
              ? known->second
              : episodes_.try_emplace(name, Episode{now_ms, now_ms, now_ms, false}).first->second;
      episode.held_ms = episode.looked_ms = now_ms;
      if (episode.was_due || now_ms - episode.since_ms < rule.for_ms) continue;
      episode.was_due = true;
      judged.due.push_back({&rule, &one, episode.since_ms});
    }
  }
  std::erase_if(episodes_, [&](const auto& row) {
    const auto& [name, episode] = row;
    const bool is_gone = episode.looked_ms != now_ms;
    if (!is_gone && now_ms - episode.held_ms < kCalmMs) return false;
    if (episode.was_due) {
      judged.over.push_back({&rules_[std::get<0>(name)], std::get<1>(name), std::get<2>(name)});
    }
    return true;
  });
  return judged;
}

}  // namespace sessionblocks::flowguard
