// This program again, as a director that can be made to die and as a worker under load.
#include <signal.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <sessionblocks/sessionblocks.hpp>
#include <thread>

#include "board.hpp"
#include "core/crash_point.hpp"
#include "director/director.hpp"
#include "director/suite_file.hpp"
#include "flowlog/director_sinks.hpp"
#include "operations.hpp"
#include "platform/process.hpp"

namespace sessionblocks::deaths {
namespace {

using Clock = std::chrono::steady_clock;
constexpr unsigned kWatchdogSeconds = 280;

Board* board = nullptr;  // one role in a process

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// --- The director ----------------------------------------------------------------------------

void on_point(const char* label) {
  std::uint32_t index = board->find(label);
  if (index == 0) ::_exit(70);  // the test read the sources, and this point is not in them
  board->labels[index - 1].passed.fetch_add(1);
  if (board->armed.load() != index) return;
  const std::uint32_t next = board->armed_next.exchange(0);
  if (board->armed.compare_exchange_strong(index, next)) ::kill(::getpid(), SIGKILL);
}

// As make_logs does it, with small files.
director::MakeAuditSink log_into(const std::string& folder, const std::string& system,
                                 std::shared_ptr<director::EventSink> events) {
  return [=](const director::SystemInstance& instance)
             -> Result<std::shared_ptr<director::AuditSink>> {
    flowlog::FlowLogConfig config;
    config.log.folder = folder;
    config.log.system = system;
    config.log.rotate_bytes = 96U << 10U;
    config.log.budget_bytes = 2U << 20U;  // the test reads it as it grows
    auto sink = std::make_shared<flowlog::FlowLogSink>(std::move(config), events);
    flowlog::Instance known{};
    std::memcpy(known.data(), instance.data(), instance.size());
    if (auto begun = sink->begin(known); !begun) return tl::unexpected(begun.error());
    return std::shared_ptr<director::AuditSink>(std::move(sink));
  };
}

// One line an event: what a failed test shows.
class Printed final : public director::EventSink {
 public:
  void on_event(const director::Event& event) override {
    const std::string line =
        std::string(director::word(event.kind)) + " " + event.subject + ": " + event.detail + "\n";
    static_cast<void>(!::write(2, line.data(), line.size()));
  }
};

director::DirectorOptions options_from_environment() {
  director::DirectorOptions options;
  options.system = variable("DEATHS_SYSTEM");
  options.runtime_directory = variable("DEATHS_RUNTIME");
  director::Machine machine;
  machine.shm_bytes = std::uint64_t{8} << 30U;
  machine.min_quota_bytes = 65'536;
  machine.user_exists = [](const std::string&) { return false; };
  auto suite = director::open_suite(variable("DEATHS_SUITE"), machine);
  if (!suite) {
    for (const auto& problem : suite.error()) std::fprintf(stderr, "%s\n", problem.text().c_str());
    ::_exit(71);
  }
  options.suite = std::move(*suite);
  options.confinement = director::Confinement::none;
  options.makes_scopes = true;
  options.handles_signals = true;
  options.ends_with_suite = variable("DEATHS_ENDS") == "1";
  options.grace = std::chrono::milliseconds(500);
  options.events = std::make_shared<Printed>();
  options.make_audit = log_into(variable("DEATHS_LOGS"), options.system, options.events);
  return options;
}

void give_token(director::Director& director, const std::string& scope, char (&to)[128]) {
  if (const auto token = director.token_for_scope(scope)) {
    std::strncpy(to, token->c_str(), sizeof to - 1);
  }
}

void carry_out(director::Director& director, Command command) {
  director.call([command](director::Registry& registry) {
    const auto block = registry.visible_block("churn", registry.scopes.root().id);
    if (!block) return;
    if (command == Command::take_checkpoint) {
      static_cast<void>(registry.take_checkpoint(**block, "kept"));  // there already, perhaps
    } else {
      static_cast<void>(registry.release_checkpoint(**block, "kept"));
    }
  });
}

TEST_CASE("as a director", "[.director]") {
  ::alarm(kWatchdogSeconds);
  board = map_board(variable("DEATHS_BOARD"));
  REQUIRE(board != nullptr);
  crash_hook() = on_point;
  const auto options = options_from_environment();
  const std::string root = options.suite->name;
  auto director = director::Director::start(options);
  if (!director) {
    std::fprintf(stderr, "start: %s\n", director.error().message().c_str());
    ::_exit(72);
  }
  std::atomic<bool> is_over{false};
  board->command.store(0);
  std::thread loop([&] {
    (*director)->run();
    is_over.store(true);
  });
  // A suite that has ended already answers nothing: the loop has stopped.
  if (variable("DEATHS_ENDS") != "1") {
    give_token(**director, root, board->root_token);
    give_token(**director, root + "/victim", board->victim_token);
  }
  board->ready.store(::getpid());
  while (!is_over.load()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    const auto command = static_cast<Command>(board->command.load());
    if (command == Command::none) continue;
    carry_out(**director, command);
    board->command.store(0);
  }
  loop.join();
}

// --- A worker under load ---------------------------------------------------------------------

void die_at_point(const char* label) {
  const std::uint32_t index = board->find(label);
  if (index != 0 && board->victim_dies_at.load() == index) ::kill(::getpid(), SIGKILL);
}

Life& begin_life(std::uint32_t& number) {
  number = board->lives_used.fetch_add(1);
  if (number >= kMostLives) ::_exit(73);
  Life& life = board->lives[number];
  const auto self = platform::ProcessIdentity::self();
  if (!self) ::_exit(74);
  life.start_ticks.store(self->start_ticks);
  life.pid.store(self->pid);
  return life;
}

[[noreturn]] void fail_life(Life& life, const std::string& what) {
  std::strncpy(life.failure, what.c_str(), sizeof life.failure - 1);
  life.has_failed.store(1);
  while (true) ::pause();
}

// Why the answer is wrong; empty when it is right.
std::string carry_out(Block& block, std::uint32_t life, std::uint64_t n, bool reads_only) {
  const Operation operation = deaths::operation(life, n, reads_only);
  const auto wrong = [&](const Error& error) {
    return "operation " + std::to_string(n) + ": " + error.message();
  };
  if (operation.op == Op::increment) {
    const auto sum = block.increment(operation.key);
    if (!sum) return wrong(sum.error());
    const auto own = static_cast<std::int64_t>(n / 8 + 1);
    const bool right = operation.key == kTotal ? *sum >= own : *sum == own;
    return right ? "" : "operation " + std::to_string(n) + ": the sum is " + std::to_string(*sum);
  }
  if (operation.op == Op::erase) {
    const auto erased = block.erase(operation.key);
    return erased ? "" : wrong(erased.error());
  }
  if (operation.op == Op::put) {
    const bool is_text = n % 8 == 5;
    const auto put = is_text ? block.put(operation.key, text_of(n))
                             : block.put(operation.key, static_cast<std::int64_t>(n));
    return put ? "" : wrong(put.error());
  }
  if (n % 8 == 7 && !reads_only) {
    const auto text = block.get<std::string>(operation.key);
    if (!text) return wrong(text.error());
    const std::uint64_t put = n - 2;
    const bool right = text->value == text_of(put);
    return right ? "" : "operation " + std::to_string(n) + ": not the text that was put";
  }
  const auto number = block.get<std::int64_t>(operation.key);
  if (!number) return reads_only && number.error() == Errc::not_found ? "" : wrong(number.error());
  const bool right = n % 8 != 1 || reads_only || number->value == static_cast<std::int64_t>(n - 1);
  return right ? "" : "operation " + std::to_string(n) + ": not the number that was put";
}

bool is_resting(Life& life) {
  const std::uint32_t rest = board->rest.load();
  if (rest % 2 != 0) life.rests.store(rest);
  return rest % 2 != 0;
}

// Open loop: an operation is due at its time, whatever those before it took.
void work(Life& life, std::uint32_t number, Block& block, bool reads_only) {
  Clock::time_point begun = Clock::now();
  std::uint64_t since = 0;
  std::uint64_t rate = 0;
  for (std::uint64_t n = 0;; ++n) {
    if (is_resting(life) || rate != board->per_second.load()) {
      while (is_resting(life)) std::this_thread::sleep_for(std::chrono::microseconds(200));
      rate = board->per_second.load();
      begun = Clock::now();
      since = n;
    }
    const auto due = begun + std::chrono::nanoseconds((n - since) * 1'000'000'000U / rate);
    if (n % 16 == 0) std::this_thread::sleep_until(due);
    life.started.store(n + 1);
    if (const auto wrong = carry_out(block, number, n, reads_only); !wrong.empty()) {
      fail_life(life, wrong);
    }
    life.answered.store(n + 1);
    const auto late = std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - due);
    const auto late_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(late.count(), 0));
    if (late_ns > life.longest_ns.load()) life.longest_ns.store(late_ns);
  }
}

TEST_CASE("as a worker", "[.worker]") {
  ::alarm(kWatchdogSeconds);
  board = map_board(variable("DEATHS_BOARD"));
  REQUIRE(board != nullptr);
  std::uint32_t number = 0;
  Life& life = begin_life(number);
  const std::string role = variable("DEATHS_ROLE");
  life.reads_only.store(role == "watch" ? 1 : 0);
  life.is_victim.store(role == "victim" ? 1 : 0);
  // The director may die while it answers: then the next one is asked.
  auto session = Session::attach();
  while (!session && session.error() == Errc::unreachable) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    session = Session::attach();
  }
  if (!session) fail_life(life, "attach: " + session.error().message());
  auto block = session->open("cart");
  while (!block && block.error() == Errc::unreachable) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    block = session->open("cart");
  }
  if (!block) fail_life(life, "open: " + block.error().message());
  life.worker.store(session->worker_id());
  if (role == "victim") crash_hook() = die_at_point;
  work(life, number, *block, role == "watch");
}

}  // namespace
}  // namespace sessionblocks::deaths
