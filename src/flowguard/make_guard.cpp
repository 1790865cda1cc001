// How a director that knows nothing of rules gets its guard.
#include "flowguard/flow_guard.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {

std::unique_ptr<Guard> make_guard(const std::vector<GuardSpec>& specs, GuardClock clock) {
  auto rules = flowguard::rules_of(specs);
  // The suite was checked before; of one that was not, the built-in rules are what can be read.
  if (!rules) rules = flowguard::built_in_rules();
  if (!clock) clock = [] { return platform::boottime_ns() / 1'000'000; };
  return std::make_unique<flowguard::FlowGuard>(std::move(*rules), std::move(clock));
}

std::string wrong_with_guard(const GuardSpec& spec) {
  const auto condition = flowguard::Condition::parse(spec.when);
  if (!condition) return condition.error().context();
  if (flowguard::fits(spec.action, condition->kind())) return {};
  return "a " + std::string(flowguard::word(condition->kind())) +
         " can't be sealed or quarantined, only a block can; choose another action";
}

}  // namespace sessionblocks::director
