// A thousand workers, thousands of blocks, a million entries. Figures are printed, none asserted.
// SESSIONBLOCKS_LONG_TESTS: 10,000 blocks, 1,000 workers that are processes, 1,000,000 entries.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <list>

#include "../stage/stage.hpp"

namespace sessionblocks::limits {
namespace {

using Clock = std::chrono::steady_clock;
using stage::Link;
using stage::Process;
using stage::RawClient;
using stage::spent_by;
using stage::Stage;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

bool is_long() {
  return std::getenv("SESSIONBLOCKS_LONG_TESTS") != nullptr;
}

class Watch {
 public:
  [[nodiscard]] double ms() const {
    return std::chrono::duration<double, std::milli>(Clock::now() - begin_).count();
  }

 private:
  Clock::time_point begin_ = Clock::now();
};

stage::StageOptions quiet() {
  stage::StageOptions options;
  options.is_verbose = false;
  return options;
}

void print(const Stage& stage, const char* what, double ms, const stage::Spent& before) {
  const auto now = spent_by(stage.director_pid());
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1U << 20U); };
  std::printf(
      "%-28s %8.0f ms, director: CPU %5.2f s, resident %+7.1f MiB, page tables %+6.1f MiB, "
      "descriptors %+zd\n",
      what, ms, now.cpu_seconds - before.cpu_seconds,
      mib(now.resident_bytes) - mib(before.resident_bytes),
      mib(now.page_table_bytes) - mib(before.page_table_bytes),
      static_cast<ssize_t>(now.descriptors) - static_cast<ssize_t>(before.descriptors));
}

// What the director spends on them while nothing happens.
void print_idle(const Stage& stage, const char* what) {
  const auto before = spent_by(stage.director_pid());
  ::usleep(1'000'000);  // measures, waits for nothing
  print(stage, what, 1'000, before);
}

}  // namespace

TEST_CASE("a thousand workers are attached at once, and go at once") {
  constexpr std::size_t kWorkers = 1'000;
  Stage stage(quiet());
  stage.create("cart", kMiB);
  const auto place = stage.place("main");
  const auto before = spent_by(stage.director_pid());
  std::list<RawClient> clients;
  const Watch attaching;
  for (std::size_t i = 0; i < kWorkers; ++i) {
    RawClient& client = clients.emplace_back(stage.socket());
    REQUIRE(client.attach(place.scope, place.token).ok());
    REQUIRE(client.ask({{"op", "worker_segment"}}).ok());
    REQUIRE(client.open("cart", 2).ok());
    REQUIRE(client.ask({{"op", "readers"}, {"open", 0}}).ok());
  }
  print(stage, "1,000 attach and open", attaching.ms(), before);
  print_idle(stage, "1,000 do nothing");
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  REQUIRE(cart.put("k", 1));
  CHECK(cart.get<std::int64_t>("k")->value == 1);
  stage.check_in_order(kWorkers + 1);
  const auto at_end = spent_by(stage.director_pid());
  const Watch leaving;
  clients.clear();
  stage.wait_for_workers(1);
  print(stage, "1,000 connections end", leaving.ms(), at_end);
  stage.check_in_order(1);
}

TEST_CASE("many processes are workers at once, and are killed at once") {
  const int count = is_long() ? 1'000 : 60;
  Stage stage(quiet());
  stage.create("cart", 64 * kMiB);  // each has a page of its own there
  const auto place = stage.place("main");
  std::list<Process> workers;
  const auto before = spent_by(stage.director_pid());
  const Watch attaching;
  for (int i = 0; i < count; ++i) {
    workers.emplace_back([place, i](Link& link) {
      auto session = Session::attach(place);
      auto cart = session ? session->open("cart") : tl::unexpected(session.error());
      if (!cart || !cart->put("own" + std::to_string(i), i)) return 1;
      link.say("ready");
      (void)link.hear();
      return 0;
    });
  }
  for (Process& worker : workers) REQUIRE(worker.read_line() == "ready");
  print(stage, "processes attach and put", attaching.ms(), before);
  print_idle(stage, "processes do nothing");
  const auto at_end = spent_by(stage.director_pid());
  const Watch leaving;
  for (const Process& worker : workers) worker.signal(SIGKILL);
  stage.wait_for_workers(0);
  print(stage, "processes are killed", leaving.ms(), at_end);
  stage.check_in_order(0);
  Session session = stage.attach("main");
  CHECK(session.open("cart")->size().value() == static_cast<std::uint64_t>(count));
  stage.check_in_order(1);
}

