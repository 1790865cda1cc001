#include "flowlog/lane.hpp"

#include <algorithm>
#include <new>

#include "layout/node.hpp"

namespace sessionblocks::flowlog {

namespace {

constexpr std::size_t kScanCells = 4'096;
constexpr std::string_view kUnknownOpen = "a record of a block that is not open";

// Changes that leave an entry, and what a generation was filled with.
bool may_have_value(const RingCell& record) noexcept {
  const auto op = static_cast<Op>(record.op);
  const bool is_inline = (record.flags & layout::kInlineKey) != 0;
  if (record.outcome != 0 || record.count != 1) return false;
  if (op == Op::define_key) return is_inline;
  return !is_inline && op >= Op::put && op <= Op::get_and_erase && op != Op::erase &&
         op != Op::get_and_erase;
}

std::string_view objection(const layout::ValueDetail& value) noexcept {
  if (value.type > static_cast<std::uint8_t>(layout::ValueType::boolean)) {
    return "a value of no known type";
  }
  if (value.logged_bytes > layout::kMostLoggedBytes || value.kept_bytes > layout::kMaxValueBytes) {
    return "a value of impossible size";
  }
  return {};
}

// Why no honest worker publishes this record; empty when one may.
std::string_view objection(const RingCell& record, const OpenTable& opens) noexcept {
  const auto op = static_cast<Op>(record.op);
  if (op < Op::define_key || op > Op::evict) return "a record of no known operation";
  if ((record.flags & ~(layout::kInlineKey | layout::kInlineValue)) != 0) {
    return "a record with unknown flags";
  }
  if (record.count == 0) return "a record of no operations";
  const bool is_inline = (record.flags & layout::kInlineKey) != 0;
  if (is_inline && (record.value_bytes == 0 || record.value_bytes > layout::kMaxKeyBytes)) {
    return "a record with a key of impossible size";
  }
  if (op == Op::define_key && (!is_inline || record.key_id == 0)) return "a definition of no key";
  if (op != Op::define_key && is_inline && record.key_id != 0) {
    return "a record with both a key and its id";
  }
  const bool has_value = (record.flags & layout::kInlineValue) != 0;
  if (has_value && !may_have_value(record)) return "a record of no change with a value";
  if (opens.get(record.open).word == 0) return kUnknownOpen;
  return {};
}

// Of the record at `at`, as far as the cells that are at hand say; `forged`: its value makes no
// sense.
std::uint64_t cells_at(std::span<const RingCell> cells, std::size_t at,
                       std::string_view& forged) noexcept {
  const std::uint64_t head = head_cells(cells[at]);
  if ((cells[at].flags & layout::kInlineValue) == 0) return head;
  if (at + head >= cells.size()) return head + 1;
  const layout::ValueDetail value = value_detail(cells[at + head]);
  forged = objection(value);
  return head + value_cells(value.logged_bytes);
}

}  // namespace

CellCheck check_cells(std::span<const RingCell> cells, std::uint64_t pending,
                      const OpenTable& opens) noexcept {
  CellCheck check;
  while (check.cells < cells.size()) {
    const RingCell& record = cells[check.cells];
    check.forged = objection(record, opens);
    if (!check.forged.empty()) {
      check.is_unknown_open = check.forged == kUnknownOpen;
      break;
    }
    const std::uint64_t wanted = cells_at(cells, check.cells, check.forged);
    if (!check.forged.empty()) break;
    const std::uint64_t end = check.cells + wanted;
    if (end > pending) {
      check.forged = "a key or a value that is cut short";
      break;
    }
    if (end > cells.size()) {
      check.wanted = wanted;
      break;
    }
    opens.note_use(record.open);
    check.cells = static_cast<std::size_t>(end);
  }
  return check;
}

Lane::Lane(LaneRef lane, AuditRingReader ring, std::uint64_t start,
           std::shared_ptr<OpenTable> opens)
    : lane_(lane),
      capacity_(ring.capacity()),
      opens_(std::move(opens)),
      ring_(ring),
      taken_(start),
      scanned_(start),
      released_(start) {
  // Cells before the shared index may have been used again. It is ahead of the log when the log
  // was lost; it is behind when a director died between writing and giving back.
  const std::uint64_t written = ring.written();
  const std::uint64_t shared = ring.released();
  const bool is_ahead = shared > start && shared <= written && written - shared <= capacity_;
  if (is_ahead) released_ = taken_ = scanned_ = shared;
  if (!is_ahead && shared < start && start <= written) ring_->release(start);
}

Lane::Taken Lane::take(std::span<RingCell> out, std::uint64_t now_ms) {
  const std::lock_guard lock(memory_);
  Taken taken{.first = taken_, .cells = 0, .waiting = 0, .wanted = 0, .forged = {}};
  if (!ring_ || is_forged()) return taken;
  const std::uint64_t written = ring_->written();
  CellCheck check;
  if (!ring_->is_plausible(written, released(), taken_)) {
    check.forged = "a write index that no writer can have reached";
  } else {
    taken.waiting = written - taken_;
    const auto count = std::min<std::uint64_t>(taken.waiting, out.size());
    const auto cells = out.first(static_cast<std::size_t>(count));
    ring_->copy(taken_, cells);
    check = check_cells(cells, taken.waiting, *opens_);
    if (check.is_unknown_open && !opens_->is_settled(now_ms)) check.forged = {};
  }
  taken.cells = check.cells;
  if (check.cells == 0) taken.wanted = check.wanted;
  taken.forged = check.forged;
  taken_ += check.cells;
  if (!check.forged.empty()) forged_.store(true, std::memory_order_release);
  return taken;
}

std::uint64_t Lane::waiting(std::uint64_t now_ms) const {
  const std::lock_guard lock(memory_);
  if (!ring_ || is_forged()) return 0;
  const std::uint64_t written = ring_->written();
  if (!ring_->is_plausible(written, released(), taken_)) return 1;
  const std::uint64_t count = written - taken_;
  return opens_->is_held(now_ms) && count < capacity_ / 2 ? 0 : count;
}

void Lane::release(std::uint64_t end) {
  const std::lock_guard lock(memory_);
  released_.store(end, std::memory_order_release);
  if (ring_) ring_->release(end);
}

void Lane::learn_ahead(KeyBook& keys, std::vector<RingCell>& scratch) {
  const std::lock_guard lock(memory_);
  if (!ring_ || is_forged()) return;
  const std::uint64_t written = ring_->written();
  if (!ring_->is_plausible(written, released(), released())) return;
  // Both begin records: what was released ends between records, and so does what was scanned.
  if (scanned_ < released()) scanned_ = released();
  scratch.resize(kScanCells);
  while (scanned_ < written) {
    const std::uint64_t pending = written - scanned_;
    const auto count = std::min<std::uint64_t>(pending, scratch.size());
    const auto cells = std::span(scratch).first(static_cast<std::size_t>(count));
    ring_->copy(scanned_, cells);
    const CellCheck check = check_cells(cells, pending, *opens_);
    learn_from(cells.first(check.cells), keys);
    scanned_ += check.cells;
    if (check.cells == 0 && check.wanted > scratch.size()) {
      scratch.resize(static_cast<std::size_t>(check.wanted));
      continue;
    }
    if (check.cells == 0 || !check.forged.empty()) return;  // take() will say so
  }
}

void Lane::learn_from(std::span<const RingCell> cells, KeyBook& keys) const {
  for (std::size_t at = 0; at < cells.size();) {
    const RingCell& record = cells[at];
    if (static_cast<Op>(record.op) == Op::define_key) {
      const auto key = cells.subspan(at + 1);
      (void)keys.define_masked({opens_->get(record.open), record.key_id},
                               {reinterpret_cast<const char*>(key.data()), record.value_bytes});
    }
    at += cells_of(cells.subspan(at));
  }
}

std::uint64_t Lane::published() const {
  const std::lock_guard lock(memory_);
  if (!ring_ || is_forged()) return released();
  const std::uint64_t written = ring_->written();
  // A forged index is never reached: whoever waits for it waits until the drain has seen that.
  return ring_->is_plausible(written, released(), released()) ? written : UINT64_MAX;
}

std::uint64_t Lane::detach() {
  const std::lock_guard lock(memory_);
  if (!ring_) return 0;
  const std::uint64_t written = ring_->written();
  const bool is_honest = !is_forged() && ring_->is_plausible(written, released(), taken_);
  ring_.reset();
  return is_honest ? written - taken_ : 0;
}

std::uint64_t Lane::keep_rest() {
  const std::lock_guard lock(memory_);
  if (!ring_) return 0;
  const std::uint64_t written = ring_->written();
  const bool is_honest = !is_forged() && ring_->is_plausible(written, released(), taken_);
  if (!is_honest || written == taken_) {
    ring_.reset();
    return 0;
  }
  auto kept = std::make_unique<Kept>();
  kept->cells.reset(
      static_cast<RingCell*>(std::calloc(static_cast<std::size_t>(capacity_), sizeof(RingCell))));
  if (kept->cells == nullptr) throw std::bad_alloc();
  for (std::uint64_t at = taken_; at < written;) {
    const std::uint64_t place = at & (capacity_ - 1);
    const std::uint64_t count = std::min(written - at, capacity_ - place);
    ring_->copy(at, {kept->cells.get() + place, static_cast<std::size_t>(count)});
    at += count;
  }
  kept->head.ring_written.store(written, std::memory_order_relaxed);
  kept->head.ring_drained.store(released(), std::memory_order_relaxed);
  ring_.emplace(kept->head, kept->cells.get(), capacity_);
  kept_ = std::move(kept);
  return written - taken_;
}

}  // namespace sessionblocks::flowlog
