// The public face of a session.
#include <sessionblocks/flow_scope.hpp>
#include <sessionblocks/session.hpp>

#include "segment/key_view.hpp"
#include "session/block_handle.hpp"
#include "session/guarded.hpp"
#include "session/session_state.hpp"
#include "session/succession.hpp"

namespace sessionblocks {
Result<Session> Session::attach(AttachOptions options) {
  return guarded([&]() -> Result<Session> {
    auto state = SessionState::attach(options);
    if (!state) return tl::unexpected(state.error());
    return Session(std::move(*state));
  });
}

Session::Session(std::shared_ptr<SessionState> state) noexcept : state_(std::move(state)) {}
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;
Session::~Session() = default;

Result<Block> Session::open(std::string_view name, AccessMode mode) {
  return guarded([&]() -> Result<Block> {
    auto handle = state_->open({kNoFlow, std::string(name), mode});
    if (!handle) return tl::unexpected(handle.error());
    return Block(std::move(*handle));
  });
}

Result<Block> Session::create(const BlockOptions& options) {
  return guarded([&]() -> Result<Block> {
    if (auto created = state_->create(options); !created) return tl::unexpected(created.error());
    return open(options.name, AccessMode::read_write);
  });
}

Result<void> Session::destroy(std::string_view name) {
  return guarded([&] { return state_->ask("destroy", name); });
}
Result<void> Session::seal(std::string_view name, std::string_view enforce) {
  return guarded([&] {
    Message fields = Message::object();
    if (!enforce.empty()) fields["enforce"] = enforce;
    return state_->ask("seal", name, kNoFlow, std::move(fields));
  });
}
Result<void> Session::revoke(std::string_view name, const RevokeOptions& options) {
  return guarded([&]() -> Result<void> {
    if (options.left != "none" && options.left != "r") {
      return fail(Errc::invalid_argument, "revoke: left \"" + options.left + "\": none or r");
    }
    Message fields = {{"scope", options.from}, {"left", options.left == "r" ? 1U : 0U}};
    if (!options.enforce.empty()) fields["enforce"] = options.enforce;
    return state_->ask("revoke", name, kNoFlow, std::move(fields));
  });
}
Result<void> Session::wipe(std::string_view name) {
  return guarded([&] { return state_->ask("wipe", name); });
}
Result<void> Session::compact(std::string_view name) {
  return guarded([&] { return state_->ask("compact", name); });
}

Result<Block> Session::fork(const Block& block, std::string_view name) {
  return guarded([&] { return state_->fork(block.link_, name, kNoFlow); });
}

Result<JoinReport> Session::join(const Block& fork, const JoinOptions& options) {
  return guarded([&] { return state_->join(fork.link_, options); });
}

Result<SnapshotInfo> Session::snapshot(std::string_view block, std::string_view file) {
  return guarded([&] { return state_->snapshot(block, file); });
}
Result<Block> Session::restore(std::string_view file, std::string_view name,
                               std::string_view block) {
  return guarded([&]() -> Result<Block> {
    if (auto made = state_->restore(file, name, block); !made) return tl::unexpected(made.error());
    return open(name, AccessMode::read_write);
  });
}

Result<std::uint64_t> Session::elevate(std::string_view block) {
  return guarded([&] { return state_->elevate(block); });
}
Result<Block> Session::load(std::string_view datablock, std::string_view name) {
  return guarded([&]() -> Result<Block> {
    if (auto made = state_->load(datablock, name); !made) return tl::unexpected(made.error());
    return open(name, AccessMode::read_write);
  });
}

Result<void> Session::delete_snapshot(std::string_view file) {
  return guarded([&] { return state_->delete_snapshot(file); });
}
Result<void> Session::delete_datablock(std::string_view datablock) {
  return guarded([&] { return state_->delete_datablock(datablock); });
}

Result<std::string> Session::share(const Block& block, const ShareOptions& options) {
  return guarded([&] {
    return on_now(block.link_, [&](BlockHandle& now) { return state_->share(now, options); });
  });
}

Result<Block> Session::redeem(std::string_view reference) {
  return guarded([&]() -> Result<Block> {
    auto handle = state_->redeem(reference);
    if (!handle) return tl::unexpected(handle.error());
    return Block(std::move(*handle));
  });
}

Result<FlowScope> Session::enter_scope(std::string_view name) {
  return guarded([&]() -> Result<FlowScope> {
    auto entered = state_->enter_scope(name);
    if (!entered) return tl::unexpected(entered.error());
    return FlowScope(state_, entered->number, std::move(entered->path));
  });
}

Result<std::string> Session::start_script(std::string_view name,
                                          const std::vector<std::string>& arguments) {
  return guarded([&] { return state_->start_script(name, arguments); });
}

Key Session::hashed(Key key) const noexcept {
  return key.with_hash(segment::hash_key(key.data(), key.size(), state_->hash_seed()));
}

const std::string& Session::scope() const noexcept {
  return state_->scope();
}
unsigned Session::worker_slot() const noexcept {
  return state_->slot();
}
std::uint32_t Session::worker_id() const noexcept {
  return state_->worker_id();
}
const std::string& Session::system() const noexcept {
  return state_->system();
}

}  // namespace sessionblocks
