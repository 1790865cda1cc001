// Each thing that a director does is in the log, once, in the words in which its events say it.
#include <set>

#include "../director/raw_client.hpp"
#include "datablock/store.hpp"
#include "director/adoption.hpp"
#include "director/events.hpp"
#include "director/logs.hpp"
#include "director/registry.hpp"
#include "snapshot/reader.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;
using director::Event;
using director::EventKind;
using director::EventSink;
using director::Registry;
using director::StoredBlock;
using director::Worker;
using director::test::Sleeper;
using director::test::Surroundings;

struct Said {
  std::string what, subject, detail;
  friend auto operator<=>(const Said&, const Said&) = default;
};
std::ostream& operator<<(std::ostream& out, const Said& said) {
  return out << said.what << " " << said.subject << ": " << said.detail;
}

struct Heard final : EventSink {
  void on_event(const Event& event) override {
    said.push_back({std::string(director::word(event.kind)), event.subject, event.detail});
  }
  std::vector<Said> said;
};

std::vector<Note> transitions_in(const std::string& folder) {
  std::vector<Note> notes;
  for (const Entry& entry : read_all(folder)) {
    INFO(entry.problem);
    CHECK(entry.kind != EntryKind::problem);
    if (entry.kind == EntryKind::note && is_transition(entry.note.kind))
      notes.push_back(entry.note);
  }
  return notes;
}

struct System {
  explicit System(Surroundings& surroundings) : around(surroundings) {
    std::filesystem::create_directory(around.runtime());
    std::filesystem::permissions(around.runtime(), std::filesystem::perms::owner_all);
    director::Logs logs = director::make_logs({folder.path(), "test", heard});
    director::RegistryOptions options;
    options.paths = director::RuntimePaths::of(around.system(), around.runtime()).value();
    options.events = logs.events;
    options.make_audit = logs.make_audit;
    registry = Registry::create(std::move(options)).value();
    root = registry->scopes.add_suite("shop").value();
    REQUIRE(registry->attach_director(platform::ProcessIdentity::self().value()));
  }
  StoredBlock& make(const std::string& name, AtEnd at_end = AtEnd::destroy, ScopeId owner = {}) {
    director::BlockRequest request;
    request.policy.name = name;
    request.policy.kind = BlockKind::shared;
    request.policy.owner = owner == ScopeId{} ? root : owner;
    request.policy.grants = {{"*", Rights::read_write}};
    request.quota_bytes = std::uint64_t{2} << 20U;
    request.permits = 15;
    request.ending.at_end = at_end;
    request.ending.heir = root;
    return *registry->blocks.find(registry->create_block(request).value());
  }
  StoredBlock& block(std::string_view name) { return *registry->blocks.named(name).front(); }
  Worker& attach(const Sleeper& process) {
    const auto identity = platform::ProcessIdentity::of(process.pid()).value();
    return *registry->attach(script, identity, {}).value();
  }
  void change_states();
  void share_and_redeem(Worker& worker);
  void keep_and_load();
  void fork_and_join();

  TemporaryFolder folder;
  Surroundings& around;
  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  std::unique_ptr<Registry> registry;
  ScopeId root{};
  ScopeId script{};
};

void System::change_states() {
  using director::Transition;
  for (const auto what : {Transition::seal, Transition::unseal, Transition::quarantine,
                          Transition::release, Transition::wipe}) {
    REQUIRE(registry->states.change(block("cart"), what, "the test"));
  }
}

