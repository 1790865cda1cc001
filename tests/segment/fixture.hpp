// A block, its readers segment and a worker segment in anonymous memory, shared with forked
// children, and threads of that worker that write to the block. No director, no names.
#pragma once

#include "platform/mapping.hpp"
#include "segment/format.hpp"
#include "segment/recovery.hpp"
#include "segment/worker_memory.hpp"
#include "segment/writer.hpp"

#include <catch2/catch.hpp>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace sessionblocks::segment::test {

inline constexpr std::uint64_t kSeed = 42;
inline constexpr std::uint16_t kOpen = 3;
inline constexpr std::uint64_t kRingRecords = 1 << 16;

class Memory {
 public:
  explicit Memory(std::size_t bytes) : mapping_(platform::Mapping::anonymous(bytes).value()) {}
  [[nodiscard]] std::byte* data() const noexcept { return mapping_.data(); }
  [[nodiscard]] std::size_t size() const noexcept { return mapping_.bytes(); }
  [[nodiscard]] std::span<std::byte> span() const noexcept { return {data(), size()}; }

 private:
  platform::Mapping mapping_;
};

struct System {
  explicit System(std::uint64_t block_bytes = 4 << 20)
      : block(block_bytes), readers(sizeof(layout::ReadersSegment)), control(4096) {
    REQUIRE(format_block(block.span(), BlockId{7}, Generation{1}, kSeed, 1));
    format_readers(readers.span(), BlockId{7}, Generation{1});
    life().store(active().word);
  }
  [[nodiscard]] static layout::LifeWord active() {
    return layout::LifeWord::make(BlockId{7}, Generation{1}, BlockState::active);
  }
  [[nodiscard]] std::atomic<std::uint64_t>& life() const {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(control.data());
  }
  [[nodiscard]] layout::ReadersSegment& readers_segment() const {
    return *reinterpret_cast<layout::ReadersSegment*>(readers.data());
  }

  Memory block;
  Memory readers;
  Memory control;
  BlockMemory memory{block.data(), block.size(), nullptr, nullptr};
};

// A worker with its own segment. Lanes are used by number.
struct Worker {
  Worker(System& s, std::uint32_t id)
      : system(s),
        worker_id(static_cast<WorkerId>(id)),
        bytes(layout::worker_bytes(kRingRecords)),
        memory(bytes.data(), kRingRecords) {
    REQUIRE(format_worker(bytes.span(), worker_id, kRingRecords));
    memory.header().lanes_used.store(~0U);
  }
  [[nodiscard]] RecoveryReport recover() {
    return recover_in_block(memory, worker_id,
                            {&system.memory, &system.readers_segment(), kOpen, true});
  }

  System& system;
  WorkerId worker_id;
  Memory bytes;
  WorkerMemory memory;
};

inline KeyView key_of(std::string_view text) {
  const auto* data = reinterpret_cast<const std::byte*>(text.data());
  return {data, static_cast<std::uint32_t>(text.size()), hash_key(data, text.size(), kSeed)};
}
inline std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// One thread of a worker in the block.
struct Thread {
  Thread(Worker& w, unsigned lane_number)
      : worker(w),
        lane(w.memory.lane(lane_number)),
        ring(lane, w.memory.ring(lane_number), kRingRecords),
        writer({&w.system.memory, &w.system.readers_segment(), &w.system.life(), &lane, &ring,
                kOpen, owner_of(w.worker_id, lane_number)}) {}

  Outcome apply(std::string_view key, const Mutation& mutation) {
    if (!ring.has_room(Writer::cells_needed(key.size()))) {
      lane.ring_drained.store(ring.next());  // the test reads rings only where it says so
    }
    Outcome outcome;
    writer.apply(key_of(key), mutation, System::active(), true, now_ms, outcome);
    return outcome;
  }
  Outcome put(std::string_view key, std::string_view value, Op op = Op::put) {
    Mutation mutation;
    mutation.op = op;
    mutation.type = layout::ValueType::text;
    mutation.value = bytes_of(value);
    return apply(key, mutation);
  }
  Outcome erase(std::string_view key) {
    Mutation mutation;
    mutation.op = Op::erase;
    return apply(key, mutation);
  }
  Outcome increment(std::string_view key, std::int64_t by = 1) {
    Mutation mutation;
    mutation.op = Op::increment;
    mutation.type = layout::ValueType::integer;
    mutation.add_integer = by;
    mutation.expiry = ExpiryRule::keep;
    return apply(key, mutation);
  }

  Worker& worker;
  layout::LaneHead& lane;
  AuditRingWriter ring;
  Writer writer;
  std::uint64_t now_ms = 1'000;
};

struct Got {
  std::string value;
  std::uint64_t version = 0;
  layout::ValueType type{};
};

// What a reader sees; nullopt: absent.
inline std::optional<Got> get(const BlockMemory& memory, std::string_view key,
                              HazardSlot* hazard = nullptr) {
  Got got;
  SlotView view;
  const Found found = lookup(memory, key_of(key), hazard, view, [&](const SlotView& hit) {
    got.type = hit.shape.type;
    got.version = hit.node->version.load(std::memory_order_relaxed);
    got.value.resize(hit.shape.value_bytes);
    copy_out(reinterpret_cast<std::byte*>(got.value.data()),
             reinterpret_cast<const std::byte*>(hit.node) + hit.shape.value_at(), got.value.size());
  });
  REQUIRE(found != Found::corrupt);
  if (found == Found::absent || got.type == layout::ValueType::tombstone) return std::nullopt;
  return got;
}

inline std::int64_t as_integer(const std::string& value) {
  std::int64_t number = 0;
  std::memcpy(&number, value.data(), 8);
  return number;
}

}  // namespace sessionblocks::segment::test
