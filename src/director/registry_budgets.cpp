// Registry: memory budgets of the system, the suite and its scripts.
//
// What counts is what was promised: the quota of every block, in whole pages, whether it was
// touched yet or not. What is reserved never exceeds it, so that only making a block is checked,
// and no write into one that is there fails for a budget. Counting what is reserved was rejected:
// then a write could fail because another block grew.
//
// Not counted: the next generation that a rollback or a swap makes beside the present one, because
// it lasts for moments; what has been destroyed or replaced and is still mapped somewhere; the
// segments of workers, readers and control.
#include <algorithm>

#include "core/bounds.hpp"
#include "core/units.hpp"
#include "director/registry.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMostNamed = 5;  // in a message

std::string size_text(std::uint64_t bytes) {
  return units::format_size(bytes);
}

// As BlockStore makes segments; inherited blocks have none.
std::uint64_t promised_by(std::uint64_t quota_bytes) {
  return align_up(quota_bytes, 4'096);
}

struct Budget {
  std::uint64_t bytes = 0;     // 0: no bound
  const Scope* top = nullptr;  // whose blocks count, and those of all below; none: every block
  std::string whose;
  std::string remedy;
};

Budget budget_of(const Scope& scope) {
  const bool is_suite = scope.kind == sessionblocks::ScopeKind::suite;
  return {
      scope.budget_bytes, &scope, "scope " + scope.path,
      "raise memory in [" + (is_suite ? "suite" : "script." + scope.name) + "] of the suite file"};
}

struct Promised {
  std::uint64_t all = 0;
  std::map<ScopeId, std::uint64_t> by_owner;
};

Promised promised_in(Registry& registry, const Budget& budget) {
  Promised promised;
  for (const auto& [id, block] : registry.blocks.all()) {
    const ScopeId owner = block.policy.owner;
    if (budget.top != nullptr && !registry.scopes.is_at_or_below(owner, budget.top->id)) continue;
    promised.all += promised_by(block.quota_bytes);
    promised.by_owner[owner] += promised_by(block.quota_bytes);
  }
  return promised;
}

// The largest first: " (shop/mail 64MiB, shop 1MiB)".
std::string holders_text(const Promised& promised, const ScopeTree& scopes) {
  std::vector<std::pair<std::uint64_t, std::string>> holders;
  for (const auto& [id, bytes] : promised.by_owner) {
    const Scope* const owner = scopes.find(id);
    if (bytes != 0) holders.emplace_back(bytes, owner != nullptr ? owner->path : "?");
  }
  if (holders.empty()) return {};
  std::sort(holders.begin(), holders.end(), [](const auto& a, const auto& b) {
    return a.first != b.first ? a.first > b.first : a.second < b.second;
  });
  std::string out;
  for (std::size_t i = 0; i < std::min(holders.size(), kMostNamed); ++i) {
    out += (i == 0 ? " (" : ", ") + holders[i].second + " " + size_text(holders[i].first);
  }
  if (holders.size() > kMostNamed) {
    out += ", and " + std::to_string(holders.size() - kMostNamed) + " more";
  }
  return out + ")";
}

Result<void> check_budget(Registry& registry, const BlockRequest& request, const Budget& budget) {
  if (budget.bytes == 0) return {};
  const Promised promised = promised_in(registry, budget);
  const std::uint64_t wanted = promised_by(request.quota_bytes);
  if (promised.all <= budget.bytes && wanted <= budget.bytes - promised.all) return {};
  return fail(Errc::out_of_memory, "create block " + request.policy.name + " with a quota of " +
                                       size_text(wanted) + ": " + budget.whose +
                                       " has a memory budget of " + size_text(budget.bytes) +
                                       ", of which " + size_text(promised.all) + " are promised" +
                                       holders_text(promised, registry.scopes) +
                                       "; destroy a block, ask for less, or " + budget.remedy);
}

}  // namespace

// Each scope from the owner's up, then the system: a budget covers all that lies below.
Result<void> Registry::check_budgets(const BlockRequest& request) {
  if (request.policy.kind == sessionblocks::BlockKind::inherited) return {};
  const Scope* at = scopes.find(request.policy.owner);
  for (; at != nullptr; at = scopes.find(at->parent)) {
    if (auto fits = check_budget(*this, request, budget_of(*at)); !fits) return fits;
  }
  return check_budget(*this, request,
                      {control.header().budget_bytes, nullptr, "the system",
                       "start the director with a larger --memory"});
}

}  // namespace sessionblocks::director
