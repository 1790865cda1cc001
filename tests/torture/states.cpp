#include "states.hpp"

#include <algorithm>

#include "platform/clock.hpp"
#include "recorder.hpp"

namespace sessionblocks::torture {
namespace {

using director::Transition;

// Of the turns, which come about a thousand times a second.
constexpr std::uint64_t kTurnsToChange = 150;
constexpr std::uint64_t kLongestUs = 8'000;

}  // namespace

void StateChanger::turn() {
  const std::uint64_t dice = random_();
  if (dice % kTurnsToChange != 0) return;
  const std::uint64_t way = dice / kTurnsToChange % 8;
  const Enforce by = way == 0 ? Enforce::kill : way < 5 ? Enforce::swap : Enforce::cooperative;
  withhold(dice / kTurnsToChange / 8 % 3 == 0, by);
}

void StateChanger::withhold(bool from_readers, Enforce by) {
  Withheld withheld;
  withheld.from_readers = from_readers;
  withheld.start_ns = platform::monotonic_ns();
  if (!change(from_readers ? Transition::quarantine : Transition::seal, by)) return;
  withheld.from_ns = platform::monotonic_ns();
  const auto before = entries();
  nap(std::chrono::microseconds(random_() % kLongestUs));
  if (entries() != before) {
    oracle_.complain(std::string("the block changed while it was ") +
                     (from_readers ? "quarantined" : "sealed"));
  }
  withheld.until_ns = platform::monotonic_ns();
  if (!change(from_readers ? Transition::release : Transition::unseal, Enforce::cooperative)) {
    return;
  }
  withheld.end_ns = platform::monotonic_ns();
  oracle_.withheld(withheld);
  ++(from_readers ? quarantines_ : seals_);
  if (by == Enforce::swap) checkpoints_.generation_changed(segment::kNow);
}

// By name: those who move slots to a larger table may go on.
std::vector<FoundEntry> StateChanger::entries() {
  auto found = system_.entries();
  std::sort(found.begin(), found.end(),
            [](const FoundEntry& a, const FoundEntry& b) { return a.key < b.key; });
  return found;
}

bool StateChanger::change(Transition what, Enforce by) {
  const auto done = system_.change(what, by);
  if (!done) oracle_.complain("its state cannot be changed: " + done.error().message());
  return done.has_value();
}

}  // namespace sessionblocks::torture
