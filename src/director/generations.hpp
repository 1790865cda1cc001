// Generations: other memory for a block that goes on under its id. The next generation is made
// beside the present one, which counts until control names the next: a death before that leaves
// segments that no row names, and adoption removes those.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "director/block_store.hpp"

namespace sessionblocks::director {

class Registry;

class Generations {
 public:
  explicit Generations(Registry& registry) noexcept : registry_(registry) {}

  // From now on it is as that checkpoint shows it, for all who have it open: what was changed since
  // is changed back, with new versions. Later checkpoints end. no_such_checkpoint;
  // invalid_argument: not active; what making and filling say, and nothing has changed.
  [[nodiscard]] Result<void> roll_back(StoredBlock& block, std::string_view checkpoint,
                                       std::string_view why);
  // To a generation of which nobody has a descriptor; the old one's pages are emptied.
  // Precondition: its state has settled, nobody writes that anyone would accept. out_of_memory;
  // corrupt: what it shows makes no sense; then nothing has changed.
  [[nodiscard]] Result<void> swap(StoredBlock& block);
  // With what a fork of it changed: plan.origin is the block. `base`, the checkpoint that they had
  // in common, ends. join_conflict: there are some, the report has them, and nothing has changed;
  // what roll_back says.
  [[nodiscard]] Result<void> merge(StoredBlock& block, const MergePlan& plan, std::string_view base,
                                   MergeReport& report);
  // As swap, of a block that is written: its writers wait for the moment of it, and go on in the
  // next generation if the director lets them in there. Whatever its state, nothing of it changes.
  [[nodiscard]] Result<void> renew(StoredBlock& block);
  // Into as little memory as its entries need; what the old generation had is given back when
  // nobody has it open any more. Returns the bytes that are reserved now. invalid_argument: not
  // active; out_of_memory: no room for both meanwhile; too_many.
  [[nodiscard]] Result<std::uint64_t> compact(StoredBlock& block, std::string_view why);

 private:
  struct Successor {
    StoredBlock block;
    std::unique_ptr<NextGeneration> content;
  };
  enum class Old : std::uint8_t { goes_with_its_users, is_emptied };

  [[nodiscard]] Result<Successor> begin(const StoredBlock& block, Room room);
  // The checkpoints that come along.
  struct Kept {
    std::uint64_t last = segment::kNow;
    std::string_view but{};
    [[nodiscard]] bool has(const Checkpoint& checkpoint) const {
      return checkpoint.instant <= last && checkpoint.name != but;
    }
  };
  [[nodiscard]] Result<void> copy_checkpoints(const StoredBlock& block, NextGeneration& content,
                                              const Kept& kept);
  [[nodiscard]] Result<void> take_over(StoredBlock& block, Successor& next,
                                       sessionblocks::BlockState state, const Kept& kept,
                                       Old pages);
  struct Move {
    Kept kept{};
    Old pages = Old::goes_with_its_users;
    Room room = Room::as_before;
  };
  // Its writers go on while what is kept is copied, and wait while `rest` is made. What that says,
  // and nothing has changed.
  using Rest = std::function<Result<void>(NextGeneration& content)>;
  [[nodiscard]] Result<void> move(StoredBlock& block, const Move& how, const Rest& rest);
  void give_up(Successor& next);

  Registry& registry_;
};

}  // namespace sessionblocks::director
