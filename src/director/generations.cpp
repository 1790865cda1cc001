#include "director/generations.hpp"

#include <algorithm>

#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;

Result<void> check_active(const StoredBlock& block, std::string_view verb) {
  if (block.segment && block.state == BlockState::active) return {};
  return fail(Errc::invalid_argument,
              std::string(verb) + " " + block.text() + ": it is " +
                  (block.segment ? std::string(sessionblocks::word(block.state))
                                 : "inherited; name the block that it comes from"));
}

// What has expired comes along: who reads decides.
Result<void> copy_rest(NextGeneration& content) {
  return content.advance({segment::kNow, 0});
}

}  // namespace

Result<Generations::Successor> Generations::begin(const StoredBlock& block, Room room) {
  auto made = registry_.blocks.make_generation(block, room);
  if (!made) return tl::unexpected(made.error());
  Successor next{std::move(*made), nullptr};
  const auto place = registry_.fill_place(next.block);
  if (!place) {
    BlockStore::unlink(next.block);
    return tl::unexpected(place.error());
  }
  next.content = registry_.options.data_plane->next_generation(block.memory(), *place, room);
  return next;
}

void Generations::give_up(Successor& next) {
  next.content.reset();
  registry_.options.data_plane->forget(next.block.id, next.block.generation);
  BlockStore::unlink(next.block);
}

Result<void> Generations::copy_checkpoints(const StoredBlock& block, NextGeneration& content,
                                           const Kept& kept) {
  for (const Checkpoint& checkpoint : block.checkpoints) {
    if (!kept.has(checkpoint)) continue;
    auto copied = content.advance_and_pin(registry_.moment_of(checkpoint));
    if (!copied) return copied;
  }
  return {};
}

// The rows of its checkpoints come before it and those of the old one go after it, so that at any
// time the rows of the generation that counts are all there.
Result<void> Generations::take_over(StoredBlock& block, Successor& next, BlockState state,
                                    const Kept& which, Old pages) {
  next.content->end();
  if (auto kept = registry_.blocks.reserve_ahead(next.block); !kept)
    return tl::unexpected(kept.error());
  std::vector<Checkpoint> kept;
  for (const Checkpoint& checkpoint : block.checkpoints) {
    if (!which.has(checkpoint)) continue;
    const auto row = registry_.control.publish(CheckpointRowFields{
        block.id, next.block.generation, checkpoint.instant, checkpoint.taken_ms, checkpoint.name});
    if (!row) {
      for (const Checkpoint& made : kept) registry_.control.withdraw_checkpoint(made.row);
      return tl::unexpected(row.error());
    }
    kept.push_back({checkpoint.name, checkpoint.instant, checkpoint.taken_ms, *row});
  }
  // CRASH(generation.named): segments and checkpoints of a generation that no row names; adoption
  // removes both.
  SESSIONBLOCKS_CRASH("generation.named");
  StoredBlock old = registry_.blocks.publish_generation(block, std::move(next.block), state);
  Result<void> emptied;
  if (pages == Old::is_emptied) emptied = old.segment->discard();
  BlockStore::unlink(old);
  // CRASH(generation.unlinked): checkpoints of the old generation; adoption withdraws them.
  SESSIONBLOCKS_CRASH("generation.unlinked");
  registry_.forget_checkpoints(block);
  registry_.holdings.forget(old.id, old.generation);
  block.checkpoints = std::move(kept);
  registry_.keep_values_or_say(block);
  registry_.retire(std::move(old));
  return emptied;
}

