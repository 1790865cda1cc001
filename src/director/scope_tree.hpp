// The tree of scopes: suite / script / worker slot / flow block, as the director knows it.
//
// Paths: "shop", "shop/checkout", "shop/checkout#2", "shop/checkout#2/charge". The tree mirrors
// itself into control; it starts and ends no process and owns no block.
//
// Invariants
// 1. A scope's parent is in the tree as long as the scope is; children end first.
// 2. The root is a suite; it is there as long as the system is.
#pragma once

#include <compare>
#include <map>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "director/control_directory.hpp"

namespace sessionblocks::director {

// Who entered a flow block, and the number that this worker gave it: no worker gives one twice, so
// that it may ask again for what it was perhaps not told of.
struct FlowEntry {
  WorkerId worker{};
  std::uint64_t number = 0;
  friend auto operator<=>(const FlowEntry&, const FlowEntry&) = default;
};

struct Scope {
  ScopeId id{};
  sessionblocks::ScopeKind kind = sessionblocks::ScopeKind::suite;
  ScopeId parent{};
  std::uint16_t slot = 0;  // worker slots: from 1
  FlowEntry entered;       // flow blocks
  std::string name;        // a worker slot has its script's
  std::string path;
  std::uint32_t row = 0;
  std::uint64_t budget_bytes = 0;  // of memory, for all at and below it; 0: no bound of its own
  std::vector<ScopeId> children;
  bool is_ending = false;

  // Worker slots and flow blocks have blocks of their own under one name.
  [[nodiscard]] bool is_one_of_many() const noexcept {
    return kind == sessionblocks::ScopeKind::worker || kind == sessionblocks::ScopeKind::flow;
  }
};

// Memory budgets in bytes by the paths of scopes. A path that is not there has no bound of its own.
using Budgets = std::map<std::string, std::uint64_t, std::less<>>;

class ScopeTree {
 public:
  // Without budgets, adopted scopes keep those that control has, and others have none.
  explicit ScopeTree(ControlDirectory& control, std::optional<Budgets> budgets = {}) noexcept
      : control_(&control), budgets_(std::move(budgets)) {}

  // exists: the path is taken; no_such_scope: no such parent, or it is ending; too_many.
  [[nodiscard]] Result<ScopeId> add_suite(std::string_view name);
  [[nodiscard]] Result<ScopeId> add(sessionblocks::ScopeKind kind, ScopeId parent,
                                    std::string_view name, std::uint16_t slot = 0);
  // `parent` is the worker's own scope or another flow block of it.
  [[nodiscard]] Result<ScopeId> add_flow(ScopeId parent, std::string_view name, FlowEntry entered);
  // Takes a row that an earlier director published. corrupt: it contradicts the tree.
  [[nodiscard]] Result<void> adopt(std::uint32_t row);

  void mark_ending(ScopeId scope) noexcept;
  // The scope has no children any more.
  void remove(ScopeId scope) noexcept;

  [[nodiscard]] Scope* find(ScopeId scope) noexcept;
  [[nodiscard]] const Scope* find(ScopeId scope) const noexcept;
  [[nodiscard]] const Scope* find(std::string_view path) const noexcept;
  // None: it was never entered, or has ended.
  [[nodiscard]] const Scope* find(const FlowEntry& entered) const noexcept;
  // Children before parents.
  [[nodiscard]] std::vector<ScopeId> flows_of(WorkerId worker) const;
  [[nodiscard]] const Scope& root() const noexcept { return scopes_.at(root_); }
  [[nodiscard]] const std::map<ScopeId, Scope>& all() const noexcept { return scopes_; }
  [[nodiscard]] bool has_root() const noexcept { return root_ != ScopeId{}; }
  [[nodiscard]] std::size_t size() const noexcept { return scopes_.size(); }

  // `scope` and all below it, deepest first: the order in which they end.
  [[nodiscard]] std::vector<ScopeId> subtree(ScopeId scope) const;
  // The script of a scope: itself or the nearest above; none for the suite.
  [[nodiscard]] const Scope* script_of(ScopeId scope) const noexcept;
  // Names of the scripts from the scope's own up to the suite.
  [[nodiscard]] std::vector<std::string_view> line_of(ScopeId scope) const;
  // Whether `scope` is `owner` or belongs to it without being a script of its own: a worker slot
  // belongs to its script, a flow block to its worker slot.
  [[nodiscard]] bool belongs_to(ScopeId scope, ScopeId owner) const noexcept;
  [[nodiscard]] bool is_at_or_below(ScopeId scope, ScopeId ancestor) const noexcept;

 private:
  [[nodiscard]] Result<ScopeId> add_below(Scope scope);
  [[nodiscard]] Result<ScopeId> insert(Scope scope);
  void link(Scope scope);
  [[nodiscard]] std::uint64_t budget_of(std::string_view path) const noexcept;

  ControlDirectory* control_;
  std::optional<Budgets> budgets_;
  std::map<ScopeId, Scope> scopes_;
  std::map<std::string, ScopeId, std::less<>> by_path_;
  std::map<FlowEntry, ScopeId> by_entry_;  // flow blocks
  ScopeId root_{};
};

}  // namespace sessionblocks::director
