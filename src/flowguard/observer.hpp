// Looks at everything that the director knows and that workers did, and says what each block,
// worker and script's scope measures now.
//
// Only loads, from control's owner and from segments that the director has mapped. One thread.
#pragma once

#include <map>
#include <vector>

#include "director/registry.hpp"
#include "flowguard/block_watch.hpp"
#include "flowguard/process_count.hpp"
#include "flowguard/scope_watch.hpp"
#include "flowguard/worker_watch.hpp"

namespace sessionblocks::flowguard {

class Observer {
 public:
  explicit Observer(Activity& activity) noexcept : activity_(&activity) {}

  // What is to be remembered until the next look.
  void answered(const director::Asking& asking, Errc code, std::uint64_t now_ms);
  void acted(director::Registry& registry, director::Act act, ScopeId scope, BlockId block);
  // `registry`: where the worker still stands, if anywhere.
  void intent_forged(director::Registry* registry, WorkerId worker);
  void exposed(BlockId block, std::uint64_t now_ms) { block_at(block, now_ms).exposed(); }

  // Blocks, then workers, then scopes, each by id.
  [[nodiscard]] std::vector<Observed> look(director::Registry& registry, std::uint64_t now_ms);
  // Who wrote most of it; none: nobody that is there.
  [[nodiscard]] WorkerId main_writer(BlockId block) const;

 private:
  struct WorkerTurn {
    Use use;
    std::uint64_t refused = 0;
  };
  // What happened since the last look.
  struct Turn {
    std::uint64_t now_ms = 0;
    double passed_s = 0;
    bool is_first = false;  // what there is and was counted is the past
    std::map<BlockId, BlockTurn> blocks;
    std::map<WorkerId, WorkerTurn> workers;
  };
  [[nodiscard]] BlockWatch& block_at(BlockId block, std::uint64_t now_ms) {
    return blocks_.try_emplace(block, now_ms).first->second;
  }
  void take(director::Registry& registry, Turn& turn);
  void look_at_blocks(director::Registry& registry, Turn& turn, std::vector<Observed>& out);
  void look_at_workers(director::Registry& registry, const Turn& turn, std::vector<Observed>& out);
  // Who forged something and ended before this look.
  void look_at_ended(director::Registry& registry, std::vector<Observed>& out);
  void look_at_scopes(director::Registry& registry, const Turn& turn, std::vector<Observed>& out);
  void forget_what_ended(director::Registry& registry);

  Activity* activity_;
  ProcessCount processes_;
  std::map<BlockId, BlockWatch> blocks_;
  std::map<WorkerId, WorkerWatch> workers_;
  std::map<ScopeId, ScopeWatch> scopes_;
  std::map<WorkerId, std::string> forgers_;  // since the last look, with their texts
  std::uint64_t looked_ms_ = 0;
};

}  // namespace sessionblocks::flowguard
