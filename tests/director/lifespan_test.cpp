// What becomes of a block when its scope, its lifespan or its idle time is over.
#include "director/request_ending.hpp"
#include "platform/mapping.hpp"
#include "reference_shop.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director::test {
namespace {

using Ends = sessionblocks::AtEnd;
using State = sessionblocks::BlockState;

class Lives {
 public:
  Lives() { shop.emplace(around); }

  // Of mail, for checkout, unless it is changed.
  [[nodiscard]] BlockRequest heirloom(const std::string& name = "heirloom") const {
    BlockRequest request;
    request.policy.name = name;
    request.policy.owner = shop->scope("shop/mail");
    request.quota_bytes = std::uint64_t{1} << 20U;
    request.ending.at_end = Ends::heir;
    request.ending.heir = shop->scope("shop/checkout");
    request.ending.heir_path = "shop/checkout";
    return request;
  }
  StoredBlock& make(const BlockRequest& request) {
    return *registry().blocks.find(registry().create_block(request).value());
  }
  [[nodiscard]] StoredBlock* find(BlockId id) { return registry().blocks.find(id); }
  void end(std::string_view path) { registry().end_scope(shop->scope(path), "the test"); }
  [[nodiscard]] Registry& registry() { return *shop->registry; }
  [[nodiscard]] const layout::BlockRow& row(const StoredBlock& block) {
    return registry().control.block(block.row);
  }
  void check_handed_over(BlockId id, std::string_view heir) {
    StoredBlock* const block = find(id);
    REQUIRE(block != nullptr);
    CHECK(block->state == State::active);
    CHECK(block->generation == Generation{1});
    CHECK(block->policy.owner == shop->scope(heir));
    CHECK(block->ends_at_ms == 0);
    CHECK(block->ending.idle_ms == 0);
    CHECK(row(*block).owner_scope == raw(shop->scope(heir)));
    CHECK(row(*block).ends_at_ms == 0);
    CHECK(row(*block).idle_ms == 0);
    CHECK(row(*block).goal == 0);
    CHECK(shop->heard->mention("handed-over block"));
  }
  void check_lost(BlockId id, const std::string& why) {
    CHECK(find(id) == nullptr);
    CHECK_FALSE(shop->heard->mention("handed-over"));
    CHECK(shop->heard->mention("failed block"));
    CHECK(shop->heard->mention(why));
  }
  // The director dies, the next one adopts.
  void replace_director() {
    shop.reset();
    shop.emplace(around);
  }

  Surroundings around;
  std::optional<Shop> shop;
};

}  // namespace

TEST_CASE_METHOD(Lives, "a block whose scope ends is its heir's, and ends with the heir") {
  const BlockId id = make(heirloom()).id;
  Worker& heir = shop->worker("shop/checkout");
  CHECK(code(registry().open(heir, heir.scope, "heirloom", OpenMode::best)) == Errc::denied);
  end("shop/mail");
  check_handed_over(id, "shop/checkout");
  const auto opened = registry().open(heir, heir.scope, "heirloom", OpenMode::best);
  REQUIRE(opened);
  CHECK(opened->block == id);
  CHECK(opened->rights == Granted::read_write);
  registry().end_worker(heir.id, "the test");
  end("shop/checkout");
  CHECK(find(id) == nullptr);
  CHECK_FALSE(shop->heard->mention("failed block"));
}

TEST_CASE_METHOD(Lives, "a lifespan that has passed hands over, and the scope's own lose it") {
  BlockRequest request = heirloom();
  request.lifespan_ms = 1;
  StoredBlock& block = make(request);
  const unsigned open = shop->open(shop->worker("shop/mail"), "heirloom");
  std::vector<unsigned> unmapped;
  registry().on_unmap = [&](const Worker& /*worker*/, unsigned which) {
    unmapped.push_back(which);
  };
  while (block.ends_at_ms != 0 && block.ends_at_ms > now_ms()) std::this_thread::yield();
  registry().housekeep();
  check_handed_over(block.id, "shop/checkout");
  CHECK(unmapped == std::vector<unsigned>{open});
  Worker& mail = shop->worker("shop/mail");
  CHECK(code(registry().open(mail, mail.scope, "heirloom", OpenMode::best)) == Errc::denied);
  registry().housekeep();
  CHECK(find(block.id) != nullptr);
}

