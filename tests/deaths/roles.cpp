// This program again, as a director that can be made to die and as a worker under load.
#include <signal.h>

#include <bit>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
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
    config.log.key_file = folder + ".key";
    config.log.checkpoint_ms = 50;
    config.log.rotate_bytes = 96U << 10U;
    // Nothing that the test has not read yet shall go, but where the removal is what is looked at.
    const bool shall_remove = board->armed.load() == board->find("flowlog.removed");
    config.log.budget_bytes = shall_remove ? 2U << 20U : 256U << 20U;
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
    const auto late = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - due);
    const auto late_us = static_cast<std::uint64_t>(std::max<std::int64_t>(late.count(), 0));
    const auto bucket = static_cast<std::size_t>(std::bit_width(late_us));
    life.late[std::min(bucket, kLateBuckets - 1)].fetch_add(1);
  }
}

// The director may die while it answers: then the next one is asked.
Result<Session> attach() {
  auto session = Session::attach();
  while (!session && session.error() == Errc::unreachable) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    session = Session::attach();
  }
  return session;
}

// One that enters a flow scope, works in its block and leaves it, for ever; the log check knows
// nothing of it.
[[noreturn]] void work_in_flows(Life& life, Session& session) {
  crash_hook() = die_at_point;
  while (true) {
    auto flow = session.enter_scope("round");
    auto draft = flow ? flow->open("draft") : tl::unexpected(flow.error());
    if (!draft && draft.error() == Errc::unreachable) continue;
    if (!draft) fail_life(life, "in a flow: " + draft.error().message());
    for (std::int64_t n = 1; n <= 200; ++n) {
      const auto count = draft->increment("count");
      if (!count) fail_life(life, "in a flow: " + count.error().message());
      if (*count != n) fail_life(life, "in a flow: the count is " + std::to_string(*count));
      life.answered.fetch_add(1);
      do {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      } while (is_resting(life));
    }
  }
}

// Whether an errand was called with this number. It is done once it has ended.
bool was_done(std::uint64_t number) {
  std::ifstream file("errands");
  for (std::uint64_t done = 0; file >> done;) {
    if (done == number) return true;
  }
  return false;
}

// A start that was answered has happened by the time the script has ended, i.e. starts again. One
// that was not answered may have happened or not.
[[noreturn]] void have_errands_done(Life& life, Session& session) {
  std::uint64_t answered = 0;
  for (std::uint64_t number = 1;; ++number) {
    auto started = session.start_script("errand", {std::to_string(number)});
    while (!started && started.error() == Errc::exists) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      started = session.start_script("errand", {std::to_string(number)});
    }
    if (!started && started.error() != Errc::unreachable) {
      fail_life(life, "an errand: " + started.error().message());
    }
    if (started && answered != 0 && !was_done(answered)) {
      fail_life(life, "errand " + std::to_string(answered) + " was never done");
    }
    answered = started ? number : 0;
    life.answered.fetch_add(1);
    do {
      std::this_thread::sleep_for(std::chrono::milliseconds(25));  // the director has more to do
    } while (is_resting(life));
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
  auto session = attach();
  if (role == "detacher" && session) {
    session = fail(Errc::not_attached);
    session = attach();
  }
  if (!session) fail_life(life, "attach: " + session.error().message());
  if (role == "flows") work_in_flows(life, *session);
  if (role == "starter") have_errands_done(life, *session);
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
