// What a crash test works on: a small block in shared anonymous memory, a victim that will be
// stopped or killed at some instruction, and other workers. And images: copies of all of it at
// other addresses, on which recovery is tried while the victim stands where it is.
#pragma once

#include "../segment/fixture.hpp"
#include "segment/checkpoints.hpp"
#include "segment/fsck.hpp"
#include "segment/scan.hpp"

#include <functional>
#include <map>
#include <memory>
#include <vector>

namespace sessionblocks::crash {

using namespace segment;
using segment::test::Memory;
using segment::test::System;

inline constexpr std::uint64_t kRing = 256;
inline constexpr std::uint64_t kLaneEnd = layout::lane_at(1, kRing);  // only lane 0 is used
inline constexpr std::uint64_t kBlockBytes = layout::kMinBlockBytes;

// A worker segment with one lane in use, over memory of this object.
struct Worker {
  explicit Worker(std::uint32_t number)
      : id(static_cast<WorkerId>(number)),
        bytes(layout::worker_bytes(kRing)),
        memory(bytes.data(), kRing) {
    reset();
  }
  void reset() {
    std::memset(bytes.data(), 0, kLaneEnd);
    if (!format_worker(bytes.span(), id, kRing)) std::abort();
    memory.header().lanes_used.store(1);
  }

  WorkerId id;
  Memory bytes;
  WorkerMemory memory;
};

// A thread of a worker in a block that may be a copy.
struct Actor {
  Actor(BlockMemory& block, layout::ReadersSegment& readers, const System& system, Worker& w,
        bool logs_values = false)
      : lane(w.memory.lane(0)),
        ring(lane, w.memory.ring(0), kRing),
        writer({&block, &readers, &system.life(), &lane, &ring, test::kOpen, owner_of(w.id, 0),
                AtLimit::refuse, logs_values}) {}

  Outcome apply(std::string_view key, const Mutation& mutation,
                layout::LifeWord life = System::active()) {
    const std::uint64_t cells =
        Writer::cells_needed(key.size()) + Writer::value_cells_needed(mutation);
    if (!ring.has_room(cells)) lane.ring_drained.store(ring.next());
    segment::Outcome outcome;
    writer.apply(test::key_of(key), mutation, life, true, 1'000, outcome);
    return outcome;
  }
  Outcome put(std::string_view key, std::string_view value, Op op = Op::put,
              std::uint64_t version = 0) {
    Mutation mutation;
    mutation.op = op;
    mutation.type = layout::ValueType::text;
    mutation.value = test::bytes_of(value);
    mutation.expected_version = version;
    return apply(key, mutation);
  }
  // With a life word that no longer holds: everything is built, and refused before the commit.
  Outcome put_late(std::string_view key, std::string_view value) {
    Mutation mutation;
    mutation.type = layout::ValueType::text;
    mutation.value = test::bytes_of(value);
    return apply(key, mutation, layout::LifeWord{1});
  }
  Outcome erase(std::string_view key, std::vector<std::byte>* taken = nullptr) {
    Mutation mutation;
    mutation.op = taken == nullptr ? Op::erase : Op::get_and_erase;
    mutation.taken = taken;
    return apply(key, mutation);
  }
  Outcome increment(std::string_view key) {
    Mutation mutation;
    mutation.op = Op::increment;
    mutation.type = layout::ValueType::integer;
    mutation.add_integer = 1;
    mutation.expiry = ExpiryRule::keep;
    return apply(key, mutation);
  }

  layout::LaneHead& lane;
  AuditRingWriter ring;
  Writer writer;
};

struct Value {
  std::string bytes;
  std::uint64_t version = 0;
  friend bool operator==(const Value&, const Value&) = default;
};
using Entries = std::map<std::string, Value>;
// Live entries; tombstones are absent. What a checkpoint holds is there as "INSTANT:KEY".
[[nodiscard]] Entries entries_of(const BlockMemory& memory);

// What the child tells the parent, in shared memory.
struct Report {
  std::atomic<std::uint32_t> ended;
  Outcome outcome;
};

// Bytes in which a change is looked for.
struct Range {
  const std::byte* live;
  std::uint64_t bytes;
};

struct Scene {
  explicit Scene(std::uint64_t block_bytes = kBlockBytes) : system(block_bytes) {}
  [[nodiscard]] Report& report() const {
    return *reinterpret_cast<Report*>(system.control.data() + 1'024);
  }
  [[nodiscard]] Actor actor(Worker& worker) {
    return {system.memory, system.readers_segment(), system, worker};
  }
  // The victim's thread begins anew, in a block that logs values. Before it did anything.
  void log_values() {
    std::destroy_at(&self);
    std::construct_at(&self, system.memory, system.readers_segment(), system, victim, true);
  }
  // All that an operation stores to: the block up to some pages above the watermark, the first
  // hazards, the victim's lane.
  [[nodiscard]] std::vector<Range> ranges() const;
  // Checkpoints as a director takes them that is this actor.
  [[nodiscard]] Checkpoints checkpoints_of(Actor& actor) {
    return {system.memory, system.readers_segment(), actor.writer.heap()};
  }
  [[nodiscard]] RecoveryReport recover(Worker& worker) {
    return recover_in_block(worker.memory, worker.id,
                            {&system.memory, &system.readers_segment(), test::kOpen, true});
  }

  System system;
  Worker victim{1};
  Worker other{2};
  Actor self{actor(victim)};
  Actor another{actor(other)};
};

// A copy of the block, the readers and the victim's segment.
class Image {
 public:
  explicit Image(const Scene& scene);
  void copy_from(const Scene& scene);
  void copy_from(const Image& image);
  [[nodiscard]] RecoveryReport recover();
  // Everything that recovery and workers may change.
  [[nodiscard]] bool same_bytes(const Image& image) const;
  [[nodiscard]] BlockMemory& memory() noexcept { return memory_; }
  [[nodiscard]] layout::ReadersSegment& readers() const {
    return *reinterpret_cast<layout::ReadersSegment*>(readers_.data());
  }
  [[nodiscard]] const WorkerMemory& worker() const noexcept { return worker_; }

  [[nodiscard]] std::vector<Range> ranges() const;

 private:
  void copy_bytes(const std::byte* block, const std::byte* readers, const std::byte* worker);
  [[nodiscard]] std::uint64_t used_bytes(const std::byte* block) const;

  WorkerId id_;
  Memory block_;
  Memory readers_;
  Memory worker_bytes_;
  BlockMemory memory_;
  WorkerMemory worker_;
  std::uint64_t touched_;  // bytes of block_ that may differ from zero
};

// All bytes of a scene, to set it back.
class Snapshot {
 public:
  explicit Snapshot(const Scene& scene);
  void restore(Scene& scene) const;

 private:
  std::vector<std::byte> block_, readers_, victim_, other_;
};

}  // namespace sessionblocks::crash
