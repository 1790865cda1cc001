// Rights that are taken away from a scope: whom it reaches, and what is left of what they had.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>

#include "director/adoption.hpp"
#include "reference_shop.hpp"
#include "segment/format.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director {
namespace {

using Enforced = sessionblocks::Enforce;
using sessionblocks::BlockState;
using test::code;
using test::Granted;
using test::Sleeper;
using test::Surroundings;

constexpr std::string_view kSecret = "a secret of 24 letters..";

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// What a process has mapped, with or without the library.
struct Mapped {
  explicit Mapped(const Opening& opening) : bytes(opening.bytes) {
    const int access = opening.rights == Granted::read_write ? PROT_READ | PROT_WRITE : PROT_READ;
    at = static_cast<std::byte*>(
        ::mmap(nullptr, bytes, access, MAP_SHARED, opening.descriptor.get(), 0));
    REQUIRE(at != MAP_FAILED);
  }
  ~Mapped() { ::munmap(at, bytes); }
  Mapped(const Mapped&) = delete;
  Mapped& operator=(const Mapped&) = delete;
  [[nodiscard]] bool holds_secret() const {
    const auto* const text = reinterpret_cast<const char*>(at);
    return std::search(text, text + bytes, kSecret.begin(), kSecret.end()) != text + bytes;
  }
  void scribble() const { std::memset(at, 0x5A, bytes); }

  std::byte* at = nullptr;
  std::size_t bytes = 0;
};

// shop/keeper and shop/watcher may write the cart; shop/keeper/helper has it by inheritance as
// "lent", and shop/keeper/helper/junior as "lent-on".
class Scene {
 public:
  explicit Scene(const Surroundings& around) {
    RegistryOptions options;
    options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
    options.events = heard;
    options.make_audit = [this](const SystemInstance&) -> Result<std::shared_ptr<AuditSink>> {
      return std::shared_ptr<AuditSink>(heard);
    };
    const Suite suite = declared();
    auto adopted = adopt_or_create(std::move(options), &suite);
    REQUIRE(adopted);
    registry = std::move(adopted->registry);
    const auto other = around.director();
    registry->control.take_over(other, platform::pid_namespace().value());
    if (!adopted->goes_on) make_scopes();
    REQUIRE(registry->attach_director(other));
    if (!adopted->goes_on) make_blocks();
    if (adopted->goes_on) registry->adopt_checkpoints();
    registry->states.finish();
    registry->revocations.finish();
  }

  [[nodiscard]] ScopeId scope(std::string_view path) const {
    const Scope* const found = registry->scopes.find(path);
    REQUIRE(found != nullptr);
    return found->id;
  }
  StoredBlock& cart() { return *registry->blocks.named("cart").front(); }
  Worker& worker(const Sleeper& sleeper, std::string_view path) {
    const auto process = platform::ProcessIdentity::of(sleeper.pid()).value();
    return *registry->attach(scope(path), process, {}).value();
  }
  Result<Opening> open(Worker& worker, OpenMode mode = OpenMode::best,
                       std::string_view name = "cart") {
    return registry->open(worker, worker.scope, name, mode);
  }
  Result<void> revoke(const std::string& from, Enforced how = Enforced::swap,
                      Granted left = Granted::none, bool is_by_operator = true) {
    return registry->revocations.revoke(cart(), {from, left, {how}, is_by_operator}, "the test");
  }
  std::size_t entries() {
    std::size_t found = 0;
    REQUIRE(registry->options.data_plane->show_at(
        cart().memory(), {segment::kNow, 0}, [&](const EntryBytes& entry) -> Result<void> {
          found += std::equal(entry.value.begin(), entry.value.end(), bytes_of(kSecret).begin(),
                              bytes_of(kSecret).end())
                       ? 1U
                       : 0U;
          return {};
        }));
    return found;
  }

  std::shared_ptr<test::Heard> heard = std::make_shared<test::Heard>();
  std::unique_ptr<Registry> registry;

