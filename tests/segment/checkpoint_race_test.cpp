// What a checkpoint does between two steps of a writer, at the one place where it matters; the
// crash tests go through all of them.
#include "core/crash_point.hpp"
#include "fixture.hpp"
#include "segment/fsck.hpp"
#include "segment/maintenance.hpp"

#include <functional>
#include <utility>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

#if defined(SESSIONBLOCKS_CRASH_POINTS)
namespace {

// Done once, when the writer comes to the point.
struct Meanwhile {
  std::string_view point;
  std::function<void()> act;
};
Meanwhile meanwhile;

void act_once(const char* label) {
  if (!meanwhile.act || meanwhile.point != label) return;
  std::exchange(meanwhile.act, nullptr)();
}

struct Race {
  System system;
  Worker worker{system, 1};
  Thread thread{worker, 0};
  Worker own{system, 99};
  Maintenance director{{&system.memory, &system.readers_segment(), &own.memory.lane(0), kOpen,
                        owner_of(own.worker_id, 0)}};
  std::vector<IntentSource> sources{{&worker.memory, kOpen}};

  std::uint64_t take() { return director.checkpoints().take(sources).value(); }
  void release(std::uint64_t instant) {
    if (!director.checkpoints().release(instant, sources)) std::abort();
  }
  // An append, which goes all the steps. `act` happens at the point.
  void append_meanwhile(std::string_view point, std::function<void()> act) {
    meanwhile = {point, std::move(act)};
    crash_hook() = act_once;
    CHECK(thread.put("key", "+", Op::append).code == Errc{});
    crash_hook() = nullptr;
    REQUIRE(meanwhile.act == nullptr);
  }
  [[nodiscard]] std::string value_at(std::uint64_t instant) const {
    std::string value;
    const Found found =
        lookup_at(system.memory, key_of("key"), instant, nullptr, [&](const Version& version) {
          value.resize(version.shape.value_bytes);
          copy_out(reinterpret_cast<std::byte*>(value.data()),
                   reinterpret_cast<const std::byte*>(version.node) + version.shape.value_at(),
                   value.size());
        });
    return found == Found::hit ? value : found == Found::absent ? "(absent)" : "(corrupt)";
  }
  void check_sound() const {
    for (const Finding& finding : fsck(system.memory)) {
      FAIL_CHECK(name(finding.invariant) << ": " << finding.text);
    }
  }
};

}  // namespace

TEST_CASE_METHOD(Race, "a checkpoint that is taken before the commit does not show it") {
  REQUIRE(thread.put("key", "old").code == Errc{});
  const auto* const point = GENERATE("write.in_use", "write.before_commit");
  CAPTURE(point);
  std::uint64_t instant = 0;
  append_meanwhile(point, [&] { instant = take(); });
  CHECK(get(system.memory, "key")->value == "old+");
  CHECK(value_at(instant) == "old");
  check_sound();
}

TEST_CASE_METHOD(Race, "a version that is taken out of its chain before the commit stays out") {
  REQUIRE(thread.put("key", "v0").code == Errc{});
  const std::uint64_t first = take();
  REQUIRE(thread.put("key", "v1").code == Errc{});
  const std::uint64_t second = take();
  REQUIRE(thread.put("key", "v2").code == Errc{});
  release(second);
  append_meanwhile("write.before_commit", [&] {
    while (director.checkpoints().trim()) director.run(sources);
  });
  // What was taken out is memory again.
  for (int i = 0; i < 300; ++i)
    REQUIRE(thread.put("other" + std::to_string(i), "vv").code == Errc{});
  CHECK(get(system.memory, "key")->value == "v2+");
  CHECK(value_at(first) == "v0");
  check_sound();
}
#endif

TEST_CASE("a link to an older version counts with that version's gen only") {
  System system;
  Worker worker(system, 1);
  Thread thread(worker, 0);
  Worker own(system, 99);
  Maintenance director({&system.memory, &system.readers_segment(), &own.memory.lane(0), kOpen,
                        owner_of(own.worker_id, 0)});
  const std::vector<IntentSource> sources{{&worker.memory, kOpen}};
  REQUIRE(thread.put("key", "old").code == Errc{});
  REQUIRE(director.checkpoints().take(sources));
  REQUIRE(thread.put("key", "new").code == Errc{});
  ChainLink link;
  SlotView view;
  REQUIRE(lookup(system.memory, key_of("key"), nullptr, view, [&](const SlotView& hit) {
            link = load_link(system.memory, hit.ref.offset());
          }) == Found::hit);
  Version version;
  REQUIRE(follow(system.memory, link, version) == Chain::version);
  // The same memory, another node's.
  link.gen = layout::make_gen(layout::incarnation_of(link.gen) + 1, layout::NodeState::in_use);
  CHECK(follow(system.memory, link, version) == Chain::broken);
}
