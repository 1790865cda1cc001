// The control segment in the hands of its only writer.
//
// What it does: rows for blocks, scopes and workers by the publish rule of layout/control.hpp, ids
// that are never used twice, times, the end in order. What it does not: decide anything.
//
// Invariants
// 1. A row is complete before its id (or life word) shows it, and the id goes first when it ends.
// 2. An id is counted in control before it is used anywhere: a director that takes over after a
//    crash gives none twice.
// 3. Only the director's event loop calls this; readers in other processes need no lock.
// What a crash leaves: rows that adoption reads; a half-made row has no id.
#pragma once

#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>

#include "core/ids.hpp"
#include "core/words.hpp"
#include "layout/control.hpp"
#include "platform/mapping.hpp"
#include "platform/process.hpp"

namespace sessionblocks::director {

// Brings fresh zeroed memory of sizeof(ControlSegment) into the state of a new session system.
[[nodiscard]] Result<void> format_control(std::span<std::byte> memory, std::string_view system,
                                          std::uint64_t hash_seed);

struct BlockRowFields {
  BlockId id{};
  Generation generation{1};
  sessionblocks::BlockState state = sessionblocks::BlockState::active;
  sessionblocks::BlockKind kind = sessionblocks::BlockKind::private_;
  sessionblocks::AuditLevel audit = sessionblocks::AuditLevel::full;
  sessionblocks::FullRing full_ring = sessionblocks::FullRing::wait;
  sessionblocks::Enforce enforce = sessionblocks::Enforce::cooperative;
  sessionblocks::AtLimit at_limit = sessionblocks::AtLimit::refuse;
  layout::Masking masking = layout::Masking::none;
  bool logs_values = false;
  std::uint64_t segment_bytes = 0;  // 0: an inherited block, which has no memory of its own
  std::uint64_t reserved_bytes = 0;
  std::uint64_t quota_bytes = 0;
  std::uint64_t ends_at_ms = 0;
  std::uint64_t idle_ms = 0;
  sessionblocks::AtEnd at_end = sessionblocks::AtEnd::destroy;
  ScopeId heir{};
  ScopeId owner{};
  BlockId origin{};
  std::uint32_t first_table_id = 0;
  std::uint32_t permits = 0;
  std::string_view name;
};

struct ScopeRowFields {
  ScopeId id{};
  ScopeId parent{};
  sessionblocks::ScopeKind kind = sessionblocks::ScopeKind::suite;
  std::uint16_t slot = 0;
  std::string_view name;
  WorkerId worker{};        // flow blocks
  std::uint64_t entry = 0;  // flow blocks
  std::uint64_t budget_bytes = 0;
};

// starting: a process that a director started, which may attach. attaching: any other, which is
// being attached, and of which nothing is kept if that is cut off.
enum class WorkerState : std::uint32_t {
  starting = 1,
  attached = 2,
  dead = 3,
  recovered = 4,
  attaching = 5
};

struct WorkerRowFields {
  WorkerId id{};
  ScopeId scope{};
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;
  WorkerState state = WorkerState::starting;
  std::uint64_t ring_records = 0;
  std::uint32_t restarts = 0;
};

struct CheckpointRowFields {
  BlockId block{};
  Generation generation{1};
  std::uint64_t instant = 0;
  std::uint64_t taken_ms = 0;
  std::string_view name;
};

struct UsedReferenceRowFields {
  std::uint64_t nonce = 0;
  std::uint64_t ends_at_ms = 0;
  BlockId block{};
  ScopeId issuer{};
};

struct RedeemedRowFields {
  WorkerId worker{};
  unsigned open = 0;
  BlockId block{};
  Generation generation{1};
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  ScopeId issuer{};
};

struct HoldingRowFields {
  std::uint64_t block = 0;  // as layout::HoldingRow has it
  std::uint64_t start_ticks = 0;
  pid_t pid = 0;
  ScopeId scope{};
  sessionblocks::Rights rights = sessionblocks::Rights::none;
};

struct RevocationRowFields {
  BlockId block{};
  sessionblocks::Rights left = sessionblocks::Rights::none;
  std::uint32_t enforcing = 0;
  std::string_view path;
};

class ControlDirectory {
 public:
  // Over formatted memory, which stays mapped as long as this lives.
  explicit ControlDirectory(std::span<std::byte> memory) noexcept;

