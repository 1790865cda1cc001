// guard_trial: measures FlowGuard. Attacks that are drawn from seeds, each hidden in normal
// traffic, and normal traffic alone; in the guard's time, which runs faster than real time.
#include <CLI/CLI.hpp>
#include <atomic>
#include <cstdio>
#include <exception>
#include <thread>

#include "child.hpp"
#include "suite_run.hpp"
#include "table.hpp"

namespace {

using namespace sessionblocks::guard_trial;

struct Options {
  std::uint64_t seeds = 1;
  std::uint64_t seed = 1;
  double hours = 1;
  unsigned jobs = 4;
  std::vector<std::string> attacks;
  bool is_list = false;
  bool without_attacks = false;
  bool without_suites = false;
};

bool is_wanted(const Options& options, const std::string& name) {
  if (options.attacks.empty()) return !options.without_attacks;
  return std::find(options.attacks.begin(), options.attacks.end(), name) != options.attacks.end();
}

std::vector<std::string> names() {
  std::vector<std::string> names;
  for (const AttackInfo& attack : all_attacks()) names.push_back(attack.name);
  for (const SuiteAttack& attack : suite_attacks()) names.push_back(attack.name);
  return names;
}

int list() {
  for (const AttackInfo& attack : all_attacks()) {
    std::printf("%-18s %-13s %s\n", attack.name.c_str(), std::string(word(attack.kind)).c_str(),
                attack.what.c_str());
  }
  for (const SuiteAttack& attack : suite_attacks()) {
    std::printf("%-18s %-13s %s, in real time\n", attack.name.c_str(), "recursion",
                attack.what.c_str());
  }
  return 0;
}

using Tasks = std::vector<std::function<void()>>;

// One for each run: they have nothing to do with each other.
Tasks tasks_of(const Options& options, Table& table) {
  Tasks tasks;
  const auto for_seeds = [&](const std::function<void(std::uint64_t)>& task) {
    for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
      tasks.emplace_back([task, seed] { task(seed); });
    }
  };
  for (const SuiteAttack& attack : suite_attacks()) {
    if (!is_wanted(options, attack.name)) continue;
    if (options.without_suites && options.attacks.empty()) continue;
    const std::size_t line = table.begin(word(Kind::recursion), attack.name, attack.what);
    // One after the other: some hundred processes are enough at a time.
    tasks.emplace_back([&options, &table, &attack, line] {
      for (std::uint64_t seed = options.seed; seed < options.seed + options.seeds; ++seed) {
        table.add(line, seed, play_suite(attack, seed));
      }
    });
  }
  for (const AttackInfo& attack : all_attacks()) {
    if (!is_wanted(options, attack.name)) continue;
    const std::size_t line = table.begin(word(attack.kind), attack.name, attack.what);
    for_seeds(
        [&table, line, attack](std::uint64_t seed) { table.add(line, seed, play(attack, seed)); });
  }
  if (options.attacks.empty() && options.hours > 0) {
    for_seeds([&](std::uint64_t seed) {
      table.add_normal(options.hours, seed, play_normal(options.hours, seed));
    });
  }
  return tasks;
}

// Most of a run is waiting for the director's threads and for the disk.
void work_off(const Tasks& tasks, unsigned jobs) {
  std::atomic<std::size_t> next{0};
  std::mutex mutex;
  std::exception_ptr first;
  {
    std::vector<std::jthread> threads;
    for (unsigned job = 0; job < jobs; ++job) {
      threads.emplace_back([&] {
        for (std::size_t at = next++; at < tasks.size(); at = next++) {
          try {
            tasks[at]();
          } catch (...) {
            const std::lock_guard lock(mutex);
            if (!first) first = std::current_exception();
            next = tasks.size();
          }
        }
      });
    }
  }
  if (first) std::rethrow_exception(first);
}

int run(const Options& options) {
  Table table;
  work_off(tasks_of(options, table), options.jobs);
  table.print();
  return table.is_good() ? 0 : 1;
}

int read_command_line(int argc, char** argv, Options& options) {
  CLI::App app{
      "Measures FlowGuard with attacks in normal traffic. Exit 1: an attack was missed, normal\n"
      "operations failed, or there was more than one false alarm in an hour"};
  app.add_option("--seeds", options.seeds, "how many seeds; each attack is played once with each")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  app.add_option("--seed", options.seed, "the first of them")->capture_default_str();
  app.add_option("--hours", options.hours, "of normal traffic with each seed, in the guard's time")
      ->check(CLI::Range(0.0, 1'000.0))
      ->capture_default_str();
  app.add_option("--jobs", options.jobs, "runs at a time")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  app.add_option("--attack", options.attacks, "only this one, and no normal traffic alone")
      ->check(CLI::IsMember(names()));
  app.add_flag("--list", options.is_list, "what attacks there are");
  app.add_flag("--without-attacks", options.without_attacks, "normal traffic alone");
  app.add_flag("--without-suites", options.without_suites,
               "leave out the attacks that take a flowdirector and real time");
  CLI11_PARSE(app, argc, argv);
  return -1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv, argv + argc);
  if (words.size() == 2 && words[1] == "--worker") return run_child();
  if (words.size() == 7 && words[1] == "--script") {
    return run_script(words[2], std::stoull(words[3]), std::stod(words[4]), std::stoull(words[5]));
  }
  Options options;
  if (const int code = read_command_line(argc, argv, options); code >= 0) return code;
  try {
    return options.is_list ? list() : run(options);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "guard_trial: %s\n", error.what());
    return 2;
  }
}