TEST_CASE_METHOD(Lives, "who still has a grant is not asked to stop when a block is handed over") {
  BlockRequest request = heirloom();
  request.policy.kind = sessionblocks::BlockKind::shared;
  request.policy.grants = {{"mail", Granted::read_write}};
  request.ending.is_heir_by_path = true;  // as the suite file declares it
  const BlockId id = make(request).id;
  static_cast<void>(shop->open(shop->worker("shop/mail"), "heirloom"));
  bool is_told = false;
  registry().on_unmap = [&](const Worker& /*worker*/, unsigned /*open*/) { is_told = true; };
  registry().end_of_life(id, "the test");
  check_handed_over(id, "shop/checkout");
  CHECK_FALSE(is_told);
}

TEST_CASE_METHOD(Lives, "an enforced hand-over kills who may not go on, and nobody else") {
  BlockRequest request = heirloom();
  request.enforce = sessionblocks::Enforce::kill;
  const BlockId id = make(request).id;
  const Sleeper holder;
  const Sleeper other;
  for (const Sleeper* sleeper : {&holder, &other}) {
    const auto process = platform::ProcessIdentity::of(sleeper->pid()).value();
    Worker* const worker = registry().attach(shop->scope("shop/mail"), process, {}).value();
    if (sleeper == &holder) static_cast<void>(shop->open(*worker, "heirloom"));
  }
  registry().end_of_life(id, "the test");
  check_handed_over(id, "shop/checkout");
  CHECK(holder.was_killed());
  CHECK_FALSE(other.was_killed());
}

TEST_CASE_METHOD(Lives, "a hand-over that is enforced by swap leaves behind who may not go on") {
  const bool director_dies = GENERATE(false, true);
  CAPTURE(director_dies);
  BlockRequest request = heirloom();
  request.enforce = sessionblocks::Enforce::swap;
  const BlockId id = make(request).id;
  std::optional<platform::Mapping> old;
  const Sleeper holder;
  {
    const auto process = platform::ProcessIdentity::of(holder.pid()).value();
    Worker* const worker = registry().attach(shop->scope("shop/mail"), process, {}).value();
    const auto opening = registry().open(*worker, worker->scope, "heirloom", OpenMode::read_write);
    REQUIRE(opening);
    old = platform::Mapping::from_fd(opening->descriptor.get(), opening->bytes,
                                     platform::Access::read_write)
              .value();
  }
  if (director_dies) {
    // As it dies between naming its goal and the rest.
    registry().blocks.begin_hand_over(*find(id), shop->scope("shop/checkout"));
    replace_director();
    registry().finish_hand_overs();
  } else {
    registry().end_of_life(id, "the test");
  }
  StoredBlock* const block = find(id);
  REQUIRE(block != nullptr);
  CHECK(block->generation == Generation{2});
  CHECK(block->policy.owner == shop->scope("shop/checkout"));
  CHECK(block->state == State::active);
  CHECK_FALSE(block->is_changing_hands);
  CHECK(row(*block).goal == 0);
  const auto bytes = std::span(old->data(), old->bytes());
  CHECK(std::all_of(bytes.begin(), bytes.end(), [](std::byte one) { return one == std::byte{}; }));
  CHECK_FALSE(holder.was_killed());
  CHECK(shop->heard->mention("handed-over block"));
}

TEST_CASE_METHOD(Lives,
                 "without an heir that can take it a block is destroyed, and the log says so") {
  StoredBlock& block = make(heirloom());
  const BlockId id = block.id;
  SECTION("it has ended") {
    end("shop/checkout");
    end("shop/mail");
    check_lost(id, "there is no such scope now");
  }
  SECTION("it is ending") {
    registry().scopes.mark_ending(shop->scope("shop/checkout"));
    end("shop/mail");
    check_lost(id, "that scope is ending");
  }
  SECTION("there is nothing in it") {
    REQUIRE(registry().states.change(block, Transition::wipe, "the test"));
    end("shop/mail");
    check_lost(id, "it was wiped");
  }
  SECTION("another scope of its path is not the one that was named") {
    end("shop/checkout");
    REQUIRE(registry().scopes.add(sessionblocks::ScopeKind::script, registry().scopes.root().id,
                                  "checkout"));
    end("shop/mail");
    check_lost(id, "there is no such scope now");
  }
}