  // Writes down who directs from now on, and raises the epoch.
  void take_over(const platform::ProcessIdentity& director, std::uint64_t pid_namespace) noexcept;
  // Clock offsets: they change with suspend and with the wall clock.
  void refresh_clocks() noexcept;
  void mark_stopped() noexcept;

  // too_many: the 32-bit ids are used up.
  [[nodiscard]] Result<BlockId> next_block_id() noexcept;
  [[nodiscard]] Result<ScopeId> next_scope_id() noexcept;
  [[nodiscard]] Result<WorkerId> next_worker_id() noexcept;

  // The row's index. too_many: every row is in use.
  [[nodiscard]] Result<std::uint32_t> publish(const BlockRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const ScopeRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const WorkerRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const CheckpointRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const UsedReferenceRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const RedeemedRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const HoldingRowFields& fields) noexcept;
  [[nodiscard]] Result<std::uint32_t> publish(const RevocationRowFields& fields) noexcept;
  void withdraw_block(std::uint32_t row) noexcept;
  void withdraw_scope(std::uint32_t row) noexcept;
  void withdraw_worker(std::uint32_t row) noexcept;
  void withdraw_checkpoint(std::uint32_t row) noexcept;
  void withdraw_used_reference(std::uint32_t row) noexcept;
  void withdraw_redeemed(std::uint32_t row) noexcept;
  void withdraw_holding(std::uint32_t row) noexcept;
  void withdraw_revocation(std::uint32_t row) noexcept;

  // State and generation in one store; wakes whoever sleeps on the row.
  void change_life(std::uint32_t row, layout::LifeWord life) noexcept;
  void set_worker_state(std::uint32_t row, WorkerState state) noexcept;

  [[nodiscard]] layout::ControlHeader& header() noexcept { return segment_->header; }
  [[nodiscard]] layout::BlockRow& block(std::uint32_t row) noexcept {
    return segment_->blocks[row];
  }
  [[nodiscard]] layout::ScopeRow& scope(std::uint32_t row) noexcept {
    return segment_->scopes[row];
  }
  [[nodiscard]] layout::WorkerRow& worker(std::uint32_t row) noexcept {
    return segment_->workers[row];
  }
  [[nodiscard]] layout::CheckpointRow& checkpoint(std::uint32_t row) noexcept {
    return segment_->checkpoints[row];
  }
  [[nodiscard]] layout::UsedReferenceRow& used_reference(std::uint32_t row) noexcept {
    return segment_->used_references[row];
  }
  [[nodiscard]] layout::RedeemedRow& redeemed(std::uint32_t row) noexcept {
    return segment_->redeemed[row];
  }
  [[nodiscard]] layout::HoldingRow& holding(std::uint32_t row) noexcept {
    return segment_->holdings[row];
  }
  [[nodiscard]] layout::RevocationRow& revocation(std::uint32_t row) noexcept {
    return segment_->revocations[row];
  }
  [[nodiscard]] layout::SensitiveRow& sensitive(std::uint32_t row) noexcept {
    return segment_->sensitive[row];
  }

 private:
  layout::ControlSegment* segment_;
  // Where the search for a free row begins: rows are used in a circle, so that a reader which
  // holds a row of the past meets a new tenant as late as possible.
  std::uint32_t next_block_row_ = 0;
  std::uint32_t next_scope_row_ = 0;
  std::uint32_t next_worker_row_ = 0;
  std::uint32_t next_checkpoint_row_ = 0;
  std::uint32_t next_used_reference_row_ = 0;
  std::uint32_t next_redeemed_row_ = 0;
  std::uint32_t next_holding_row_ = 0;
  std::uint32_t next_revocation_row_ = 0;
};

}  // namespace sessionblocks::director
