// The number by which two builds recognise that they mean the same bytes.
#pragma once

#include "layout/block.hpp"
#include "layout/control.hpp"
#include "layout/readers.hpp"
#include "layout/worker.hpp"

namespace sessionblocks::layout {

// FNV-1a over sizes, offsets and the version; constexpr, no run-time cost.
[[nodiscard]] constexpr std::uint64_t layout_hash() noexcept {
  constexpr std::uint64_t kFacts[] = {kLayoutMajor,
                                      kLayoutMinor,
                                      sizeof(Node),
                                      offsetof(Node, key_id),
                                      sizeof(PageDescriptor),
                                      kPageBytes,
                                      sizeof(BlockHeader),
                                      offsetof(BlockHeader, table),
                                      offsetof(BlockHeader, claimed_slots),
                                      kPageTableAt,
                                      sizeof(LaneHead),
                                      offsetof(LaneHead, ring_shift),
                                      offsetof(LaneHead, committed_op),
                                      sizeof(Intent),
                                      sizeof(SideIntent),
                                      sizeof(AuditRecord),
                                      sizeof(WorkerHeader),
                                      kLanes,
                                      kMaxOpens,
                                      sizeof(ReadersSegment),
                                      sizeof(BlockRow),
                                      offsetof(BlockRow, heir_scope),
                                      offsetof(BlockRow, idle_ms),
                                      offsetof(BlockRow, enforcing),
                                      offsetof(RedeemedRow, issuer),
                                      offsetof(HoldingRow, scope),
                                      offsetof(RevocationRow, path),
                                      offsetof(SensitiveRow, pattern),
                                      sizeof(ScopeRow),
                                      offsetof(ScopeRow, entry),
                                      offsetof(ScopeRow, budget_bytes),
                                      offsetof(ControlHeader, budget_bytes),
                                      sizeof(WorkerRow),
                                      sizeof(ControlHeader),
                                      sizeof(ControlSegment),
                                      kBlockRows,
                                      kScopeRows,
                                      kWorkerRows};
  std::uint64_t hash = 0xcbf2'9ce4'8422'2325U;
  for (const std::uint64_t fact : kFacts) {
    for (unsigned shift = 0; shift < 64; shift += 8) {
      hash = (hash ^ ((fact >> shift) & 0xFFU)) * 0x0000'0100'0000'01b3U;
    }
  }
  return hash;
}

[[nodiscard]] constexpr Identity identity(Magic magic, std::uint64_t segment_bytes) noexcept {
  return {static_cast<std::uint64_t>(magic),
          kLayoutMajor,
          kLayoutMinor,
          0,
          layout_hash(),
          segment_bytes};
}

}  // namespace sessionblocks::layout
