// The audit log against what the workers were told: per life every answered operation once, in
// order, and behind them at most the one in which it died. And what its transitions say of blocks.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "board.hpp"
#include "flowlog/log_reader.hpp"

namespace sessionblocks::deaths {

class LogCheck {
 public:
  LogCheck(Board& board, std::string folder) : board_(board), folder_(std::move(folder)) {}

  // Reads what came since the last time. What is wrong, or empty.
  [[nodiscard]] std::string read();
  // Whether the log has all that every life was told; of a dead life one operation more, at most.
  [[nodiscard]] std::string compare();
  // Increments of `total` in the log.
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t logged_of(std::uint32_t worker) const {
    const auto found = logged_.find(worker);
    return found == logged_.end() ? 0 : found->second;
  }
  [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
  // A block as the log's transitions left it.
  struct KnownBlock {
    bool is_there = false;
    std::string state = "active";
    bool is_interrupted = false;  // a director died in its last change: the log says just that
  };
  [[nodiscard]] const std::map<std::uint32_t, KnownBlock>& blocks() const noexcept {
    return blocks_;
  }

 private:
  [[nodiscard]] std::string take(const flowlog::LogRecord& record);
  void take(const flowlog::Note& note);
  [[nodiscard]] std::optional<std::uint32_t> life_of(std::uint32_t worker) const;

  Board& board_;
  std::string folder_;
  std::optional<flowlog::LogReader> reader_;
  std::map<std::uint32_t, std::uint64_t> logged_;  // operations by worker
  std::map<std::uint32_t, KnownBlock> blocks_;
  std::uint64_t total_ = 0;
  std::uint64_t operations_ = 0;
};

}  // namespace sessionblocks::deaths
