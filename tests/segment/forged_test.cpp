// Intents that no writer leaves: recovery does nothing for them and counts them.
#include "fixture.hpp"
#include "segment/fsck.hpp"

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

constexpr auto kRelaxed = std::memory_order_relaxed;

struct Forger {
  System system;
  Worker honest{system, 1};
  Worker forger{system, 2};
  Thread writer{honest, 0};
  layout::Intent& intent = forger.memory.lane(0).intent;
  layout::SideIntent& side = forger.memory.lane(0).side;

  [[nodiscard]] std::uint64_t node_of(std::string_view key) {
    SlotView view;
    std::uint64_t node = 0;
    (void)lookup(system.memory, key_of(key), nullptr, view,
                 [&](const SlotView& hit) { node = hit.ref.offset(); });
    REQUIRE(node != 0);
    return node;
  }
  [[nodiscard]] layout::Gen gen_at(std::uint64_t node) const {
    return system.memory.node(node)->gen.load();
  }
  // A put in flight whose new node is gone, that took `old` off its slot.
  void forge(std::uint64_t old, std::uint64_t key_id, std::uint64_t version) const {
    intent.what.store(static_cast<std::uint64_t>(Op::put) | (std::uint64_t{kOpen} << 16U));
    intent.table.store(system.memory.header().table.load());
    intent.slot.store(0);
    intent.fresh.store(system.memory.geometry().page_at(3));
    intent.fresh_gen.store(
        layout::make_gen(layout::make_incarnation(900, 1), layout::NodeState::in_use));
    intent.old.store(old);
    intent.old_gen.store(old == 0 ? 0 : gen_at(old));
    intent.key_id.store(key_id);
    intent.version.store(version);
    intent.op.store(intent.done.load() + 1);
  }
  // What the block's owner would have left between its commit and the freeing of the old node.
  std::uint64_t put_and_keep_old(std::string_view key) {
    REQUIRE(writer.put(key, "old").code == Errc{});
    const std::uint64_t old = node_of(key);
    const layout::Gen gen = gen_at(old);
    REQUIRE(writer.put(key, "new").code == Errc{});
    system.memory.node(old)->gen.store(gen);
    return old;
  }
};

}  // namespace

TEST_CASE_METHOD(Forger, "an intent that names an entry's node as displaced is forged") {
  REQUIRE(writer.put("token", "secret").code == Errc{});
  const std::uint64_t node = node_of("token");
  const auto* bytes = system.memory.node(node);
  forge(node, bytes->key_id.load(), bytes->version.load() + 1);
  const RecoveryReport report = forger.recover();
  CHECK(report.forged == 1);
  CHECK(report.committed == 0);
  CHECK(get(system.memory, "token")->value == "secret");
  CHECK(intent.done.load() == intent.op.load());
  CHECK(forger.recover().forged == 0);
}

TEST_CASE_METHOD(Forger,
                 "with the new node gone the old one must have the intent's key and version") {
  const std::uint64_t old = put_and_keep_old("token");
  const std::uint64_t key_id = system.memory.node(old)->key_id.load();
  const std::uint64_t version = system.memory.node(old)->version.load();
  forge(old, key_id + 1, version + 1);
  CHECK(forger.recover().forged == 1);
  CHECK(layout::state_of(gen_at(old)) == layout::NodeState::in_use);
  forge(old, key_id, version + 2);
  CHECK(forger.recover().forged == 1);
  CHECK(layout::state_of(gen_at(old)) == layout::NodeState::in_use);
  forge(old, key_id, version + 1);  // as the true one said
  const RecoveryReport report = forger.recover();
  CHECK(report.forged == 0);
  CHECK(report.committed == 1);
  CHECK(layout::state_of(gen_at(old)) == layout::NodeState::freed);
}

TEST_CASE_METHOD(Forger, "a node whose key has no later version was displaced by nobody") {
  // Built by a living thread, in no slot yet: an intent that calls it displaced lies.
  const std::uint64_t old = put_and_keep_old("token");
  auto* node = system.memory.node(old);
  node->version.store(1'000);
  forge(old, node->key_id.load(), 1'001);
  CHECK(forger.recover().forged == 1);
  CHECK(layout::state_of(gen_at(old)) == layout::NodeState::in_use);
}

TEST_CASE_METHOD(Forger, "an intent that names no place of a node, no gen or no write is forged") {
  REQUIRE(writer.put("token", "secret").code == Errc{});
  const std::uint64_t node = node_of("token");
  const auto damage = GENERATE(0, 1, 2, 3, 4, 5);
  forge(node, 1, 1);
  intent.old.store(0);
  if (damage == 0) intent.fresh.store(4);
  if (damage == 1) intent.fresh.store(system.block.size() - 8);
  if (damage == 2) intent.fresh.store(~std::uint64_t{7});
  if (damage == 3) {
    intent.fresh_gen.store(
        layout::make_gen(layout::make_incarnation(900, 1), layout::NodeState::freed));
  }
  if (damage == 4) intent.fresh_gen.store(2);
  if (damage == 5)
    intent.what.store(static_cast<std::uint64_t>(Op::get) | (std::uint64_t{kOpen} << 16U));
  CAPTURE(damage);
  CHECK(forger.recover().forged == 1);
  CHECK(get(system.memory, "token")->value == "secret");
}

TEST_CASE_METHOD(Forger, "a user's bytes that look like a gen are no gen, where no chunk begins") {
  // The value holds, at a place where nodes of other classes may begin, what the intent names.
  const layout::Gen gen =
      layout::make_gen(layout::make_incarnation(900, 1), layout::NodeState::in_use);
  std::string value(200, 'v');
  for (std::size_t at = 0; at + sizeof gen <= value.size(); at += sizeof gen) {
    std::memcpy(value.data() + at, &gen, sizeof gen);
  }
  REQUIRE(writer.put("token", value).code == Errc{});
  const std::uint64_t node = node_of("token");
  for (std::uint64_t at = node + 80; at + 16 < node + 64 + value.size(); at += 16) {
    CAPTURE(at - node);
    CHECK(system.memory.node(at)->gen.load() == gen);
    CHECK_FALSE(system.memory.authentic_gen(at));
    forge(0, 1, 1);
    intent.fresh.store(at);
    (void)forger.recover();
    REQUIRE(get(system.memory, "token")->value == value);
  }
  CHECK(system.memory.authentic_gen(node) == gen_at(node));
}

TEST_CASE_METHOD(Forger, "a side intent that calls a page of chunks a run is forged") {
  REQUIRE(writer.put("token", "secret").code == Errc{});
  const std::uint64_t node = node_of("token");
  // A collected chunk in the page of living nodes.
  const std::uint64_t chunk = put_and_keep_old("other");
  const layout::Gen mine =
      layout::make_gen(layout::make_incarnation(900, 2), layout::NodeState::collected);
  system.memory.node(chunk)->gen.store(mine);
  side.open.store(kOpen);
  side.old.store(chunk);
  side.mine.store(mine);
  side.kind.store(static_cast<std::uint64_t>(layout::SideKind::return_run));
  CHECK(forger.recover().forged == 1);
  const auto entry = layout::PageEntry::unpack(
      system.memory.descriptor(system.memory.page_of(node)).entry.load(kRelaxed));
  CHECK(entry.kind == layout::PageKind::chunks);
  CHECK(get(system.memory, "token")->value == "secret");
}

TEST_CASE_METHOD(Forger, "a side intent of no kind is forged") {
  side.open.store(kOpen);
  side.kind.store(77);
  CHECK(forger.recover().forged == 1);
}
