// A guard whose looks a test makes.
#pragma once

#include <memory>
#include <utility>

#include "director/guard.hpp"

namespace sessionblocks::test_support {

// Looks are made by the test, one for each step of the clock, besides those that the guard makes
// before it answers a request: what it sees at a time is then what was done before it.
class SteppedGuard final : public director::Guard {
 public:
  explicit SteppedGuard(std::unique_ptr<director::Guard> real) : real_(std::move(real)) {}
  void begin(director::GuardHands hands) override { real_->begin(std::move(hands)); }
  director::AuditTap& tap() noexcept override { return real_->tap(); }
  Result<void> admit(const director::Asking& asking) override { return real_->admit(asking); }
  void answered(const director::Asking& asking, Errc code) override {
    real_->answered(asking, code);
  }
  void acted(director::Act act, ScopeId scope, BlockId block) override {
    real_->acted(act, scope, block);
  }
  void intent_forged(WorkerId worker) override { real_->intent_forged(worker); }
  std::chrono::milliseconds pass() override { return std::chrono::hours(1); }
  Message findings(std::uint64_t after, std::size_t most) const override {
    return real_->findings(after, most);
  }
  Message leaks() const override { return real_->leaks(); }
  void look() { static_cast<void>(real_->pass()); }

 private:
  std::unique_ptr<director::Guard> real_;
};

}  // namespace sessionblocks::test_support