 private:
  static Suite declared() {
    Suite suite;
    suite.name = "shop";
    suite.blocks.resize(3);
    suite.blocks[0].name = "cart";
    suite.blocks[0].kind = BlockKind::shared;
    suite.blocks[0].grants = {{"keeper", Rights::read_write}, {"watcher", Rights::read_write}};
    suite.blocks[1].name = "lent";
    suite.blocks[1].kind = BlockKind::inherited;
    suite.blocks[1].from = "cart";
    suite.blocks[1].heirs = {{"helper", Rights::read_write}};
    suite.blocks[2].name = "lent-on";
    suite.blocks[2].kind = BlockKind::inherited;
    suite.blocks[2].from = "lent";
    suite.blocks[2].heirs = {{"junior", Rights::read}};
    return suite;
  }
  void make_scopes() {
    using Kind = sessionblocks::ScopeKind;
    ScopeTree& scopes = registry->scopes;
    const ScopeId root = scopes.add_suite("shop").value();
    for (const char* script : {"keeper", "watcher", "keeper2"}) {
      REQUIRE(scopes.add(Kind::script, root, script));
    }
    REQUIRE(scopes.add(Kind::worker, scope("shop/keeper"), "keeper", 1));
    REQUIRE(scopes.add(Kind::script, scope("shop/keeper"), "helper"));
    REQUIRE(scopes.add(Kind::script, scope("shop/keeper/helper"), "junior"));
  }
  void make_blocks() {
    BlockRequest request;
    request.policy.name = "cart";
    request.policy.kind = sessionblocks::BlockKind::shared;
    request.policy.owner = registry->scopes.root().id;
    request.policy.grants = {{"keeper", Granted::read_write}, {"watcher", Granted::read_write}};
    request.quota_bytes = std::uint64_t{4} << 20U;
    request.permits = 15;
    REQUIRE(registry->create_filled(request, [](const TakeEntry& put) -> Result<void> {
      for (int i = 0; i < 100; ++i) {
        const std::string key = "k" + std::to_string(i);
        EntryBytes entry;
        entry.key = bytes_of(key);
        entry.type = layout::ValueType::text;
        entry.value = bytes_of(kSecret);
        if (auto done = put(entry); !done) return done;
      }
      return {};
    }));
    REQUIRE(registry->take_checkpoint(cart(), "first"));
    request.quota_bytes = 0;
    request.policy.kind = sessionblocks::BlockKind::inherited;
    request.policy.name = "lent";
    request.from = "cart";
    request.policy.grants = {{"helper", Granted::read_write}};
    REQUIRE(registry->create_block(request));
    request.policy.name = "lent-on";
    request.from = "lent";
    request.policy.grants = {{"junior", Granted::read}};
    REQUIRE(registry->create_block(request));
  }
};

struct Revoked {
  Revoked() { scene.emplace(around); }
  ~Revoked() {
    if (scene) scene->registry->remove_all();
  }
  Revoked(const Revoked&) = delete;
  Revoked& operator=(const Revoked&) = delete;
  // The director dies, the next one adopts.
  void replace_director() {
    scene.reset();
    scene.emplace(around);
  }
  [[nodiscard]] Registry& registry() { return *scene->registry; }

  Surroundings around;
  Sleeper loser;
  Sleeper other;
  std::optional<Scene> scene;
};

}  // namespace

