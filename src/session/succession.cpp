// A handle whose generation of the block is over: the next one, and the end of this one.
#include "session/succession.hpp"

#include "platform/membarrier.hpp"
#include "session/block_handle.hpp"

namespace sessionblocks {

// What a refusal says of the handle: whether another one of the same block would not refuse.
bool BlockHandle::has_successor(Errc code) const noexcept {
  const layout::LifeWord life{row_->life.load(std::memory_order_acquire)};
  if (life.id() != active_.id() || life.state() == BlockState::destroyed) return false;
  if (code == Errc::gone) return life.generation() != active_.generation();
  // Opened while it was sealed, when nobody may open it for writing. Whatever it is by now, the
  // director knows.
  return code == Errc::read_only && may_gain_rights_;
}

Result<BlockHandle*> SessionState::successor_of(BlockHandle& handle, Errc code) {
  if (is_forked() || !handle.has_successor(code)) return nullptr;
  const std::lock_guard lock(mutex_);
  retire_superseded();
  if (auto& known = handle.successor_; known) return known.get();
  auto next = BlockHandle::reopen(shared_from_this(), client_, handle);
  if (!next) return tl::unexpected(next.error());
  handle.successor_ = std::move(*next);
  superseded_.push_back(handle.weak_from_this());
  return handle.successor_.get();
}

// Closes what no thread is inside of: none comes in any more, as control names another generation.
void SessionState::retire_superseded() {
  if (superseded_.empty() || !platform::membarrier_everywhere()) return;
  std::erase_if(superseded_, [this](const std::weak_ptr<BlockHandle>& entry) {
    const auto handle = entry.lock();
    if (!handle) return true;
    if (lanes_->is_inside(*handle)) return false;
    handle->close();
    return true;
  });
}

Result<bool> BlockLink::follow(BlockHandle& from, Errc code) const {
  if (&now() != &from) return true;
  const auto successor = from.session().successor_of(from, code);
  if (!successor) return tl::unexpected(successor.error());
  if (*successor == nullptr) return false;
  now_.store(*successor, std::memory_order_release);
  return true;
}

}  // namespace sessionblocks
