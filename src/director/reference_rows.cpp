#include "director/reference_rows.hpp"

#include "core/crash_point.hpp"

namespace sessionblocks::director {

ReferenceRows::ReferenceRows(ControlDirectory& control) : control_(&control) {
  for (std::uint32_t row = 0; row < layout::kUsedReferenceRows; ++row) {
    const std::uint64_t nonce = control.used_reference(row).nonce.load(std::memory_order_acquire);
    if (nonce != 0) used_.emplace(nonce, row);
  }
  for (std::uint32_t row = 0; row < layout::kRedeemedRows; ++row) {
    const layout::RedeemedRow& stored = control.redeemed(row);
    const auto worker = static_cast<WorkerId>(stored.worker.load(std::memory_order_acquire));
    if (worker != WorkerId{}) redeemed_.emplace(std::pair(worker, stored.open), row);
  }
}

Result<void> ReferenceRows::mark_used(const Reference& reference, const IsOver& is_over) {
  // Before the row: when there is no memory for ours, none must be in control.
  std::map<std::uint64_t, std::uint32_t> made{{reference.nonce, 0}};
  const UsedReferenceRowFields fields{reference.nonce, reference.ends_at_ms, reference.block,
                                      reference.issuer};
  auto row = control_->publish(fields);
  if (!row) {
    sweep(is_over);
    row = control_->publish(fields);
  }
  if (!row) {
    return fail(Errc::too_many,
                std::to_string(layout::kUsedReferenceRows) +
                    " used references are remembered until their lifetimes end: share for a "
                    "shorter time, or not for a single use");
  }
  made.begin()->second = *row;
  used_.merge(made);
  // CRASH(reference.used): a used reference for which nobody got anything; adoption keeps the mark.
  SESSIONBLOCKS_CRASH("reference.used");
  return {};
}

void ReferenceRows::unmark(std::uint64_t nonce) noexcept {
  const auto found = used_.find(nonce);
  if (found == used_.end()) return;
  control_->withdraw_used_reference(found->second);
  used_.erase(found);
}

void ReferenceRows::sweep(const IsOver& is_over) {
  std::erase_if(used_, [&](const auto& used) {
    if (!is_over(control_->used_reference(used.second))) return false;
    control_->withdraw_used_reference(used.second);
    return true;
  });
}

Result<void> ReferenceRows::keep(WorkerId worker, unsigned open, const OpenedBlock& opened,
                                 ScopeId issuer) {
  std::map<std::pair<WorkerId, unsigned>, std::uint32_t> made{{{worker, open}, 0}};
  const auto row = control_->publish(
      RedeemedRowFields{worker, open, opened.block, opened.generation, opened.rights, issuer});
  if (!row) return tl::unexpected(row.error());
  made.begin()->second = *row;
  redeemed_.merge(made);
  // CRASH(reference.redeemed): an open with a reference's rights that its worker was not told of;
  // adoption keeps both until the worker ends.
  SESSIONBLOCKS_CRASH("reference.redeemed");
  return {};
}

sessionblocks::Rights ReferenceRows::rights_of(WorkerId worker, unsigned open, BlockId block,
                                               Generation generation) const noexcept {
  const auto found = redeemed_.find({worker, open});
  if (found == redeemed_.end()) return sessionblocks::Rights::none;
  const layout::RedeemedRow& row = control_->redeemed(found->second);
  const bool is_of_block = row.block == raw(block) && row.generation == raw(generation);
  return is_of_block ? static_cast<sessionblocks::Rights>(row.rights) : sessionblocks::Rights::none;
}

ScopeId ReferenceRows::issuer_of(WorkerId worker, unsigned open) const noexcept {
  const auto found = redeemed_.find({worker, open});
  if (found == redeemed_.end()) return ScopeId{};
  return static_cast<ScopeId>(control_->redeemed(found->second).issuer);
}

void ReferenceRows::move_issuer(ScopeId ended, ScopeId above) noexcept {
  for (const auto& [open, row] : redeemed_) {
    layout::RedeemedRow& stored = control_->redeemed(row);
    if (stored.issuer == raw(ended)) stored.issuer = raw(above);
  }
}

void ReferenceRows::forget(WorkerId worker, unsigned open) noexcept {
  const auto found = redeemed_.find({worker, open});
  if (found == redeemed_.end()) return;
  control_->withdraw_redeemed(found->second);
  redeemed_.erase(found);
  // CRASH(reference.withdrawn): an open that is about to end, without the rights that a reference
  // gave it; its worker closes it again, or has ended.
  SESSIONBLOCKS_CRASH("reference.withdrawn");
}

void ReferenceRows::forget_worker(WorkerId worker) noexcept {
  for (auto at = redeemed_.lower_bound({worker, 0U});
       at != redeemed_.end() && at->first.first == worker;) {
    forget(worker, (at++)->first.second);
  }
}

}  // namespace sessionblocks::director
