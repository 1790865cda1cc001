// The public face of a flow scope.
#include <sessionblocks/flow_scope.hpp>

#include "session/block_handle.hpp"
#include "session/guarded.hpp"
#include "session/session_state.hpp"

namespace sessionblocks {
namespace {

tl::unexpected<Error> left(const std::string& path) {
  return fail(Errc::gone, "flow scope " + path + " was left");
}

}  // namespace

FlowScope::FlowScope(std::shared_ptr<SessionState> state, std::uint64_t number,
                     std::string path) noexcept
    : state_(std::move(state)), number_(number), path_(std::move(path)) {}
FlowScope::FlowScope(FlowScope&& other) noexcept = default;

FlowScope& FlowScope::operator=(FlowScope&& other) noexcept {
  if (this == &other) return *this;
  static_cast<void>(leave());
  state_ = std::move(other.state_);
  number_ = other.number_;
  path_ = std::move(other.path_);
  return *this;
}

FlowScope::~FlowScope() {
  static_cast<void>(leave());
}

Result<Block> FlowScope::open(std::string_view name, AccessMode mode) {
  return guarded([&]() -> Result<Block> {
    if (!state_) return left(path_);
    auto handle = state_->open({number_, std::string(name), mode});
    if (!handle) return tl::unexpected(handle.error());
    return Block(std::move(*handle));
  });
}

Result<Block> FlowScope::create(const BlockOptions& options) {
  return guarded([&]() -> Result<Block> {
    if (!state_) return left(path_);
    auto created = state_->create(options, number_);
    if (!created) return tl::unexpected(created.error());
    return open(options.name, AccessMode::read_write);
  });
}

Result<void> FlowScope::destroy(std::string_view name) {
  return guarded([&]() -> Result<void> {
    if (!state_) return left(path_);
    return state_->ask("destroy", name, number_);
  });
}

Result<Block> FlowScope::fork(const Block& block, std::string_view name) {
  return guarded([&]() -> Result<Block> {
    if (!state_) return left(path_);
    return state_->fork(block.link_, name, number_);
  });
}

Result<FlowScope> FlowScope::enter_scope(std::string_view name) {
  return guarded([&]() -> Result<FlowScope> {
    if (!state_) return left(path_);
    auto entered = state_->enter_scope(name, number_);
    if (!entered) return tl::unexpected(entered.error());
    return FlowScope(state_, entered->number, std::move(entered->path));
  });
}

Result<void> FlowScope::leave() {
  const auto state = std::move(state_);
  if (!state) return {};
  return guarded([&] { return state->leave_scope(number_); });
}

}  // namespace sessionblocks
