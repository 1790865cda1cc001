// Histories of real processes on a few keys, recorded while workers are killed; what a kill cut off
// is decided by the audit log.
#include <unistd.h>
#include <catch2/catch.hpp>
#include <map>

#include "../torture/run.hpp"
#include "checker.hpp"
#include "entry_model.hpp"

using namespace sessionblocks;
using namespace sessionblocks::linearizability;

namespace {

constexpr std::uint32_t kKeysPerClass = 2;
constexpr std::size_t kMostCalls = 20'000;  // of a history that is searched

// A read that returns what another one had seen before it, though a third had seen more by then.
// Nothing when the history has no such reads. A text that was overwritten never comes back, so the
// stale one is not told its version; a touch leaves the text as it was, and is no such change. A
// counter may have the same sum again after it was erased: only its version shows it as stale.
std::optional<std::vector<Done>> with_stale_read(const std::vector<Done>& calls, bool is_counter) {
  const auto is_hit = [](const Done& done) { return done.has_value; };
  const auto first = std::find_if(calls.begin(), calls.end(), is_hit);
  if (first == calls.end()) return std::nullopt;
  for (const Done& newer : calls) {
    if (!is_hit(newer) || newer.version <= first->version) continue;
    if (!is_counter && newer.seen == first->seen) continue;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      if (!is_hit(calls[i]) || calls[i].start_ns <= newer.end_ns) continue;
      std::vector<Done> stale = calls;
      stale[i].version = is_counter ? first->version : 0;
      stale[i].seen = first->seen;
      stale[i].bytes = first->bytes;
      return stale;
    }
  }
  return std::nullopt;
}

struct Searched {
  unsigned histories = 0;
  unsigned not_linearizable = 0;
  unsigned spoiled = 0;
  unsigned spoiled_unseen = 0;
  std::size_t calls = 0;
  std::map<std::uint32_t, EntryModel::State> states;

  void operator()(std::uint32_t key, const std::vector<Done>& calls_of_key, bool is_counter) {
    EntryModel::State& state = states[key];
    ++histories;
    calls += calls_of_key.size();
    const EntryModel model{is_counter};
    if (const auto stale =
            spoiled < 20 ? with_stale_read(calls_of_key, is_counter) : std::nullopt) {
      ++spoiled;
      if (Checker(model, *stale).run(state)) ++spoiled_unseen;
    }
    const auto after = Checker(model, calls_of_key).run(state);
    if (!after) ++not_linearizable;
    state = after.value_or(state);
  }
};

}  // namespace

TEST_CASE("what workers saw of a few keys is linearizable, whoever was killed") {
  Searched searched;
  torture::RunOptions options;
  options.moves = false;  // the model knows no rollback
  options.kills = 150;
  options.seconds = 8;
  options.seed = std::random_device{}();
  options.keys_per_class = kKeysPerClass;
  options.on_history = [&](std::uint32_t key, const std::vector<Done>& done) {
    searched(key, done, key >= kKeysPerClass);
  };
  INFO("seed " << options.seed);
  ::alarm(200);
  torture::Run run(options);
  run.all();
  for (const std::string& what : run.oracle().first_violations()) UNSCOPED_INFO(what);
  CHECK(run.oracle().violations() == 0);
  INFO(searched.histories << " histories, " << searched.calls << " calls");
  CHECK(searched.not_linearizable == 0);
  CHECK(searched.spoiled > 0);
  CHECK(searched.spoiled_unseen == 0);
  CHECK(run.oracle().cut_off_done() > 0);
  ::alarm(0);
}
