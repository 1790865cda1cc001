// One attempt of a worker to get what it was not granted, and how it ended.
#pragma once

#include <cerrno>
#include <functional>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

namespace attacker {

struct Scene;

struct Outcome {
  enum class Kind : std::uint8_t { succeeded, system, director, signal };
  Kind kind = Kind::succeeded;
  std::int32_t number = 0;  // errno, Errc, or signal
  friend bool operator==(Outcome, Outcome) = default;
};

inline Outcome succeeded() noexcept {
  return {};
}
inline Outcome refused_with(int number) noexcept {
  return {Outcome::Kind::system, number};
}
inline Outcome refused_with(sessionblocks::Errc code) noexcept {
  return {Outcome::Kind::director, static_cast<std::int32_t>(code)};
}
inline Outcome ended_by(int signal) noexcept {
  return {Outcome::Kind::signal, signal};
}
// Of a system call that answers -1 on an error.
inline Outcome outcome_of(long answer) noexcept {
  return answer < 0 ? refused_with(errno) : succeeded();
}

enum class Where : std::uint8_t {
  child,   // in a forked child of its own, so that none spoils the next
  worker,  // in the worker itself, which the director knows
};

struct Attack {
  std::string name;
  std::function<Outcome(const Scene&)> attempt;
  // What counts as refused. Any other answer means that the attack missed its aim and proves
  // nothing. Empty: the refusals of a sandbox (is_refusal).
  std::vector<Outcome> refusals;
  Where where = Where::child;
};

using Attacks = std::vector<Attack>;

// The same names in the same order whatever the scene is: the test asks for them beforehand.
void add_process_attacks(Attacks& attacks);
void add_segment_attacks(Attacks& attacks);
void add_descriptor_attacks(Attacks& attacks);
void add_file_attacks(Attacks& attacks);
void add_director_attacks(Attacks& attacks);
// What only a user of its own keeps a worker from.
void add_scheduler_attacks(Attacks& attacks);

}  // namespace attacker
