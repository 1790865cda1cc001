// Recursion: what makes more of itself. Processes and scripts are in suite_run.cpp.
#include "attack.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::uint64_t kLeastQuota = std::uint64_t{512} << 10U;
constexpr std::size_t kMostMade = 2'500;  // of a run
constexpr std::size_t kMostOpen = 300;    // a worker may have some more

class CreateLoop final : public Intruder {
 public:
  explicit CreateLoop(Scene& scene) : Intruder(scene), per_s_(draw().spread(8, 300)) {
    tell(std::to_string(int(per_s_)) + " blocks a second");
  }
  void strike(double seconds) override {
    for (auto left = draw().events(per_s_ * seconds); left > 0 && made_ < kMostMade; --left) {
      BlockOptions options;
      options.name = "b" + std::to_string(made_++);
      options.quota_bytes = kLeastQuota;
      static_cast<void>(session().create(options));  // and closes it
    }
  }

 private:
  double per_s_;
  std::size_t made_ = 0;
};

// Each fork is forked again, as deep as it goes, then beside.
class ForkTree final : public Intruder {
 public:
  explicit ForkTree(Scene& scene) : Intruder(scene), per_s_(draw().spread(5, 60)) {
    blocks_.push_back(create("seed", kLeastQuota, {"fork"}));
    must(blocks_[0].put("k", 1));
    tell(std::to_string(int(per_s_)) + " forks a second");
  }
  void strike(double seconds) override {
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
      if (blocks_.size() >= kMostOpen + 100) return;
      auto fork = session().fork(blocks_.back());
      if (!fork) fork = session().fork(blocks_[draw().below(blocks_.size())]);
      if (fork) blocks_.push_back(std::move(*fork));
    }
  }

 private:
  double per_s_;
  std::vector<Block> blocks_;
};

// A flow scope in a flow scope in a flow scope, and none is left.
class NestedFlows final : public Intruder {
 public:
  explicit NestedFlows(Scene& scene) : Intruder(scene), per_s_(draw().spread(0.2, 10)) {
    tell(std::to_string(per_s_) + " a second");
  }
  ~NestedFlows() override {
    while (!flows_.empty()) flows_.pop_back();
  }
  void strike(double seconds) override {
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
      auto flow =
          flows_.empty() ? session().enter_scope("step") : flows_.back().enter_scope("step");
      if (flow) flows_.push_back(std::move(*flow));
    }
  }

 private:
  double per_s_;
  std::vector<FlowScope> flows_;
};

// Twice as fast every so often.
class BlocksAndScopes final : public Intruder {
 public:
  explicit BlocksAndScopes(Scene& scene)
      : Intruder(scene), per_s_(draw().spread(0.2, 2)), doubles_s_(draw().spread(8, 40)) {
    tell(std::to_string(per_s_) + " a second, twice that every " + std::to_string(int(doubles_s_)) +
         " s");
  }
  ~BlocksAndScopes() override {
    while (!flows_.empty()) flows_.pop_back();
  }
  void strike(double seconds) override {
    const double now_per_s = std::min(per_s_ * std::exp2(passed_s_ / doubles_s_), 200.0);
    passed_s_ += seconds;
    for (auto left = draw().events(now_per_s * seconds); left > 0 && made_ < kMostMade; --left) {
      draw().chance(0.2) ? enter() : make_block();
    }
  }

 private:
  void enter() {
    auto flow =
        flows_.empty() ? session().enter_scope("branch") : flows_.back().enter_scope("branch");
    if (flow) flows_.push_back(std::move(*flow));
  }
  void make_block() {
    BlockOptions options;
    options.name = "leaf" + std::to_string(made_++);
    options.quota_bytes = kLeastQuota;
    static_cast<void>(flows_.empty() ? session().create(options)
                                     : flows_[draw().below(flows_.size())].create(options));
  }
  double per_s_;
  double doubles_s_;
  double passed_s_ = 0;
  std::size_t made_ = 0;
  std::vector<FlowScope> flows_;
};

}  // namespace

void add_recursion(Attacks& attacks) {
  const std::vector<std::string> pieces = {"many-pieces", "too-many-pieces", "long-chain", "deep"};
  const auto add = [&](std::string name, std::string what, auto maker) {
    attacks.push_back(
        {Kind::recursion, std::move(name), std::move(what), pieces, 1'800, 1'000, 60, maker});
  };
  add("create-loop", "blocks made in a loop", make<CreateLoop>);
  add("fork-tree", "forks of forks of forks", make<ForkTree>);
  add("nested-flows", "flow scopes in each other, never left", make<NestedFlows>);
  add("blocks-and-scopes", "both together, slowly at first", make<BlocksAndScopes>);
}

}  // namespace sessionblocks::guard_trial
