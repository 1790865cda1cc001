// A torture from its start to its verdict: warden, director, calm, chaos, pauses in which the
// oracle judges, the end in order.
#pragma once

#include <memory>
#include <string>

#include "board.hpp"
#include "checkpoints.hpp"
#include "generations.hpp"
#include "oracle.hpp"
#include "states.hpp"
#include "system.hpp"

namespace sessionblocks::torture {

struct RunOptions {
  std::uint64_t kills = 1'000;
  std::uint64_t seconds = 0;  // the whole run; 0: as fast as the workers come up
  std::uint64_t seed = 1;
  std::uint32_t keys_per_class = 0;  // 0: the usual mix
  bool moves = true;                 // what the director does to the block besides checkpoints
  SystemOptions system;
  std::function<void(std::uint32_t key, const std::vector<Done>& done)> on_history;
};

class Run {
 public:
  explicit Run(const RunOptions& options);
  ~Run();
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;

  // Runs all of it; one line a second goes to stderr.
  void all();

  [[nodiscard]] const Oracle& oracle() const { return *oracle_; }
  [[nodiscard]] const Board& board() const { return *board_; }
  [[nodiscard]] const KeySet& keys() const { return keys_; }
  [[nodiscard]] const CheckpointTaker& checkpoints() const { return *checkpoints_; }
  [[nodiscard]] const GenerationMaker& generations() const { return *generations_; }
  [[nodiscard]] const StateChanger& states() const { return *states_; }
  // p50, p99, p99.9 and the longest of the survivors' operations, with kills and without.
  [[nodiscard]] std::string latencies() const;

 private:
  void start_warden();
  void work_until(std::uint64_t end_ns, std::uint64_t kills);
  // False: somebody does not come to rest.
  [[nodiscard]] bool pause_and_judge();
  [[nodiscard]] bool everybody_rests(std::uint32_t pause);
  void end();
  void look();
  void tell();

  RunOptions options_;
  KeySet keys_;
  Board* board_;
  pid_t warden_ = -1;
  std::unique_ptr<System> system_;
  std::unique_ptr<Oracle> oracle_;
  std::unique_ptr<CheckpointTaker> checkpoints_;
  std::unique_ptr<GenerationMaker> generations_;
  std::unique_ptr<StateChanger> states_;
  std::uint32_t pauses_ = 0;
  std::uint64_t begun_ns_ = 0;
  std::uint64_t told_ns_ = 0;
  Rest rest_;
  unsigned same_growth_ = 0;  // pauses in a row that found the same growth under way
};

}  // namespace sessionblocks::torture
