// enforce = kill: whoever holds more of a block than its new state allows does not live on.
#include "../support/delegating_data_plane.hpp"
#include "director/adoption.hpp"
#include "raw_client.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;
using Enforced = sessionblocks::Enforce;
using test::Sleeper;
using test::Surroundings;

class Enforcing {
 public:
  explicit Enforcing(Enforced enforce) {
    RegistryOptions options;
    options.paths = RuntimePaths::of(around_.system(), around_.runtime()).value();
    registry = Registry::create(std::move(options)).value();
    REQUIRE(registry->scopes.add_suite("root"));
    BlockRequest request;
    request.policy.name = "cart";
    request.policy.owner = registry->scopes.root().id;
    request.quota_bytes = std::uint64_t{4} << 20U;
    request.enforce = enforce;
    REQUIRE(registry->create_block(request));
  }
  ~Enforcing() { registry->remove_all(); }
  Enforcing(const Enforcing&) = delete;
  Enforcing& operator=(const Enforcing&) = delete;

  WorkerId hold(pid_t pid, OpenMode mode) {
    const auto process = platform::ProcessIdentity::of(pid).value();
    Worker* const worker = registry->attach(registry->scopes.root().id, process, {}).value();
    REQUIRE(registry->open(*worker, worker->scope, "cart", mode));
    return worker->id;
  }
  StoredBlock& cart() { return *registry->blocks.named("cart").front(); }
  [[nodiscard]] bool knows(WorkerId worker) { return registry->workers.find(worker) != nullptr; }
  Result<void> change(Transition what) { return registry->states.change(cart(), what, "the test"); }

 private:
  Surroundings around_;

 public:
  std::unique_ptr<Registry> registry;
};

// A director that dies, and leaves all names.
struct Dying {
  explicit Dying(const Surroundings& around, std::shared_ptr<DataPlane> data_plane = {}) {
    RegistryOptions options;
    options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
    options.data_plane = std::move(data_plane);
    auto adopted = adopt_or_create(std::move(options), nullptr);
    REQUIRE(adopted);
    registry = std::move(adopted->registry);
    goes_on = adopted->goes_on;
    registry->control.take_over(around.director(), platform::pid_namespace().value());
  }
  ~Dying() {
    for (const auto& [id, worker] : registry->workers.all()) {
      registry->options.audit->worker_removed(id);
    }
  }
  Dying(const Dying&) = delete;
  Dying& operator=(const Dying&) = delete;

  std::unique_ptr<Registry> registry;
  bool goes_on = false;
};

}  // namespace

