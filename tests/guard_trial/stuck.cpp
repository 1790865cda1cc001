// Stuck workers: real processes that stop, or that stay in an operation.
#include <signal.h>

#include "attack.hpp"
#include "child.hpp"

namespace sessionblocks::guard_trial {
namespace {

class Process : public Attack {
 public:
  explicit Process(Scene& scene) : Attack(scene), child_(scene.system, "intruder") {
    add_worker(child_.worker_id());
    add_culprit(child_.block_text());
  }
  void behave(double /*seconds*/) override {
    if (!is_stuck_) child_.order(Order::work);
  }
  void strike(double /*seconds*/) override {
    if (!std::exchange(is_stuck_, true)) get_stuck();
  }

 protected:
  virtual void get_stuck() = 0;
  [[nodiscard]] ChildWorker& child() { return child_; }

 private:
  ChildWorker child_;
  bool is_stuck_ = false;
};

class Stopped final : public Process {
 public:
  using Process::Process;

 private:
  void get_stuck() override { child().signal(SIGSTOP); }
};

class InWrite final : public Process {
 public:
  using Process::Process;

 private:
  void get_stuck() override { child().order(Order::write); }
};

class InRead final : public Process {
 public:
  using Process::Process;

 private:
  void get_stuck() override { child().order(Order::visit); }
};

}  // namespace

void add_stuck(Attacks& attacks) {
  const auto add = [&](std::string name, std::string what, std::vector<std::string> rules,
                       auto maker) {
    attacks.push_back(
        {Kind::stuck, std::move(name), std::move(what), std::move(rules), 600, 1'000, 60, maker});
  };
  add("stopped", "a process that was stopped", {"stopped"}, make<Stopped>);
  if (can_hold_a_write()) {
    add("stuck-write", "a write that does not end", {"stuck-write"}, make<InWrite>);
  }
  add("stuck-read", "a read that does not end", {"stuck-read", "reader-holds"}, make<InRead>);
}

}  // namespace sessionblocks::guard_trial
