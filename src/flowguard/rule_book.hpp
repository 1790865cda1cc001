// Which rules hold of what, since when, and which of them are due.
//
// An episode begins when a rule's condition first holds of a thing, and is over when it has not
// held for kCalmMs: what comes and goes within that is one. Each episode is due once, when the
// condition has held without a break for the rule's `for`.
#pragma once

#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "flowguard/rule.hpp"

namespace sessionblocks::flowguard {

class RuleBook {
 public:
  static constexpr std::uint64_t kCalmMs = 10'000;

  explicit RuleBook(std::vector<Rule> rules) : rules_(std::move(rules)) {}

  struct Firing {
    const Rule* rule = nullptr;
    const Observed* observed = nullptr;  // into what was given
    std::uint64_t since_ms = 0;
  };
  struct Over {
    const Rule* rule = nullptr;
    Kind kind = Kind::block;
    std::uint32_t id = 0;
  };
  struct Judged {
    std::vector<Firing> due;  // by priority
    std::vector<Over> over;   // episodes that were due once; what is not there any more as well
  };
  [[nodiscard]] Judged judge(std::span<const Observed> observed, std::uint64_t now_ms);

  [[nodiscard]] const std::vector<Rule>& rules() const noexcept { return rules_; }

 private:
  struct Episode {
    std::uint64_t since_ms = 0;   // without a break
    std::uint64_t held_ms = 0;    // when it held last
    std::uint64_t looked_ms = 0;  // when its thing was there last
    bool was_due = false;
  };
  using Name = std::tuple<std::size_t, Kind, std::uint32_t>;  // index of the rule

  std::vector<Rule> rules_;
  std::map<Name, Episode> episodes_;
};

}  // namespace sessionblocks::flowguard
