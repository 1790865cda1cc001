// One ring as the log sees it: which cells were copied, which are logged and given back.
//
// The drain thread takes, the writer thread releases and scans ahead for key definitions, the
// director attaches and detaches the memory; a lock of the lane keeps the memory mapped meanwhile.
// Nothing of the ring is believed: a write index or a record that no honest worker makes marks the
// lane forged, and nothing is taken from it any more.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "director/audit_tap.hpp"
#include "flowlog/key_book.hpp"
#include "flowlog/log_record.hpp"
#include "lockfree/audit_ring.hpp"

namespace sessionblocks::flowlog {

// Which block each `open` of a worker stands for, by the director's knowledge. A row changes only
// after all records that used it are drained.
//
// A director that adopts a worker adds it first and then names its open blocks, while the ring is
// full of records that use them. So a worker's rings are held for a moment, and for a while longer
// a record of an unknown block waits instead of being a forgery; settle() ends that.
class OpenTable final : public director::OpenBlocks {
 public:
  static constexpr std::uint64_t kHoldMs = 20;
  static constexpr std::uint64_t kPatienceMs = 1'000;

  explicit OpenTable(std::uint64_t now_ms) noexcept : added_ms_(now_ms) {}
  void settle() noexcept { settled_.store(true, std::memory_order_release); }
  [[nodiscard]] bool is_held(std::uint64_t now_ms) const noexcept {
    return !is_told() && now_ms - added_ms_ < kHoldMs;
  }
  [[nodiscard]] bool is_settled(std::uint64_t now_ms) const noexcept {
    return is_told() || now_ms - added_ms_ >= kPatienceMs;
  }

  void set(unsigned open, BlockRef block) noexcept {
    rows_[open].store(block.word, std::memory_order_release);
  }
  // 0 for what the director never gave.
  [[nodiscard]] BlockRef get(unsigned open) const noexcept {
    if (open >= rows_.size()) return {};
    return {rows_[open].load(std::memory_order_acquire)};
  }

  [[nodiscard]] BlockId block_of(unsigned open) const noexcept override {
    return get(open).block();
  }

  // That a record named it, since this was asked last.
  void note_use(unsigned open) const noexcept {
    // Relaxed: whoever asks drains first, or asks again.
    auto& used = used_[open];
    if (!used.load(std::memory_order_relaxed)) used.store(true, std::memory_order_relaxed);
  }
  [[nodiscard]] bool take_used(unsigned open) noexcept {
    return used_[open].exchange(false, std::memory_order_relaxed);
  }

 private:
  [[nodiscard]] bool is_told() const noexcept { return settled_.load(std::memory_order_acquire); }

  std::uint64_t added_ms_;
  std::atomic<bool> settled_{false};
  std::array<std::atomic<std::uint64_t>, layout::kOpens> rows_{};
  mutable std::array<std::atomic<bool>, layout::kOpens> used_{};
};

struct CellCheck {
  std::size_t cells = 0;         // of whole records from the start on
  bool is_unknown_open = false;  // what is objected to is only that the block is not open
  std::uint64_t wanted = 0;      // of the record behind them, should it need more than was given
  std::string_view forged;       // why the record behind them cannot be true; empty: it can
};
// Walks the records in `cells`, the first of `pending` that were published.
[[nodiscard]] CellCheck check_cells(std::span<const RingCell> cells, std::uint64_t pending,
                                    const OpenTable& opens) noexcept;

class Lane {
 public:
  // `start`: the first cell that the log does not have.
  Lane(LaneRef lane, AuditRingReader ring, std::uint64_t start, std::shared_ptr<OpenTable> opens);

  [[nodiscard]] LaneRef ref() const noexcept { return lane_; }
  [[nodiscard]] const OpenTable& opens() const noexcept { return *opens_; }
  [[nodiscard]] std::uint64_t capacity() const noexcept { return capacity_; }
  [[nodiscard]] bool is_forged() const noexcept { return forged_.load(std::memory_order_acquire); }

  struct Taken {
    std::uint64_t first = 0;
    std::size_t cells = 0;
    std::uint64_t waiting = 0;  // cells that were published, those taken included
    std::uint64_t wanted = 0;   // cells of the next record, if `out` holds fewer
    std::string_view forged;    // set once, when the lane becomes forged
  };
  // Drain thread: copies whole records into `out`. `wanted` in the answer: the next one does not
  // fit there.
  [[nodiscard]] Taken take(std::span<RingCell> out, std::uint64_t now_ms);
  // Drain thread: how many cells wait to be taken; 0 for forged or detached lanes. A forged index
  // is reported by take(), so it counts as one.
  [[nodiscard]] std::uint64_t waiting(std::uint64_t now_ms) const;

  // Writer thread: all before `end` is in the log.
  void release(std::uint64_t end);
  // Writer thread: learns the keys that are defined in cells not yet logged, each cell once.
  void learn_ahead(KeyBook& keys, std::vector<RingCell>& scratch);

  // Any thread: the cell up to which everything is in the log; and the published end, which
  // release() reaches unless the lane turns out forged.
  [[nodiscard]] std::uint64_t released() const noexcept {
    return released_.load(std::memory_order_acquire);
  }
  [[nodiscard]] std::uint64_t published() const;
  // Director: the memory goes. Returns how many published cells were never taken.
  [[nodiscard]] std::uint64_t detach();
  // The same, but what was not taken is copied first, and taken from there later. Returns how many
  // cells that are; 0: the lane is detached.
  [[nodiscard]] std::uint64_t keep_rest();
  // What was published is in the log, or never will be.
  [[nodiscard]] bool is_done() const { return is_forged() || released() >= published(); }

 private:
  void learn_from(std::span<const RingCell> cells, KeyBook& keys) const;

  // A ring of the log's own, for what a worker left. Most of its cells are never touched.
  struct Kept {
    struct Free {
      void operator()(RingCell* memory) const noexcept { std::free(memory); }
    };
    layout::LaneHead head{};
    std::unique_ptr<RingCell, Free> cells;
  };

  LaneRef lane_;
  std::uint64_t capacity_;
  std::shared_ptr<OpenTable> opens_;
  mutable std::mutex memory_;            // held for one copy at a time
  std::optional<AuditRingReader> ring_;  // none: detached
  std::unique_ptr<Kept> kept_;           // under memory_: what ring_ reads, once that is ours
  std::uint64_t taken_;                  // drain thread, under memory_
  std::uint64_t scanned_;                // writer thread, under memory_
  std::atomic<std::uint64_t> released_;
  std::atomic<bool> forged_{false};
};

}  // namespace sessionblocks::flowlog
