// Which generation of a block a Block or a BlockAt uses. When the director publishes another one
// (rollback, seal or revoke by swap, compaction), the next operation goes on there by itself.
#pragma once

#include <sessionblocks/error.hpp>

#include <atomic>
#include <memory>

namespace sessionblocks {

class BlockHandle;  // src/session: one open generation

class BlockLink {
 public:
  explicit BlockLink(std::shared_ptr<BlockHandle> first) noexcept
      : first_(std::move(first)), now_(first_.get()) {}
  BlockLink(const BlockLink& other) noexcept
      : first_(other.first_), now_(other.now_.load(std::memory_order_acquire)) {}
  BlockLink& operator=(const BlockLink& other) noexcept {
    first_ = other.first_;
    now_.store(other.now_.load(std::memory_order_acquire), std::memory_order_release);
    return *this;
  }

  [[nodiscard]] BlockHandle& now() const noexcept { return *now_.load(std::memory_order_acquire); }
  // After an operation was refused with `code` by the handle `refused`: whether it shall be tried
  // again, with the handle that is used from now on; another thread may have followed first. An
  // error: there is such a handle, and it cannot be had.
  [[nodiscard]] Result<bool> follow(BlockHandle& refused, Errc code) const;

 private:
  std::shared_ptr<BlockHandle> first_;  // each handle keeps the one that came after it
  mutable std::atomic<BlockHandle*> now_;
};

}  // namespace sessionblocks