TEST_CASE_METHOD(Revoked, "what is revoked by swap is out of reach of a stopped loser's mapping") {
  Worker& losing = scene->worker(loser, "shop/keeper");
  Worker& keeping = scene->worker(other, "shop/watcher");
  const auto opened = scene->open(losing);
  const auto kept = scene->open(keeping);
  REQUIRE(opened);
  REQUIRE(kept);
  const Mapped mapped(*opened);
  REQUIRE(mapped.holds_secret());
  REQUIRE(::kill(loser.pid(), SIGSTOP) == 0);
  REQUIRE(scene->revoke("shop/keeper"));
  CHECK(scene->cart().state == BlockState::active);
  CHECK(scene->cart().generation == Generation{2});
  CHECK_FALSE(mapped.holds_secret());
  mapped.scribble();
  CHECK(scene->entries() == 100);
  REQUIRE(scene->cart().checkpoints.size() == 1);
  CHECK(code(scene->open(losing)) == Errc::denied);
  CHECK(code(registry().reopen(losing, opened->open, OpenMode::best)) == Errc::denied);
  const auto again = registry().reopen(keeping, kept->open, OpenMode::best);
  REQUIRE(again);
  CHECK(again->rights == Granted::read_write);
  CHECK(again->generation == Generation{2});
  CHECK_FALSE(loser.was_killed());
  CHECK_FALSE(other.was_killed());
  CHECK(scene->heard->mention("revoked block cart"));
}

TEST_CASE_METHOD(Revoked, "who may still read a block reads on, and writes no more") {
  Worker& losing = scene->worker(loser, "shop/keeper#1");
  const auto opened = scene->open(losing, OpenMode::read_write);
  REQUIRE(opened);
  const Mapped mapped(*opened);
  REQUIRE(scene->revoke("shop/keeper", Enforced::swap, Granted::read));
  mapped.scribble();
  CHECK(scene->entries() == 100);
  const auto again = registry().reopen(losing, opened->open, OpenMode::read_write);
  REQUIRE(again);
  CHECK(again->rights == Granted::read);
  CHECK(code(scene->open(losing, OpenMode::read_write)) == Errc::read_only);
  CHECK(scene->open(losing)->rights == Granted::read);
  CHECK(code(scene->revoke("shop/keeper", Enforced::swap)) == Errc{});
  CHECK(code(scene->open(losing)) == Errc::denied);
  CHECK(code(scene->revoke("shop/keeper", Enforced::swap, Granted::read)) ==
        Errc::invalid_argument);
}

TEST_CASE_METHOD(Revoked, "a revocation that kills reaches those who lose, and nobody else") {
  REQUIRE(scene->open(scene->worker(loser, "shop/keeper#1")));
  REQUIRE(scene->open(scene->worker(other, "shop/watcher")));
  REQUIRE(::kill(loser.pid(), SIGSTOP) == 0);
  REQUIRE(scene->revoke("shop/keeper", Enforced::kill));
  CHECK(loser.was_killed());
  CHECK_FALSE(other.was_killed());
  CHECK(scene->cart().generation == Generation{1});
  CHECK(registry().workers.all().size() == 2);  // the director's own lane, and the other
}

TEST_CASE_METHOD(Revoked, "a cooperative revocation ends nobody, and libraries learn it") {
  const auto opened = scene->open(scene->worker(loser, "shop/keeper"));
  REQUIRE(opened);
  REQUIRE(scene->revoke("shop/keeper", Enforced::cooperative));
  CHECK(scene->cart().generation == Generation{2});
  CHECK_FALSE(loser.was_killed());
}

TEST_CASE_METHOD(Revoked, "a revocation that nobody loses by leaves the generation as it is") {
  REQUIRE(scene->open(scene->worker(other, "shop/watcher")));
  REQUIRE(scene->revoke("shop/keeper"));
  CHECK(scene->cart().generation == Generation{1});
  CHECK(code(scene->open(scene->worker(loser, "shop/keeper"))) == Errc::denied);
}