// Its rights count for the recovery of what it left, whether or not its death was heard of already.
TEST_CASE("a worker that died while no director ran is recovered with the rights that it had") {
  struct Watched final : test::DelegatingDataPlane {
    Watched() : DelegatingDataPlane(make_segment_data_plane()) {}
    RecoveryReport recover(const WorkerMemory& worker, std::span<const WorkerOpen> opens) override {
      for (const WorkerOpen& one : opens) rights.push_back(one.rights);
      return DelegatingDataPlane::recover(worker, opens);
    }
    std::vector<sessionblocks::Rights> rights;
  };
  const Surroundings around;
  const Sleeper other;
  {
    Dying director(around);
    Registry& registry = *director.registry;
    const ScopeId root = registry.scopes.add_suite("root").value();
    BlockRequest request;
    request.policy.name = "cart";
    request.policy.owner = root;
    request.quota_bytes = std::uint64_t{4} << 20U;
    REQUIRE(registry.create_block(request));
    const auto attach = [&](const Sleeper& sleeper) -> Worker& {
      const auto process = platform::ProcessIdentity::of(sleeper.pid()).value();
      return **registry.attach(root, process, {});
    };
    attach(other);
    {
      const Sleeper writer;
      REQUIRE(registry.open(attach(writer), root, "cart", OpenMode::read_write));
      REQUIRE(registry.holdings.size() == 1);
    }
    registry.holdings.sweep(1'000);
    REQUIRE(registry.holdings.size() == 0);
  }
  const auto watched = std::make_shared<Watched>();
  const Dying successor(around, watched);
  REQUIRE(successor.goes_on);
  CHECK(watched->rights == std::vector{sessionblocks::Rights::read_write});
}

TEST_CASE("what a director began to enforce before it died, the next one enforces") {
  for (const BlockState state : {BlockState::sealed, BlockState::quarantined, BlockState::wiped}) {
    const Surroundings around;
    const Sleeper writer;
    const Sleeper reader;
    const Sleeper other;
    {
      Dying director(around);
      Registry& registry = *director.registry;
      const ScopeId root = registry.scopes.add_suite("root").value();
      BlockRequest request;
      request.policy.name = "cart";
      request.policy.owner = root;
      request.quota_bytes = std::uint64_t{4} << 20U;
      request.enforce = Enforced::kill;
      StoredBlock& cart = *registry.blocks.find(registry.create_block(request).value());
      const auto attach = [&](const Sleeper& sleeper) -> Worker& {
        const auto process = platform::ProcessIdentity::of(sleeper.pid()).value();
        return **registry.attach(root, process, {});
      };
      REQUIRE(registry.open(attach(writer), root, "cart", OpenMode::read_write));
      REQUIRE(registry.open(attach(reader), root, "cart", OpenMode::read));
      attach(other);
      std::fill_n(cart.segment->memory().data() + (1U << 20U), 100, std::byte{0x5A});
      registry.blocks.change_state(cart, state);
    }
    Dying successor(around);
    REQUIRE(successor.goes_on);
    CAPTURE(static_cast<int>(state));
    CHECK(writer.was_killed());
    CHECK(reader.was_killed() == (state != BlockState::sealed));
    CHECK_FALSE(other.was_killed());
    const StoredBlock& cart = *successor.registry->blocks.named("cart").front();
    CHECK(cart.state == state);
    const auto memory = cart.segment->memory();
    const bool is_zero = std::all_of(memory.begin(), memory.end(),
                                     [](std::byte byte) { return byte == std::byte{}; });
    CHECK(is_zero == (state == BlockState::wiped));
    successor.registry->remove_all();
  }
}

TEST_CASE("a seal that is enforced kills writers, stopped ones too, and spares readers") {
  Enforcing system(Enforced::kill);
  const Sleeper writer;
  const Sleeper stopped;
  const Sleeper reader;
  REQUIRE(::kill(stopped.pid(), SIGSTOP) == 0);
  const WorkerId writing = system.hold(writer.pid(), OpenMode::read_write);
  const WorkerId stuck = system.hold(stopped.pid(), OpenMode::read_write);
  const WorkerId reading = system.hold(reader.pid(), OpenMode::read);
  REQUIRE(system.change(Transition::seal));
  CHECK(writer.was_killed());
  CHECK(stopped.was_killed());
  CHECK_FALSE(reader.was_killed());
  CHECK_FALSE(system.knows(writing));
  CHECK_FALSE(system.knows(stuck));
  CHECK(system.knows(reading));
  CHECK(system.cart().state == BlockState::sealed);
}

TEST_CASE("a quarantine and a wipe that are enforced kill everybody who holds the block") {
  for (const Transition what : {Transition::quarantine, Transition::wipe}) {
    Enforcing system(Enforced::kill);
    const Sleeper reader;
    const Sleeper writer;
    const Sleeper other;
    const WorkerId reading = system.hold(reader.pid(), OpenMode::read);
    const WorkerId writing = system.hold(writer.pid(), OpenMode::read_write);
    const auto process = platform::ProcessIdentity::of(other.pid()).value();
    REQUIRE(system.registry->attach(system.registry->scopes.root().id, process, {}));
    REQUIRE(system.change(what));
    CHECK(reader.was_killed());
    CHECK(writer.was_killed());
    CHECK_FALSE(other.was_killed());
    CHECK_FALSE(system.knows(reading));
    CHECK_FALSE(system.knows(writing));
  }
}

TEST_CASE("a state that is not enforced kills nobody") {
  Enforcing system(Enforced::cooperative);
  const Sleeper writer;
  system.hold(writer.pid(), OpenMode::read_write);
  REQUIRE(system.change(Transition::seal));
  REQUIRE(system.change(Transition::unseal));
  REQUIRE(system.change(Transition::quarantine));
  REQUIRE(system.change(Transition::release));
  REQUIRE(system.change(Transition::wipe));
  CHECK_FALSE(writer.was_killed());
}

TEST_CASE("a holder in the director's own process cannot be killed, and is named") {
  Enforcing system(Enforced::kill);
  const WorkerId own = system.hold(::getpid(), OpenMode::read_write);
  const auto sealed = system.change(Transition::seal);
  REQUIRE_FALSE(sealed);
  CHECK(sealed.error() == Errc::unsupported);
  CHECK(system.cart().state == BlockState::sealed);
  CHECK(system.knows(own));
}

TEST_CASE("a block whose users could not be settled is quarantined and noted all the same") {
  class Unsettled final : public test::DelegatingDataPlane {
   public:
    Unsettled() : DelegatingDataPlane(make_bare_data_plane()) {}
    Result<void> settle(const BlockMemory&, std::span<const Holder>) override {
      return fail(Errc::unsupported, "no barrier");
    }
  };
  class Collected final : public EventSink {
   public:
    void on_event(const Event& event) override { kinds.push_back(event.kind); }
    std::vector<EventKind> kinds;
  };
  Enforcing system(Enforced::kill);
  system.registry->options.data_plane = std::make_shared<Unsettled>();
  const auto events = std::make_shared<Collected>();
  system.registry->options.events = events;
  const Sleeper writer;
  system.hold(writer.pid(), OpenMode::read_write);
  const auto changed = system.change(Transition::quarantine);
  REQUIRE_FALSE(changed);
  CHECK(changed.error() == Errc::unsupported);
  CHECK(writer.was_killed());
  CHECK(std::count(events->kinds.begin(), events->kinds.end(), EventKind::quarantined) == 1);
}

TEST_CASE("each state can be left in its own ways only") {
  using State = BlockState;
  const std::map<std::pair<State, Transition>, State> possible = {
      {{State::active, Transition::seal}, State::sealed},
      {{State::active, Transition::quarantine}, State::quarantined},
      {{State::active, Transition::wipe}, State::wiped},
      {{State::sealed, Transition::unseal}, State::active},
      {{State::sealed, Transition::quarantine}, State::quarantined},
      {{State::sealed, Transition::wipe}, State::wiped},
      {{State::quarantined, Transition::release}, State::active},
      {{State::quarantined, Transition::wipe}, State::wiped}};
  const std::map<State, std::vector<Transition>> ways = {
      {State::active, {}},
      {State::sealed, {Transition::seal}},
      {State::quarantined, {Transition::quarantine}},
      {State::wiped, {Transition::wipe}}};
  for (const auto& [from, way] : ways) {
    for (const Transition what : {Transition::seal, Transition::unseal, Transition::quarantine,
                                  Transition::release, Transition::wipe}) {
      Enforcing system(Enforced::cooperative);
      for (const Transition step : way) REQUIRE(system.change(step));
      REQUIRE(system.cart().state == from);
      const auto changed = system.change(what);
      const auto found = possible.find({from, what});
      CAPTURE(static_cast<int>(from), static_cast<int>(what));
      CHECK(changed.has_value() == (found != possible.end()));
      CHECK(system.cart().state == (found != possible.end() ? found->second : from));
      if (!changed) CHECK(changed.error() == Errc::invalid_argument);
    }
  }
}

}  // namespace sessionblocks::director
