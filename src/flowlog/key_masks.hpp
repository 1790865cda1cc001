// How the log names the keys of each block: what a block's mask covers never gets into a file, nor
// into what the log's writer remembers of keys.
//
// The director tells it (AuditSink::block_masked) before it names an open of the block; the writer
// asks. Any thread. Bounded: beyond kMostBlocks the masks of the oldest blocks go, and of blocks
// that are as old as those every key is masked.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "director/sensitive_keys.hpp"
#include "flowlog/log_record.hpp"

namespace sessionblocks::flowlog {

class KeyMasks {
 public:
  static constexpr std::size_t kMostBlocks = 65'536;

  // Null: nothing of the block is sensitive.
  void set(BlockId block, director::SharedMask mask) {
    const std::lock_guard lock(mutex_);
    if (mask == nullptr) {
      masks_.erase(block);
      return;
    }
    any_.store(true, std::memory_order_release);
    masks_.insert_or_assign(block, std::move(mask));
    if (masks_.size() <= kMostBlocks) return;
    const auto oldest = masks_.begin();
    forgotten_ = oldest->first;
    of_forgotten_ =
        director::make_mask({std::string(director::kEveryKey)}, director::random_mask_key());
    masks_.erase(oldest);
  }

  // What the log calls the key; none: by its own bytes.
  [[nodiscard]] std::optional<std::string> mask(BlockRef block, std::string_view key) const {
    if (!any_.load(std::memory_order_acquire)) return std::nullopt;
    const director::SharedMask mask = of(block.block());
    if (mask == nullptr || !mask->covers(key)) return std::nullopt;
    return mask->shown(key);
  }

 private:
  [[nodiscard]] director::SharedMask of(BlockId block) const {
    const std::lock_guard lock(mutex_);
    const auto found = masks_.find(block);
    if (found != masks_.end()) return found->second;
    return block <= forgotten_ ? of_forgotten_ : nullptr;
  }

  mutable std::mutex mutex_;
  std::map<BlockId, director::SharedMask> masks_;  // under mutex_
  BlockId forgotten_{};                            // under mutex_: the youngest that went
  director::SharedMask of_forgotten_;              // under mutex_
  std::atomic<bool> any_{false};
};

}  // namespace sessionblocks::flowlog