TEST_CASE_METHOD(Revoked, "without memory for a copy the loser is killed instead, if it may be") {
  REQUIRE(scene->open(scene->worker(loser, "shop/keeper")));
  const auto name = registry().options.paths.block_segment(scene->cart().id, Generation{2});
  auto in_the_way = SegmentFile::create(name, 4'096, Naming::named, registry().opener);
  REQUIRE(in_the_way);
  SECTION("it may") {
    REQUIRE(scene->revoke("shop/keeper"));
    CHECK(loser.was_killed());
  }
  SECTION("it may not") {
    const Revoking what{"shop/keeper", Granted::none, {Enforced::swap, false}, true};
    CHECK_FALSE(registry().revocations.revoke(scene->cart(), what, "the test"));
    CHECK_FALSE(loser.was_killed());
    CHECK(registry().control.revocation(scene->cart().revocations[0].row).enforcing != 0);
    in_the_way->unlink();
    // Once more, and there is.
    REQUIRE(scene->revoke("shop/keeper"));
    CHECK(scene->cart().generation == Generation{3});
    CHECK(registry().control.revocation(scene->cart().revocations[0].row).enforcing == 0);
  }
  CHECK(scene->cart().state == BlockState::active);
  CHECK(code(scene->open(scene->worker(other, "shop/keeper"))) == Errc::denied);
  in_the_way->unlink();
}

TEST_CASE_METHOD(Revoked,
                 "a revocation reaches those who inherit, however deep, and nobody beside") {
  const Sleeper junior;
  Worker& helper = scene->worker(loser, "shop/keeper/helper");
  Worker& below = scene->worker(junior, "shop/keeper/helper/junior");
  Worker& beside = scene->worker(other, "shop/watcher");
  const auto by_helper = scene->open(helper, OpenMode::best, "lent");
  const auto by_junior = scene->open(below, OpenMode::best, "lent-on");
  REQUIRE(by_helper);
  REQUIRE(by_junior);
  CHECK(by_helper->rights == Granted::read_write);
  CHECK(by_junior->rights == Granted::read);
  REQUIRE(scene->open(beside));
  SECTION("from the parent") {
    REQUIRE(scene->revoke("shop/keeper", Enforced::kill));
    CHECK(loser.was_killed());
    CHECK(junior.was_killed());
  }
  SECTION("from the one in between") {
    REQUIRE(scene->revoke("shop/keeper/helper", Enforced::kill, Granted::read));
    CHECK(loser.was_killed());
    CHECK_FALSE(junior.was_killed());
    CHECK(scene->open(below, OpenMode::best, "lent-on")->rights == Granted::read);
    REQUIRE(scene->revoke("shop/keeper/helper", Enforced::kill));
    CHECK(junior.was_killed());
  }
  CHECK_FALSE(other.was_killed());
  const Sleeper late;
  CHECK(code(scene->open(scene->worker(late, "shop/keeper/helper/junior"), OpenMode::best,
                         "lent-on")) == Errc::denied);
}

TEST_CASE_METHOD(Revoked, "a path that only begins alike is another scope") {
  CHECK(is_at_or_below("shop/keeper", "shop/keeper"));
  CHECK(is_at_or_below("shop/keeper#1", "shop/keeper"));
  CHECK(is_at_or_below("shop/keeper/helper", "shop/keeper"));
  CHECK_FALSE(is_at_or_below("shop/keeper2", "shop/keeper"));
  CHECK_FALSE(is_at_or_below("shop", "shop/keeper"));
  REQUIRE(scene->revoke("shop/keeper2"));
  CHECK(scene->open(scene->worker(loser, "shop/keeper")));
}

TEST_CASE_METHOD(Revoked,
                 "what a reference gave ends with its issuer's rights and its redeemer's") {
  const ReferenceKey key(OperatorKey(), registry().instance);
  Worker& issuer = scene->worker(other, "shop/keeper");
  Worker& redeemer = scene->worker(loser, "shop/keeper2");
  const auto own = scene->open(issuer);
  REQUIRE(own);
  const auto shared = [&](bool once) {
    return registry()
        .share(issuer, own->open, {Granted::read_write, std::string(kAnyScope), 60'000, once}, key)
        .value();
  };
  const std::string before = shared(false);
  const std::string once = shared(true);
  const auto redeemed = registry().redeem(redeemer, before, key);
  REQUIRE(redeemed);
  CHECK(redeemed->rights == Granted::read_write);
  SECTION("from who issued it") {
    REQUIRE(scene->revoke("shop/keeper"));
    CHECK(scene->cart().generation == Generation{2});
    CHECK(code(registry().reopen(redeemer, redeemed->open, OpenMode::best)) == Errc::denied);
    CHECK(code(registry().redeem(redeemer, before, key)) == Errc::reference_revoked);
  }
  SECTION("from who issued it and has ended, by the scope above") {
    registry().end_worker(issuer.id, "the test");
    registry().end_scope(scene->scope("shop/keeper/helper/junior"), "the test");
    registry().end_scope(scene->scope("shop/keeper/helper"), "the test");
    registry().end_scope(scene->scope("shop/keeper#1"), "the test");
    registry().end_scope(scene->scope("shop/keeper"), "the test");
    REQUIRE(scene->revoke("shop/watcher"));
    CHECK(registry().reopen(redeemer, redeemed->open, OpenMode::best));
    REQUIRE(scene->revoke("shop", Enforced::kill));
    CHECK(loser.was_killed());
  }
  SECTION("from who redeemed it") {
    REQUIRE(scene->revoke("shop/keeper2", Enforced::swap, Granted::read));
    CHECK(scene->cart().generation == Generation{2});
    const auto again = registry().reopen(redeemer, redeemed->open, OpenMode::best);
    REQUIRE(again);
    CHECK(again->rights == Granted::read);
    CHECK(code(registry().redeem(redeemer, once, key)) == Errc::denied);
    // It was not used up.
    REQUIRE(registry().revocations.grant_back(scene->cart(), "shop/keeper2", "the test"));
    CHECK(registry().redeem(redeemer, once, key));
  }
}

TEST_CASE_METHOD(Revoked, "what was closed, or given up with the session, may be mapped still") {
  Worker& losing = scene->worker(loser, "shop/keeper");
  auto opened = scene->open(losing);
  REQUIRE(opened);
  const Mapped hidden(*opened);
  const WorkerId id = losing.id;
  registry().close(losing, opened->open);
  if (GENERATE(false, true)) registry().end_worker(id, "detached");
  REQUIRE(scene->open(scene->worker(other, "shop/watcher"), OpenMode::read));
  const bool survives = GENERATE(false, true);  // the director's death
  CAPTURE(survives);
  if (survives) {
    replace_director();
    REQUIRE(scene->cart().generation == Generation{1});
  }
  SECTION("revoked by kill") {
    REQUIRE(scene->revoke("shop/keeper", Enforced::kill));
    CHECK(loser.was_killed());
  }
  SECTION("revoked by swap") {
    REQUIRE(scene->revoke("shop/keeper"));
    CHECK(scene->cart().generation == Generation{2});
    CHECK_FALSE(hidden.holds_secret());
    hidden.scribble();
    CHECK(scene->entries() == 100);
  }
  SECTION("sealed by kill") {
    REQUIRE(registry().states.change(scene->cart(), Transition::seal, "the test",
                                     Enforcement{Enforced::kill}));
    CHECK(loser.was_killed());
  }
  CHECK_FALSE(other.was_killed());
}

TEST_CASE_METHOD(Revoked, "a quarantine by kill ends who has closed the block and may read it") {
  Worker& losing = scene->worker(loser, "shop/keeper");
  const auto opened = scene->open(losing, OpenMode::read);
  REQUIRE(opened);
  registry().close(losing, opened->open);
  static_cast<void>(scene->worker(other, "shop/watcher"));
  REQUIRE(registry().states.change(scene->cart(), Transition::quarantine, "the test",
                                   Enforcement{Enforced::kill}));
  CHECK(loser.was_killed());
  CHECK_FALSE(other.was_killed());
}

TEST_CASE_METHOD(Revoked, "a seal by name is enforced for this one time, whatever the policy") {
  const auto opened = scene->open(scene->worker(loser, "shop/keeper"));
  REQUIRE(opened);
  const Mapped mapped(*opened);
  SECTION("by swap") {
    REQUIRE(registry().states.change(scene->cart(), Transition::seal, "the test",
                                     Enforcement{Enforced::swap}));
    CHECK(scene->cart().generation == Generation{2});
    mapped.scribble();
    CHECK(scene->entries() == 100);
    CHECK(registry().control.block(scene->cart().row).enforcing == 0);
    REQUIRE(registry().states.change(scene->cart(), Transition::unseal, "the test"));
    CHECK(scene->cart().enforce == Enforced::cooperative);
    REQUIRE(registry().states.change(scene->cart(), Transition::seal, "the test"));
    CHECK(scene->cart().generation == Generation{2});
  }
  SECTION("by swap, which cannot be made, and sparing") {
    const auto name = registry().options.paths.block_segment(scene->cart().id, Generation{2});
    auto in_the_way = SegmentFile::create(name, 4'096, Naming::named, registry().opener);
    CHECK_FALSE(registry().states.change(scene->cart(), Transition::seal, "the test",
                                         Enforcement{Enforced::swap, false}));
    CHECK_FALSE(loser.was_killed());
    in_the_way->unlink();
  }
  CHECK(scene->cart().state == BlockState::sealed);
}

TEST_CASE_METHOD(Revoked, "what a director began by name before it died, the next one does so") {
  const auto opened = scene->open(scene->worker(loser, "shop/keeper"));
  REQUIRE(opened);
  REQUIRE(scene->open(scene->worker(other, "shop/watcher"), OpenMode::read));
  const Mapped mapped(*opened);
  SECTION("a seal by swap") {
    registry().blocks.begin_enforcing(scene->cart(), Enforcement{Enforced::swap}.code());
    registry().blocks.change_state(scene->cart(), BlockState::sealed);
    replace_director();
    CHECK(scene->cart().state == BlockState::sealed);
    CHECK(scene->cart().generation == Generation{2});
    mapped.scribble();
    CHECK(scene->entries() == 100);
  }
  SECTION("a seal that had not begun") {
    registry().blocks.begin_enforcing(scene->cart(), Enforcement{Enforced::kill}.code());
    replace_director();
    CHECK(scene->cart().state == BlockState::active);
    CHECK_FALSE(loser.was_killed());
  }
  SECTION("a revocation by swap") {
    REQUIRE(registry().control.publish(RevocationRowFields{
        scene->cart().id, Granted::none, Enforcement{Enforced::swap}.code(), "shop/keeper"}));
    registry().blocks.change_state(scene->cart(), BlockState::moving);
    replace_director();
    CHECK(scene->cart().state == BlockState::active);
    CHECK(scene->cart().generation == Generation{2});
    CHECK_FALSE(mapped.holds_secret());
    CHECK(registry().control.revocation(scene->cart().revocations.at(0).row).enforcing == 0);
  }
  SECTION("a revocation by kill") {
    REQUIRE(registry().control.publish(RevocationRowFields{
        scene->cart().id, Granted::read, Enforcement{Enforced::kill}.code(), "shop/keeper"}));
    replace_director();
    CHECK(loser.was_killed());
  }
  CHECK(registry().control.block(scene->cart().row).enforcing == 0);
  CHECK_FALSE(other.was_killed());
}

TEST_CASE_METHOD(Revoked, "a revocation stays: for the next director, and for who comes again") {
  static_cast<void>(scene->worker(other, "shop/watcher"));
  REQUIRE(scene->revoke("shop/keeper", Enforced::swap, Granted::read));
  replace_director();
  REQUIRE(scene->cart().revocations.size() == 1);
  CHECK(scene->open(scene->worker(loser, "shop/keeper"))->rights == Granted::read);
  for (const char* path : {"shop/keeper/helper/junior", "shop/keeper/helper", "shop/keeper#1"}) {
    registry().end_scope(scene->scope(path), "the test");
  }
  for (const WorkerId id : registry().workers.in_scope(scene->scope("shop/keeper"))) {
    registry().end_worker(id, "the test");
  }
  registry().end_scope(scene->scope("shop/keeper"), "the test");
  REQUIRE(registry().scopes.add(sessionblocks::ScopeKind::script, registry().scopes.root().id,
                                "keeper"));
  CHECK(scene->open(scene->worker(loser, "shop/keeper"))->rights == Granted::read);
  REQUIRE(registry().revocations.grant_back(scene->cart(), "shop/keeper", "the test"));
  CHECK(scene->open(scene->worker(loser, "shop/keeper"))->rights == Granted::read_write);
  CHECK(scene->heard->mention("granted block cart"));
  CHECK(code(registry().revocations.grant_back(scene->cart(), "shop/keeper", "the test")) ==
        Errc::invalid_argument);
  replace_director();
  CHECK(scene->cart().revocations.empty());
}

TEST_CASE_METHOD(Revoked, "rows of revocations end with their block, and workers leave some") {
  BlockRequest request;
  request.policy.owner = registry().scopes.root().id;
  request.quota_bytes = std::uint64_t{1} << 19U;
  constexpr std::size_t kBlocks = layout::kRevocationRows / kMostRevocationsOfBlock;
  std::vector<std::string> paths;
  for (std::size_t i = 0; i <= kMostRevocationsOfBlock; ++i) {
    const std::string name = "s" + std::to_string(i);
    REQUIRE(
        registry().scopes.add(sessionblocks::ScopeKind::script, registry().scopes.root().id, name));
    paths.push_back("shop/" + name);
  }
  std::vector<BlockId> made;
  std::size_t stood = 0;
  Errc last{};
  for (std::size_t i = 0; i < kBlocks; ++i) {
    request.policy.name = "b" + std::to_string(i);
    made.push_back(registry().create_block(request).value());
    for (const std::string& path : paths) {
      const Revoking what{path, Granted::none, {}, false};
      const auto done =
          registry().revocations.revoke(*registry().blocks.find(made.back()), what, "");
      if (done) ++stood;
      if (!done) last = done.error().code();
    }
  }
  CHECK(last == Errc::too_many);
  CHECK(stood == layout::kRevocationRows - kRevocationsForOperators);
  CHECK(scene->revoke("shop/keeper"));
  CHECK(code(scene->revoke("shop/nobody")) == Errc::no_such_scope);
  for (const BlockId id : made) registry().destroy_block(id, "the test");
  for (std::uint32_t row = 0; row < layout::kRevocationRows; ++row) {
    const bool is_carts = row == scene->cart().revocations.at(0).row;
    CHECK((registry().control.revocation(row).block.load() != 0) == is_carts);
  }
}

TEST_CASE_METHOD(Revoked, "no byte stays in earlier generations that somebody has open still") {
  Worker& losing = scene->worker(loser, "shop/keeper");
  const auto opened = scene->open(losing);
  REQUIRE(opened);
  const Mapped of_before(*opened);
  REQUIRE(registry().generations.roll_back(scene->cart(), "first", "the test"));
  REQUIRE(of_before.holds_secret());
  SECTION("revoked") {
    REQUIRE(scene->revoke("shop/keeper", Enforced::cooperative));
  }
  SECTION("quarantined") {
    REQUIRE(registry().states.change(scene->cart(), Transition::quarantine, "the test"));
  }
  SECTION("wiped") {
    REQUIRE(registry().states.change(scene->cart(), Transition::wipe, "the test"));
  }
  CHECK_FALSE(of_before.holds_secret());
}

TEST_CASE_METHOD(Revoked, "what has no memory of its own is not revoked, nor granted") {
  StoredBlock& lent = *registry().blocks.named("lent").front();
  const Revoking what{"shop/keeper", Granted::none, {}, true};
  CHECK(code(registry().revocations.revoke(lent, what, "")) == Errc::invalid_argument);
  CHECK(code(registry().revocations.grant_back(lent, "shop/keeper", "")) == Errc::invalid_argument);
}

}  // namespace sessionblocks::director
