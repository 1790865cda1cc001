// FlowGuard in a director: what it sees of real workers, and what it does about them.
#include <sys/stat.h>
#include <unistd.h>

#include "flowguard/observer.hpp"
#include "guarded_system.hpp"
#include "layout/control.hpp"

using namespace sessionblocks;
using namespace sessionblocks::flowguard::testing;
using director::EventKind;
using director::GuardAction;
using director::GuardSpec;

namespace {

constexpr std::uint64_t kSecond = 1'000;
constexpr std::uint64_t kMinute = 60 * kSecond;

Block create(Session& session, const std::string& name, std::uint64_t quota = 4 << 20) {
  BlockOptions options;
  options.name = name;
  options.quota_bytes = quota;
  auto block = session.create(options);
  REQUIRE(block);
  return std::move(*block);
}

GuardSpec rule(std::string name, std::string when, GuardAction action) {
  GuardSpec spec;
  spec.name = std::move(name);
  spec.when = std::move(when);
  spec.action = action;
  return spec;
}

// Values that nobody reads again, a little at a time.
struct Leak {
  explicit Leak(Block into) : block(std::move(into)) {}
  void operator()() {
    for (int i = 0; i < 20; ++i) {
      static_cast<void>(block.put("job:" + std::to_string(next++), std::string(500, 'x')));
    }
  }
  Block block;
  int next = 0;
};

}  // namespace

TEST_CASE("a leak is denied growth, then its scope ends and the memory comes back") {
  GuardedSystem system;
  Session session = system.attach("leaky");
  Leak leak(create(session, "jobs"));
  system.run(10 * kMinute, 5 * kSecond, std::ref(leak));
  REQUIRE(system.found("leak"));
  for (const Message& row : system.findings()) {
    if (row["rule"] != "leak") continue;
    CHECK(row["scope"] == "embedded/leaky");
    CHECK(row["worker"].get<std::string>().starts_with("worker "));
    CHECK(row["evidence"].get<std::string>().find("block.leaking ") == 0);
    CHECK(row["done"] == "it gets no more memory");
  }
  const auto put = leak.block.put("one more", std::string(100'000, 'x'));
  static_cast<void>(put);
  // Not more than what was reserved when it was found.
  std::uint64_t reserved = 0;
  system.director().call([&](director::Registry& registry) {
    for (const auto& [id, block] : registry.blocks.all()) reserved = block.reserved_bytes();
  });
  system.run(2 * kMinute, 5 * kSecond, std::ref(leak));
  system.director().call([&](director::Registry& registry) {
    static_cast<void>(registry.housekeep());
    for (const auto& [id, block] : registry.blocks.all()) CHECK(block.reserved_bytes() == reserved);
  });
  const auto listed = system.leaks();
  REQUIRE(listed.size() == 1);
  CHECK(listed[0]["scope"] == "embedded/leaky");
  CHECK(listed[0]["kinds"].get<std::string>().find("growing") == 0);
}

TEST_CASE("who goes on leaking after it was denied growth has its scope ended") {
  GuardedSystem system;
  Session session = system.attach("leaky");
  Leak leak(create(session, "jobs"));
  system.run(20 * kMinute, 5 * kSecond, std::ref(leak));
  // The worker is this very process, which nobody can kill: that is said, and not done.
  REQUIRE(system.found("leak-goes-on"));
  for (const Message& row : system.findings()) {
    if (row["rule"] != "leak-goes-on") continue;
    CHECK(row["done"].get<std::string>().find("director's own process") != std::string::npos);
  }
}

TEST_CASE("a leaking block of the suite ends by itself, and its memory comes back") {
  GuardedSystem system({rule("leak", "block.leaking > 1m", GuardAction::end_scope)});
  system.director().call([&](director::Registry& registry) {
    director::BlockRequest request;
    request.policy.name = "jobs";
    request.policy.kind = sessionblocks::BlockKind::shared;
    request.policy.owner = registry.scopes.root().id;
    request.policy.grants = {{"*", sessionblocks::Rights::read_write}};
    REQUIRE(registry.create_block(request));
  });
  Session session = system.attach("leaky");
  auto block = session.open("jobs");
  REQUIRE(block);
  Leak leak(std::move(*block));
  system.run(2 * kMinute, 5 * kSecond, std::ref(leak));
  REQUIRE(system.found("leak"));
  CHECK(system.findings()[0]["done"] == "it was destroyed: it belonged to the suite");
  CHECK(leak.block.put("more", 1).error() == Errc::gone);
  system.director().call(
      [](director::Registry& registry) { CHECK(registry.blocks.all().empty()); });
}

TEST_CASE("a store whose entries are read, erased or rewritten does not leak") {
  GuardedSystem system;
  Session session = system.attach("shop");
  Block block = create(session, "carts", 2 << 20);
  int turn = 0;
  system.run(20 * kMinute, 5 * kSecond, [&] {
    for (int i = 0; i < 40; ++i, ++turn) {
      REQUIRE(block.put("cart:" + std::to_string(turn), std::string(500, 'x')));
      if (turn >= 1'000) static_cast<void>(block.erase("cart:" + std::to_string(turn - 1'000)));
    }
  });
  CHECK_FALSE(system.found("leak"));
  CHECK_FALSE(system.found("leak-goes-on"));
}

