#include "peers.hpp"

#include <CLI/CLI.hpp>
#include <cmath>
#include <fstream>
#include <iostream>

#include "case.hpp"
#include "child.hpp"
#include "failure.hpp"
#include "registry.hpp"
#include "report.hpp"
#include "runner.hpp"

namespace sessionblocks::bench {
namespace {

constexpr double kQuickSeconds = 0.15;
constexpr double kSeconds = 1;

struct Options {
  bool quick = false;
  bool list = false;
  std::string json;
  std::vector<std::string> peers;
  std::vector<std::string> workloads;
  std::string clusters;
  double seconds = 0;
  unsigned repetitions = 1;
  Effort effort;
};

void declare(CLI::App& app, Options& options) {
  app.add_flag("--quick", options.quick, "A fixed part of the cases, in under five minutes");
  app.add_flag("--list", options.list, "Show peers and cases, and measure nothing");
  app.add_option("--json", options.json, "Write Google Benchmark's JSON to this file");
  app.add_option("--peer", options.peers, "Only these peers");
  app.add_option("--workload", options.workloads,
                 "Only these: random, random/keys:1000, or a whole name of --list");
  app.add_option("--seed", options.effort.seed, "Of all keys, mixes and lifetimes")
      ->capture_default_str();
  app.add_option("--seconds", options.seconds, "Of each pass; default 1, with --quick 0.15")
      ->check(CLI::Range(0.001, 3'600.0));
  app.add_option("--rate", options.effort.rate,
                 "Open loop: this many operations a second of all processes, each with its time "
                 "to begin")
      ->check(CLI::Range(1.0, 1e9));
  app.add_option("--repetitions", options.repetitions, "Of everything")
      ->check(CLI::Range(1U, 1'000U));
  app.add_option("--clusters", options.clusters,
                 "twitter_2020mar_clusters.csv, from github.com/twitter/cache-trace");
  app.add_option("--hours-a-second", options.effort.hours_a_second,
                 "twitter: hours of a cluster's time that pass in a second")
      ->check(CLI::Range(1e-6, 1e6))
      ->capture_default_str();
}

std::vector<const Peer*> chosen_peers(const Registry& registry, const Options& options) {
  std::vector<const Peer*> chosen;
  if (options.peers.empty()) {
    for (const auto& peer : registry.peers) chosen.push_back(peer.get());
  }
  for (const std::string& name : options.peers) {
    const Peer* const peer = registry.find(name);
    if (peer != nullptr) {
      chosen.push_back(peer);
      continue;
    }
    for (const LeftOut& one : registry.left_out) {
      if (one.name == name) {
        throw UsageError("peer " + name + " is not in this build; it needs " + one.reason);
      }
    }
    throw UsageError("there is no peer " + name + "; sessionbench peers --list names them");
  }
  return chosen;
}

Cases chosen_cases(const Options& options) {
  ClusterTable table;
  if (!options.clusters.empty()) table = read_clusters_file(options.clusters);
  Cases cases = options.quick ? quick_cases(table.clusters) : all_cases(table.clusters);
  if (options.clusters.empty()) {
    cases.skipped.push_back({"twitter", "needs --clusters twitter_2020mar_clusters.csv"});
  }
  for (const std::string& one : table.left_out) cases.skipped.push_back({"twitter", one});
  for (const std::string& wanted : options.workloads) {
    const auto matches = [&](const Case& one) { return is_wanted(one.name(), {wanted}); };
    if (std::any_of(cases.cases.begin(), cases.cases.end(), matches)) continue;
    const bool needs_table = options.clusters.empty() && wanted.rfind("twitter", 0) == 0;
    throw UsageError("no case of " + std::string(options.quick ? "--quick" : "this run") +
                     " is or begins with '" + wanted + "'; " +
                     (needs_table ? "give the table with --clusters FILE"
                                  : "sessionbench peers --list names them"));
  }
  std::erase_if(cases.cases,
                [&](const Case& one) { return !is_wanted(one.name(), options.workloads); });
  return cases;
}

void print_list(const Registry& registry, const Cases& cases) {
  std::cout << "peers:\n";
  for (const auto& peer : registry.peers) {
    std::cout << "  " << peer->name() << ": " << peer->version() << "; " << peer->options()
              << "\n      under SIGKILL: " << peer->promise() << '\n';
  }
  for (const LeftOut& one : registry.left_out) {
    std::cout << "  " << one.name << ": not in this build; needs " << one.reason << '\n';
  }
  std::cout << "cases:\n";
  for (const Case& one : cases.cases) std::cout << "  " << one.name() << '\n';
  for (const Skipped& one : cases.skipped) {
    std::cout << "  " << one.name << ": skipped, " << one.reason << '\n';
  }
}

nlohmann::json context_of(const Options& options, const RunPlan& plan, const Registry& registry,
                          const Cases& cases) {
  nlohmann::json context = machine_context("sessionbench");
  context["seed"] = options.effort.seed;
  context["seconds"] = plan.effort.seconds;
  context["quick"] = options.quick;
  context["clock"] = plan.clock->name();
  context["clock_cost_ns"] = plan.clock->cost_ns();
  context["peers"] = nlohmann::json::array();
  for (const Peer* peer : plan.peers) {
    context["peers"].push_back({{"name", peer->name()},
                                {"version", peer->version()},
                                {"options", peer->options()},
                                {"promise", peer->promise()},
                                {"is_floor", peer->abilities().is_floor}});
  }
  context["left_out"] = nlohmann::json::array();
  for (const LeftOut& one : registry.left_out) {
    context["left_out"].push_back({{"name", one.name}, {"needs", one.reason}});
  }
  context["skipped"] = nlohmann::json::array();
  for (const Skipped& one : cases.skipped) {
    context["skipped"].push_back({{"name", one.name}, {"reason", one.reason}});
  }
  for (const Case& one : cases.cases) {
    for (const Peer* peer : plan.peers) {
      const std::string reason = unable(*peer, one);
      if (reason.empty() || peer->abilities().only_studies || !one.study.empty()) continue;
      context["skipped"].push_back(
          {{"name", one.name() + "/peer:" + peer->name()}, {"reason", reason}});
    }
  }
  return context;
}

int run(const Options& options) {
  const Registry registry = make_registry();
  const Cases cases = chosen_cases(options);
  if (options.list) return print_list(registry, cases), 0;
  RunPlan plan;
  plan.peers = chosen_peers(registry, options);
  plan.cases = cases.cases;
  plan.effort = options.effort;
  plan.effort.seconds = options.seconds > 0 ? options.seconds
                        : options.quick     ? kQuickSeconds
                                            : kSeconds;
  plan.repetitions = options.repetitions;
  const Clock clock = Clock::calibrated();
  plan.clock = &clock;
  std::ofstream file;
  if (!options.json.empty()) {
    file.open(options.json);
    if (!file) throw UsageError("cannot write " + options.json + "; name another file");
  }
  nlohmann::json document = {{"context", context_of(options, plan, registry, cases)},
                             {"benchmarks", nlohmann::json::array()}};
  catch_interrupts();
  std::cerr << "clock: " << clock.name() << ", which itself takes " << clock.cost_ns()
            << " ns of each single time\n";
  print_heading(std::cout);
  int code = 0;
  try {
    run_all(plan, [&](const Row& row) {
      if (!row.error.empty()) code = 1;
      print_row(std::cout, row);
      document["benchmarks"].push_back(json_of(row, plan.repetitions));
    });
  } catch (const Interrupted&) {
    std::cerr << "sessionbench: interrupted; what was measured so far counts\n";
    code = 130;
  }
  if (file.is_open()) file << document.dump(1) << '\n';
  return code;
}

}  // namespace

int run_peers(int argc, char** argv) {
  Options options;
  CLI::App app("The same work against this store and what could be used instead",
               "sessionbench peers");
  declare(app, options);
  try {
    app.parse(argc, argv);
    return run(options);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const UsageError& error) {
    std::cerr << "sessionbench peers: " << error.what() << '\n';
    return 2;
  } catch (const std::exception& error) {
    std::cerr << "sessionbench peers: " << error.what() << '\n';
    return 1;
  }
}

}  // namespace sessionblocks::bench
