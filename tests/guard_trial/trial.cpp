#include "trial.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::uint64_t kStepMs = 1'000;
constexpr double kSecond = 1'000;

bool is_meant(const AttackInfo& attack, const Found& found) {
  return std::find(attack.rules.begin(), attack.rules.end(), found.rule) != attack.rules.end();
}

// What was found since it was asked last. Whether the attack is among it.
bool judge(const AttackInfo& info, const Attack& attack, const System& system, std::size_t& seen,
           Played& played, bool has_begun) {
  bool is_found = false;
  for (; seen < system.found().size(); ++seen) {
    const Found& found = system.found()[seen];
    // Of another rule, it is neither: something is amiss with who is named.
    if (!has_begun || !attack.is_named_by(found)) {
      played.false_alarms.push_back(found);
    } else if (is_meant(info, found) && !is_found) {
      played.found = found;
      is_found = true;
    }
  }
  return is_found;
}

}  // namespace

Played play(const AttackInfo& info, std::uint64_t seed) {
  Draw draw(seed, info.name);
  System system;
  Shop shop(system, draw);
  Scene scene{system, draw};
  const auto attack = info.make(scene);
  Played played;
  std::size_t seen = 0;
  const double seconds = static_cast<double>(info.step_ms) / kSecond;
  const std::uint64_t calm_ms = (info.calm_s + draw.between(0, info.calm_s)) * kStepMs;
  for (std::uint64_t passed = 0; passed < calm_ms; passed += info.step_ms) {
    shop.step(seconds);
    attack->behave(seconds);
    system.step(info.step_ms);
    judge(info, *attack, system, seen, played, false);
  }
  const std::uint64_t began_ms = system.now_ms();
  while (system.now_ms() - began_ms < info.longest_s * kStepMs && !played.found_after_ms) {
    shop.step(seconds);
    attack->behave(seconds);
    attack->strike(seconds);
    system.step(info.step_ms);
    if (judge(info, *attack, system, seen, played, true)) {
      played.found_after_ms = played.found.at_ms - began_ms;
    }
  }
  played.drawn = attack->drawn();
  return played;
}

Calm play_normal(double hours, std::uint64_t seed) {
  Draw draw(seed, "normal");
  System system;
  Shop shop(system, draw);
  const auto ms = static_cast<std::uint64_t>(hours * 3'600 * kSecond);
  for (std::uint64_t passed = 0; passed < ms; passed += kStepMs) {
    shop.step(kStepMs / kSecond);
    system.step(kStepMs);
  }
  return {system.found(), shop.operations(), shop.failed(), shop.first_failure()};
}

}  // namespace sessionblocks::guard_trial
