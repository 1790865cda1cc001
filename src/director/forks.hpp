// Forks: a fork is a block of its own that begins as a clone of its origin at one instant, and may
// be joined to it again.
//
// Both sides keep that instant as a checkpoint, for as long as the fork lives: fork-ID in the
// origin, where ID is the fork's, and kForkBase in the fork. That is what a join compares with.
#pragma once

#include <string>
#include <string_view>

#include "director/block_store.hpp"

namespace sessionblocks::director {

class Registry;

struct JoinRequest {
  JoinPolicies policies;
  bool is_trial = false;  // only says what would be
};

class Forks {
 public:
  explicit Forks(Registry& registry) noexcept : registry_(registry) {}

  // A clone of the block as it is at one instant, while its writers go on. not_permitted: its
  // permit lacks "fork"; too_many: forks of it, or forks of forks; besides what create_block says.
  [[nodiscard]] Result<BlockId> fork(BlockId origin, BlockRequest request);

  // What it changed goes into its origin, at once for whoever reads there, and the fork ends.
  // join_conflict: keys that both sides changed, without a policy: `report` has the first, and
  // nothing has changed; the same of a trial is no error. invalid_argument: it is no fork, or one
  // of the two is not active; no_such_checkpoint: the common instant is gone; too_many: it has
  // forks itself; what making a generation says.
  [[nodiscard]] Result<void> join(StoredBlock& fork, const JoinRequest& request,
                                  MergeReport& report, std::string_view why);

  // The block is about to be destroyed: if it is a fork, its origin need not keep its base.
  void release_base(const StoredBlock& fork);
  // Whether a checkpoint of the block is one that a fork needs.
  [[nodiscard]] bool needs(const StoredBlock& block, std::string_view checkpoint);
  // What an earlier director had not finished: forks without a base, joins, and checkpoints of
  // forks that are gone.
  void finish();

 private:
  [[nodiscard]] Result<void> check_fork(const StoredBlock& origin);
  [[nodiscard]] Result<MergePlan> plan_join(StoredBlock& fork, const JoinRequest& request);
  [[nodiscard]] Result<void> merge(StoredBlock& fork, const MergePlan& plan, bool is_trial,
                                   MergeReport& report);
  [[nodiscard]] bool has_base(const StoredBlock& fork);

  Registry& registry_;
};

}  // namespace sessionblocks::director
