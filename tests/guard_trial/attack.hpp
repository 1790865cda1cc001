// Attacks: what somebody does among normal traffic, and which rules are meant to find it.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "draw.hpp"
#include "system.hpp"
#include "traffic.hpp"

namespace sessionblocks::guard_trial {

enum class Kind : std::uint8_t { leak, recursion, misuse, data_leak, damage, stuck };
[[nodiscard]] std::string_view word(Kind kind) noexcept;

struct Scene {
  System& system;
  Draw& draw;
};

// Somebody who behaves until the attack begins, and goes on to look as before beside it. What is
// drawn is drawn by the constructor and the steps, from the scene.
class Attack {
 public:
  explicit Attack(Scene& scene) : scene_(&scene) {}
  virtual ~Attack() = default;
  Attack(const Attack&) = delete;
  Attack& operator=(const Attack&) = delete;

  // So many seconds' worth of its normal traffic, and of the attack.
  virtual void behave(double seconds) = 0;
  virtual void strike(double seconds) = 0;

  // Whether a finding names who or what this attack is by.
  [[nodiscard]] bool is_named_by(const Found& found) const;
  // One that is over tells the step in which it was made out; none: it goes on.
  [[nodiscard]] const std::string& drawn() const { return drawn_; }

 protected:
  [[nodiscard]] System& system() const { return scene_->system; }
  [[nodiscard]] Draw& draw() const { return scene_->draw; }
  // How findings of it begin: a block, worker or scope.
  void add_culprit(std::string text) { culprits_.insert(std::move(text)); }
  void add_worker(std::uint32_t id);
  void tell(std::string drawn) { drawn_ = std::move(drawn); }

 private:
  Scene* scene_;
  std::set<std::string> culprits_;
  std::string drawn_;
};

// Most attacks come from a script of its own, `intruder`, with a block that it uses as others do.
class Intruder : public Attack {
 public:
  explicit Intruder(Scene& scene);
  void behave(double seconds) override;

 protected:
  [[nodiscard]] Session& session() { return session_; }
  // A block of the intruder; findings may name it.
  [[nodiscard]] Block create(const std::string& name, std::uint64_t quota_bytes,
                             std::vector<std::string> permit = {});
  [[nodiscard]] double usual_per_s() const { return usual_per_s_; }
  [[nodiscard]] HotKeys& usual() { return usual_; }

 private:
  Session session_;
  double usual_per_s_;
  HotKeys usual_;
};

struct AttackInfo {
  Kind kind;
  std::string name;
  std::string what;                // what is done, for people
  std::vector<std::string> rules;  // that are meant for it
  std::uint64_t longest_s;         // after that it was missed
  std::uint64_t step_ms;
  std::uint64_t calm_s;  // at least, before it begins
  std::function<std::unique_ptr<Attack>(Scene&)> make;
};

template <typename T>
std::unique_ptr<Attack> make(Scene& scene) {
  return std::make_unique<T>(scene);
}

using Attacks = std::vector<AttackInfo>;
void add_leaks(Attacks& attacks);
void add_recursion(Attacks& attacks);
void add_misuse(Attacks& attacks);
void add_data_leaks(Attacks& attacks);
void add_damage(Attacks& attacks);
void add_stuck(Attacks& attacks);
[[nodiscard]] Attacks all_attacks();

}  // namespace sessionblocks::guard_trial
