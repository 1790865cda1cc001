// Joining forks to their origins through the public API.
#include <sessionblocks/sessionblocks.hpp>

#include <time.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <limits>
#include <thread>

using namespace sessionblocks;

namespace {

struct Fixture {
  Fixture() {
    ::alarm(200);
    BlockOptions options;
    options.name = "cart";
    options.kind = "shared";
    options.quota_bytes = 8ULL << 20U;
    options.permit = {"fork"};
    REQUIRE(system.create(options));
    cart.emplace(session.open("cart").value());
  }
  ~Fixture() { ::alarm(0); }

  Block fork(std::string_view name = "trial") { return session.fork(*cart, name).value(); }
  template <typename T>
  T value(std::string_view key) {
    return cart->get<T>(key).value().value;
  }

  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();
  std::optional<Block> cart;
};

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

JoinOptions with(std::map<std::string, std::string> policies) {
  return {.policies = std::move(policies), .trial = false};
}

std::int64_t coarse_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

// What is written from now on is younger than what was written before.
void let_the_clock_step() {
  const std::int64_t before = coarse_ns() / 1'000'000;
  while (coarse_ns() / 1'000'000 == before) std::this_thread::yield();
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a join brings what only one side changed, and ends the fork") {
  for (const char* key :
       {"same", "here", "there", "erased-here", "erased-there", "both-the-same"}) {
    REQUIRE(cart->put(key, "before"));
  }
  const Version before = cart->get<std::string>("there")->version;
  Block trial = fork();
  REQUIRE(cart->put("here", "origin's"));
  REQUIRE(cart->put("new-here", 1));
  REQUIRE(cart->erase("erased-here"));
  REQUIRE(cart->put("both-the-same", "after"));
  REQUIRE(trial.put("there", "fork's"));
  REQUIRE(trial.put("new-there", std::string(60'000, 'n'), Expiry::after(std::chrono::hours(1))));
  REQUIRE(trial.erase("erased-there"));
  REQUIRE(trial.put("both-the-same", "after"));
  REQUIRE(trial.put("came-and-went", 1));
  REQUIRE(trial.erase("came-and-went"));
  const JoinReport report = session.join(trial).value();
  CHECK(report.taken == 2);
  CHECK(report.erased == 1);
  CHECK(report.kept == 1);
  CHECK(report.combined == 0);
  CHECK(report.conflicts == 0);
  CHECK(value<std::string>("same") == "before");
  CHECK(value<std::string>("here") == "origin's");
  CHECK(value<std::string>("there") == "fork's");
  CHECK(value<std::string>("both-the-same") == "after");
  CHECK(value<std::string>("new-there") == std::string(60'000, 'n'));
  CHECK(cart->get<std::string>("new-there")->expires_in.has_value());
  CHECK(value<std::int64_t>("new-here") == 1);
  CHECK(code(cart->get<std::string>("erased-here")) == Errc::not_found);
  CHECK(code(cart->get<std::string>("erased-there")) == Errc::not_found);
  CHECK(cart->size().value() == 6);
  // What it was before can no longer be the expected version of anybody.
  CHECK(raw_version(cart->get<std::string>("there")->version) > raw_version(before));
  CHECK(code(cart->compare_and_set("there", before, "late")) == Errc::conflict);
  CHECK(code(trial.get<std::string>("there")) == Errc::gone);
  CHECK(code(session.open("trial")) == Errc::no_such_block);
  CHECK(cart->checkpoints().value().empty());
  CHECK(cart->put("goes", "on"));
}

TEST_CASE_METHOD(Fixture, "keys that both sides changed are named, and nothing is changed") {
  REQUIRE(cart->put("a", 1));
  REQUIRE(cart->put("b", 1));
  REQUIRE(cart->put("c", 1));
  Block trial = fork();
  REQUIRE(cart->put("a", 2));
  REQUIRE(trial.put("a", 3));
  REQUIRE(cart->erase("b"));
  REQUIRE(trial.put("b", 3));
  REQUIRE(trial.put("c", 3));
  REQUIRE(cart->put("new", "x"));
  REQUIRE(trial.put("new", "y"));
  const auto joined = session.join(trial);
  REQUIRE(code(joined) == Errc::join_conflict);
  const std::string message = joined.error().message();
  for (const char* part : {"3 keys", "'a'", "'b'", "'new'", "both sides changed it"}) {
    CHECK(message.find(part) != std::string::npos);
  }
  CHECK(value<std::int64_t>("a") == 2);
  CHECK(value<std::int64_t>("c") == 1);
  CHECK(trial.get<std::int64_t>("a")->value == 3);
  CHECK(trial.put("d", 4));
  CHECK(cart->put("e", 4));
  // A trial says it beforehand, and by no error.
  const JoinReport report =
      session.join(trial, {.policies = {{"a", "ours"}}, .trial = true}).value();
  CHECK(report.conflicts == 2);
  CHECK(report.taken == 2);
  CHECK(report.kept == 1);
  REQUIRE(report.first_conflicts.size() == 2);
  std::vector<std::string> keys;
  for (const JoinConflict& conflict : report.first_conflicts) keys.push_back(conflict.key);
  std::sort(keys.begin(), keys.end());
  CHECK(keys == std::vector<std::string>{"b", "new"});
  CHECK(trial.put("d", 5));
  CHECK(code(session.join(trial, with({{"*", "mine"}}))) == Errc::invalid_argument);
  REQUIRE(session.join(trial, with({{"*", "theirs"}, {"a", "ours"}})));
  CHECK(value<std::int64_t>("a") == 2);
  CHECK(value<std::int64_t>("b") == 3);
  CHECK(value<std::int64_t>("d") == 5);
  CHECK(value<std::int64_t>("e") == 4);
  CHECK(value<std::string>("new") == "y");
}

TEST_CASE_METHOD(Fixture, "counters are added up, and what is no number is refused") {
  REQUIRE(cart->put("hits:both", 100));
  REQUIRE(cart->put("hits:reset-here", 100));
  REQUIRE(cart->put("hits:reset-there", 100));
  REQUIRE(cart->put("hits:real", 1.5));
  REQUIRE(cart->put("hits:full", std::numeric_limits<std::int64_t>::max() - 1));
  REQUIRE(cart->put("hits:text", "1"));
  Block trial = fork();
  for (Block* side : {&*cart, &trial}) {
    REQUIRE(side->increment("hits:both", side == &trial ? 7 : -30));
    REQUIRE(side->increment_real("hits:real", 0.25));
    REQUIRE(side->increment("hits:new", 5));
  }
  REQUIRE(cart->erase("hits:reset-here"));
  REQUIRE(trial.increment("hits:reset-here", 3));
  REQUIRE(trial.erase("hits:reset-there"));
  REQUIRE(cart->increment("hits:reset-there", 3));
  const auto add = with({{"hits:*", "add"}});
  {
    Block other = fork("other");
    REQUIRE(cart->put("hits:text", "2"));
    REQUIRE(other.put("hits:text", "3"));
    REQUIRE(cart->increment("hits:full"));
    REQUIRE(other.increment("hits:full"));
    const auto refused = session.join(other, add);
    REQUIRE(code(refused) == Errc::join_conflict);
    CHECK(refused.error().message().find("'hits:full' (the sum does not fit)") !=
          std::string::npos);
    CHECK(refused.error().message().find("'hits:text' (it is not a number") != std::string::npos);
    REQUIRE(session.destroy("other"));
  }
  CHECK(session.join(trial, add).value().combined == 5);
  CHECK(value<std::int64_t>("hits:both") == 77);
  CHECK(value<std::int64_t>("hits:reset-here") == 3);
  CHECK(value<std::int64_t>("hits:reset-there") == 3);
  CHECK(value<double>("hits:real") == 2.0);
  CHECK(value<std::int64_t>("hits:new") == 10);
}

TEST_CASE_METHOD(Fixture, "the larger or the newest is kept where a policy says so") {
  for (const char* key : {"max:a", "max:b", "max:c", "new:a", "new:b", "new:c"}) {
    REQUIRE(cart->put(key, 10));
  }
  Block trial = fork();
  REQUIRE(cart->put("max:a", 20));
  REQUIRE(trial.put("max:a", 30));
  REQUIRE(cart->put("max:b", 30));
  REQUIRE(trial.put("max:b", 20));
  REQUIRE(cart->put("max:c", 5));
  REQUIRE(trial.erase("max:c"));
  REQUIRE(cart->put("new:a", 20));
  REQUIRE(trial.put("new:b", 30));
  REQUIRE(cart->put("new:c", 20));
  let_the_clock_step();
  REQUIRE(trial.put("new:a", 30));
  REQUIRE(cart->put("new:b", 20));
  REQUIRE(trial.erase("new:c"));
  // A generation later it is still known when they were written.
  REQUIRE(cart->take_checkpoint("now"));
  REQUIRE(cart->put("new:b", 21));
  REQUIRE(cart->put("new:other", 21));
  const JoinReport report =
      session.join(trial, with({{"max:*", "max"}, {"new:*", "newest"}})).value();
  CHECK(report.taken == 2);
  CHECK(report.erased == 1);
  CHECK(report.kept == 3);
  CHECK(value<std::int64_t>("max:a") == 30);
  CHECK(value<std::int64_t>("max:b") == 30);
  CHECK(value<std::int64_t>("max:c") == 5);
  CHECK(value<std::int64_t>("new:a") == 30);
  CHECK(value<std::int64_t>("new:b") == 21);
  CHECK(code(cart->get<std::int64_t>("new:c")) == Errc::not_found);
  // The origin's other checkpoints show what they did.
  const auto all = cart->checkpoints().value();
  REQUIRE(all.size() == 1);
  CHECK(cart->at(all[0]).get<std::int64_t>("new:b")->value == 20);
  CHECK(cart->at(all[0]).get<std::int64_t>("max:a")->value == 20);
}

TEST_CASE_METHOD(Fixture, "what has expired on both sides is no conflict") {
  REQUIRE(cart->put("brief", 1, Expiry::after(std::chrono::milliseconds(1))));
  Block trial = fork();
  REQUIRE(trial.put("k", 1));
  while (cart->contains("brief").value()) std::this_thread::yield();
  CHECK(session.join(trial).value().taken == 1);
}

// Each worker of a parallel step counts in a fork of its own.
TEST_CASE_METHOD(Fixture, "many forks are joined one after the other while the origin is written") {
  constexpr int kForks = 6;
  constexpr int kEach = 500;
  REQUIRE(cart->put("sum", 0));
  for (int i = 0; i < 2'000; ++i) REQUIRE(cart->put("filler" + std::to_string(i), i));
  std::vector<Block> forks;
  for (int i = 0; i < kForks; ++i) forks.push_back(fork("part" + std::to_string(i)));
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> own{0};
  std::jthread writer([&] {
    while (!stop) {
      if (!cart->increment("sum")) std::abort();
      ++own;
    }
  });
  for (int i = 0; i < kForks; ++i) {
    for (int n = 0; n < kEach; ++n) REQUIRE(forks[static_cast<std::size_t>(i)].increment("sum"));
    REQUIRE(forks[static_cast<std::size_t>(i)].put("of" + std::to_string(i), i));
    const std::int64_t before = own;
    while (own == before) std::this_thread::yield();
    REQUIRE(session.join(forks[static_cast<std::size_t>(i)], with({{"sum", "add"}})));
    CHECK(value<std::int64_t>("of" + std::to_string(i)) == i);
  }
  stop = true;
  writer.join();
  CHECK(value<std::int64_t>("sum") == own + kForks * kEach);
  CHECK(cart->size().value() == 2'001 + kForks);
  CHECK(cart->checkpoints().value().empty());
}

TEST_CASE_METHOD(Fixture, "a fork of a fork is joined to that first") {
  REQUIRE(cart->put("n", 1));
  Block outer = fork("outer");
  Block inner = session.fork(outer, "inner").value();
  REQUIRE(inner.put("n", 3));
  CHECK(code(session.join(outer)) == Errc::too_many);
  REQUIRE(session.join(inner));
  CHECK(outer.get<std::int64_t>("n")->value == 3);
  CHECK(value<std::int64_t>("n") == 1);
  REQUIRE(session.join(outer));
  CHECK(value<std::int64_t>("n") == 3);
}

TEST_CASE_METHOD(Fixture, "a join says why it cannot be") {
  CHECK(code(session.join(*cart)) == Errc::invalid_argument);  // no fork
  REQUIRE(cart->take_checkpoint("early"));
  Block trial = fork();
  const std::string base = cart->checkpoints().value().back().name;
  CHECK(code(cart->release_checkpoint(base)) == Errc::invalid_argument);
  CHECK(code(trial.release_checkpoint("base")) == Errc::invalid_argument);
  const Block reading = session.open("trial", AccessMode::read).value();
  CHECK(code(session.join(reading)) == Errc::read_only);
  REQUIRE(trial.put("k", 1));
  REQUIRE(cart->roll_back("early"));
  CHECK(code(session.join(trial)) == Errc::no_such_checkpoint);
  CHECK(trial.put("k", 2));
  REQUIRE(session.destroy("trial"));
  Block sealed = fork("sealed");
  REQUIRE(session.seal("sealed"));
  const auto refused = session.join(sealed);
  CHECK(code(refused) == Errc::invalid_argument);
  CHECK(refused.error().message().find("sealed") != std::string::npos);
}
