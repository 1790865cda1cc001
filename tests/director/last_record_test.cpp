// A worker dies between its commit and the record of it, and its block's pages are gone by then.
#include <map>

#include "director/adoption.hpp"
#include "lockfree/audit_ring.hpp"
#include "raw_client.hpp"
#include "segment/worker_memory.hpp"
#include "segment/writer.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director {
namespace {

using test::Sleeper;
using test::Surroundings;

// Keeps the versions of the puts that it takes.
class Taking final : public AuditSink {
 public:
  void worker_added(const WorkerMemory& worker, std::string_view) override {
    workers_.insert_or_assign(worker.id,
                              segment::WorkerMemory(worker.segment.data(), worker.ring_records));
  }
  void block_opened(WorkerId, unsigned, BlockId, Generation, std::string_view) override {}
  void drain_fully(WorkerId worker) override {
    const auto found = workers_.find(worker);
    if (found == workers_.end() || !found->second.is_lane_used(0)) return;
    const segment::WorkerMemory& memory = found->second;
    auto& head = memory.lane(0);
    std::uint64_t at = head.ring_drained.load();
    for (; at < head.ring_written.load(); ++at) {
      const layout::AuditRecord& record = memory.ring(0)[at & (memory.ring_records() - 1)];
      if (record.op == static_cast<std::uint8_t>(Op::put)) puts.push_back(record.version);
      if ((record.flags & layout::kInlineKey) != 0) at += (record.value_bytes + 31) / 32;
    }
    head.ring_drained.store(at);
  }
  void worker_removed(WorkerId worker) override { workers_.erase(worker); }
  void note(std::string_view) override {}

  std::vector<std::uint64_t> puts;

 private:
  std::map<WorkerId, segment::WorkerMemory> workers_;
};

struct Directed {
  explicit Directed(const Surroundings& around) {
    RegistryOptions options;
    options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
    options.make_audit = [this](const SystemInstance&) -> Result<std::shared_ptr<AuditSink>> {
      return taking;
    };
    registry = std::move(adopt_or_create(std::move(options), nullptr)->registry);
    if (!registry->scopes.has_root()) REQUIRE(registry->scopes.add_suite("root"));
    REQUIRE(registry->attach_director(platform::ProcessIdentity::self().value()));
  }
  StoredBlock& cart() { return *registry->blocks.named("cart").front(); }

  std::shared_ptr<Taking> taking = std::make_shared<Taking>();
  std::unique_ptr<Registry> registry;
};

// What a worker leaves that put something and stopped before it wrote the record.
void put_and_stop(Worker& worker, const BlockMemory& block, const std::atomic<std::uint64_t>& life,
                  unsigned open) {
  const segment::WorkerMemory memory(worker.segment->memory().data(), worker.ring_records);
  memory.header().lanes_used.store(1);
  auto& lane = memory.lane(0);
  segment::BlockMemory bytes(block.block.data(), block.block.size(), block.reserved.get(),
                             block.populate);
  AuditRingWriter ring(lane, memory.ring(0), worker.ring_records);
  segment::Writer writer({&bytes, reinterpret_cast<layout::ReadersSegment*>(block.readers.data()),
                          &life, &lane, &ring, static_cast<std::uint16_t>(open),
                          owner_of(worker.id, 0)});
  const std::string_view key = "key";
  const auto* const data = reinterpret_cast<const std::byte*>(key.data());
  segment::Mutation mutation;
  mutation.value = {data, key.size()};
  segment::Outcome outcome;
  const std::uint64_t seed = bytes.header().hash_seed;
  writer.apply({data, 3, segment::hash_key(data, 3, seed)}, mutation, layout::LifeWord{life.load()},
               true, 1'000, outcome);
  REQUIRE(outcome.code == Errc{});
  lane.ring_written.store(lane.intent.record_at.load() - 1);
  lane.intent.done.store(lane.intent.op.load() - 1);
}

enum class End { wipe, swap, compaction_and_wipe, destruction };

void end_pages(Directed& director, End how) {
  Registry& registry = *director.registry;
  const auto change = [&](Transition what, Enforcement by) {
    REQUIRE(registry.states.change(director.cart(), what, "the test", by));
  };
  using sessionblocks::Enforce;
  switch (how) {
    case End::wipe:
      return change(Transition::wipe, {});
    case End::swap:
      return change(Transition::seal, {Enforce::swap, false});
    case End::compaction_and_wipe:
      REQUIRE(registry.generations.compact(director.cart(), "the test"));
      return change(Transition::wipe, {});
    case End::destruction:
      return registry.destroy_block(director.cart().id, "the test");
  }
}

TEST_CASE("what a worker did last is recorded, though the pages of its block have gone") {
  const End how = GENERATE(End::wipe, End::swap, End::compaction_and_wipe, End::destruction);
  const bool director_dies = GENERATE(false, true);
  CAPTURE(static_cast<int>(how), director_dies);
  const Surroundings around;
  const Sleeper other;  // lives, so that the system goes on
  std::optional<Sleeper> writer(std::in_place);
  auto director = std::make_optional<Directed>(around);
  Registry& registry = *director->registry;
  const ScopeId root = registry.scopes.root().id;
  BlockRequest request;
  request.policy.name = "cart";
  request.policy.owner = root;
  request.quota_bytes = std::uint64_t{4} << 20U;
  REQUIRE(registry.create_block(request));
  const auto attach = [&](pid_t pid) -> Worker& {
    return **registry.attach(root, platform::ProcessIdentity::of(pid).value(), {});
  };
  attach(other.pid());
  Worker& worker = attach(writer->pid());
  const WorkerId id = worker.id;
  const auto opening = registry.open(worker, root, "cart", OpenMode::read_write);
  REQUIRE(opening);
  put_and_stop(worker, director->cart().memory(), registry.control.block(director->cart().row).life,
               opening->open);
  end_pages(*director, how);
  CHECK(director->taking->puts.empty());
  if (!director_dies) {
    writer.reset();
    registry.end_worker(id, "it was killed");
    CHECK(director->taking->puts == std::vector<std::uint64_t>{1});
    registry.remove_all();
    return;
  }
  registry.control.take_over(around.director(), platform::pid_namespace().value());
  director.reset();
  writer.reset();
  Directed next(around);
  CHECK(next.taking->puts == std::vector<std::uint64_t>{1});
  next.registry->remove_all();
}

}  // namespace
}  // namespace sessionblocks::director
