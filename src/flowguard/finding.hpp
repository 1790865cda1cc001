// What a rule found: what, who, since when, the evidence, what was done.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "session/message.hpp"

namespace sessionblocks::flowguard {

struct Finding {
  std::uint64_t number = 0;  // from 1; a director that starts anew begins anew
  std::int64_t found_unix_ms = 0;
  std::uint64_t lasted_ms = 0;  // when it was found: since when the condition had held
  std::string rule;
  std::string what;      // block 7 cart; worker 3 (...); scope shop/checkout
  std::string scope;     // whose it is
  std::string worker;    // who did it, as far as that is known
  std::string evidence;  // the metrics that the rule names, with their values
  std::string action;    // the rule's
  std::string done;      // what came of it, or why nothing did
};

[[nodiscard]] Message row_of(const Finding& finding);
// One sentence, for events and the log.
[[nodiscard]] std::string text_of(const Finding& finding);

// The last kMost findings.
class Findings {
 public:
  static constexpr std::size_t kMost = 1'000;

  // Gives it a number.
  const Finding& add(Finding finding);
  [[nodiscard]] Message after(std::uint64_t number, std::size_t most) const;

 private:
  std::deque<Finding> kept_;
  std::uint64_t next_ = 1;
};

}  // namespace sessionblocks::flowguard