TEST_CASE("a fork bomb of blocks is stopped long before the machine suffers") {
  GuardedSystem system;
  Session session = system.attach("bomb");
  Session other = system.attach("bystander");
  int made = 0;
  Errc refused{};
  for (int i = 0; i < 5'000 && refused == Errc{}; ++i) {
    BlockOptions options;
    options.name = "b" + std::to_string(i);
    options.quota_bytes = 1 << 20;
    const auto block = session.create(options);
    if (block) {
      ++made;
    } else {
      refused = block.error().code();
      CHECK(block.error().message().find("FlowGuard, rule many-pieces") != std::string::npos);
    }
    if (i % 16 == 0) system.wait(10);  // what is made fast is looked at without a turn
  }
  CHECK(refused == Errc::denied);
  CHECK(made < 512);
  CHECK(system.found("many-pieces"));
  CHECK(other.create({.name = "mine"}));
  // What it has it may give back, and it may go on when it was calm.
  CHECK(session.open("b0").error().code() == Errc::denied);
  system.run(20 * kSecond, kSecond, [] {});
  CHECK(session.open("b0"));
}

TEST_CASE("who asks for one name again and again waits; who asks for many looks for a way in") {
  GuardedSystem system;
  Session patient = system.attach("patient");
  Session prober = system.attach("prober");
  int next = 0;
  system.run(kMinute, kSecond, [&] {
    for (int i = 0; i < 5; ++i) {
      CHECK_FALSE(patient.open("later"));
      CHECK_FALSE(prober.open("guess" + std::to_string(next++)));
    }
  });
  REQUIRE(system.found("probing"));
  for (const Message& row : system.findings()) {
    CHECK(row["scope"] == "embedded/prober");
  }
}

TEST_CASE("writes to a sealed block are refused, counted and found") {
  GuardedSystem system;
  Session session = system.attach("writer");
  Block block = create(session, "ledger");
  REQUIRE(block.put("a", 1));
  system.director().call([](director::Registry& registry) {
    for (auto& [id, one] : registry.blocks.all()) {
      REQUIRE(registry.states.change(one, director::Transition::seal, "test"));
    }
  });
  system.run(30 * kSecond, kSecond, [&] {
    for (int i = 0; i < 5; ++i) CHECK(block.put("a", 2).error() == Errc::sealed);
  });
  CHECK(system.found("refused-writes"));
  CHECK(system.found("denied"));
}

TEST_CASE("a segment whose mode was changed is put right, and its block quarantined") {
  GuardedSystem system;
  Session session = system.attach("opener");
  Block block = create(session, "secrets");
  REQUIRE(block.put("a", 1));
  // As a holder of its descriptor can, through /proc.
  bool changed = false;
  system.director().call([&](director::Registry& registry) {
    for (auto& [id, one] : registry.blocks.all()) {
      const auto held = one.segment->descriptor(platform::Access::read_write, registry.opener);
      REQUIRE(held);
      changed = ::fchmod(held->get(), 0666) == 0;
      registry.housekeep();
      one.activity = 0;
      registry.housekeep();
    }
  });
  REQUIRE(changed);
  system.step(kSecond);
  CHECK(system.found("changed-mode"));
  CHECK(block.get<std::int64_t>("a").error() == Errc::quarantined);
}

