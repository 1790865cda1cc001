// memory: how much memory the blocks of each scope were promised, and how much it may promise. What
// counts is what the director counts (registry_budgets.cpp).
#include <map>

#include "command.hpp"

namespace sessionblocks::ctl {
namespace {

struct Held {
  std::uint64_t blocks = 0;
  std::uint64_t promised_bytes = 0;  // quotas, in whole pages
  std::uint64_t reserved_bytes = 0;

  void add(const BlockInfo& block) {
    if (!block.has_memory() || block.state == BlockState::destroyed) return;
    ++blocks;
    promised_bytes += block.segment_bytes;
    reserved_bytes += block.reserved_bytes;
  }
};

// By scope: of its own blocks, and of those with all below it.
struct HeldByScopes {
  explicit HeldByScopes(const ControlImage& image) {
    std::map<ScopeId, ScopeId> parents;
    for (const ScopeInfo& scope : image.scopes) parents.emplace(scope.id, scope.parent);
    for (const BlockInfo& block : image.blocks) {
      all.add(block);
      own[block.owner].add(block);
      auto at = parents.find(block.owner);
      // Rows are read while they change: no way up is longer than there are scopes.
      for (std::size_t step = 0; at != parents.end() && step < parents.size(); ++step) {
        with_below[at->first].add(block);
        at = parents.find(at->second);
      }
    }
  }

  Held all;
  std::map<ScopeId, Held> own;
  std::map<ScopeId, Held> with_below;
};

std::string budget_text(std::uint64_t bytes) {
  return bytes == 0 ? "-" : size_text(bytes);
}

Json json_of(const ScopeInfo& scope, const Held& own, const Held& with_below) {
  Json row = {{"scope", scope.path},
              {"blocks", own.blocks},
              {"promised_bytes", own.promised_bytes},
              {"reserved_bytes", own.reserved_bytes},
              {"promised_with_below_bytes", with_below.promised_bytes}};
  if (scope.budget_bytes != 0) row["budget_bytes"] = scope.budget_bytes;
  return row;
}

void print_as_json(const ControlImage& image, HeldByScopes& held) {
  Json document = {{"system", image.system},
                   {"blocks", held.all.blocks},
                   {"promised_bytes", held.all.promised_bytes},
                   {"reserved_bytes", held.all.reserved_bytes},
                   {"scopes", Json::array()}};
  if (image.budget_bytes != 0) document["budget_bytes"] = image.budget_bytes;
  for (const ScopeInfo& scope : image.scopes) {
    document["scopes"].push_back(json_of(scope, held.own[scope.id], held.with_below[scope.id]));
  }
  print_json(document);
}

void print_as_table(const ControlImage& image, HeldByScopes& held) {
  Table table({"SCOPE", "BLOCKS", "PROMISED", "RESERVED", "WITH BELOW", "BUDGET"});
  const auto add = [&table](const std::string& name, const Held& own, const Held& with_below,
                            std::uint64_t budget_bytes) {
    table.add({name, std::to_string(own.blocks), size_text(own.promised_bytes),
               size_text(own.reserved_bytes), size_text(with_below.promised_bytes),
               budget_text(budget_bytes)});
  };
  for (const ScopeInfo& scope : image.scopes) {
    add(scope.path, held.own[scope.id], held.with_below[scope.id], scope.budget_bytes);
  }
  add("(system " + image.system + ")", held.all, held.all, image.budget_bytes);
  print(table);
}

Result<ExitCode> show(const Options& options) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto image = system->control();
  if (!image) return tl::unexpected(image.error());
  HeldByScopes held(*image);
  if (options.format == Format::json) {
    print_as_json(*image, held);
  } else {
    print_as_table(*image, held);
  }
  return ExitCode::ok;
}

}  // namespace

void add_memory_command(CLI::App& app, Invocation& invocation) {
  auto* const memory = app.add_subcommand("memory", "which scope holds how much, and may hold");
  memory->callback(
      [&invocation] { invocation.run = [&invocation] { return show(invocation.options); }; });
}

}  // namespace sessionblocks::ctl
