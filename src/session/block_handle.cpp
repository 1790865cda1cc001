#include "session/block_operation.hpp"

#include "platform/futex.hpp"
#include "segment/format.hpp"
#include "segment/size_class.hpp"
#include "session/nap.hpp"

#include <algorithm>

namespace sessionblocks {

using layout::BlockRow;
using layout::LifeWord;

namespace {

constexpr std::chrono::milliseconds kLongestSleep{100};
constexpr std::chrono::seconds kLongestMove{10};
// What the director answered, read in one place.
struct OpenReply {
  std::uint32_t row = 0;
  BlockId block{};
  Generation generation{};
  std::uint64_t bytes = 0;
  bool writable = false;
  bool narrowed = false;
  std::uint16_t open = 0;
};

Result<OpenReply> read_open_reply(const Message& fields) try {
  OpenReply reply;
  reply.row = fields.at("row").get<std::uint32_t>();
  reply.block = static_cast<BlockId>(fields.at("block").get<std::uint32_t>());
  reply.generation = static_cast<Generation>(fields.at("generation").get<std::uint32_t>());
  reply.bytes = fields.at("bytes").get<std::uint64_t>();
  reply.writable = fields.at("rights").get<unsigned>() == 2;
  reply.narrowed = fields.value("narrowed", 0U) != 0;
  reply.open = fields.at("open").get<std::uint16_t>();
  if (reply.row >= layout::kBlockRows || reply.open >= layout::kOpens ||
      reply.bytes < layout::kMinBlockBytes || reply.bytes > layout::kMaxBlockBytes) {
    return fail(Errc::malformed, "reply to open: a number is out of range");
  }
  return reply;
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to open: ") + error.what());
}

}  // namespace

Result<std::shared_ptr<BlockHandle>> BlockHandle::open(std::shared_ptr<SessionState> session,
                                                       DirectorClient& client,
                                                       const Wanted& wanted) {
  Message request = {
      {"op", "open"}, {"name", wanted.name}, {"mode", static_cast<int>(wanted.mode)}};
  if (wanted.flow != kNoFlow) request["flow"] = wanted.flow;
  auto reply = client.request(std::move(request));
  if (!reply) return tl::unexpected(reply.error());
  auto handle = over(std::move(session), client, *reply, wanted.name);
  if (handle) (*handle)->mode_ = wanted.mode;
  return handle;
}

Result<std::shared_ptr<BlockHandle>> BlockHandle::reopen(std::shared_ptr<SessionState> session,
                                                         DirectorClient& client,
                                                         const BlockHandle& before) {
  auto reply = client.request(
      {{"op", "reopen"}, {"open", before.open_}, {"mode", static_cast<int>(before.mode_)}});
  if (!reply) return tl::unexpected(reply.error());
  auto handle = over(std::move(session), client, *reply, before.name_);
  if (handle) (*handle)->mode_ = before.mode_;
  return handle;
}

Result<std::shared_ptr<BlockHandle>> BlockHandle::over(std::shared_ptr<SessionState> session,
                                                       DirectorClient& client, const Reply& reply,
                                                       std::string_view name, int left) {
  const auto fields = read_open_reply(reply.fields);
  if (!fields) return tl::unexpected(fields.error());
  // From here on its end closes what the director has opened.
  std::shared_ptr<BlockHandle> handle(new BlockHandle());
  handle->open_ = fields->open;
  handle->session_ = session;
  // The next generation took over meanwhile; or the block has ended, and that says so.
  const auto again = [&]() -> Result<std::shared_ptr<BlockHandle>> {
    const bool may_write = fields->writable || fields->narrowed;
    const auto mode = may_write ? AccessMode::best : AccessMode::read;
    auto next = client.request(
        {{"op", "reopen"}, {"open", fields->open}, {"mode", static_cast<int>(mode)}});
    if (!next) return tl::unexpected(next.error());
    if (left == 0) return fail(Errc::unreachable, "open " + std::string(name) + ": it never rests");
    return over(session, client, *next, name, left - 1);
  };
  auto readers = client.request({{"op", "readers"}, {"open", fields->open}});
  if (!readers && readers.error() == Errc::gone) return again();
  if (!readers) return tl::unexpected(readers.error());

  const auto access = fields->writable ? platform::Access::read_write : platform::Access::read_only;
  auto block = reply.map(fields->bytes, access);
  if (!block) return tl::unexpected(block.error());
  auto readers_map = readers->map(sizeof(layout::ReadersSegment), platform::Access::read_write);
  if (!readers_map) return tl::unexpected(readers_map.error());
  handle->block_ = std::move(*block);
  handle->readers_map_ = std::move(*readers_map);
  handle->readers_ = reinterpret_cast<layout::ReadersSegment*>(handle->readers_map_.data());
  handle->row_ = &session->control().blocks[fields->row];
  handle->active_ = LifeWord::make(fields->block, fields->generation, BlockState::active);
  handle->name_ = name;
  handle->writable_ = fields->writable;
  handle->may_gain_rights_ = fields->narrowed;
  const std::uint64_t policy = handle->row_->policy.load(std::memory_order_acquire);
  handle->audit_ = static_cast<AuditLevel>(policy & 0xFFU);
  handle->on_full_ring_ = static_cast<FullRing>((policy >> 8U) & 0xFFU);
  handle->at_limit_ = static_cast<AtLimit>((policy >> 40U) & 0xFFU);
  handle->logs_values_ = (policy & layout::kLogsValues) != 0;
  BlockHandle* self = handle.get();
  handle->memory_ = std::make_unique<segment::BlockMemory>(
      handle->block_.data(), fields->bytes, &handle->row_->reserved_bytes,
      [self](std::uint64_t offset, std::uint64_t bytes) {
        return (self->writable_ ? self->block_.populate_write(offset, bytes)
                                : self->block_.populate_read(offset, bytes))
            .has_value();
      });
  auto guard = platform::BusGuard::watch(handle->block_, handle->is_corrupt_);
  if (!guard) return tl::unexpected(guard.error());
  handle->block_guard_ = std::move(*guard);
  guard = platform::BusGuard::watch(handle->readers_map_, handle->is_corrupt_);
  if (!guard) return tl::unexpected(guard.error());
  handle->readers_guard_ = std::move(*guard);
  if (auto known =
          segment::check_identity(handle->memory_->header().identity, layout::Magic::block);
      !known) {
    // A swap empties what it leaves, and a wipe all there is.
    if (!handle->is_current() || handle->check_state(false) == Errc::wiped) return again();
    return tl::unexpected(known.error());
  }
  return handle;
}

BlockHandle::~BlockHandle() {
  close();
}

void BlockHandle::close() noexcept {
  if (session_ && !std::exchange(is_closed_, true)) session_->close(open_);
}

bool BlockHandle::is_current() const noexcept {
  const LifeWord life{row_->life.load(std::memory_order_acquire)};
  return life.id() == active_.id() && life.generation() == active_.generation() &&
         life.state() != BlockState::destroyed;
}

Errc BlockHandle::check_state(bool for_write) const noexcept {
  const LifeWord life{row_->life.load(std::memory_order_acquire)};
  if (life == active_) return Errc{};
  if (life.id() != active_.id() || life.generation() != active_.generation()) return Errc::gone;
  switch (life.state()) {
    case BlockState::active:
      return Errc{};
    case BlockState::moving:
      return for_write ? wait_for_move() : Errc{};
    case BlockState::sealed:
      return for_write ? Errc::sealed : Errc{};
    case BlockState::quarantined:
      return Errc::quarantined;
    case BlockState::wiped:
      return Errc::wiped;
    default:
      return Errc::gone;
  }
}

// The director is between two generations. Should it have died there, the next one finishes it.
Errc BlockHandle::wait_for_move() const noexcept {
  const auto is_moving = [this] {
    const LifeWord life{row_->life.load(std::memory_order_acquire)};
    return life.id() == active_.id() && life.generation() == active_.generation() &&
           life.state() == BlockState::moving;
  };
  const auto until = std::chrono::steady_clock::now() + kLongestMove;
  while (is_moving()) {
    if (std::chrono::steady_clock::now() > until) return Errc::unreachable;
    const std::uint32_t seen = row_->change_seq.load(std::memory_order_acquire);
    if (is_moving()) (void)platform::futex_wait_for(row_->change_seq, seen, kLongestSleep);
  }
  return check_state(true);
}

LaneBlock& BlockHandle::make_lane_block(Lane& lane) {
  auto& made = lane.blocks[open_];
  made = std::make_unique<LaneBlock>();
  made->hazard = segment::HazardSlot(readers_, lane.owner);
  return *made;
}

segment::Writer& BlockHandle::make_writer(Lane& lane) {
  LaneBlock& block = lane_block(lane);
  block.writer = std::make_unique<segment::Writer>(place_of(lane));
  return *block.writer;
}

segment::WriterPlace BlockHandle::place_of(Lane& lane) noexcept {
  return {memory_.get(), readers_,   &row_->life, lane.head,   &lane.ring,
          open_,         lane.owner, at_limit_,   logs_values_};
}

std::uint64_t BlockHandle::ring_records() const noexcept {
  return session_->lanes().ring_records();
}

std::optional<std::uint64_t> BlockHandle::most_logged_bytes() const noexcept {
  if (!logs_values_) return std::nullopt;
  return sessionblocks::most_logged_bytes(ring_records());
}

std::uint64_t BlockHandle::cells_for_logged(const segment::Mutation& mutation,
                                            Errc& code) const noexcept {
  const bool is_too_large = segment::Writer::logged_bytes(mutation) > *most_logged_bytes();
  if (is_too_large) code = Errc::value_too_large;
  return is_too_large ? 0 : segment::Writer::value_cells_needed(mutation);
}

// Room in the ring for what an operation can write, by the block's policy when it is full.
Errc BlockHandle::make_room(Lane& lane, std::uint64_t cells) {
  Naps naps;
  while (true) {
    const Errc present = session_->lanes().make_ring_present(lane, cells);
    if (present != Errc{}) return present;
    if (lane.ring.has_room(cells)) return Errc{};
    if (on_full_ring_ == FullRing::fail) return Errc::audit_full;
    if (on_full_ring_ == FullRing::count) return Errc{};  // record_* counts it as lost
    naps.take_one();
    // So that a block that ends does not keep its workers.
    if (check_state(false) != Errc{}) return check_state(false);
    if (!lane.ring.is_plausible()) return Errc::corrupt;  // of the lane, not of the block
  }
}

// What the block's state, or the rights that the handle has, forbid.
void BlockHandle::count_refusal(Errc code) noexcept {
  const bool is_refusal = code == Errc::sealed || code == Errc::read_only ||
                          code == Errc::quarantined || code == Errc::wiped;
  Errc none{};
  Lane* const lane = is_refusal ? session_->lane(none) : nullptr;
  if (lane == nullptr) return;
  auto& refused = lane->counters[open_].refused;
  refused.store(refused.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

void Operation::begin(BlockHandle& handle, std::size_t key_bytes, bool for_write,
                      std::uint64_t value_cells) noexcept {
  SessionState& session = *handle.session_;
  if (session.is_forked()) {
    code_ = Errc::forked;
    return;
  }
  if (key_bytes == 0 || key_bytes > kMaxKeyBytes) {
    code_ = Errc::invalid_key;
    return;
  }
  if (for_write && !handle.writable_) {
    const bool is_sealed = handle.may_gain_rights_ && handle.check_state(true) == Errc::sealed;
    code_ = is_sealed ? Errc::sealed : Errc::read_only;
    return handle.count_refusal(code_);
  }
  if (handle.is_corrupt_.load(std::memory_order_relaxed)) {
    code_ = handle.corrupt();
    return;
  }
  Lane* lane = session.lane(code_);
  if (lane == nullptr) return;
  if (lane->is_busy()) {
    code_ = Errc::reentrant;
    return;
  }
  lane->enter(handle);
  code_ = handle.check_state(for_write);
  if (code_ == Errc{} && handle.records(for_write)) {
    code_ = handle.make_room(*lane, segment::Writer::cells_needed(key_bytes) + value_cells);
  }
  if (code_ != Errc{}) {
    handle.count_refusal(code_);
    return lane->leave();
  }
  lane_ = lane;
}

void BlockHandle::record_read(Lane& lane, Op op, const segment::KeyView& key, Errc outcome,
                              const Seen& seen, std::uint64_t now_ms) {
  if (audit_ != AuditLevel::full) {
    count_read(lane);
    return;
  }
  if (is_lost(lane, key.size)) return;
  const layout::AuditRecord record = seen.record(open_, op, outcome, now_ms);
  if (seen.key_id != 0) {
    lane.ring.push(record);
  } else {
    lane.ring.push_with_key(record, key.bytes());
  }
}

void BlockHandle::write(const Key& key, const segment::Mutation& mutation,
                        segment::Outcome& outcome) {
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  const std::uint64_t value_cells = cells_for_value(mutation, outcome.code);
  if (outcome.code != Errc{}) [[unlikely]]
    return;
  const Operation operation(*this, key.size(), true, value_cells);
  outcome.code = operation.code();
  if (outcome.code != Errc{}) [[unlikely]]
    return;
  Lane& lane = operation.lane();
  const segment::KeyView view = view_of(key);
  const bool record = records(true) && !is_lost(lane, view.size, value_cells);
  if (!record) count_writes(lane, 1);
  apply(writer_of(lane), view, mutation, record, now_ms, outcome);
  if (outcome.code == Errc::out_of_memory && at_limit_ != AtLimit::refuse) [[unlikely]] {
    write_by_evicting(lane, view, mutation, record, now_ms, outcome);
  }
  if (outcome.code == Errc::corrupt || is_corrupt_.load(std::memory_order_relaxed)) [[unlikely]] {
    outcome.code = corrupt();
  }
}

void BlockHandle::apply(segment::Writer& writer, const segment::KeyView& key,
                        const segment::Mutation& mutation, bool record, std::uint64_t now_ms,
                        segment::Outcome& outcome) {
  writer.apply(key, mutation, active_, record, now_ms, outcome);
  while (outcome.code == Errc::gone) [[unlikely]] {
      // The life word changed under the operation and nothing was written. Say what it became; once
      // more if it is active again.
      outcome.code = check_state(true);
      if (outcome.code != Errc{}) break;
      writer.apply(key, mutation, active_, record, now_ms, outcome);
    }
}

bool BlockHandle::count_lost(Lane& lane, std::size_t key_bytes,
                             std::uint64_t value_cells) noexcept {
  if (lane.ring.has_room(segment::Writer::cells_needed(key_bytes) + value_cells)) return false;
  auto& lost = lane.head->ring_lost;
  lost.store(lost.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return true;
}

void BlockHandle::prefetch(std::span<const Key> keys) noexcept {
  segment::Tables tables;
  if (!segment::load_tables(*memory_, tables)) return;
  for (const Key& key : keys) {
    const std::uint64_t index = view_of(key).hash & tables.current_view.mask;
    __builtin_prefetch(&tables.current_view.slots[index]);
  }
}

}  // namespace sessionblocks