Result<void> Generations::move(StoredBlock& block, const Move& how, const Rest& rest) {
  auto next = begin(block, how.room);
  if (!next) return tl::unexpected(next.error());
  auto done = copy_checkpoints(block, *next->content, how.kept);
  // CRASH(generation.copied): segments of a generation that no row names; adoption removes them,
  // and makes the next one if a revocation still needs it.
  SESSIONBLOCKS_CRASH("generation.copied");
  const Generation before = block.generation;
  // What its writers did last is seen now, and what they do next comes after.
  if (done) {
    registry_.blocks.change_state(block, BlockState::moving);
    done = registry_.settle(block, block.text());
  }
  if (done) done = rest(*next->content);
  // CRASH(generation.completed): as generation.copied, and the block is moving; adoption makes it
  // active first.
  SESSIONBLOCKS_CRASH("generation.completed");
  if (done) done = take_over(block, *next, BlockState::active, how.kept, how.pages);
  if (block.generation != before) return done;
  if (block.state == BlockState::moving) registry_.blocks.change_state(block, BlockState::active);
  give_up(*next);
  return done;
}

Result<void> Generations::roll_back(StoredBlock& block, std::string_view name,
                                    std::string_view why) {
  const std::string text = block.text();
  if (auto may = check_active(block, "roll back"); !may) return may;
  const auto found = std::find_if(block.checkpoints.begin(), block.checkpoints.end(),
                                  [&](const auto& checkpoint) { return checkpoint.name == name; });
  if (found == block.checkpoints.end()) {
    return fail(Errc::no_such_checkpoint, std::string(name) + " of " + text);
  }
  const std::uint64_t instant = found->instant;
  const auto change_back = [](NextGeneration& content) {
    return content.change_back_from({segment::kNow, platform::monotonic_coarse_ms()});
  };
  const std::string detail = "to checkpoint " + std::string(name) + ", " + std::string(why);
  const auto begun = registry_.begin(EventKind::rolled_back, block, detail);
  auto done = move(block, {{instant}}, change_back);
  if (!done) return done;
  registry_.say(EventKind::rolled_back, block, detail);
  return {};
}

Result<void> Generations::merge(StoredBlock& block, const MergePlan& plan, std::string_view base,
                                MergeReport& report) {
  const auto add = [&](NextGeneration& content) -> Result<void> {
    if (auto copied = copy_rest(content); !copied) return copied;
    const auto merged = registry_.options.data_plane->merge(plan, &content);
    if (!merged) return tl::unexpected(merged.error());
    report = *merged;
    if (report.conflicts != 0) return fail(Errc::join_conflict, "join into " + block.text());
    return {};
  };
  return move(block, {{segment::kNow, base}}, add);
}

// To a generation of which nobody has a descriptor; the old one's pages are emptied. Its state has
// settled: nobody writes that anyone would accept.
Result<void> Generations::swap(StoredBlock& block) {
  auto next = begin(block, Room::as_before);
  if (!next) return tl::unexpected(next.error());
  auto done = copy_checkpoints(block, *next->content, {});
  if (done) done = copy_rest(*next->content);
  // CRASH(swap.copied): the state stands, and segments that no row names; adoption removes those
  // and swaps again.
  SESSIONBLOCKS_CRASH("swap.copied");
  const Generation before = block.generation;
  if (done) done = take_over(block, *next, block.state, {}, Old::is_emptied);
  if (block.generation == before) give_up(*next);
  return done;
}

Result<void> Generations::renew(StoredBlock& block) {
  if (block.state != BlockState::active) return swap(block);
  return move(block, {.pages = Old::is_emptied}, copy_rest);
}

Result<std::uint64_t> Generations::compact(StoredBlock& block, std::string_view why) {
  if (auto may = check_active(block, "compact"); !may) return tl::unexpected(may.error());
  const std::uint64_t before = block.reserved_bytes();
  const auto begun = registry_.begin(EventKind::compacted, block, std::string(why));
  if (auto done = move(block, {.room = Room::as_needed}, copy_rest); !done) {
    return tl::unexpected(done.error());
  }
  const std::string sizes =
      std::to_string(before) + " bytes to " + std::to_string(block.reserved_bytes());
  registry_.say(EventKind::compacted, block, sizes + ", " + std::string(why));
  return block.reserved_bytes();
}

}  // namespace sessionblocks::director
