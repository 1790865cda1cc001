// What FlowGuard makes of blocks that evict, of checkpoints, and of workers that have ended.
#include <unistd.h>

#include "guarded_system.hpp"

using namespace sessionblocks;
using namespace sessionblocks::flowguard::testing;

namespace {

constexpr std::uint64_t kSecond = 1'000;
constexpr std::uint64_t kMinute = 60 * kSecond;

Block create(Session& session, const std::string& name, const std::string& at_limit) {
  BlockOptions options;
  options.name = name;
  options.quota_bytes = std::uint64_t{2} << 20U;
  options.at_limit = at_limit;
  auto block = session.create(options);
  REQUIRE(block);
  return std::move(*block);
}

}  // namespace

TEST_CASE("a store that evicts what has expired may be full of it; one that refuses leaks") {
  for (const std::string at_limit : {"evict-expired", "evict-lru", "refuse"}) {
    CAPTURE(at_limit);
    GuardedSystem system;
    Session session = system.attach("shop");
    Block store = create(session, "sessions", at_limit);
    int next = 0;
    system.run(15 * kMinute, 5 * kSecond, [&] {
      for (int i = 0; i < 20; ++i) {
        static_cast<void>(store.put("session:" + std::to_string(next++), std::string(500, 'x'),
                                    Expiry::after(std::chrono::milliseconds(1))));
      }
    });
    CHECK(system.found("leak") == (at_limit == "refuse"));
  }
}

TEST_CASE("a store that is used less and less does not leak") {
  GuardedSystem system;
  Session session = system.attach("shop");
  Block store = create(session, "catalogue", "refuse");
  const auto article = [](int i) { return "article:" + std::to_string(i); };
  constexpr int kArticles = 1'500;
  for (int i = 0; i < kArticles; ++i) REQUIRE(store.put(article(i), std::string(500, 'x')));
  int used = kArticles;
  system.run(20 * kMinute, 10 * kSecond, [&] {
    for (int i = 0; i < used; ++i) REQUIRE(store.contains(article(i)));
    used -= used / 50;
  });
  CHECK_FALSE(system.found("leak"));
}

TEST_CASE("a checkpoint ages by the guard's clock, and the next one anew") {
  GuardedSystem system;
  Session session = system.attach("reporter");
  Block block = create(session, "numbers", "refuse");
  for (const char* const name : {"first", "second"}) {
    REQUIRE(block.take_checkpoint(name));
    system.run(50 * kMinute, kMinute, [&] { static_cast<void>(block.increment("n")); });
    CHECK_FALSE(system.found("old-checkpoint"));
    REQUIRE(block.release_checkpoint(name));
  }
  REQUIRE(block.take_checkpoint("third"));
  system.run(62 * kMinute, kMinute, [&] { static_cast<void>(block.increment("n")); });
  CHECK(system.found("old-checkpoint"));
}

TEST_CASE("a forged intent is found although its worker has ended") {
  GuardedSystem system;
  {
    Session session = system.attach("forger");
    system.step(kSecond);
    // As recovery does when it looks at what a dead worker has left.
    system.director().call([&](director::Registry& registry) {
      registry.options.guard->intent_forged(static_cast<WorkerId>(session.worker_id()));
    });
  }
  bool is_there = true;
  while (is_there) {  // the watchdog bounds this
    system.director().call([&](director::Registry& registry) {
      is_there = registry.workers.in_scope(registry.scopes.find("embedded/forger")->id).size() > 0;
    });
  }
  system.step(kSecond);
  REQUIRE(system.found("forged"));
  const Message row = system.findings()[0];
  CHECK(row["what"].get<std::string>().find("(embedded/forger, pid ") != std::string::npos);
  // Once, and not for everybody who forges later.
  system.step(kSecond);
  CHECK(system.findings().size() == 1);
}

TEST_CASE("a program that never leaves its flow scopes is found however slowly it goes on") {
  GuardedSystem system;
  Session session = system.attach("nested");
  std::vector<FlowScope> flows;
  system.run(4 * kMinute, kSecond, [&, turn = 0]() mutable {
    if (turn++ % 15 != 0 || flows.size() == 15) return;
    auto flow = flows.empty() ? session.enter_scope("step") : flows.back().enter_scope("step");
    REQUIRE(flow);
    flows.push_back(std::move(*flow));
  });
  CHECK(flows.size() == 15);
  CHECK(system.found("deep"));
  while (!flows.empty()) flows.pop_back();
}
