// Every peer of this build: does the work, and is found out when it copies wrong bytes.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>

#include "../../bench/peers/registry.hpp"
#include "../../bench/peers/runner.hpp"

using namespace sessionblocks::bench;

namespace {

enum class Fault { none, flips_a_byte, copies_nothing, is_short, loses, invents_counts };

class FaultyClient final : public Client {
 public:
  FaultyClient(std::unique_ptr<Client> inner, Fault fault)
      : inner_(std::move(inner)), fault_(fault) {}
  void prepare(std::span<Operation> operations) override { inner_->prepare(operations); }
  void load(std::span<Operation> operations) override { inner_->load(operations); }
  [[nodiscard]] std::size_t depth() const noexcept override { return inner_->depth(); }
  void run(std::span<Operation> operations) override {
    std::vector<std::byte> before;
    for (const Operation& one : operations) {
      before.insert(before.end(), one.bytes.begin(), one.bytes.end());
    }
    inner_->run(operations);
    std::ptrdiff_t at = 0;
    for (Operation& one : operations) {
      if (one.kind == OpKind::get) spoil(one, before.data() + at);
      if (fault_ == Fault::invents_counts && one.kind == OpKind::increment) one.sum += one.sum % 3;
      at += static_cast<std::ptrdiff_t>(one.bytes.size());
    }
  }

 private:
  void spoil(Operation& one, const std::byte* before) const {
    if (fault_ == Fault::flips_a_byte) one.bytes.back() ^= std::byte{4};
    if (fault_ == Fault::copies_nothing) std::memcpy(one.bytes.data(), before, one.bytes.size());
    if (fault_ == Fault::is_short) --one.copied_bytes;
    if (fault_ == Fault::loses) one.outcome = Outcome::absent;
  }
  std::unique_ptr<Client> inner_;
  Fault fault_;
};

class FaultyPeer final : public Peer {
 public:
  FaultyPeer(const Peer& inner, Fault fault) : inner_(inner), fault_(fault) {}
  [[nodiscard]] std::string name() const override { return inner_.name(); }
  [[nodiscard]] std::string version() const override { return inner_.version(); }
  [[nodiscard]] std::string options() const override { return inner_.options(); }
  [[nodiscard]] std::string promise() const override { return inner_.promise(); }
  [[nodiscard]] Abilities abilities() const override { return inner_.abilities(); }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return inner_.open(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return std::make_unique<FaultyClient>(inner_.connect(address), fault_);
  }

