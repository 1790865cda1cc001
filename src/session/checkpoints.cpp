// Asking the director for checkpoints of a block that is open.
#include "session/entry_value.hpp"
#include "session/succession.hpp"

namespace sessionblocks {
namespace {

Checkpoint checkpoint_of(const Message& row) {
  const std::chrono::milliseconds taken(row.at("taken_ms").get<std::int64_t>());
  return {row.at("name").get<std::string>(), row.at("instant").get<std::uint64_t>(),
          std::chrono::system_clock::time_point(taken)};
}

}  // namespace

Result<Checkpoint> BlockHandle::take_checkpoint(std::string_view name) try {
  const auto reply = session_->ask_of(*this, "checkpoint", {{"name", name}});
  if (!reply) return tl::unexpected(reply.error());
  return checkpoint_of(*reply);
} catch (const Message::exception& error) {
  return fail(Errc::invalid_argument, std::string("checkpoint: ") + error.what());
}

Result<std::vector<Checkpoint>> BlockHandle::checkpoints() try {
  const auto reply = session_->ask_of(*this, "checkpoints", Message::object());
  if (!reply) return tl::unexpected(reply.error());
  std::vector<Checkpoint> found;
  for (const Message& row : reply->at("rows")) found.push_back(checkpoint_of(row));
  return found;
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to checkpoints: ") + error.what());
}

Result<void> BlockHandle::release_checkpoint(std::string_view name) try {
  const auto reply = session_->ask_of(*this, "release_checkpoint", {{"name", name}});
  if (!reply) return tl::unexpected(reply.error());
  return {};
} catch (const Message::exception& error) {
  return fail(Errc::invalid_argument, std::string("release_checkpoint: ") + error.what());
}

Result<void> BlockHandle::roll_back(std::string_view name) try {
  const auto reply = session_->ask_of(*this, "roll_back", {{"name", name}});
  if (!reply) return tl::unexpected(reply.error());
  return {};
} catch (const Message::exception& error) {
  return fail(Errc::invalid_argument, std::string("roll_back: ") + error.what());
}

namespace {

template <typename Ask>
auto ask_now(const BlockLink& link, Ask&& ask) {
  return on_now(link,
                [&](BlockHandle& block) { return catching_bad_alloc([&] { return ask(block); }); });
}

}  // namespace

Result<Checkpoint> Block::take_checkpoint(std::string_view name) {
  return ask_now(link_, [&](BlockHandle& block) { return block.take_checkpoint(name); });
}
Result<void> Block::release_checkpoint(std::string_view name) {
  return ask_now(link_, [&](BlockHandle& block) { return block.release_checkpoint(name); });
}
Result<std::vector<Checkpoint>> Block::checkpoints() const {
  return ask_now(link_, [&](BlockHandle& block) { return block.checkpoints(); });
}
Result<void> Block::roll_back(std::string_view name) {
  return ask_now(link_, [&](BlockHandle& block) { return block.roll_back(name); });
}
BlockAt Block::at(Checkpoint checkpoint) const {
  return {link_, std::move(checkpoint)};
}

}  // namespace sessionblocks