void System::share_and_redeem(Worker& worker) {
  const director::ReferenceKey key(director::OperatorKey(), registry->instance);
  const unsigned open =
      registry->open(worker, worker.scope, "plan", director::OpenMode::best).value().open;
  const auto token = registry->share(worker, open, {Rights::read, "*", 60'000, false}, key);
  REQUIRE(token);
  const auto opened = registry->redeem(worker, *token, key);
  REQUIRE(opened);
  registry->close(worker, opened->open);
  CHECK_FALSE(registry->redeem(worker, "nonsense", key));
}

void System::keep_and_load() {
  const std::string file = folder.path() + "/plan.sbsnap";
  REQUIRE(registry->snapshot_block(block("plan"), file));
  auto reader = snapshot::Reader::open(file);
  REQUIRE(reader);
  REQUIRE(registry->restore(*reader, 0, {.name = "plan2", .owner = root}));
  const auto kept = registry->elevate(block("plan"));
  REQUIRE(kept);
  const director::StateFolder state(registry->options.paths.state());
  auto store = datablock::Store::open_read(state.datablocks().native());
  REQUIRE(store);
  REQUIRE(registry->load(*store, *kept, {.name = "plan3", .owner = root}));
}

void System::fork_and_join() {
  director::BlockRequest request;
  request.policy.name = "trial";
  request.policy.kind = BlockKind::forked;
  request.policy.owner = root;
  request.quota_bytes = std::uint64_t{2} << 20U;
  const auto fork = registry->forks.fork(block("plan").id, request);
  REQUIRE(fork);
  director::MergeReport report;
  REQUIRE(registry->forks.join(*registry->blocks.find(*fork), {}, report, "the test"));
}

// Those that only processes, their deaths and their connections make (tests/tools), and one that
// needs a forged worker (tests/fuzz).
const std::set<std::string> kOfProcesses = {"started",   "adopted", "swept", "restarted",
                                            "timed-out", "stopped", "begun", "deleted",
                                            "acting",    "forged",  "failed", "found"};

TEST_CASE("all that a director does is noted as often as it is said, in the same words") {
  ::alarm(director::test::kWatchdogSeconds);
  Surroundings around;
  System system(around);
  Registry& registry = *system.registry;
  system.script = registry.scopes.add(ScopeKind::script, system.root, "checkout").value();
  {
    const Sleeper process;
    const Sleeper other;
    Worker& worker = system.attach(process);
    const WorkerId id = worker.id;
    system.make("cart");
    system.make("plan");
    system.make("left", AtEnd::heir, system.script);
    StoredBlock& plan = system.block("plan");
    REQUIRE(registry.take_checkpoint(plan, "before"));
    REQUIRE(registry.generations.roll_back(plan, "before", "the test"));
    REQUIRE(registry.take_checkpoint(plan, "after"));
    REQUIRE(registry.release_checkpoint(plan, "after"));
    REQUIRE(registry.generations.compact(plan, "the test"));
    system.share_and_redeem(worker);
    system.keep_and_load();
    system.fork_and_join();
    system.change_states();
    REQUIRE(registry.revocations.revoke(plan, {"shop/checkout", Rights::read, {}}, "the test"));
    REQUIRE(registry.revocations.grant_back(plan, "shop/checkout", "the test"));
    const auto entered = registry.enter_flow({id, 1}, system.script, "pay", [](const auto&) {
      return std::vector<director::BlockRequest>();
    });
    REQUIRE(entered);
    registry.end_flow(*entered, "the test");
    Worker& leaving = system.attach(other);
    leaving.header()->finished.store(1);
    registry.end_worker(leaving.id, "it went");
    REQUIRE(registry.open(worker, worker.scope, "plan", director::OpenMode::best));
    const auto by = director::Enforcement{.how = Enforce::kill};
    REQUIRE(registry.states.change(plan, director::Transition::seal, "the test", by));
  }
  registry.end_scope(system.script, "the test");
  registry.remove_all();
  system.registry.reset();

  std::vector<Said> noted;
  std::uint64_t number = 0;
  for (const Note& note : transitions_in(system.folder.path())) {
    CHECK(note.kind == NoteKind::transition);
    CHECK(note.number == ++number);
    CHECK(note.unix_ms != 0);
    noted.push_back({note.what, note.subject, note.text});
  }
  CHECK(noted == system.heard->said);
  std::set<std::string> seen = kOfProcesses;
  for (const Said& said : noted) seen.insert(said.what);
  for (unsigned kind = 0; kind < director::kEventKinds; ++kind) {
    INFO(director::word(static_cast<EventKind>(kind)));
    CHECK(seen.contains(std::string(director::word(static_cast<EventKind>(kind)))));
  }
}

TEST_CASE("a note names block, generation and worker, and who asked") {
  Surroundings around;
  System system(around);
  const BlockId id = system.make("cart").id;
  {
    const director::Transitions::Asking asking(system.registry->transitions, "pid 9, worker 4",
                                               WorkerId{4});
    REQUIRE(system.registry->states.change(system.block("cart"), director::Transition::seal,
                                           "it must"));
  }
  system.registry->remove_all();
  system.registry.reset();
  const auto notes = transitions_in(system.folder.path());
  REQUIRE(notes.size() >= 2);
  CHECK(notes[1].what == "sealed");
  CHECK(notes[1].block.block() == id);
  CHECK(notes[1].block.generation() == Generation{1});
  CHECK(notes[1].worker == 4);
  CHECK(notes[1].by == "pid 9, worker 4");
  CHECK(notes[1].text == "it must");
  CHECK(notes[2].by.empty());
}

TEST_CASE("refused requests do not fill the log, which says how many there were") {
  Surroundings around;
  System system(around);
  constexpr std::uint64_t kRefused = 10'000;
  for (std::uint64_t i = 0; i < kRefused; ++i) {
    system.registry->say(EventKind::denied, "pid 7", "no");
  }
  system.registry->remove_all();
  system.registry.reset();
  std::uint64_t counted = 0;
  std::uint64_t notes = 0;
  for (const Note& note : transitions_in(system.folder.path())) {
    if (note.what != "denied") continue;
    ++notes;
    counted += note.second == 0 ? 1 : note.second;
  }
  CHECK(counted == kRefused);
  CHECK(notes < kRefused / 10);
  std::uint64_t heard = 0;
  for (const Said& said : system.heard->said) heard += said.what == "denied" ? 1U : 0U;
  CHECK(heard == kRefused);
}

}  // namespace
}  // namespace sessionblocks::flowlog
