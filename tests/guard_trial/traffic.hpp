// Normal traffic: what a shop's scripts do, in the guard's time.
//
// Session carts (created, read, changed, bought or left to expire), a session store that evicts
// what has expired, a catalogue that is mostly cold, counters and random keys as the benchmarks
// draw them, orders worked on in flow scopes with blocks of their own and handed on by references,
// checkpoints and forks for reports, and the few refusals that people cause. Rates move by the hour
// and come in bursts.
#pragma once

#include <deque>

#include "draw.hpp"
#include "system.hpp"

namespace sessionblocks::guard_trial {

// A block's entries, used as the benchmarks do: random keys of one size.
class HotKeys {
 public:
  HotKeys(Block block, std::size_t keys, std::size_t value_bytes);
  void use(Draw& draw, std::uint64_t operations);
  [[nodiscard]] Block& block() { return block_; }

 private:
  Block block_;
  std::vector<std::string> keys_;
  std::string value_;
};

class Shop {
 public:
  Shop(System& system, Draw& draw);
  void step(double seconds);
  // Operations that failed although they should not have.
  [[nodiscard]] std::uint64_t failed() const { return failed_; }
  [[nodiscard]] std::uint64_t operations() const { return operations_; }
  [[nodiscard]] const std::string& first_failure() const { return first_failure_; }

 private:
  struct Cart {
    std::uint64_t id = 0;
    unsigned changes = 0;
  };
  void make_blocks();
  void fill_catalogue();
  [[nodiscard]] double busy(double seconds);
  void use_cart();
  void end_cart(std::size_t at);
  void use_session();
  void work_on_order();
  void look_something_up();
  void report();
  void err_as_people_do(double seconds);
  template <typename T>
  bool check(const Result<T>& result, Errc also = {});

  System* system_;
  Draw* draw_;
  Session checkout_[2];
  Session mail_;
  Session reports_;
  Session bench_;
  std::vector<Block> carts_;  // of each checkout worker
  std::vector<Block> stores_;
  std::vector<Block> stats_;
  std::vector<Block> reading_;  // carts and catalogue, of the report
  std::vector<Block> orders_;
  std::vector<HotKeys> hot_;
  std::vector<Cart> open_;
  std::deque<std::uint64_t> shipped_;
  std::deque<std::uint64_t> visitors_;
  std::uint64_t next_ = 1;
  double passed_s_ = 0;
  double wave_s_;
  double burst_until_s_ = 0;
  double burst_ = 1;
  double checkpoint_s_;
  double fork_s_;
  std::string checkpoint_;
  std::string fork_;
  std::uint64_t failed_ = 0;
  std::uint64_t operations_ = 0;
  std::string first_failure_;
};

}  // namespace sessionblocks::guard_trial
