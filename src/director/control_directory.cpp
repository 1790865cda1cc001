#include "director/control_directory.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

#include "core/crash_point.hpp"
#include "layout/layout_hash.hpp"
#include "platform/clock.hpp"
#include "platform/futex.hpp"

namespace sessionblocks::director {
namespace {

template <std::size_t kBytes>
void copy_name(char (&to)[kBytes], std::string_view name) noexcept {
  std::memset(to, 0, sizeof to);
  std::memcpy(to, name.data(), std::min(name.size(), sizeof to - 1));
}

// The next row whose `is_free` says so, going round once.
template <typename Row, std::size_t kCount, typename IsFree>
Result<std::uint32_t> find_row(Row (&rows)[kCount], std::uint32_t& next, const char* what,
                               IsFree is_free) noexcept {
  for (std::uint32_t tried = 0; tried < kCount; ++tried) {
    const std::uint32_t row = next;
    next = next + 1 == kCount ? 0 : next + 1;
    if (is_free(rows[row])) return row;
  }
  return fail(Errc::too_many, std::string("control has no free row for a ") + what);
}

constexpr auto kIdIsZero = [](const auto& row) {
  return row.id.load(std::memory_order_relaxed) == 0;  // relaxed: only we write rows
};

constexpr auto kBlockIsZero = [](const auto& row) {
  return row.block.load(std::memory_order_relaxed) == 0;  // relaxed: only we write rows
};

template <typename Id>
Result<Id> next_id(std::uint32_t& counter, std::uint32_t most, const char* what) noexcept {
  if (counter >= most) return fail(Errc::too_many, std::string("ids used up: ") + what);
  return static_cast<Id>(++counter);
}

std::int64_t ms_between(std::uint64_t later_ns, std::uint64_t earlier_ns) noexcept {
  return (static_cast<std::int64_t>(later_ns) - static_cast<std::int64_t>(earlier_ns)) / 1'000'000;
}

}  // namespace

Result<void> format_control(std::span<std::byte> memory, std::string_view system,
                            std::uint64_t hash_seed) {
  if (memory.size() != sizeof(layout::ControlSegment)) {
    return fail(Errc::invalid_argument, "format control: wrong size");
  }
  auto& header = reinterpret_cast<layout::ControlSegment*>(memory.data())->header;
  header.hash_seed = hash_seed;
  copy_name(header.system_name, system);
  // Last: what has no identity is not a control segment, so a crash before leaves nothing to adopt.
  const layout::Identity identity = layout::identity(layout::Magic::control, memory.size());
  std::atomic_thread_fence(std::memory_order_release);
  header.identity = identity;
  return {};
}

ControlDirectory::ControlDirectory(std::span<std::byte> memory) noexcept
    : segment_(reinterpret_cast<layout::ControlSegment*>(memory.data())) {}

void ControlDirectory::take_over(const platform::ProcessIdentity& director,
                                 std::uint64_t pid_namespace) noexcept {
  layout::ControlHeader& head = header();
  head.director_pid = static_cast<std::uint32_t>(director.pid);
  head.director_start_ticks = director.start_ticks;
  std::memcpy(head.boot_id, director.boot.data(), sizeof head.boot_id);
  head.pid_namespace = pid_namespace;
  head.stopped.store(0, std::memory_order_relaxed);
  refresh_clocks();
  // CRASH(control.taken): this director's name, by which the next one knows its lane.
  SESSIONBLOCKS_CRASH("control.taken");
  // E1 (release): who directs, before the number by which workers notice the change.
  head.epoch.fetch_add(1, std::memory_order_release);
}

void ControlDirectory::refresh_clocks() noexcept {
  const std::uint64_t monotonic = platform::monotonic_ns();
  // Relaxed: two independent numbers, each read on its own.
  header().boottime_offset_ms.store(ms_between(platform::boottime_ns(), monotonic),
                                    std::memory_order_relaxed);
  header().realtime_offset_ms.store(ms_between(platform::realtime_ns(), monotonic),
                                    std::memory_order_relaxed);
}

void ControlDirectory::mark_stopped() noexcept {
  header().stopped.store(1, std::memory_order_release);
}

Result<BlockId> ControlDirectory::next_block_id() noexcept {
  return next_id<BlockId>(header().next_block_id, std::numeric_limits<std::uint32_t>::max(),
                          "blocks");
}
Result<ScopeId> ControlDirectory::next_scope_id() noexcept {
  return next_id<ScopeId>(header().next_scope_id, std::numeric_limits<std::uint32_t>::max(),
                          "scopes");
}
Result<WorkerId> ControlDirectory::next_worker_id() noexcept {
  return next_id<WorkerId>(header().next_worker_id, 0xFF'FFFFU, "workers");
}

Result<std::uint32_t> ControlDirectory::publish(const BlockRowFields& fields) noexcept {
  const auto found = find_row(segment_->blocks, next_block_row_, "block", [](const auto& row) {
    return row.life.load(std::memory_order_relaxed) == 0;  // relaxed: only we write rows
  });
  if (!found) return found;
  layout::BlockRow& row = block(*found);
  const std::uint64_t policy = static_cast<std::uint64_t>(fields.audit) |
                               (static_cast<std::uint64_t>(fields.full_ring) << 8U) |
                               (static_cast<std::uint64_t>(fields.kind) << 16U) |
                               (static_cast<std::uint64_t>(fields.enforce) << 24U) |
                               (static_cast<std::uint64_t>(fields.at_end) << 32U) |
                               (static_cast<std::uint64_t>(fields.at_limit) << 40U) |
                               (static_cast<std::uint64_t>(fields.masking) << 48U) |
                               (fields.logs_values ? layout::kLogsValues : 0);
  // Relaxed: B1 below publishes them all.
  row.reserved_bytes.store(fields.reserved_bytes, std::memory_order_relaxed);
  row.segment_bytes.store(fields.segment_bytes, std::memory_order_relaxed);
  row.policy.store(policy, std::memory_order_relaxed);
  row.owner_scope = raw(fields.owner);
  row.quota_bytes = fields.quota_bytes;
  row.ends_at_ms = fields.ends_at_ms;
  row.idle_ms = fields.idle_ms;
  row.heir_scope = raw(fields.heir);
  row.created_ms = platform::realtime_ns() / 1'000'000;
  row.goal = 0;
  row.enforcing = 0;
  row.origin_block = raw(fields.origin);
  row.first_table_id = fields.first_table_id;
  row.permits = fields.permits;
  copy_name(row.name, fields.name);
  // B1 (release): the row before the word that shows it. Pairs with the load of life in open.
  row.life.store(layout::LifeWord::make(fields.id, fields.generation, fields.state).word,
                 std::memory_order_release);
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const ScopeRowFields& fields) noexcept {
  const auto found = find_row(segment_->scopes, next_scope_row_, "scope", kIdIsZero);
  if (!found) return found;
  layout::ScopeRow& row = scope(*found);
  row.parent = raw(fields.parent);
  row.kind = static_cast<std::uint8_t>(fields.kind);
  row.ended = 0;
  row.slot = fields.slot;
  row.worker = raw(fields.worker);
  row.entry = fields.entry;
  row.budget_bytes = fields.budget_bytes;
  row.started_ms = platform::realtime_ns() / 1'000'000;
  copy_name(row.name, fields.name);
  row.id.store(raw(fields.id), std::memory_order_release);  // B1
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const WorkerRowFields& fields) noexcept {
  const auto found = find_row(segment_->workers, next_worker_row_, "worker", kIdIsZero);
  if (!found) return found;
  layout::WorkerRow& row = worker(*found);
  row.scope = raw(fields.scope);
  row.pid = fields.pid;
  row.state = static_cast<std::uint32_t>(fields.state);
  row.start_ticks = fields.start_ticks;
  row.ring_records = fields.ring_records;
  row.started_ms = platform::realtime_ns() / 1'000'000;
  row.restarts = fields.restarts;
  row.id.store(raw(fields.id), std::memory_order_release);  // B1
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const CheckpointRowFields& fields) noexcept {
  const auto found =
      find_row(segment_->checkpoints, next_checkpoint_row_, "checkpoint", kBlockIsZero);
  if (!found) return found;
  layout::CheckpointRow& row = checkpoint(*found);
  row.instant = fields.instant;
  row.taken_ms = fields.taken_ms;
  copy_name(row.name, fields.name);
  const std::uint64_t block = (std::uint64_t{raw(fields.block)} << 32U) | raw(fields.generation);
  row.block.store(block, std::memory_order_release);  // B1
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const UsedReferenceRowFields& fields) noexcept {
  const auto found = find_row(
      segment_->used_references, next_used_reference_row_, "used reference", [](const auto& row) {
        return row.nonce.load(std::memory_order_relaxed) == 0;  // relaxed: only we write
      });
  if (!found) return found;
  layout::UsedReferenceRow& row = used_reference(*found);
  row.ends_at_ms = fields.ends_at_ms;
  row.block = raw(fields.block);
  row.issuer = raw(fields.issuer);
  row.nonce.store(fields.nonce, std::memory_order_release);  // B1
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const RedeemedRowFields& fields) noexcept {
  const auto found =
      find_row(segment_->redeemed, next_redeemed_row_, "redeemed open", [](const auto& row) {
        return row.worker.load(std::memory_order_relaxed) == 0;  // relaxed: only we write rows
      });
  if (!found) return found;
  layout::RedeemedRow& row = redeemed(*found);
  row.open = fields.open;
  row.block = raw(fields.block);
  row.generation = raw(fields.generation);
  row.rights = static_cast<std::uint8_t>(fields.rights);
  row.issuer = raw(fields.issuer);
  row.worker.store(raw(fields.worker), std::memory_order_release);  // B1
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const HoldingRowFields& fields) noexcept {
  const auto found = find_row(segment_->holdings, next_holding_row_, "holding", kBlockIsZero);
  if (!found) return found;
  layout::HoldingRow& row = holding(*found);
  row.start_ticks = fields.start_ticks;
  row.pid = fields.pid;
  row.scope = raw(fields.scope);
  row.rights = static_cast<std::uint8_t>(fields.rights);
  row.block.store(fields.block, std::memory_order_release);  // B1
  return found;
}

Result<std::uint32_t> ControlDirectory::publish(const RevocationRowFields& fields) noexcept {
  const auto found =
      find_row(segment_->revocations, next_revocation_row_, "revocation", kBlockIsZero);
  if (!found) return found;
  layout::RevocationRow& row = revocation(*found);
  row.left = static_cast<std::uint32_t>(fields.left);
  row.enforcing = fields.enforcing;
  row.revoked_ms = platform::realtime_ns() / 1'000'000;
  copy_name(row.path, fields.path);
  row.block.store(raw(fields.block), std::memory_order_release);  // B1
  return found;
}

void ControlDirectory::withdraw_block(std::uint32_t row) noexcept {
  block(row).life.store(0, std::memory_order_release);
}
void ControlDirectory::withdraw_scope(std::uint32_t row) noexcept {
  scope(row).id.store(0, std::memory_order_release);
}
void ControlDirectory::withdraw_worker(std::uint32_t row) noexcept {
  worker(row).id.store(0, std::memory_order_release);
}

void ControlDirectory::withdraw_checkpoint(std::uint32_t row) noexcept {
  checkpoint(row).block.store(0, std::memory_order_release);
}

void ControlDirectory::withdraw_used_reference(std::uint32_t row) noexcept {
  used_reference(row).nonce.store(0, std::memory_order_release);
}
void ControlDirectory::withdraw_redeemed(std::uint32_t row) noexcept {
  redeemed(row).worker.store(0, std::memory_order_release);
}

void ControlDirectory::withdraw_holding(std::uint32_t row) noexcept {
  holding(row).block.store(0, std::memory_order_release);
}
void ControlDirectory::withdraw_revocation(std::uint32_t row) noexcept {
  revocation(row).block.store(0, std::memory_order_release);
}

void ControlDirectory::change_life(std::uint32_t row, layout::LifeWord life) noexcept {
  layout::BlockRow& target = block(row);
  // L1 (seq_cst): a worker stores its intent and then loads life; settle's barrier falls between.
  target.life.store(life.word, std::memory_order_seq_cst);
  target.change_seq.fetch_add(1, std::memory_order_release);
  platform::futex_wake(target.change_seq);
}

void ControlDirectory::set_worker_state(std::uint32_t row, WorkerState state) noexcept {
  worker(row).state = static_cast<std::uint32_t>(state);
}

}  // namespace sessionblocks::director
