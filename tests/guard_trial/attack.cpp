#include "attack.hpp"

namespace sessionblocks::guard_trial {

std::string_view word(Kind kind) noexcept {
  switch (kind) {
    case Kind::leak:
      return "leak";
    case Kind::recursion:
      return "recursion";
    case Kind::misuse:
      return "misuse";
    case Kind::data_leak:
      return "data leak";
    case Kind::damage:
      return "damage";
    case Kind::stuck:
      return "stuck worker";
  }
  return "?";
}

bool Attack::is_named_by(const Found& found) const {
  return std::any_of(culprits_.begin(), culprits_.end(), [&](const std::string& culprit) {
    return found.what == culprit || found.what.starts_with(culprit + " (");
  });
}

void Attack::add_worker(std::uint32_t id) {
  add_culprit("worker " + std::to_string(id));
}

Intruder::Intruder(Scene& scene)
    : Attack(scene),
      session_(scene.system.attach("intruder")),
      usual_per_s_(scene.draw.spread(5, 40)),
      usual_(create("own", std::uint64_t{2} << 20U), 100, 64) {
  add_culprit("scope embedded/intruder");
  add_worker(session_.worker_id());
}

void Intruder::behave(double seconds) {
  usual_.use(draw(), draw().events(usual_per_s_ * seconds));
}

Block Intruder::create(const std::string& name, std::uint64_t quota_bytes,
                       std::vector<std::string> permit) {
  BlockOptions options;
  options.name = name;
  options.quota_bytes = quota_bytes;
  options.permit = std::move(permit);
  Block block = must(session_.create(options));
  add_culprit(system().text_of(block));
  return block;
}

Attacks all_attacks() {
  Attacks attacks;
  add_leaks(attacks);
  add_recursion(attacks);
  add_misuse(attacks);
  add_data_leaks(attacks);
  add_damage(attacks);
  add_stuck(attacks);
  return attacks;
}

}  // namespace sessionblocks::guard_trial
