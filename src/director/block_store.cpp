#include "director/block_store.hpp"

#include <sys/statvfs.h>

#include <algorithm>
#include <cstring>

#include "core/bounds.hpp"
#include "core/crash_point.hpp"
#include "layout/block.hpp"
#include "layout/readers.hpp"
#include "platform/clock.hpp"
#include "platform/os_error.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockKind;
using sessionblocks::BlockState;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint32_t kFirstTableId = 1;

Result<void> check_quota(std::uint64_t quota_bytes, const std::string& name) {
  const std::string what = "block " + name + ": quota " + std::to_string(quota_bytes) + " bytes";
  if (quota_bytes < layout::kMinBlockBytes || quota_bytes > layout::kMaxBlockBytes) {
    return fail(Errc::invalid_argument, what + ": 524288 to 1099511627776 are possible");
  }
  struct statvfs shm {};
  if (::statvfs("/dev/shm", &shm) != 0) return platform::fail_errno("ask for the size of /dev/shm");
  const std::uint64_t room = std::uint64_t{shm.f_bavail} * shm.f_frsize;
  if (quota_bytes > room) {
    return fail(Errc::out_of_memory, what + ", and /dev/shm has room for " + std::to_string(room));
  }
  return {};
}

std::uint64_t boottime_ms() noexcept {
  return platform::boottime_ns() / 1'000'000;
}

std::string text_of(const char (&name)[layout::kNameBytes]) {
  return {name, ::strnlen(name, sizeof name)};
}

}  // namespace

BlockMemory StoredBlock::memory() const {
  BlockMemory memory;
  memory.id = id;
  memory.generation = generation;
  if (segment) memory.block = segment->memory();
  if (readers) memory.readers = readers->memory();
  memory.reserved = reserved;
  memory.audited = audit != sessionblocks::AuditLevel::counted;  // what recovery makes is a write
  memory.logs_values = logs_values;
  memory.evicts = at_limit != sessionblocks::AtLimit::refuse;
  if (segment) {
    memory.populate = [file = segment](std::uint64_t offset, std::uint64_t bytes) {
      return file->reserve(offset, bytes).has_value();
    };
  }
  return memory;
}

std::string StoredBlock::text() const {
  return "block " + policy.name + " (" + std::to_string(raw(id)) + ")";
}

Result<BlockId> BlockStore::create(const BlockRequest& request, const Fill& fill) {
  const bool has_memory = request.policy.kind != BlockKind::inherited;
  if (has_memory) {
    if (auto checked = check_quota(request.quota_bytes, request.policy.name); !checked) {
      return tl::unexpected(checked.error());
    }
  }
  const auto id = parts_.control.next_block_id();
  if (!id) return id;
  StoredBlock block;
  block.id = *id;
  block.policy = request.policy;
  block.from = request.from;
  block.origin = request.origin;
  block.permits = request.permits;
  block.audit = request.audit;
  block.full_ring = request.full_ring;
  block.enforce = request.enforce;
  block.at_limit = request.at_limit;
  block.logs_values = request.logs_values;
  block.quota_bytes = has_memory ? request.quota_bytes : 0;
  block.last_used_ms = boottime_ms();
  block.ending = request.ending;
  SensitivePatterns patterns = request.sensitive;
  const layout::Masking masking = sensitive_.keep(block.id, patterns);
  block.mask = make_mask(patterns, parts_.mask_key);
  const auto undo = [&](const Error& error) {
    unlink(block);
    if (block.mask) sensitive_.forget(block.id);
    return tl::unexpected(error);
  };
  if (request.lifespan_ms != 0) block.ends_at_ms = block.last_used_ms + request.lifespan_ms;
  if (has_memory) {
    if (auto made = make_memory(block, kFirstTableId); !made) return undo(made.error());
  }
  if (auto filled = fill ? fill(block) : Result<void>(); !filled) return undo(filled.error());
  // CRASH(create.filled): as create.formatted, with entries.
  SESSIONBLOCKS_CRASH("create.filled");
  const auto row = publish(block, request, masking);
  if (!row) return undo(row.error());
  // CRASH(create.published): a whole block of which nobody was told; adoption takes it.
  SESSIONBLOCKS_CRASH("create.published");
  block.row = *row;
  insert(std::move(block));
  return *id;
}

