// What control remembers of references: which ones for a single use were used, and which opens of
// workers came from one. Both outlive the director; both are bounded.
//
// It makes no decision: Registry::redeem does.
//
// Invariants
// 1. A use is marked before anything is opened for it, and the mark stays until the reference could
//    not be redeemed any more: a death in between costs the reference, it never gives it twice.
// 2. The row of a redeemed open is there before its worker is told of the open, and goes before the
//    open does: an open of another kind never finds rights that were not its own.
#pragma once

#include <functional>
#include <map>
#include <sessionblocks/error.hpp>
#include <utility>

#include "director/control_directory.hpp"
#include "director/reference.hpp"
#include "director/worker_table.hpp"

namespace sessionblocks::director {

class ReferenceRows {
 public:
  // Takes over what an earlier director left.
  explicit ReferenceRows(ControlDirectory& control);

  [[nodiscard]] bool is_used(std::uint64_t nonce) const { return used_.contains(nonce); }
  // Whether no reference with this row's nonce could be redeemed any more, used or not.
  using IsOver = std::function<bool(const layout::UsedReferenceRow&)>;
  // too_many: every row is of a reference whose time has not passed.
  [[nodiscard]] Result<void> mark_used(const Reference& reference, const IsOver& is_over);
  // Nothing was given for it after all.
  void unmark(std::uint64_t nonce) noexcept;

  // too_many: every row is in use.
  [[nodiscard]] Result<void> keep(WorkerId worker, unsigned open, const OpenedBlock& opened,
                                  ScopeId issuer);
  // What a reference gave this open; none: it is of another kind.
  [[nodiscard]] sessionblocks::Rights rights_of(WorkerId worker, unsigned open, BlockId block,
                                                Generation generation) const noexcept;
  // Who shared what this open was redeemed by, or the next scope above that is left; none.
  [[nodiscard]] ScopeId issuer_of(WorkerId worker, unsigned open) const noexcept;
  void move_issuer(ScopeId ended, ScopeId above) noexcept;
  void forget(WorkerId worker, unsigned open) noexcept;
  void forget_worker(WorkerId worker) noexcept;

 private:
  void sweep(const IsOver& is_over);

  ControlDirectory* control_;
  std::map<std::uint64_t, std::uint32_t> used_;                      // nonce: row
  std::map<std::pair<WorkerId, unsigned>, std::uint32_t> redeemed_;  // worker, open: row
};

}  // namespace sessionblocks::director
