// torture: kills and stops workers of one block at random, and holds everything that they were told
// against what the block and its log say. tools/torture.sh builds and starts it.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <random>

#include "run.hpp"

namespace {

using namespace sessionblocks::torture;

constexpr unsigned kWatchdogS = 300;
constexpr unsigned kSlowestKillMs = 50;

int report(const Run& run, const RunOptions& options) {
  const Oracle& oracle = run.oracle();
  const Board& board = run.board();
  std::printf(
      "kills: %llu (%llu inside an operation, %llu of a stopped worker, %llu before it had "
      "attached), %llu stops, %llu ended by themselves\n",
      static_cast<unsigned long long>(board.kills.load()),
      static_cast<unsigned long long>(board.kills_inside.load()),
      static_cast<unsigned long long>(board.kills_stopped.load()),
      static_cast<unsigned long long>(board.kills_early.load()),
      static_cast<unsigned long long>(board.stops.load()),
      static_cast<unsigned long long>(board.in_order.load()));
  std::printf(
      "operations: %llu, %llu of them cut off by a kill, of which %llu were done as the "
      "log says; %llu refused for memory\n",
      static_cast<unsigned long long>(oracle.operations()),
      static_cast<unsigned long long>(oracle.cut_off()),
      static_cast<unsigned long long>(oracle.cut_off_done()),
      static_cast<unsigned long long>(oracle.refused_for_memory()));
  std::printf("checkpoints: %llu taken, read %llu times\n",
              static_cast<unsigned long long>(run.checkpoints().taken()),
              static_cast<unsigned long long>(run.checkpoints().reads()));
  const GenerationMaker& moves = run.generations();
  std::printf("rollbacks: %llu, which changed %llu entries back; forks: %llu; compactions: %llu\n",
              static_cast<unsigned long long>(moves.rollbacks()),
              static_cast<unsigned long long>(moves.brought_back()),
              static_cast<unsigned long long>(moves.forks()),
              static_cast<unsigned long long>(moves.compactions()));
  std::printf(
      "seals: %llu, quarantines: %llu, which %llu operations were refused for and %llu workers "
      "killed\n",
      static_cast<unsigned long long>(run.states().seals()),
      static_cast<unsigned long long>(run.states().quarantines()),
      static_cast<unsigned long long>(oracle.refused_by_state()),
      static_cast<unsigned long long>(board.kills_by_director.load()));
  std::printf("evictions: %llu, %llu of them by operations that a kill cut off\n",
              static_cast<unsigned long long>(oracle.evictions()),
              static_cast<unsigned long long>(oracle.evictions_cut_off()));
  std::printf("%s", run.latencies().c_str());
  if (oracle.violations() == 0) {
    std::printf("violations: 0\n");
    return 0;
  }
  for (const std::string& what : oracle.first_violations()) {
    std::printf("violation: %s\n", what.c_str());
  }
  std::printf("violations: %llu (seed %llu)\n",
              static_cast<unsigned long long>(oracle.violations()),
              static_cast<unsigned long long>(options.seed));
  return 1;
}

void set_limit(SystemOptions& system, const std::string& at_limit) {
  if (at_limit == "refuse") return;
  // Soon full.
  system.quota_bytes = std::uint64_t{4} << 20U;
  system.at_limit = at_limit == "evict-lru" ? sessionblocks::AtLimit::evict_lru
                                            : sessionblocks::AtLimit::evict_expired;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Kills workers at random and looks for what that broke"};
  RunOptions options;
  options.seed = std::random_device{}();
  bool without_recovery = false;
  std::string audit = "full";
  std::string at_limit = "refuse";
  app.add_option("--kills", options.kills, "how many workers are killed")->capture_default_str();
  app.add_option("--seconds", options.seconds,
                 "spread them over this time; a quarter of it goes by without kills")
      ->check(CLI::Range(4, 1'000'000));
  app.add_option("--seed", options.seed,
                 "of all random choices; which instruction a kill hits is "
                 "the machine's");
  app.add_option("--audit", audit, "audit level of the block")
      ->check(CLI::IsMember({"full", "writes"}));
  app.add_option("--at-limit", at_limit, "what the block does when it is full")
      ->check(CLI::IsMember({"refuse", "evict-lru", "evict-expired"}));
  bool without_moves = false;
  app.add_flag("--without-moves", without_moves,
               "nothing but checkpoints is done to the block: no rollback, fork, compaction, seal "
               "or quarantine");
  app.add_flag("--without-recovery", without_recovery,
               "leave the dead as they are: this must report violations");
  CLI11_PARSE(app, argc, argv);
  options.system.recovers = !without_recovery;
  options.moves = !without_moves;
  if (audit == "writes") options.system.audit = sessionblocks::AuditLevel::writes;
  set_limit(options.system, at_limit);
  ::alarm(kWatchdogS + static_cast<unsigned>(options.seconds) +
          static_cast<unsigned>(options.kills) * kSlowestKillMs / 1'000);
  std::fprintf(stderr, "torture: seed %llu\n", static_cast<unsigned long long>(options.seed));
  try {
    Run run(options);
    run.all();
    return report(run, options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "torture: %s\n", error.what());
    return 2;
  }
}
