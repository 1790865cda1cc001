#include "generations.hpp"

#include "platform/clock.hpp"

namespace sessionblocks::torture {
namespace {

// Of the turns, which come about a thousand times a second.
constexpr std::uint64_t kTurnsToRollback = 150;
constexpr std::uint64_t kTurnsToFork = 150;
constexpr std::uint64_t kTurnsToCompact = 200;
constexpr std::uint64_t kPausesToKeep = 4;  // then a later moment is gone back to
// Of a block that evicts nothing while it is held.
constexpr std::uint64_t kPausesWithout = 3;

}  // namespace

void GenerationMaker::turn() {
  const std::uint64_t dice = random_();
  if (dice % kTurnsToRollback == 0 && !name_.empty() && !has_rolled_back_) roll_back();
  if (dice / kTurnsToRollback % kTurnsToFork == 0) fork();
  if (dice / kTurnsToRollback / kTurnsToFork % kTurnsToCompact == 0) compact();
}

void GenerationMaker::at_rest() {
  has_rolled_back_ = false;
  const std::uint64_t dice = random_();
  if (!system_.evicts() && !name_.empty() && dice % kPausesToKeep != 0) return;
  release_all();
  if (system_.evicts() && dice % kPausesWithout != 0) return;
  const std::string name = "back-" + std::to_string(++taken_);
  const auto instant = system_.take_checkpoint(name);
  if (!instant) return oracle_.complain("no checkpoint: " + instant.error().message());
  name_ = name;
  instant_ = *instant;
  then_ = oracle_.states();
}

void GenerationMaker::release_all() {
  if (name_.empty()) return;
  if (auto released = system_.release_checkpoint(name_); !released) {
    oracle_.complain("a checkpoint cannot be released: " + released.error().message());
  }
  name_.clear();
}

void GenerationMaker::roll_back() {
  has_rolled_back_ = true;
  RolledBack event;
  event.then = then_;
  event.start_ns = platform::monotonic_ns();
  event.start_ms = platform::monotonic_coarse_ms();
  const auto done = system_.roll_back(name_);
  event.end_ns = platform::monotonic_ns();
  event.end_ms = platform::monotonic_coarse_ms();
  if (!done) {
    // The next generation did not fit beside this one's entries: nothing has changed.
    if (done.error() == Errc::out_of_memory) return;
    return oracle_.complain("no rollback: " + done.error().message());
  }
  ++rollbacks_;
  oracle_.rolled_back(event);
  checkpoints_.generation_changed(instant_);
}

// Nobody's entries change, and no checkpoint.
void GenerationMaker::compact() {
  const auto done = system_.compact();
  if (!done) {
    if (done.error() == Errc::out_of_memory) return;
    return oracle_.complain("not compacted: " + done.error().message());
  }
  ++compactions_;
  checkpoints_.generation_changed(segment::kNow);
}

void GenerationMaker::fork() {
  Instant at;
  at.start_ns = platform::monotonic_ns();
  auto fork = system_.fork();
  at.end_ns = platform::monotonic_ns();
  if (!fork) {
    if (fork.error() == Errc::out_of_memory) return;
    return oracle_.complain("no fork: " + fork.error().message());
  }
  ++forks_;
  std::map<std::uint32_t, const FoundEntry*> found;
  for (const std::string& finding : fork->rest.findings) oracle_.complain("fork: " + finding);
  for (const FoundEntry& entry : fork->rest.entries) found[keys_.find(entry.key)] = &entry;
  for (const auto& [key, shown] : checkpoints_.show(fork->base)) {
    const auto entry = found.find(key);
    const bool is_there = entry != found.end();
    // What expires may be shown by the base and have been left out of the fork.
    if (is_there ? entry->second->bytes != shown.bytes
                 : shown.version != 0 && !keys_.may_expire(key)) {
      oracle_.complain("fork: " + keys_.name(key) + " is not as at the instant that it is of");
    }
    at.versions[key] = shown.version;
  }
  oracle_.showed(std::move(at));
  if (auto gone = system_.destroy(fork->id); !gone) {
    oracle_.complain("a fork cannot be destroyed: " + gone.error().message());
  }
}

}  // namespace sessionblocks::torture
