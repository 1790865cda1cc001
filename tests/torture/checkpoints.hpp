// Takes checkpoints of the block while its workers write and die, and reads each again and again:
// what it showed first it must show until it is released, and what is taken while nobody works must
// show exactly what is there. The pins are the director's; the reading is done here, beside it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "keys.hpp"
#include "segment/block_memory.hpp"
#include "system.hpp"

namespace sessionblocks::torture {

class CheckpointTaker {
 public:
  using Complain = std::function<void(const std::string& what)>;

  CheckpointTaker(System& system, const KeySet& keys, std::uint64_t seed, Complain complain);

  // Often, while the workers work: takes, reads or releases one.
  void turn();
  // Nobody works: every checkpoint is read, and one is taken that must show `entries`.
  void at_rest(const std::vector<FoundEntry>& entries);
  // Another generation took over, with the checkpoints up to this instant.
  void generation_changed(std::uint64_t last_instant);
  // Of the block's end: nothing stays pinned.
  void release_all();

  [[nodiscard]] std::uint64_t taken() const noexcept { return taken_; }
  [[nodiscard]] std::uint64_t reads() const noexcept { return reads_; }

  // What a checkpoint shows of one key; version 0: nothing.
  struct Shown {
    std::uint64_t version = 0;
    std::string bytes;
    friend bool operator==(const Shown&, const Shown&) = default;
  };
  // Of the keys that are watched.
  [[nodiscard]] std::map<std::uint32_t, Shown> show(std::uint64_t instant);

 private:
  struct Held {
    std::string name;
    std::uint64_t instant = 0;
    std::map<std::uint32_t, Shown> shown;  // of the keys that are watched
  };

  [[nodiscard]] std::size_t most_held() const noexcept;
  [[nodiscard]] Held* take();
  void release(std::size_t which);
  void read(Held& held);
  [[nodiscard]] std::optional<Shown> look(std::uint32_t key, std::uint64_t instant);
  void check_order();

  System& system_;
  const KeySet& keys_;
  bool evicts_;
  std::mt19937_64 random_;
  Complain complain_;
  director::BlockMemory mapped_;
  std::optional<segment::BlockMemory> memory_;
  std::deque<Held> held_;
  std::vector<std::uint32_t> watched_;
  std::uint64_t taken_ = 0;
  std::uint64_t reads_ = 0;
};

}  // namespace sessionblocks::torture
