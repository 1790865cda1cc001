#include "director/sensitive_rows.hpp"

#include <algorithm>
#include <cstring>

namespace sessionblocks::director {

using layout::Masking;

Masking SensitiveRows::keep(BlockId block, SensitivePatterns& patterns) noexcept {
  if (patterns.empty()) return Masking::none;
  const auto fits = [](const std::string& pattern) {
    return pattern.size() <= sizeof(layout::SensitiveRow::pattern);
  };
  bool is_kept = patterns.size() <= kMostSensitivePatterns &&
                 std::all_of(patterns.begin(), patterns.end(), fits);
  std::uint32_t tried = 0;
  for (std::size_t i = 0; is_kept && i < patterns.size();) {
    if (tried++ == layout::kSensitiveRows) {
      is_kept = false;
      break;
    }
    layout::SensitiveRow& row = control_->sensitive(next_row_);
    next_row_ = (next_row_ + 1) % layout::kSensitiveRows;
    // Relaxed: only we write rows.
    if (row.block.load(std::memory_order_relaxed) != 0) continue;
    row.bytes = static_cast<std::uint32_t>(patterns[i].size());
    std::memcpy(row.pattern, patterns[i].data(), patterns[i].size());
    row.block.store(raw(block), std::memory_order_release);
    ++i;
  }
  if (is_kept) return Masking::by_patterns;
  forget(block);
  patterns.assign(1, std::string(kEveryKey));
  return Masking::every_key;
}

SensitivePatterns SensitiveRows::of(BlockId block, Masking masking) const {
  SensitivePatterns patterns;
  if (masking == Masking::none) return patterns;
  for (std::uint32_t at = 0; at < layout::kSensitiveRows; ++at) {
    const layout::SensitiveRow& row = control_->sensitive(at);
    if (row.block.load(std::memory_order_acquire) != raw(block)) continue;
    patterns.emplace_back(row.pattern, std::min<std::size_t>(row.bytes, sizeof row.pattern));
  }
  if (masking != Masking::by_patterns || patterns.empty()) patterns.emplace_back(kEveryKey);
  return patterns;
}

void SensitiveRows::forget(BlockId block) noexcept {
  keep_if([block](BlockId id) { return id != block; });
}

void SensitiveRows::keep_if(const std::function<bool(BlockId)>& is_there) noexcept {
  for (std::uint32_t at = 0; at < layout::kSensitiveRows; ++at) {
    layout::SensitiveRow& row = control_->sensitive(at);
    const std::uint32_t id = row.block.load(std::memory_order_relaxed);
    if (id != 0 && !is_there(static_cast<BlockId>(id))) {
      row.block.store(0, std::memory_order_release);
    }
  }
}

}  // namespace sessionblocks::director
