#include <algorithm>
#include <unordered_map>

#include "director/suite_checker.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

// The rights of the nearest scope on the way from a script up to the suite.
std::optional<Rights> nearest(const std::vector<const ScriptSpec*>& line,
                              const RightsByScript& rights) {
  for (const ScriptSpec* script : line) {
    if (const auto found = rights.find(script->name); found != rights.end()) return found->second;
  }
  return std::nullopt;
}

// The most that a block can pass down to a script; none when the script lies under no holder.
std::optional<Rights> passed_down(const BlockSpec& from,
                                  const std::vector<const ScriptSpec*>& line) {
  if (from.kind == BlockKind::inherited) return nearest(line, from.heirs);
  if (const auto granted = nearest(line, from.grants)) return granted;
  switch (from.owner.kind) {
    case ScopeKind::suite:
      return Rights::read_write;
    case ScopeKind::script: {
      const bool below = std::any_of(line.begin(), line.end(), [&](const ScriptSpec* script) {
        return script->name == from.owner.name;
      });
      return below ? std::optional(Rights::read_write) : std::nullopt;
    }
    case ScopeKind::worker:
    case ScopeKind::flow:
      // Without grants every script has its own instances.
      return from.grants.empty() ? std::optional(Rights::read_write) : std::nullopt;
  }
  return std::nullopt;
}

void check_heirs(SuiteChecker& checker, const BlockSpec& block, const BlockSpec& from) {
  // What the origin gives is unknown when its own table could not be read.
  for (const std::string_view key : {"kind", "owner", "grants", "heirs"}) {
    if (from.where.refused(key)) return;
  }
  for (const auto& [name, rights] : block.heirs) {
    const auto line = checker.line_of(name);
    if (line.empty()) continue;  // no such script: reported with the block
    const SourceLocation where = block.where.at("heirs." + name);
    const auto most = passed_down(from, line);
    if (!most) {
      checker.note(where, "script " + quote(name) + " is not below any scope that holds block " +
                              quote(from.name));
    } else if (rights > *most) {
      checker.note(where, "script " + quote(name) + " would get \"" + std::string(word(rights)) +
                              "\" on block " + quote(from.name) +
                              ", which passes down no more than \"" + std::string(word(*most)) +
                              "\" to it");
    }
  }
}

// The block whose memory this is: itself unless inherited. Null when it cannot be told.
const BlockSpec* origin_of(const SuiteChecker& checker, const BlockSpec& block) {
  const BlockSpec* at = &block;
  for (std::size_t steps = 0; steps <= checker.suite().blocks.size(); ++steps) {
    if (at == nullptr || at->kind != BlockKind::inherited) return at;
    at = checker.block(at->from);
  }
  return nullptr;
}

void check_fork(SuiteChecker& checker, const BlockSpec& block, const BlockSpec& from) {
  const BlockSpec* origin = origin_of(checker, from);
  if (origin == nullptr || origin->permit.fork || origin->where.refused("permit")) return;
  checker.note(block.where.at("from"),
               "block " + quote(origin->name) + " may not be forked; add \"fork\" to its permit");
}

bool is_derived(const BlockSpec& block) {
  return block.kind == BlockKind::inherited || block.kind == BlockKind::forked;
}

void check_from(SuiteChecker& checker, const BlockSpec& block) {
  if (!is_derived(block) || block.where.refused("from")) return;
  if (block.from.empty() && !block.where.has("from")) return;  // reported with the block
  if (const BlockSpec* from = checker.block(block.from)) {
    if (block.kind == BlockKind::inherited) check_heirs(checker, block, *from);
    if (block.kind == BlockKind::forked) check_fork(checker, block, *from);
    return;
  }
  std::vector<std::string_view> names;
  for (const BlockSpec& other : checker.suite().blocks) names.push_back(other.name);
  checker.note(block.where.at("from"), "from names block " + quote(block.from) +
                                           ", which is not in the suite" +
                                           suggestion(block.from, names));
}

void check_from_cycles(SuiteChecker& checker) {
  const auto& blocks = checker.suite().blocks;
  std::unordered_map<const BlockSpec*, std::size_t> index;
  for (std::size_t i = 0; i < blocks.size(); ++i) index.emplace(&blocks[i], i);
  const auto cycles = find_cycles(blocks.size(), [&](std::size_t i) -> std::optional<std::size_t> {
    const BlockSpec* from = is_derived(blocks[i]) ? checker.block(blocks[i].from) : nullptr;
    return from == nullptr ? std::nullopt : std::optional(index.at(from));
  });
  for (const auto& cycle : cycles) {
    std::vector<std::string> names;
    for (const std::size_t i : cycle) names.push_back(blocks[i].name);
    checker.note(blocks[cycle.front()].where.at("from"),
                 "blocks come from each other in a cycle: " + spell_cycle(names));
  }
}

}  // namespace

void check_inheritance(SuiteChecker& checker) {
  for (const BlockSpec& block : checker.suite().blocks) check_from(checker, block);
  check_from_cycles(checker);
}

}  // namespace sessionblocks::director
