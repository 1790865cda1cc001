// What a rule does about what it found, with the director's hands.
//
//   deny        a block gets no memory beyond what is reserved for it; a worker, or all workers at
//               and below a scope, may not ask for anything that makes or opens something (kMaking)
//   seal, quarantine    a block; everybody's next operation knows it
//   kill        the worker; a block's main writer; all workers at and below a scope
//   end-scope   the script's scope that it belongs to, with all below it; of a block of the suite's
//               own: the block alone; of one that belongs to a flow scope: that
//
// A denial ends with its episode (rule_book.hpp). It is not kept over a restart of the director,
// which finds anew what still goes on. All else stands.
#pragma once

#include <map>
#include <set>
#include <string>

#include "director/registry.hpp"
#include "flowguard/rule.hpp"

namespace sessionblocks::flowguard {

class Actions {
 public:
  explicit Actions(director::GuardHands hands) : hands_(std::move(hands)) {}

  // `by`: who did it, as far as that is known. Says what was done, or why nothing was.
  [[nodiscard]] std::string act(const Rule& rule, const Observed& observed, WorkerId by);
  // The episode is over.
  void lift(const Rule& rule, Kind kind, std::uint32_t id);
  // denied: a rule forbids it, which the message names.
  [[nodiscard]] Result<void> admit(const director::Asking& asking) const;

  // The script's scope that it belongs to; none: the suite.
  [[nodiscard]] ScopeId script_of(Kind kind, std::uint32_t id) const;

 private:
  [[nodiscard]] std::string deny(const Rule& rule, const Observed& observed);
  [[nodiscard]] std::string change(director::Transition what, const Rule& rule,
                                   const Observed& observed);
  [[nodiscard]] std::string kill(const Rule& rule, const Observed& observed, WorkerId by);
  [[nodiscard]] std::string end_scope(const Rule& rule, const Observed& observed);

  director::GuardHands hands_;
  // By which rules; the block that is denied growth says so itself.
  std::map<BlockId, std::set<std::string>> blocks_;
  std::map<WorkerId, std::set<std::string>> workers_;
  std::map<ScopeId, std::set<std::string>> scopes_;
};

// Whether the action can be done to such a thing: seal and quarantine are for blocks.
[[nodiscard]] bool fits(director::GuardAction action, Kind kind) noexcept;

}  // namespace sessionblocks::flowguard
