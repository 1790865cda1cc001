// What stands in control against what is in /dev/shm, and every block against its invariants and
// against the workers' operations. For a system in which everybody rests.
#pragma once

#include <optional>
#include <string>

#include "board.hpp"
#include "log_check.hpp"
#include "platform/shared_segment.hpp"

namespace sessionblocks::deaths {

class ControlView {
 public:
  // Nothing: there is no such system.
  [[nodiscard]] static std::optional<ControlView> of(const std::string& prefix);

  // Processes that have a row and are neither director nor test.
  [[nodiscard]] std::size_t processes() const;
  [[nodiscard]] bool has_scope(const std::string& name) const;

  // A name for each row and a row for each name; rows of blocks on their way out and of workers
  // that are no more count as wrong. Each: what is wrong, or empty.
  [[nodiscard]] std::string compare_names(pid_t director) const;
  // fsck of every block that is not quarantined.
  [[nodiscard]] std::string check_blocks() const;
  // Block `cart` has what the living and the dead were told.
  [[nodiscard]] std::string check_entries(Board& board, const LogCheck& log) const;
  // Its blocks and their states, as the log's transitions say.
  [[nodiscard]] std::string compare_transitions(const LogCheck& log) const;
  // The words of a worker's opens: generation 32 | block 32.
  [[nodiscard]] std::vector<std::uint64_t> opens_of(std::uint32_t worker) const;

 private:
  ControlView(std::string prefix, platform::Mapping control)
      : prefix_(std::move(prefix)), control_(std::move(control)) {}

  std::string prefix_;
  platform::Mapping control_;
};

}  // namespace sessionblocks::deaths