TEST_CASE("one rule of a suite: a program is told") {
  auto spec = rule("busy", "worker.writes_per_s > 10", GuardAction::log);
  const std::string told = "/tmp/sessionblocks-told-" + std::to_string(::getpid());
  ::unlink(told.c_str());
  spec.notify = {"/bin/sh", "-c", "printf %s \"$SESSIONBLOCKS_FINDING\" > " + told};
  GuardedSystem system({spec});
  Session session = system.attach("writer");
  Block block = create(session, "b");
  system.run(10 * kSecond, kSecond, [&] {
    for (int i = 0; i < 100; ++i) REQUIRE(block.put("k", i));
  });
  REQUIRE(system.found("busy"));
  // The watchdog bounds this.
  struct stat status {};
  while (::stat(told.c_str(), &status) != 0 || status.st_size == 0) ::usleep(1'000);
  std::string text(static_cast<std::size_t>(status.st_size), '\0');
  std::FILE* file = std::fopen(told.c_str(), "r");
  REQUIRE(std::fread(text.data(), 1, text.size(), file) == text.size());
  std::fclose(file);
  ::unlink(told.c_str());
  const Message row = Message::parse(text);
  CHECK(row["rule"] == "busy");
  CHECK(row["what"].get<std::string>().starts_with("worker "));
  REQUIRE(system.heard->of(EventKind::found).size() == 1);
}

TEST_CASE("an operation that does not end and a hazard that stays are found with their worker") {
  GuardedSystem system({rule("stuck", "worker.operation > 10s", GuardAction::log)});
  Session session = system.attach("slow");
  Block block = create(session, "b");
  REQUIRE(block.put("k", 1));
  // A visit holds its hazard while the callback looks.
  const auto visited =
      block.visit("k", [&](const ValueView&) { system.run(2 * kMinute, 5 * kSecond, [] {}); });
  REQUIRE(visited);
  CHECK(system.found("stuck-read"));
  CHECK(system.found("reader-holds"));
  CHECK_FALSE(system.found("stuck"));
}

TEST_CASE("a sensitive value that turns up where more may read is quarantined there") {
  GuardedSystem system;
  Session session = system.attach("shop");
  const Session other = system.attach("other");
  BlockOptions options;
  options.name = "tokens";
  options.quota_bytes = 1 << 20;
  options.sensitive = {"token:*"};
  auto secret = session.create(options);
  REQUIRE(secret);
  system.director().call([&](director::Registry& registry) {
    director::BlockRequest request;
    request.policy.name = "board";
    request.policy.kind = sessionblocks::BlockKind::shared;
    request.policy.owner = registry.scopes.root().id;
    request.policy.grants = {{"*", sessionblocks::Rights::read_write}};
    REQUIRE(registry.create_block(request));
  });
  auto board = session.open("board");
  REQUIRE(board);
  const std::string value = "kT7#pQ2m!xW9$vL4&zR8";
  REQUIRE(secret->put("token:alice", value));
  REQUIRE(secret->put("plain", "not sensitive at all, this one"));
  REQUIRE(board->put("note", "not sensitive at all, this one"));
  system.run(2 * kSecond, 250, [] {});
  CHECK_FALSE(system.found("exposed"));
  REQUIRE(board->put("note", "see " + value + " there"));
  // A second of the guard's, at four looks each.
  system.run(kSecond, 250, [] {});
  REQUIRE(system.found("exposed"));
  const Message row = system.findings()[0];
  CHECK(row["what"].get<std::string>().find("board") != std::string::npos);
  CHECK(row["evidence"].get<std::string>().find("tokens") != std::string::npos);
  CHECK(row["done"] == "it was quarantined");
  CHECK(system.findings().dump().find(value) == std::string::npos);
  CHECK(system.findings().dump().find("alice") == std::string::npos);
  CHECK(board->get<std::string>("note").error() == Errc::quarantined);
}

TEST_CASE("what was done before the first look is the past, and no burst") {
  GuardedSystem system;
  Session session = system.attach("old");
  Block block = create(session, "ledger", 1 << 20);
  for (int i = 0; i < 20; ++i) create(session, "b" + std::to_string(i), 1 << 20);
  system.director().call([](director::Registry& registry) {
    for (auto& [id, one] : registry.blocks.all()) {
      REQUIRE(registry.states.change(one, director::Transition::seal, "test"));
    }
  });
  for (int i = 0; i < 500; ++i) CHECK(block.put("a", 2).error() == Errc::sealed);
  // As a director that takes over has it.
  system.director().call([](director::Registry& registry) {
    flowguard::Activity activity;
    flowguard::Observer observer(activity);
    static_cast<void>(observer.look(registry, 1'000));
    for (const flowguard::Observed& one : observer.look(registry, 1'250)) {
      CAPTURE(one.text);
      CHECK(one.measures[flowguard::Metric::refused_per_min] == 0);
      CHECK(one.measures[flowguard::Metric::worker_refused_per_min] == 0);
      CHECK(one.measures[flowguard::Metric::scope_refused_per_min] == 0);
      CHECK(one.measures[flowguard::Metric::scope_pieces_per_s] == 0);
    }
  });
}