TEST_CASE_METHOD(Lives, "an heir keeps the block of that name which it has") {
  const ScopeId slot = shop->scope("shop/report#1");
  BlockRequest request = heirloom("draft");
  request.policy.owner = slot;
  const BlockId first = make(request).id;
  registry().end_of_life(first, "the test");
  check_handed_over(first, "shop/checkout");
  const auto second = registry().create_block(request);  // the slot's name is its own again
  REQUIRE(second);
  CHECK(registry().visible_block("draft", slot).value()->id == *second);
  CHECK(registry().visible_block("draft", shop->scope("shop/checkout")).value()->id == first);
  CHECK(registry().visible_block("draft", shop->scope("shop/mail")).value()->id == first);
  registry().end_of_life(*second, "the test");
  CHECK(find(*second) == nullptr);
  CHECK(find(first) != nullptr);
  CHECK(shop->heard->mention("it owns block draft"));
}

TEST_CASE_METHOD(Lives,
                 "a name that was handed over is free for its first owner, not for the heir") {
  const BlockRequest request = heirloom();
  const BlockId first = make(request).id;
  registry().end_of_life(first, "the test");
  BlockRequest of_heir = request;
  of_heir.policy.owner = shop->scope("shop/checkout");
  of_heir.ending = {};
  CHECK(code(registry().create_block(of_heir)) == Errc::exists);
  REQUIRE(registry().create_block(request));
  CHECK(registry().visible_block("heirloom", shop->scope("shop/report")).value()->id != first);
}

TEST_CASE_METHOD(Lives, "a hand-over that a director did not finish is finished by the next one") {
  BlockRequest request = heirloom();
  request.lifespan_ms = kMinute;
  request.ending.idle_ms = kMinute;
  StoredBlock& block = make(request);
  const BlockId id = block.id;
  layout::BlockRow& stored = registry().control.block(block.row);
  static_cast<void>(shop->worker("shop/checkout"));  // somebody lives
  SECTION("the goal stands") {
    registry().blocks.begin_hand_over(block, shop->scope("shop/checkout"));
  }
  SECTION("the goal and the owner stand") {
    registry().blocks.begin_hand_over(block, shop->scope("shop/checkout"));
    registry().blocks.finish_hand_over(block);
    stored.goal = layout::kGoalHandOver;
  }
  replace_director();
  check_handed_over(id, "shop/checkout");
}

TEST_CASE_METHOD(Lives, "a director that takes over knows how each block ends") {
  BlockRequest request = heirloom();
  request.ending.idle_ms = kMinute;
  const BlockId of_worker = make(request).id;
  request = heirloom("result");  // which the suite file leaves to the suite
  request.ending.is_heir_by_path = true;
  request.ending.heir_path = "shop";
  const BlockId of_suite = make(request).id;
  static_cast<void>(shop->worker("shop/checkout"));
  replace_director();
  REQUIRE(find(of_worker) != nullptr);
  CHECK(find(of_worker)->ending.idle_ms == kMinute);
  CHECK_FALSE(shop->heard->mention("handed-over"));
  end("shop/mail");
  check_handed_over(of_worker, "shop/checkout");
  check_handed_over(of_suite, "shop");
  replace_director();
  CHECK(find(of_suite)->is_handed_over());
  CHECK(find(of_worker)->is_handed_over());
}

TEST_CASE_METHOD(Lives, "what cannot be kept at its end is destroyed, and the log says so") {
  BlockRequest request = heirloom();
  request.ending = {.at_end = GENERATE(Ends::snapshot, Ends::elevate)};
  const BlockId id = make(request).id;
  end("shop/mail");
  check_lost(id, "not kept");
}

