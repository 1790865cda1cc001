// Flow scopes as the director sees them: who may, in which order they end, what is repeated.
#include <algorithm>
#include <mutex>
#include <set>

#include "raw_client.hpp"

namespace sessionblocks::director::test {
namespace {

class Collected final : public EventSink {
 public:
  void on_event(const Event& event) override {
    const std::lock_guard lock(mutex_);
    lines_.push_back(std::string(word(event.kind)) + " " + event.subject);
  }
  // Those that begin so, in their order.
  [[nodiscard]] std::vector<std::string> of(const std::string& beginning) {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> found;
    for (const std::string& line : lines_) {
      if (line.starts_with(beginning)) found.push_back(line);
    }
    return found;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

// `blocks`: what a suite without scripts declares; its name is the system's.
struct System {
  explicit System(const std::shared_ptr<EventSink>& sink, std::vector<BlockSpec> blocks = {}) {
    DirectorOptions options = bare_options(around);
    options.events = sink;
    if (!blocks.empty()) {
      options.suite.emplace();
      options.suite->name = around.system();
      options.suite->blocks = std::move(blocks);
    }
    running.emplace(std::move(options));
  }
  RawClient worker(const std::string& name) {
    RawClient client(running->socket());
    const auto token = running->director().token_for_scope(scope(name));
    REQUIRE(token);
    REQUIRE(client.attach({}, *token).ok());
    return client;
  }
  [[nodiscard]] std::string scope(const std::string& name) const {
    return around.system() + "/" + name;
  }
  Surroundings around;
  std::optional<RunningDirector> running;
};

BlockSpec of_charge(const std::string& name, std::uint64_t quota_bytes) {
  BlockSpec block;
  block.name = name;
  block.owner = {ScopeKind::flow, "charge"};
  block.quota_bytes = quota_bytes;
  return block;
}

struct Fixture {
  explicit Fixture(std::vector<BlockSpec> blocks = {}) : system(events, std::move(blocks)) {}
  std::shared_ptr<Collected> events = std::make_shared<Collected>();
  System system;
  RawClient worker = system.worker("a");

  Answered enter(RawClient& client, const std::string& name, unsigned flow, unsigned outer = 0) {
    Message request = {{"op", "enter_scope"}, {"name", name}, {"flow", flow}};
    if (outer != 0) request["outer"] = outer;
    return client.ask(std::move(request));
  }
  Answered create(RawClient& client, const std::string& name, unsigned flow) {
    return client.ask({{"op", "create"}, {"name", name}, {"quota", 1U << 20U}, {"flow", flow}});
  }
  Answered leave(RawClient& client, unsigned flow) {
    return client.ask({{"op", "leave_scope"}, {"flow", flow}});
  }
  Answered open(RawClient& client, const std::string& name, unsigned flow) {
    return client.ask({{"op", "open"}, {"name", name}, {"flow", flow}});
  }
  [[nodiscard]] std::vector<std::string> ended(std::vector<std::string> names) const {
    for (std::string& name : names) name = "ended scope " + system.scope("a/") + name;
    return names;
  }
};

TEST_CASE_METHOD(Fixture, "what is asked for again with its number is the same flow scope") {
  const auto first = enter(worker, "charge", 1);
  REQUIRE(first.ok());
  CHECK(first.body["scope"] == system.scope("a/charge"));
  CHECK(enter(worker, "charge", 1).body["scope"] == system.scope("a/charge"));
  CHECK(enter(worker, "charge", 2).error() == Errc::exists);
  CHECK(enter(worker, "other", 1).error() == Errc::invalid_argument);
  CHECK(enter(worker, "charge", 2, 1).ok());
  CHECK(enter(worker, "charge", 2).error() == Errc::invalid_argument);
  REQUIRE(leave(worker, 1).ok());
  CHECK(leave(worker, 1).ok());
  CHECK(leave(worker, 77).ok());
  CHECK(enter(worker, "charge", 1).ok());
}

TEST_CASE_METHOD(Fixture, "a worker's flow scopes are its own, whatever number another names") {
  REQUIRE(enter(worker, "charge", 1).ok());
  REQUIRE(create(worker, "draft", 1).ok());
  RawClient other = system.worker("a");
  CHECK(other.open("draft", 0).error() == Errc::denied);
  CHECK(other.ask({{"op", "open"}, {"name", "draft"}, {"flow", 1}}).error() == Errc::gone);
  CHECK(create(other, "mine", 1).error() == Errc::gone);
  CHECK(enter(other, "inner", 1, 1).error() == Errc::gone);
  CHECK(other.ask({{"op", "destroy"}, {"name", "draft"}, {"flow", 1}}).error() == Errc::gone);
  REQUIRE(leave(other, 1).ok());
  CHECK(worker.ask({{"op", "open"}, {"name", "draft"}, {"flow", 1}}).ok());
  RawClient stranger(system.running->socket());
  CHECK(enter(stranger, "charge", 1).error() == Errc::not_attached);
  CHECK(leave(stranger, 1).error() == Errc::not_attached);
}

TEST_CASE_METHOD(Fixture, "flow scopes end children first, however their worker ends") {
  REQUIRE(enter(worker, "outer", 1).ok());
  REQUIRE(enter(worker, "inner", 2, 1).ok());
  REQUIRE(enter(worker, "innermost", 3, 2).ok());
  REQUIRE(enter(worker, "beside", 4).ok());
  REQUIRE(create(worker, "draft", 3).ok());
  SECTION("it leaves") {
    REQUIRE(leave(worker, 4).ok());
    REQUIRE(leave(worker, 1).ok());
  }
  SECTION("it detaches") {
    REQUIRE(worker.ask({{"op", "detach"}}).ok());
  }
  SECTION("its connection ends") {
    worker = system.worker("b");
    while (events->of("ended").size() < 4) std::this_thread::yield();
  }
  SECTION("an operator ends them") {
    RawClient client(system.running->socket());
    REQUIRE(client.prove_operator(system.around.runtime()).ok());
    for (const char* name : {"a/beside", "a/outer"}) {
      REQUIRE(client.ask({{"op", "end_scope"}, {"scope", system.scope(name)}}).ok());
    }
    CHECK(create(worker, "late", 1).error() == Errc::gone);
    CHECK(leave(worker, 1).ok());
  }
  CHECK(events->of("ended") == ended({"beside", "outer/inner/innermost", "outer/inner", "outer"}));
  CHECK(events->of("destroyed").size() == 1);
}

TEST_CASE_METHOD(Fixture, "nobody else is attached to a flow scope, not even an operator") {
  REQUIRE(enter(worker, "charge", 1).ok());
  RawClient client(system.running->socket());
  REQUIRE(client.prove_operator(system.around.runtime()).ok());
  const std::string path = system.scope("a/charge");
  CHECK(client.ask({{"op", "act_as"}, {"scope", path}}).error() == Errc::not_permitted);
  CHECK(client.attach(path).error() == Errc::not_permitted);
  CHECK(client.attach(system.scope("a")).ok());
}

TEST_CASE_METHOD(Fixture, "wrong fields of flow scopes are errors that name the field") {
  const std::vector<std::pair<Message, Errc>> requests = {
      {{{"op", "enter_scope"}}, Errc::malformed},
      {{{"op", "enter_scope"}, {"name", "a"}}, Errc::malformed},
      {{{"op", "enter_scope"}, {"name", "a"}, {"flow", -1}}, Errc::malformed},
      {{{"op", "enter_scope"}, {"name", "a"}, {"flow", "1"}}, Errc::malformed},
      {{{"op", "enter_scope"}, {"name", "a/b"}, {"flow", 1}}, Errc::invalid_argument},
      {{{"op", "enter_scope"}, {"name", std::string(300, 'a')}, {"flow", 1}}, Errc::malformed},
      {{{"op", "enter_scope"}, {"name", "a"}, {"flow", 1}, {"outer", 9}}, Errc::gone},
      {{{"op", "enter_scope"}, {"name", "a"}, {"flow", 1}, {"outer", 1}}, Errc::gone},
      {{{"op", "leave_scope"}}, Errc::malformed},
      {{{"op", "leave_scope"}, {"flow", UINT64_MAX}}, Errc::malformed}};
  for (const auto& [request, expected] : requests) {
    INFO(request.dump().substr(0, 80));
    CHECK(worker.ask(request).error() == expected);
  }
}

TEST_CASE("each flow scope of a name has its own of what the suite declares for it") {
  BlockSpec of_a = of_charge("of-a", 1U << 20U);
  of_a.grants.emplace("a", Rights::read_write);
  Fixture fixture({of_charge("draft", 1U << 20U), of_a});
  RawClient& worker = fixture.worker;
  RawClient other = fixture.system.worker("b");
  REQUIRE(fixture.enter(worker, "charge", 1).ok());
  REQUIRE(fixture.enter(worker, "charge", 2, 1).ok());
  REQUIRE(fixture.enter(worker, "refund", 3).ok());
  REQUIRE(fixture.enter(other, "charge", 1).ok());
  std::set<unsigned> ids;
  for (const unsigned flow : {1U, 2U}) {
    ids.insert(fixture.open(worker, "draft", flow).body["block"].get<unsigned>());
  }
  ids.insert(fixture.open(other, "draft", 1).body["block"].get<unsigned>());
  CHECK(ids.size() == 3);
  CHECK(fixture.open(worker, "draft", 3).error() == Errc::denied);
  CHECK(worker.open("draft", 0).error() == Errc::denied);
  CHECK(fixture.open(worker, "of-a", 1).ok());
  CHECK(fixture.open(other, "of-a", 1).error() == Errc::denied);
  REQUIRE(fixture.leave(worker, 1).ok());
  CHECK(fixture.events->of("destroyed").size() == 4);
  CHECK(fixture.open(other, "draft", 1).ok());
}

TEST_CASE("a flow scope whose blocks cannot be made is not entered, and nothing of it is left") {
  Fixture fixture({of_charge("draft", 1U << 20U), of_charge("huge", std::uint64_t{1} << 40U)});
  for (int times = 0; times < 2; ++times) {
    CHECK(fixture.enter(fixture.worker, "charge", 1).error() == Errc::out_of_memory);
    CHECK(fixture.open(fixture.worker, "draft", 1).error() == Errc::gone);
    CHECK(fixture.worker.open("draft", 0).error() == Errc::no_such_block);
  }
  CHECK(fixture.enter(fixture.worker, "refund", 2).ok());
}

TEST_CASE_METHOD(Fixture, "listings name flow scopes, and hold the longest ones") {
  RawClient client(system.running->socket());
  REQUIRE(client.prove_operator(system.around.runtime()).ok());
  const std::string name(45, 'n');
  unsigned flow = 0;
  unsigned outer = 0;
  while (enter(worker, name, ++flow, outer).ok()) {
    outer = flow;
    for (int i = 0; i < 8; ++i) {
      static_cast<void>(enter(worker, "f" + std::to_string(i), ++flow, outer));
    }
  }
  std::size_t flows = 0;
  Message request = {{"op", "list"}, {"what", "scopes"}};
  while (true) {
    const auto listed = client.ask(request);
    REQUIRE(listed.ok());
    for (const auto& row : listed.body["rows"]) flows += row["kind"] == "flow" ? 1U : 0U;
    if (!listed.body.contains("cursor")) break;
    request["cursor"] = listed.body["cursor"];
  }
  CHECK(flows > 32);
}

}  // namespace
}  // namespace sessionblocks::director::test
