// Who may have a block mapped: every process that was given a descriptor of its present generation,
// and what it can do with it. An open says what a process works with; it can close that, detach,
// and keep the mapping or the descriptor. What is enforced against holders goes by this.
//
// It makes no decision (BlockStates and Revocations do) and kills nobody.
//
// Invariants
// 1. The row is there before the descriptor is given away, and goes when the generation does (a
//    later one has pages of its own), or when the process has ended. A director that takes over
//    knows what its predecessor gave.
// 2. Bounded: a process of which more than kMostOfProcess are remembered counts as holding every
//    block for writing, by one row. So does the one with the most when every row is in use.
// 3. Not known: what a process gave to another, by fork or by a socket. A process that is killed
//    leaves that behind, a swap does not.
#pragma once

#include <compare>
#include <map>
#include <sessionblocks/error.hpp>
#include <vector>

#include "director/control_directory.hpp"

namespace sessionblocks::director {

struct Holding {
  platform::ProcessIdentity process;
  ScopeId scope{};  // for which it was given; none: it holds every block
  sessionblocks::Rights rights = sessionblocks::Rights::none;
};

class Holdings {
 public:
  static constexpr std::size_t kMostOfProcess = 1'024;

  // Takes over what an earlier director left.
  explicit Holdings(ControlDirectory& control);

  // too_many: every row is in use, by as many processes.
  [[nodiscard]] Result<void> keep(BlockId block, Generation generation, const Holding& holding);
  // Those of the processes that live, those that hold every block included.
  [[nodiscard]] std::vector<Holding> of(BlockId block, Generation generation);
  // The most that this process can do.
  [[nodiscard]] sessionblocks::Rights rights_of(const platform::ProcessIdentity& process,
                                                BlockId block,
                                                Generation generation) const noexcept;
  // That generation is over.
  void forget(BlockId block, Generation generation) noexcept;
  void forget_process(const platform::ProcessIdentity& process) noexcept;
  // Rights that came through a scope which has ended came through the one above it.
  void move_scope(ScopeId ended, ScopeId above) noexcept;
  // Of the next `most`: those of processes that have ended go.
  void sweep(std::size_t most);
  // Of an earlier director: those of generations that are over go.
  template <typename Predicate>
  void keep_if(Predicate is_there) {
    for (auto at = rows_.begin(); at != rows_.end();) {
      const bool stays = at->first.block == layout::kEveryBlock ||
                         is_there(block_of(at->first.block), generation_of(at->first.block));
      at = stays ? std::next(at) : remove(at);
    }
  }
  [[nodiscard]] std::size_t size() const noexcept { return rows_.size(); }

 private:
  struct Process {
    std::int32_t pid = 0;
    std::uint64_t start_ticks = 0;
    friend auto operator<=>(const Process&, const Process&) = default;
  };
  struct Key {
    std::uint64_t block = 0;  // as layout::HoldingRow has it
    Process process;
    ScopeId scope{};
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  using Rows = std::map<Key, std::uint32_t>;
  using Counts = std::map<Process, std::size_t>;

  [[nodiscard]] static constexpr std::uint64_t word(BlockId block, Generation generation) noexcept {
    return (std::uint64_t{raw(block)} << 32U) | raw(generation);
  }
  [[nodiscard]] static constexpr BlockId block_of(std::uint64_t word) noexcept {
    return static_cast<BlockId>(static_cast<std::uint32_t>(word >> 32U));
  }
  [[nodiscard]] static constexpr Generation generation_of(std::uint64_t word) noexcept {
    return static_cast<Generation>(static_cast<std::uint32_t>(word));
  }
  [[nodiscard]] static Process of_identity(const platform::ProcessIdentity& process) noexcept {
    return {process.pid, process.start_ticks};
  }
  [[nodiscard]] platform::ProcessIdentity identity_of(const Process& process) const noexcept;
  [[nodiscard]] bool holds_every_block(const Process& process) const noexcept;
  Rows::iterator remove(Rows::iterator at) noexcept;
  void insert(const Key& key, std::uint32_t row);
  // Its rows become one that says that it holds every block.
  void merge(const Process& process);

  ControlDirectory* control_;
  platform::BootId boot_{};
  Rows rows_;
  Counts counts_;
  Key next_swept_;
};

}  // namespace sessionblocks::director