 private:
  const Peer& inner_;
  Fault fault_;
};

Case small(Spread spread, Mix mix, unsigned processes = 2) {
  Case one;
  one.workload = "test";
  one.data.entries = 100;
  one.spread = spread;
  one.mix = mix;
  one.processes = processes;
  return one;
}

Case counters(Spread spread, unsigned processes) {
  Case one = small(spread, {0, 0, 0, 0, 1'000}, processes);
  one.data.counters = true;
  one.data.value_bytes = 8;
  return one;
}

// A variant made for a study is asked that.
std::vector<Case> asked(const Peer& peer, std::vector<Case> cases) {
  const Abilities abilities = peer.abilities();
  for (Case& one : cases) {
    if (abilities.only_studies) one.study = abilities.studies.front();
  }
  return cases;
}

std::vector<Row> rows_of(const Peer& peer, const std::vector<Case>& cases, double rate = 0) {
  ::alarm(240);
  const Clock clock = Clock::calibrated();
  RunPlan plan;
  plan.peers = {&peer};
  plan.cases = asked(peer, cases);
  plan.effort.seconds = 0.01;
  plan.effort.rate = rate;
  plan.clock = &clock;
  std::vector<Row> rows;
  run_all(plan, [&rows](const Row& row) { rows.push_back(row); });
  ::alarm(0);
  return rows;
}

Cluster short_lived() {
  Cluster cluster;
  cluster.name = "test";
  cluster.zipf_alpha = 1.1;
  cluster.lifetimes = {{60'000, 0.5}, {86'400'000, 0.5}};  // 17 ms and 24 s here
  cluster.reads = 0.7;
  cluster.writes = 0.2;
  cluster.erases = 0.1;
  return cluster;
}

}  // namespace

TEST_CASE("every peer of this build does the work, and its answers are right") {
  const Registry registry = make_registry();
  for (const auto& peer : registry.peers) {
    CAPTURE(peer->name());
    std::vector<Case> cases = {small(Spread::uniform, {500, 500}), small(Spread::hot, {500, 500}),
                               small(Spread::latest, {950, 0, 50}),
                               small(Spread::zipf, {500, 0, 0, 500}, 1)};
    for (const unsigned processes : {1U, 2U}) {
      for (const Spread spread : {Spread::hot, Spread::own, Spread::uniform}) {
        cases.push_back(counters(spread, processes));
      }
    }
    cases.push_back(small(Spread::hot, {1'000}, 1));
    cases.back().cluster = short_lived();
    cases.back().data.expires = true;
    if (peer->name().rfind("sessionblocks-", 0) == 0) cases.resize(3);  // the same client
    std::size_t expected = 0;
    for (const Case& one : asked(*peer, cases)) expected += unable(*peer, one).empty() ? 1U : 0U;
    const auto rows = rows_of(*peer, cases);
    CHECK(rows.size() == expected);
    for (const Row& row : rows) {
      CAPTURE(row.name());
      CHECK(row.error.empty());
      CHECK(row.operations > 0);
      CHECK(row.latency_ns.count() > 0);
      CHECK(row.ops_per_s > 0);
    }
  }
}

TEST_CASE("a peer that answers wrongly is found out") {
  const Registry registry = make_registry();
  for (const auto& peer : registry.peers) {
    CAPTURE(peer->name());
    // The checks are the same for all: one peer gets each fault, the others one of them.
    if (peer->abilities().only_counts) continue;  // has no bytes
    std::vector<Fault> faults = {Fault::flips_a_byte};
    if (peer == registry.peers.front()) {
      faults.insert(faults.end(), {Fault::copies_nothing, Fault::is_short, Fault::loses});
    }
    for (const Fault fault : faults) {
      const auto rows = rows_of(FaultyPeer(*peer, fault), {small(Spread::uniform, {1'000}, 1)});
      REQUIRE(rows.size() == 1);
      CHECK(!rows[0].error.empty());
    }
    if (!peer->abilities().counts) continue;
    const auto rows =
        rows_of(FaultyPeer(*peer, Fault::invents_counts), {counters(Spread::uniform, 1)});
    REQUIRE(rows.size() == 1);
    // The floor's counters are gone with its process; nobody can add them up.
    CHECK(rows[0].error.empty() == peer->abilities().in_process);
  }
}

TEST_CASE("the oracle finds a cache that loses, and one that keeps for too long") {
  const Registry registry = make_registry();
  const Peer& store = *registry.peers.front();
  Case one = small(Spread::hot, {1'000}, 1);
  one.cluster = short_lived();
  one.data.expires = true;
  const auto right = rows_of(store, {one});
  REQUIRE(right.size() == 1);
  CHECK(right[0].error.empty());
  REQUIRE(right[0].hit_ratio);
  constexpr double kRounding = 1e-9;
  const double most = *right[0].expected_hit_ratio + *right[0].undecided_ratio;
  CHECK(*right[0].hit_ratio >= *right[0].expected_hit_ratio - kRounding);
  CHECK(*right[0].hit_ratio <= most + kRounding);
  CHECK(*right[0].hit_ratio < 1);

  const auto losing = rows_of(FaultyPeer(store, Fault::loses), {one});
  REQUIRE(losing.size() == 1);
  CHECK_THAT(losing[0].error, Catch::Contains("must be there"));
}

TEST_CASE("an open loop keeps to its rate and counts what waits") {
  const Registry registry = make_registry();
  const auto rows = rows_of(*registry.peers.front(), {small(Spread::uniform, {1'000}, 1)}, 10'000);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].error.empty());
  CHECK(rows[0].operations <= 101);
  CHECK(rows[0].latency_ns.count() == rows[0].operations);
}

TEST_CASE("deaths beside are counted, and harm nothing that is read") {
  const Registry registry = make_registry();
  Case one = small(Spread::uniform, {500, 500}, 1);
  one.deaths = Deaths::nearby;
  one.least_seconds = 0.2;
  const auto rows = rows_of(*registry.peers.front(), {one});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].error.empty());
  CHECK(rows[0].deaths > 0);
  CHECK(rows_of(*registry.find("boost"), {one}).empty());
}

TEST_CASE("a burst ends after the operations that it may take") {
  const Registry registry = make_registry();
  Case one = small(Spread::hot, {1'000}, 1);
  one.most_operations = 1'000;
  one.least_seconds = 30;
  const auto rows = rows_of(*registry.peers.front(), {one});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].operations >= 1'000);
  CHECK(rows[0].operations < 1'000 + 256);
}

TEST_CASE("several blocks hold what one would") {
  const Registry registry = make_registry();
  Case one = small(Spread::uniform, {500, 500}, 2);
  one.data.blocks = 7;
  const auto rows = rows_of(*registry.peers.front(), {one});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].error.empty());
}

TEST_CASE("a peer that cannot start is a row that says why, and the next one is measured") {
  class Broken final : public Peer {
   public:
    [[nodiscard]] std::string name() const override { return "broken"; }
    [[nodiscard]] std::string version() const override { return {}; }
    [[nodiscard]] std::string options() const override { return {}; }
    [[nodiscard]] std::string promise() const override { return {}; }
    [[nodiscard]] std::unique_ptr<Host> open(const Plan&) const override {
      throw std::runtime_error("no such server");
    }
    [[nodiscard]] std::unique_ptr<Client> connect(const std::string&) const override {
      return nullptr;
    }
  };
  const auto rows =
      rows_of(Broken(), {small(Spread::uniform, {1'000}), small(Spread::hot, {1'000})});
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].error == "no such server");
}
