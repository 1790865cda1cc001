// Checkpoints of a block that the worker has open: checkpoint, checkpoints, release_checkpoint,
// roll_back.
//
// Who may write a block may checkpoint it: what a checkpoint holds counts against the block's own
// quota, and there are no more than its pins. Who may read it may read at them.
#include <algorithm>

#include "director/requests.hpp"

namespace sessionblocks::director {
namespace {

Message row_of(const Checkpoint& checkpoint) {
  return {{"name", checkpoint.name},
          {"instant", checkpoint.instant},
          {"taken_ms", checkpoint.taken_ms}};
}

// The block behind an open. gone; quarantined; read_only: `for_change`, and the open is "r".
Result<StoredBlock*> block_behind(RequestContext& context, const Client& client,
                                  const Fields& fields, bool for_change) {
  const auto by = opened_by(context, client, fields);
  if (!by) return tl::unexpected(by.error());
  const OpenedBlock& opened = *by->worker->open_at(by->open);
  StoredBlock* const block = context.registry.blocks.find(opened.block);
  if (block == nullptr || block->generation != opened.generation) {
    return fail(Errc::gone, "checkpoints: the block has ended");
  }
  if (block->refusal() != Errc{}) return fail(block->refusal(), block->text());
  const auto now = context.registry.rights_kept(*block, *by->worker, by->open);
  if (now == sessionblocks::Rights::none) {
    return fail(Errc::denied, "checkpoints of " + block->text() + ": no grant any more");
  }
  if (for_change && std::min(now, opened.rights) != sessionblocks::Rights::read_write) {
    return fail(Errc::read_only, "checkpoints of " + block->text() + ": opened for reading");
  }
  return block;
}

}  // namespace

Answer answer_checkpoint(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = block_behind(context, client, fields, true);
  if (!block) return tl::unexpected(block.error());
  const auto name = fields.text("name", layout::kNameBytes - 1);
  if (!name) return tl::unexpected(name.error());
  if (name->starts_with(kForkPrefix)) {
    return fail(Errc::invalid_argument, "checkpoint \"" + *name + "\": names that begin with \"" +
                                            std::string(kForkPrefix) + "\" are those of forks");
  }
  const auto taken = context.registry.take_checkpoint(**block, *name);
  if (!taken) return tl::unexpected(taken.error());
  Reply reply;
  reply.body = row_of(*taken);
  return reply;
}

// All at once: a block has no more of them than a message holds.
Answer answer_checkpoints(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = block_behind(context, client, fields, false);
  if (!block) return tl::unexpected(block.error());
  Message rows = Message::array();
  for (const Checkpoint& checkpoint : (*block)->checkpoints) rows.push_back(row_of(checkpoint));
  Reply reply;
  reply.body["rows"] = std::move(rows);
  return reply;
}

Answer answer_release_checkpoint(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = block_behind(context, client, fields, true);
  if (!block) return tl::unexpected(block.error());
  const auto name = fields.text("name", layout::kNameBytes - 1);
  if (!name) return tl::unexpected(name.error());
  if (context.registry.forks.needs(**block, *name)) {
    return fail(Errc::invalid_argument, "checkpoint " + *name + " of " + (*block)->text() +
                                            ": a fork is joined by it; destroy or join the fork");
  }
  if (auto released = context.registry.release_checkpoint(**block, *name); !released) {
    return tl::unexpected(released.error());
  }
  return Reply{};
}

Answer answer_roll_back(RequestContext& context, Client& client, const Fields& fields) {
  const auto block = block_behind(context, client, fields, true);
  if (!block) return tl::unexpected(block.error());
  const auto name = fields.text("name", layout::kNameBytes - 1);
  if (!name) return tl::unexpected(name.error());
  auto done = context.registry.generations.roll_back(**block, *name, asked_for_by(client));
  if (!done) return tl::unexpected(done.error());
  return Reply{};
}

}  // namespace sessionblocks::director