// Its names go; what is mapped stays.
void BlockStore::unlink(StoredBlock& block) noexcept {
  if (block.segment) block.segment->unlink();
  if (block.readers) block.readers->unlink();
}

// On an error no name is left.
Result<void> BlockStore::make_memory(StoredBlock& block, std::uint32_t first_table_id) {
  const std::uint64_t bytes = align_up(block.quota_bytes, 4'096);
  auto segment = SegmentFile::create(parts_.paths.block_segment(block.id, block.generation), bytes,
                                     parts_.naming, parts_.opener);
  if (!segment) return tl::unexpected(segment.error());
  block.segment = std::make_shared<SegmentFile>(std::move(*segment));
  // CRASH(create.segment): a segment that no row names; adoption removes it.
  SESSIONBLOCKS_CRASH("create.segment");
  auto readers = SegmentFile::create(parts_.paths.readers_segment(block.id, block.generation),
                                     align_up(sizeof(layout::ReadersSegment), 4'096), parts_.naming,
                                     parts_.opener);
  const auto undo = [&block](const Error& error) {
    unlink(block);
    return tl::unexpected(error);
  };
  if (!readers) return undo(readers.error());
  block.readers = std::make_shared<SegmentFile>(std::move(*readers));
  const bool marks_use = block.at_limit == sessionblocks::AtLimit::evict_lru;
  const std::uint64_t marks_at = offsetof(layout::ReadersSegment, used);
  if (auto kept = block.readers->reserve(0, marks_use ? block.readers->bytes() : marks_at); !kept) {
    return undo(kept.error());
  }
  const auto heap = layout::Geometry::of(bytes).heap_at;
  if (auto kept = reserve_ahead(block, heap + kMiB); !kept) return undo(kept.error());
  auto formatted = parts_.data_plane.format_block(block.memory(), parts_.control.header().hash_seed,
                                                  first_table_id);
  if (!formatted) return undo(formatted.error());
  // CRASH(create.formatted): both segments, and no row; adoption removes them.
  SESSIONBLOCKS_CRASH("create.formatted");
  return {};
}

Result<std::uint32_t> BlockStore::publish(const StoredBlock& block, const BlockRequest& request,
                                          layout::Masking masking) {
  BlockRowFields fields;
  fields.id = block.id;
  fields.generation = block.generation;
  fields.kind = block.policy.kind;
  fields.audit = request.audit;
  fields.full_ring = request.full_ring;
  fields.enforce = request.enforce;
  fields.at_limit = request.at_limit;
  fields.masking = masking;
  fields.logs_values = request.logs_values;
  fields.segment_bytes = block.segment ? block.segment->bytes() : 0;
  fields.reserved_bytes = block.reserved_bytes();
  fields.quota_bytes = block.quota_bytes;
  fields.ends_at_ms = block.ends_at_ms;
  fields.idle_ms = block.ending.idle_ms;
  fields.at_end = block.ending.at_end;
  fields.heir = block.ending.heir;
  fields.owner = block.policy.owner;
  fields.first_table_id = kFirstTableId;
  fields.permits = request.permits;
  fields.name = block.policy.name;
  const auto origins = named(block.from);
  fields.origin = block.origin;
  if (block.origin == BlockId{} && !origins.empty()) fields.origin = origins.front()->id;
  return parts_.control.publish(fields);
}

void BlockStore::insert(StoredBlock block) {
  const BlockId id = block.id;
  by_name_.emplace(block.policy.name, id);
  blocks_.emplace(id, std::move(block));
}

Result<BlockId> BlockStore::adopt(std::uint32_t row, const ScriptRights& grants, std::string from) {
  const layout::BlockRow& stored = parts_.control.block(row);
  const layout::LifeWord life{stored.life.load(std::memory_order_acquire)};
  StoredBlock block;
  block.id = life.id();
  block.generation = life.generation();
  block.state = life.state();
  block.is_joining = stored.goal == layout::kGoalJoin;
  if (block.state == BlockState::moving &&
      !block.is_joining) {  // its next generation was not published
    block.state = BlockState::active;
    parts_.control.change_life(row,
                               layout::LifeWord::make(block.id, block.generation, block.state));
  }
  block.policy.name = text_of(stored.name);
  block.policy.kind =
      static_cast<BlockKind>((stored.policy.load(std::memory_order_relaxed) >> 16U) & 0xFFU);
  block.policy.owner = static_cast<ScopeId>(stored.owner_scope);
  block.policy.grants = grants;
  block.from = std::move(from);
  if (block.policy.kind == BlockKind::forked) {
    block.origin = static_cast<BlockId>(stored.origin_block);
  }
  block.row = row;
  block.quota_bytes = stored.quota_bytes;
  block.permits = stored.permits;
  block.reserved->store(stored.reserved_bytes.load(std::memory_order_relaxed),
                        std::memory_order_relaxed);
  block.audit =
      static_cast<sessionblocks::AuditLevel>(stored.policy.load(std::memory_order_relaxed) & 0xFFU);
  block.full_ring = static_cast<sessionblocks::FullRing>(
      (stored.policy.load(std::memory_order_relaxed) >> 8U) & 0xFFU);
  block.enforce = static_cast<sessionblocks::Enforce>(
      (stored.policy.load(std::memory_order_relaxed) >> 24U) & 0xFFU);
  block.at_limit = static_cast<sessionblocks::AtLimit>(
      (stored.policy.load(std::memory_order_relaxed) >> 40U) & 0xFFU);
  const auto masking = layout::masking_of(stored.policy.load(std::memory_order_relaxed));
  block.mask = make_mask(sensitive_.of(block.id, masking), parts_.mask_key);
  block.logs_values = (stored.policy.load(std::memory_order_relaxed) & layout::kLogsValues) != 0;
  block.ends_at_ms = stored.ends_at_ms;
  const std::uint64_t expected = stored.segment_bytes.load(std::memory_order_relaxed);
  block.ending.idle_ms = stored.idle_ms;
  block.ending.at_end = static_cast<sessionblocks::AtEnd>(
      (stored.policy.load(std::memory_order_relaxed) >> 32U) & 0xFFU);
  block.ending.heir = static_cast<ScopeId>(stored.heir_scope);
  block.last_used_ms = boottime_ms();  // who used it while no director ran is not known
  block.enforcing = stored.enforcing;
  block.is_changing_hands = stored.goal == layout::kGoalHandOver;
  const bool doomed = block.state == BlockState::destroyed ||
                      (stored.goal != 0 && !block.is_changing_hands && !block.is_joining);
  if (expected != 0) {
    auto segment = SegmentFile::adopt(parts_.paths.block_segment(block.id, block.generation));
    auto readers = SegmentFile::adopt(parts_.paths.readers_segment(block.id, block.generation));
    if (segment) block.segment = std::make_shared<SegmentFile>(std::move(*segment));
    if (readers) block.readers = std::make_shared<SegmentFile>(std::move(*readers));
  }
  const bool whole =
      expected == 0 || (block.segment && block.readers && block.segment->bytes() == expected &&
                        block.readers->bytes() >= sizeof(layout::ReadersSegment));
  const BlockId id = block.id;
  insert(std::move(block));
  if (whole && !doomed) return id;
  begin_destroy(blocks_.at(id));
  static_cast<void>(finish_destroy(id));
  return fail(doomed ? Errc::gone : Errc::corrupt, "block " + std::to_string(raw(id)));
}

void BlockStore::begin_destroy(StoredBlock& block) noexcept {
  parts_.control.block(block.row).goal = static_cast<std::uint64_t>(BlockState::destroyed);
  // CRASH(destroy.goal): the goal stands, nothing has ended; adoption destroys the block.
  SESSIONBLOCKS_CRASH("destroy.goal");
  block.state = BlockState::destroyed;
  parts_.control.change_life(
      block.row, layout::LifeWord::make(block.id, block.generation, BlockState::destroyed));
  // CRASH(destroy.state): handles answer `gone`, both names are there; adoption goes on here.
  SESSIONBLOCKS_CRASH("destroy.state");
}

void BlockStore::begin_hand_over(StoredBlock& block, ScopeId heir) noexcept {
  layout::BlockRow& row = parts_.control.block(block.row);
  row.heir_scope = raw(heir);
  row.goal = layout::kGoalHandOver;
  // CRASH(handover.goal): the goal and the heir stand, the owner is as before; adoption goes on.
  SESSIONBLOCKS_CRASH("handover.goal");
  block.ending.heir = block.policy.owner = heir;
  block.ending.is_heir_by_path = false;
  block.ending.idle_ms = 0;
  block.ends_at_ms = 0;
}

void BlockStore::finish_hand_over(StoredBlock& block) noexcept {
  layout::BlockRow& row = parts_.control.block(block.row);
  row.idle_ms = 0;
  row.ends_at_ms = 0;
  row.owner_scope = raw(block.policy.owner);
  // CRASH(handover.owned): the new owner and the goal; adoption does it again.
  SESSIONBLOCKS_CRASH("handover.owned");
  row.goal = 0;
  block.is_changing_hands = false;
}

void BlockStore::begin_join(StoredBlock& fork) noexcept {
  parts_.control.block(fork.row).goal = layout::kGoalJoin;
  // CRASH(join.goal): the goal stands, its origin is as before; adoption withdraws the goal.
  SESSIONBLOCKS_CRASH("join.goal");
  change_state(fork, BlockState::moving);
}

void BlockStore::end_join(StoredBlock& fork) noexcept {
  change_state(fork, BlockState::active);
  // CRASH(join.withdrawn): active, and the goal stands; adoption withdraws it.
  SESSIONBLOCKS_CRASH("join.withdrawn");
  parts_.control.block(fork.row).goal = 0;
  fork.is_joining = false;
}

void BlockStore::name_heir(StoredBlock& block, ScopeId heir) noexcept {
  if (block.ending.heir == heir) return;
  block.ending.heir = heir;
  parts_.control.block(block.row).heir_scope = raw(heir);
}

bool BlockStore::add_sensitive(StoredBlock& block, const SensitivePatterns& patterns) {
  SensitivePatterns all = block.mask ? block.mask->patterns() : SensitivePatterns{};
  SensitivePatterns more = patterns;
  std::erase_if(more,
                [&](const std::string& pattern) { return std::ranges::count(all, pattern) != 0; });
  if (more.empty()) return false;
  const layout::Masking masking = sensitive_.keep(block.id, more);
  add_patterns(all, more);
  auto& policy = parts_.control.block(block.row).policy;
  // Relaxed: only we store it, and nothing else is read by it. A block that masks every key goes
  // on.
  const std::uint64_t now = policy.load(std::memory_order_relaxed);
  const auto most = std::max(masking, layout::masking_of(now));
  policy.store((now & ((std::uint64_t{1} << 48U) - 1)) | (static_cast<std::uint64_t>(most) << 48U),
               std::memory_order_relaxed);
  block.mask = make_mask(all, parts_.mask_key);
  return true;
}

void BlockStore::sweep_sensitive() noexcept {
  sensitive_.keep_if([this](BlockId id) { return blocks_.contains(id); });
}

void BlockStore::begin_enforcing(StoredBlock& block, std::uint32_t code) noexcept {
  block.enforcing = code;
  parts_.control.block(block.row).enforcing = code;
  // CRASH(state.enforcing): how a change of state is enforced that has not begun, or is done;
  // adoption enforces so what has begun.
  SESSIONBLOCKS_CRASH("state.enforcing");
}

void BlockStore::change_state(StoredBlock& block, BlockState state) noexcept {
  block.state = state;
  block.is_suspect = false;
  parts_.control.change_life(block.row, layout::LifeWord::make(block.id, block.generation, state));
  // CRASH(state.changed): handles answer by the new state, a writer that looked before may still
  // commit, and a wiped block has its bytes; adoption settles, and wipes again.
  SESSIONBLOCKS_CRASH("state.changed");
}

Result<StoredBlock> BlockStore::make_generation(const StoredBlock& block, Room room) {
  constexpr std::uint32_t kMostGenerations = (1U << 24U) - 1;  // as LifeWord has bits for
  auto& last = parts_.control.block(block.row).last_generation;
  if (std::max(last, raw(block.generation)) >= kMostGenerations) {
    return fail(Errc::too_many, "another generation of " + block.text());
  }
  last = std::max(last, raw(block.generation)) + 1;
  StoredBlock next;
  next.id = block.id;
  next.generation = static_cast<Generation>(last);
  next.policy = block.policy;
  next.row = block.row;
  next.quota_bytes = block.quota_bytes;
  next.audit = block.audit;
  next.at_limit = block.at_limit;
  next.mask = block.mask;
  next.logs_values = block.logs_values;
  if (auto made = make_memory(next, kFirstTableId); !made) return tl::unexpected(made.error());
  if (room == Room::as_needed) return next;
  if (auto kept = reserve_ahead(next, parts_.data_plane.used_bytes(block.memory())); !kept) {
    unlink(next);
    return tl::unexpected(kept.error());
  }
  return next;
}

StoredBlock BlockStore::publish_generation(StoredBlock& block, StoredBlock next,
                                           BlockState state) noexcept {
  StoredBlock old;
  old.id = block.id;
  old.generation = std::exchange(block.generation, next.generation);
  old.policy = block.policy;
  old.audit = block.audit;
  old.mask = block.mask;
  old.reserved = std::exchange(block.reserved, next.reserved);
  old.segment = std::exchange(block.segment, next.segment);
  old.readers = std::exchange(block.readers, next.readers);
  // What an old mapping may touch changes before its readers are told: one of the same size.
  parts_.control.block(block.row).reserved_bytes.store(block.reserved_bytes(),
                                                       std::memory_order_release);
  change_state(block, state);
  // CRASH(generation.published): the names of both generations; adoption empties the old one and
  // removes them.
  SESSIONBLOCKS_CRASH("generation.published");
  return old;
}

std::optional<StoredBlock> BlockStore::finish_destroy(BlockId id) noexcept {
  const auto found = blocks_.find(id);
  if (found == blocks_.end()) return std::nullopt;
  StoredBlock& block = found->second;
  if (block.segment) block.segment->unlink();
  // CRASH(destroy.half_unlinked): a row with one name; adoption goes on here.
  SESSIONBLOCKS_CRASH("destroy.half_unlinked");
  if (block.readers) block.readers->unlink();
  // CRASH(destroy.unlinked): a row without names; adoption withdraws it.
  SESSIONBLOCKS_CRASH("destroy.unlinked");
  parts_.control.withdraw_block(block.row);
  if (block.mask) sensitive_.forget(id);
  const auto [first, last] = by_name_.equal_range(block.policy.name);
  for (auto at = first; at != last; ++at) {
    if (at->second != id) continue;
    by_name_.erase(at);
    break;
  }
  std::optional<StoredBlock> retired(std::move(block));
  blocks_.erase(found);
  return retired;
}

Result<std::uint64_t> BlockStore::reserve_ahead(StoredBlock& block, std::uint64_t wanted_bytes) {
  const auto geometry = layout::Geometry::of(block.segment->bytes());
  std::uint64_t goal = wanted_bytes;
  if (block.reserved_bytes() != 0) {  // formatted
    const std::uint64_t used = parts_.data_plane.used_bytes(block.memory());
    goal = std::max(goal, used + std::max(kMiB, used / 4));
  }
  goal = std::min(align_up(goal, layout::kPageBytes), geometry.segment_bytes);
  const std::uint64_t have = std::max(block.reserved_bytes(), geometry.heap_at);
  if (goal <= block.reserved_bytes()) return block.reserved_bytes();
  const std::uint64_t pages = std::min(
      divide_up(goal - std::min(goal, geometry.heap_at), layout::kPageBytes), geometry.page_count);
  const std::uint64_t table = layout::kPageTableAt + pages * sizeof(layout::PageDescriptor);
  if (auto kept = block.segment->reserve(0, std::min(table, geometry.heap_at)); !kept) {
    return tl::unexpected(kept.error());
  }
  if (goal > have) {
    if (auto kept = block.segment->reserve(have, goal - have); !kept) {
      return tl::unexpected(kept.error());
    }
  }
  // CRASH(reserve.populated): memory that control does not count; the next reservation finds it.
  SESSIONBLOCKS_CRASH("reserve.populated");
  block.reserved->store(goal, std::memory_order_release);
  // Before a block, or a generation of it, is published, its row is somebody else's.
  if (find(block.id) == &block) {
    // V1 (release): the memory is there before anyone may use an offset below the new bound.
    parts_.control.block(block.row).reserved_bytes.store(goal, std::memory_order_release);
  }
  return goal;
}

StoredBlock* BlockStore::find(BlockId block) noexcept {
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? nullptr : &found->second;
}

std::vector<StoredBlock*> BlockStore::named(std::string_view name) {
  std::vector<StoredBlock*> found;
  const auto [first, last] = by_name_.equal_range(name);
  for (auto at = first; at != last; ++at) found.push_back(&blocks_.at(at->second));
  return found;
}

}  // namespace sessionblocks::director
