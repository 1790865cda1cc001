// FlowGuard: looks at the whole system four times a second and does what its rules say.
//
// Runs in the director and never on a worker's path: what it looks at are control, counters, the
// words of lanes and hazards, and records that were drained already (observer.hpp). Rules are
// conditions on what is measured (metrics.hpp, condition.hpp); each thing found is a finding, an
// event, and a note in the log.
#pragma once

#include <memory>
#include <optional>

#include "director/guard.hpp"
#include "flowguard/actions.hpp"
#include "flowguard/data_leak.hpp"
#include "flowguard/finding.hpp"
#include "flowguard/fsck_turns.hpp"
#include "flowguard/notifier.hpp"
#include "flowguard/observer.hpp"
#include "flowguard/rule_book.hpp"

namespace sessionblocks::flowguard {

class FlowGuard final : public director::Guard {
 public:
  static constexpr std::chrono::milliseconds kBetweenLooks{250};
  // While there are sensitive keys, what changed is scanned that often, for that long at most.
  static constexpr std::chrono::milliseconds kBetweenScans{100};
  static constexpr std::uint64_t kScanUs = 5'000;
  // With very many blocks looks are rarer, so that they take 1 / kRests of the time at most.
  static constexpr unsigned kRests = 20;
  // That many acts bring the next look forward: what is made fast is looked at sooner.
  static constexpr unsigned kActsBeforeLook = 64;

  FlowGuard(std::vector<Rule> rules, std::function<std::uint64_t()> clock)
      : book_(std::move(rules)), clock_(std::move(clock)) {}

  void begin(director::GuardHands hands) override;
  [[nodiscard]] director::AuditTap& tap() noexcept override { return activity_; }
  [[nodiscard]] Result<void> admit(const director::Asking& asking) override;
  void answered(const director::Asking& asking, Errc code) override;
  void acted(director::Act act, ScopeId scope, BlockId block) override;
  void intent_forged(WorkerId worker) override { observer_.intent_forged(registry_, worker); }
  [[nodiscard]] std::chrono::milliseconds pass() override;
  [[nodiscard]] Message findings(std::uint64_t after, std::size_t most) const override {
    return findings_.after(after, most);
  }
  [[nodiscard]] Message leaks() const override;

 private:
  void look();
  // Whether there is anything sensitive.
  bool scan();
  void find(const RuleBook::Firing& firing, std::uint64_t now_ms);
  [[nodiscard]] WorkerId doer_of(const Observed& observed) const;

  RuleBook book_;
  std::function<std::uint64_t()> clock_;
  Activity activity_;
  Observer observer_{activity_};
  FsckTurns fsck_;
  DataLeakDetector leak_detector_;
  std::map<BlockId, std::string> exposed_;  // what was found in it last
  Findings findings_;
  Notifier notifier_;
  director::Registry* registry_ = nullptr;
  std::optional<Actions> actions_;
  std::vector<Observed> observed_;  // at the last look
  std::optional<std::uint64_t> looked_ms_;
  unsigned acts_ = 0;  // since then
};

}  // namespace sessionblocks::flowguard
