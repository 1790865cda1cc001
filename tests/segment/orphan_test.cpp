// What recovery takes from the dead while the living give it back themselves.
#include "core/crash_point.hpp"
#include "fixture.hpp"
#include "segment/fsck.hpp"
#include "segment/waiters.hpp"

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

constexpr std::array<std::size_t, 4> kSizes = {300, 700, 1'500, 3'000};

// At the second page of the dead worker that recovery looks at: a part of its run, not yet decided.
struct Meanwhile {
  Thread* living = nullptr;
  int passed = 0;
};
Meanwhile meanwhile;

void use_the_pages_again(const char* label) {
  if (std::string_view(label) != "orphan.page" || ++meanwhile.passed != 2) return;
  Thread& living = *meanwhile.living;
  (void)living.put("run", "short");         // displaces the run, and gives its pages back
  for (const std::size_t bytes : kSizes) {  // each in a page of its own
    (void)living.put("new" + std::to_string(bytes), std::string(bytes, 'n'));
  }
}

}  // namespace

#if defined(SESSIONBLOCKS_CRASH_POINTS)
TEST_CASE("recovery takes no page that the living gave back and took again while it looked") {
  System system;
  Worker dead(system, 1);
  Worker alive(system, 2);
  Thread living(alive, 0);
  REQUIRE(living.put("small", "value").code == Errc{});  // its page comes first
  {
    Thread gone(dead, 0);
    REQUIRE(gone.put("run", std::string(100'000, 'r')).code == Errc{});
  }
  meanwhile = {&living, 0};
  crash_hook() = use_the_pages_again;
  (void)dead.recover();
  crash_hook() = nullptr;
  REQUIRE(meanwhile.passed >= 2);
  for (int i = 0; i < 40; ++i) {
    REQUIRE(living.put("key" + std::to_string(i), std::string(9'000, 'k')).code == Errc{});
  }
  for (const std::size_t bytes : kSizes) {
    CHECK(get(system.memory, "new" + std::to_string(bytes))->value == std::string(bytes, 'n'));
  }
  for (const Finding& finding : fsck(system.memory)) {
    FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
  }
}

TEST_CASE("recovery wakes who waits for a change that the dead one committed") {
  struct Death {};
  System system;
  Worker dead(system, 1);
  {
    Thread thread(dead, 0);
    REQUIRE(thread.put("token", "old").code == Errc{});
    crash_hook() = [](const char* label) {
      if (std::string_view(label) == "write.committed") throw Death{};
    };
    CHECK_THROWS_AS(thread.put("token", "new"), Death);
    crash_hook() = nullptr;
  }
  SlotView view;
  REQUIRE(lookup(system.memory, key_of("token"), nullptr, view, [](const SlotView&) {}) ==
          Found::hit);
  auto& flag = waiter_flag(system.readers_segment(), view.index);
  flag.store(1);  // asleep since before the commit
  const RecoveryReport report = dead.recover();
  CHECK(report.committed == 1);
  CHECK(flag.load() == 0);
  CHECK(get(system.memory, "token")->value == "new");
}
#endif