TEST_CASE("many blocks are made, opened, listed and destroyed") {
  constexpr std::uint64_t kSmallest = std::uint64_t{512} << 10U;
  int count = is_long() ? 10'000 : 500;
  Stage stage(quiet());
  const auto name = [](int i) { return "b" + std::to_string(i); };
  auto before = spent_by(stage.director_pid());
  const Watch making;
  for (int i = 0; i < count; ++i) {
    const auto made = stage.try_create(name(i), kSmallest);
    if (made) continue;
    // Two descriptors a block: the machine's limit may be lower.
    REQUIRE(made.error() == Errc::too_many);
    REQUIRE(made.error().message().find("RLIMIT_NOFILE") != std::string::npos);
    std::printf("RLIMIT_NOFILE lets the director have %d blocks\n", i);
    count = i - 16;  // room for a worker
    for (int last = count; last < i; ++last) stage.destroy(name(last));
  }
  print(stage, "blocks made", making.ms(), before);
  print_idle(stage, "blocks do nothing");
  before = spent_by(stage.director_pid());
  const Watch opening;
  {
    Session session = stage.attach("main");
    for (int i = 0; i < count; ++i) {
      auto block = session.open(name(i));
      REQUIRE(block);
      REQUIRE(block->put("k", i));
      REQUIRE(block->get<std::int64_t>("k")->value == i);
    }
  }
  print(stage, "blocks opened and used", opening.ms(), before);
  const Watch listing;
  const auto listed = stage.ctl({"ls", "blocks", "-o", "json"});
  REQUIRE(listed.code == 0);
  CHECK(listed.json()["blocks"].size() == static_cast<std::size_t>(count));
  std::printf("%-28s %8.0f ms\n", "sessionctl ls", listing.ms());
  stage.check_in_order(0);
  before = spent_by(stage.director_pid());
  const Watch ending;
  for (int i = 0; i < count; ++i) stage.destroy(name(i));
  print(stage, "blocks destroyed", ending.ms(), before);
  stage.check_in_order(0);
}

TEST_CASE("very many entries are put, read, checked and erased, and their memory comes back") {
  const int entries = is_long() ? 1'000'000 : 100'000;
  Stage stage;
  stage.create("cart", is_long() ? 208 * kMiB : 20 * kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  for (const char* const prefix : {"first", "second"}) {  // both would not fit
    const auto key = [&](int i) { return prefix + std::to_string(i); };
    const Watch putting;
    for (int i = 0; i < entries; ++i) {
      const auto put = cart.put(key(i), i);
      if (!put) FAIL(key(i) << ": " << put.error().message());
    }
    std::printf("%s: put %.0f ms", prefix, putting.ms());
    const Watch getting;
    for (int i = 0; i < entries; ++i) {
      const auto read = cart.get<std::int64_t>(key(i));
      if (!read || read->value != i) FAIL(key(i));
    }
    std::printf(", get %.0f ms", getting.ms());
    CHECK(cart.size().value() == static_cast<std::uint64_t>(entries));
    const Watch checking;
    stage.check_in_order(1);
    std::printf(", fsck %.0f ms", checking.ms());
    const Watch erasing;
    for (int i = 0; i < entries; ++i) {
      const auto erased = cart.erase(key(i));
      if (!erased) FAIL(key(i) << ": " << erased.error().message());
    }
    std::printf(", erase %.0f ms\n", erasing.ms());
    CHECK(cart.size().value() == 0);
    stage.check_in_order(1);
  }
}

// Tombstones of all that was erased fill half of it; they go when the index is rebuilt.
TEST_CASE("an erased block is filled again while the director is stopped") {
  constexpr int kEntries = 100'000;
  Stage stage;
  stage.create("cart", 20 * kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  for (int i = 0; i < kEntries; ++i) REQUIRE(cart.put("first" + std::to_string(i), i));
  for (int i = 0; i < kEntries; ++i) REQUIRE(cart.erase("first" + std::to_string(i)));
  stage.pause_director();
  int count = 0;
  while (count < kEntries) {
    const auto put = cart.put("second" + std::to_string(count), count);
    if (!put) UNSCOPED_INFO(put.error().message());
    if (!put) break;
    ++count;
  }
  REQUIRE(::kill(stage.director_pid(), SIGCONT) == 0);
  CHECK(count == kEntries);
  stage.check_in_order(1);
}

}  // namespace sessionblocks::limits
