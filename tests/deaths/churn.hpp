// Makes a director do everything it can do, from outside: as a worker of the suite's own scope.
#pragma once

#include <optional>
#include <sessionblocks/sessionblocks.hpp>

#include "scene.hpp"

namespace sessionblocks::deaths {

class Churn {
 public:
  explicit Churn(Scene& scene) : scene_(scene) {}

  // Creates, opens, grows, closes, destroys, spoils, attaches, detaches and kills, until all of it
  // was done or the director has died. `round` says at which of its points the victim dies.
  void run(unsigned round);
  // The session and the block that were opened first are as good as ever.
  void check_handles();

 private:
  [[nodiscard]] bool step(bool (Churn::*what)());
  bool command(Command command);
  bool attach();
  bool grow_a_block();
  bool keep_versions();
  bool read_and_close();
  bool let_a_lifespan_pass();
  bool spoil_a_block();
  bool attach_and_detach();
  bool lose_the_victim();
  bool destroy_what_is_left();

  Scene& scene_;
  unsigned round_ = 0;
  std::optional<Session> session_;
  std::optional<Block> kept_;  // opened once, for the whole test
  std::int64_t count_ = 0;
  std::optional<Block> block_;
};

}  // namespace sessionblocks::deaths
