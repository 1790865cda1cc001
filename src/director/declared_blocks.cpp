#include "director/declared_blocks.hpp"

#include <algorithm>

namespace sessionblocks::director {
namespace {

// The suite's choices have no "untouched" value, those in shared memory do.
sessionblocks::BlockKind stored(BlockKind kind) {
  switch (kind) {
    case BlockKind::shared:
      return sessionblocks::BlockKind::shared;
    case BlockKind::inherited:
      return sessionblocks::BlockKind::inherited;
    case BlockKind::forked:
      return sessionblocks::BlockKind::forked;
    case BlockKind::private_to_scope:
      break;
  }
  return sessionblocks::BlockKind::private_;
}

sessionblocks::Enforce stored(Enforce enforce) {
  if (enforce == Enforce::swap) return sessionblocks::Enforce::swap;
  if (enforce == Enforce::kill) return sessionblocks::Enforce::kill;
  return sessionblocks::Enforce::cooperative;
}

// Bits of BlockRow::permits.
std::uint32_t stored(const Permits& permits) {
  return (permits.share ? 1U : 0U) | (permits.fork ? 2U : 0U) | (permits.persist ? 4U : 0U) |
         (permits.elevate ? 8U : 0U);
}

BlockRequest request_of(const BlockSpec& block, ScopeId owner) {
  BlockRequest request;
  request.policy.name = block.name;
  request.policy.kind = stored(block.kind);
  request.policy.owner = owner;
  request.policy.grants = grants_of(block);
  request.quota_bytes = block.quota_bytes;
  request.lifespan_ms = block.lifespan_ms.value_or(0);
  request.audit = stored(block.audit);
  request.full_ring = stored(block.on_full_ring);
  request.enforce = stored(block.enforce);
  request.permits = stored(block.permit);
  request.from = block.from;
  return request;
}

// Origins come before what is inherited from them, so that control can name them by id.
template <typename Belongs>
std::vector<BlockRequest> collect(const Suite& suite, ScopeId owner, Belongs belongs) {
  std::vector<BlockRequest> requests;
  for (const BlockSpec& block : suite.blocks) {
    if (belongs(block)) requests.push_back(request_of(block, owner));
  }
  const auto depth = [&suite](const BlockRequest& request) {
    std::size_t steps = 0;
    const BlockSpec* at = declared_block(suite, request.from);
    while (at != nullptr && steps <= suite.blocks.size()) {
      at = declared_block(suite, at->from);
      ++steps;
    }
    return steps;
  };
  std::stable_sort(requests.begin(), requests.end(),
                   [&](const auto& a, const auto& b) { return depth(a) < depth(b); });
  return requests;
}

}  // namespace

sessionblocks::AuditLevel stored(AuditLevel level) noexcept {
  if (level == AuditLevel::writes) return sessionblocks::AuditLevel::writes;
  if (level == AuditLevel::counted) return sessionblocks::AuditLevel::counted;
  return sessionblocks::AuditLevel::full;
}

sessionblocks::FullRing stored(OnFullRing policy) noexcept {
  if (policy == OnFullRing::fail) return sessionblocks::FullRing::fail;
  if (policy == OnFullRing::count) return sessionblocks::FullRing::count;
  return sessionblocks::FullRing::wait;
}

std::vector<BlockRequest> blocks_of_suite(const Suite& suite, ScopeId scope) {
  return collect(suite, scope,
                 [](const BlockSpec& block) { return block.owner.kind == ScopeKind::suite; });
}

std::vector<BlockRequest> blocks_of_script(const Suite& suite, const ScriptSpec& script,
                                           ScopeId scope) {
  return collect(suite, scope, [&script](const BlockSpec& block) {
    return block.owner.kind == ScopeKind::script && block.owner.name == script.name;
  });
}

std::vector<BlockRequest> blocks_of_slot(const Suite& suite, const ScriptSpec& script,
                                         ScopeId scope) {
  return collect(suite, scope, [&script](const BlockSpec& block) {
    return block.owner.kind == ScopeKind::worker &&
           (block.grants.empty() || block.grants.contains(script.name));
  });
}

const BlockSpec* declared_block(const Suite& suite, std::string_view name) {
  const auto found = std::find_if(suite.blocks.begin(), suite.blocks.end(),
                                  [name](const BlockSpec& block) { return block.name == name; });
  return found == suite.blocks.end() ? nullptr : &*found;
}

ScriptRights grants_of(const BlockSpec& block) {
  ScriptRights rights;
  for (const auto& [script, right] :
       block.kind == BlockKind::inherited ? block.heirs : block.grants) {
    rights.emplace(script, right == Rights::read_write ? sessionblocks::Rights::read_write
                                                       : sessionblocks::Rights::read);
  }
  return rights;
}

}  // namespace sessionblocks::director
