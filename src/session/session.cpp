// The public face of a session.
#include <sessionblocks/session.hpp>

#include "segment/key_view.hpp"
#include "session/block_handle.hpp"
#include "session/session_state.hpp"

#include <new>

namespace sessionblocks {
namespace {

template <typename Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no memory in this process");
  } catch (const std::exception& error) {  // text that is not UTF-8 in a message, for one
    return fail(Errc::invalid_argument, error.what());
  }
}

}  // namespace

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
    auto handle = state_->open(name, mode);
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
  return guarded([&] { return state_->destroy(name); });
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
