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
  bool work_in_flows();
  bool read_and_close();
  bool share_and_redeem();
  bool snapshot_and_restore();
  bool elevate_at_the_end();
  [[nodiscard]] long times_kept(const std::string& name, std::uint32_t block) const;
  void check_what_is_kept();
  bool let_a_lifespan_pass();
  bool hand_a_block_over();
  bool spoil_a_block();
  bool seal_and_wipe_a_block();
  bool roll_back_and_fork();
  void check_join();
  bool revoke_and_grant();
  bool ask_as_operator(const std::string& op, std::uint32_t block, const std::string& scope);
  bool attach_and_detach();
  bool lose_the_victim();
  void check_wiped();
  void check_unreadable(const std::string& file);
  bool destroy_what_is_left();

  Scene& scene_;
  unsigned round_ = 0;
  std::optional<Session> session_;
  std::optional<Block> kept_;  // opened once, for the whole test
  std::int64_t count_ = 0;
  std::optional<FlowScope> flow_;  // entered once, for the whole test
  std::optional<Block> block_;
  bool is_joining_ = false;  // it was asked for, and not answered
  std::uint32_t wiped_ = 0;  // the id of the block that was wiped last
};

}  // namespace sessionblocks::deaths
