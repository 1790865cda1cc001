#include "flowguard/key_sample.hpp"

namespace sessionblocks::flowguard {

void KeySample::add(const RingCell& record, std::uint64_t now_ms) {
  if (!is_in(record.key_id)) return;
  const auto op = static_cast<Op>(record.op);
  const auto outcome = static_cast<Errc>(record.outcome);
  const bool erases =
      op == Op::erase || op == Op::evict || op == Op::get_and_erase || op == Op::drop;
  if ((erases && outcome == Errc{}) || outcome == Errc::not_found) {
    entries_.erase(record.key_id);
    return;
  }
  if (op == Op::define_key || outcome != Errc{}) return;
  const bool writes = op >= Op::put && op != Op::for_each;
  const auto found = entries_.find(record.key_id);
  if (found == entries_.end()) {
    // A read of what was there before we looked: it is live, and was used.
    entries_[record.key_id] = {record.value_bytes, !writes, now_ms, now_ms};
    if (entries_.size() > kMost) thin_out();
    return;
  }
  Entry& entry = found->second;
  entry.used_ms = now_ms;
  entry.bytes = record.value_bytes;
  entry.is_read = entry.is_read || !writes;
}

void KeySample::thin_out() {
  while (entries_.size() > kMost) {
    mask_ = (mask_ >> 1U) | (std::uint64_t{1} << 63U);
    std::erase_if(entries_, [this](const auto& entry) { return !is_in(entry.first); });
  }
}

KeySample::Totals KeySample::totals(std::uint64_t now_ms) const {
  Totals totals;
  for (const auto& [id, entry] : entries_) {
    totals.live_bytes += entry.bytes;
    if (now_ms - entry.used_ms >= kStaleMs) totals.stale_bytes += entry.bytes;
    if (!entry.is_read && now_ms - entry.written_ms >= kUnreadMs) ++totals.unread_entries;
  }
  double each = 1;
  for (std::uint64_t bits = mask_; bits != 0; bits <<= 1U) each *= 2;
  return {totals.live_bytes * each, totals.stale_bytes * each, totals.unread_entries * each};
}

}  // namespace sessionblocks::flowguard