TEST_CASE_METHOD(Lives, "a block that nobody uses for its idle time ends") {
  BlockRequest request = heirloom();
  request.ending = {.idle_ms = kMinute};
  StoredBlock& block = make(request);
  const BlockId id = block.id;
  Worker& worker = shop->worker("shop/mail");
  const unsigned open = shop->open(worker, "heirloom");
  worker.header()->lanes_used.store(1);
  const auto let_time_pass = [&] { find(id)->last_used_ms = now_ms() - 2 * kMinute; };
  let_time_pass();
  registry().housekeep();  // somebody has opened it
  REQUIRE(find(id) != nullptr);
  SECTION("by records") {
    let_time_pass();
    shop->heard->has_records = true;
    registry().housekeep();
    shop->heard->has_records = false;
  }
  SECTION("by counters") {
    let_time_pass();
    auto* const counters = reinterpret_cast<layout::OpenCounters*>(
        worker.memory().segment.data() + layout::lane_at(0, worker.ring_records) +
        layout::kLaneHeadBytes);
    counters[open].reads.fetch_add(1);
    registry().housekeep();
  }
  SECTION("by a close") {
    let_time_pass();
    registry().close(worker, open);
    registry().housekeep();
  }
  REQUIRE(find(id) != nullptr);
  CHECK(now_ms() - block.last_used_ms < kMinute);
  registry().housekeep();
  REQUIRE(find(id) != nullptr);
  let_time_pass();
  registry().housekeep();
  CHECK(find(id) == nullptr);
}

TEST_CASE_METHOD(Lives, "a block is not taken for unused while its records cannot be drained") {
  BlockRequest request = heirloom();
  request.ending = {.idle_ms = kMinute};
  const BlockId id = make(request).id;
  Worker& worker = shop->worker("shop/mail");
  static_cast<void>(shop->open(worker, "heirloom"));
  registry().housekeep();
  auto* const head = reinterpret_cast<layout::LaneHead*>(worker.memory().segment.data() +
                                                         layout::lane_at(0, worker.ring_records));
  head->ring_written.store(5);
  find(id)->last_used_ms = now_ms() - 2 * kMinute;
  registry().housekeep();
  REQUIRE(find(id) != nullptr);
  head->ring_drained.store(5);
  find(id)->last_used_ms = now_ms() - 2 * kMinute;
  registry().housekeep();
  CHECK(find(id) == nullptr);
}

TEST_CASE_METHOD(Lives, "what is said of a block's end must make sense") {
  const auto chosen = [&](Ends at_end, const std::string& heir, bool has_suite = false) {
    BlockRequest request = heirloom();
    request.ending = {.at_end = at_end, .heir_path = heir};
    return code(choose_ending(registry().scopes, has_suite, request));
  };
  CHECK(chosen(Ends::heir, "shop/checkout") == Errc{});
  CHECK(chosen(Ends::heir, "") == Errc::invalid_argument);
  CHECK(chosen(Ends::destroy, "shop/checkout") == Errc::invalid_argument);
  CHECK(chosen(Ends::heir, "shop/mail") == Errc::invalid_argument);
  CHECK(chosen(Ends::heir, "shop/nobody") == Errc::no_such_scope);
  CHECK(chosen(Ends::snapshot, "") == Errc::invalid_argument);
  CHECK(chosen(Ends::elevate, "") == Errc::invalid_argument);
  // A script's blocks stay its own, unless the suite file says more.
  CHECK(chosen(Ends::heir, "shop/checkout", true) == Errc::not_permitted);
  CHECK(chosen(Ends::heir, "shop", true) == Errc::not_permitted);
  BlockRequest request = heirloom();
  request.policy.owner = shop->scope("shop/report#1");
  request.ending.heir_path = "shop/report";
  CHECK(choose_ending(registry().scopes, true, request));
  CHECK(request.ending.heir == shop->scope("shop/report"));
}

TEST_CASE_METHOD(Lives, "what a dead system is to keep is not swept with it") {
  BlockRequest request = heirloom();
  request.ending = {};
  request.permits = 15;
  bool is_kept = true;
  SECTION("elevated") {
    request.ending.at_end = Ends::elevate;
  }
  SECTION("snapshot") {
    request.ending.at_end = Ends::snapshot;
  }
  SECTION("destroyed") {
    is_kept = false;
  }
  make(request);
  registry().workers.remove(registry().workers.all().begin()->first);  // the director's own
  auto dead = platform::ProcessIdentity::self().value();
  dead.start_ticks += 1;
  registry().control.take_over(dead, platform::pid_namespace().value());
  // Any other director of this user may have swept before this does.
  sweep_dead_systems(RuntimePaths::of(around.system() + "-next").value());
  CHECK(around.segments().empty() != is_kept);
}

}  // namespace sessionblocks::director::test
