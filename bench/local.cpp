#include "local.hpp"

#include "neighbour.hpp"
#include "workload.hpp"

#include <benchmark/benchmark.h>

#include <optional>

namespace sessionblocks::bench {
namespace {

// One system for all runs: what is measured is operations, not starting up.
struct Bench {
  Bench() {
    auto made = SessionSystem::embedded();
    if (!made) Workload::die(made.error());
    system.emplace(std::move(*made));
    for (const char* audit : {"full", "counted"}) {
      BlockOptions options;
      options.name = audit;
      options.kind = "shared";
      options.quota_bytes = 256ULL << 20U;
      options.audit = audit;
      if (auto created = system->create(options); !created) Workload::die(created.error());
    }
    auto attached = system->attach("bench");
    if (!attached) Workload::die(attached.error());
    session.emplace(std::move(*attached));
  }
  std::optional<SessionSystem> system;
  std::optional<Session> session;
};

void measure(benchmark::State& state, Bench& bench, const std::string& audit,
             const std::string& operation, std::size_t keys, bool beside_another) {
  auto block = bench.session->open(audit);
  if (!block) Workload::die(block.error());
  Workload workload(*bench.session, *block, operation, operation, keys);
  std::optional<Neighbour> neighbour;
  if (beside_another) {
    auto environment = bench.system->environment("neighbour");
    if (!environment) Workload::die(environment.error());
    neighbour.emplace(std::move(*environment), audit, operation);
  }
  for (auto _ : state) workload.run_once();
  state.SetItemsProcessed(state.iterations());
}

}  // namespace

int run_local(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  Bench bench;
  for (const std::string operation : {"get", "put", "increment"}) {
    for (const std::size_t keys : {std::size_t{1}, kRandomKeys}) {
      for (const std::string audit : {"full", "counted"}) {
        for (const bool beside : {false, true}) {
          const std::string name = operation + (keys == 1 ? "/hot" : "/random100k") +
                                   "/audit:" + audit + (beside ? "/processes:2" : "/processes:1");
          benchmark::RegisterBenchmark(name.c_str(), [=, &bench](benchmark::State& state) {
            measure(state, bench, audit, operation, keys, beside);
          });
        }
      }
    }
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace sessionblocks::bench
