// Memory budgets of a suite file: one that cannot hold what the file itself declares is an error
// that is better found before anything runs. Blocks of flow scopes, and those that scripts create,
// are not known here; the director counts them.
#include <algorithm>
#include <limits>

#include "core/units.hpp"
#include "director/suite_checker.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::uint64_t kPageBytes = 4'096;  // quotas count in whole pages

// Whatever is written in the file, the sum does not wrap.
class Sum {
 public:
  void add(std::uint64_t quota_bytes, std::uint64_t times) {
    const std::uint64_t pages =
        quota_bytes / kPageBytes + (quota_bytes % kPageBytes != 0 ? 1U : 0U);
    const std::uint64_t room = kMost - bytes_;
    bytes_ += times != 0 && pages > room / kPageBytes / times ? room : pages * kPageBytes * times;
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  static constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t bytes_ = 0;
};

// The script's own, and those of each of its worker slots.
void add_blocks_of(const Suite& suite, const ScriptSpec& script, Sum& sum) {
  for (const BlockSpec& block : suite.blocks) {
    if (block.kind == BlockKind::inherited || block.where.refused("quota")) continue;
    const bool is_own = block.owner.kind == ScopeKind::script && block.owner.name == script.name;
    const bool is_of_slots = block.owner.kind == ScopeKind::worker &&
                             (block.grants.empty() || block.grants.contains(script.name));
    if (is_own) sum.add(block.quota_bytes, 1);
    if (is_of_slots) sum.add(block.quota_bytes, script.workers);
  }
}

// Whether it runs as soon as `top` does; none: the suite.
bool starts_with(const SuiteChecker& checker, const ScriptSpec& script, const ScriptSpec* top) {
  for (const ScriptSpec* at : checker.line_of(script.name)) {
    if (at == top) return true;
    if (at->start == StartWhen::on_request) return false;
  }
  return top == nullptr;
}

std::uint64_t declared_below(const SuiteChecker& checker, const ScriptSpec* top) {
  const Suite& suite = checker.suite();
  Sum sum;
  for (const BlockSpec& block : suite.blocks) {
    const bool is_own = top == nullptr && block.owner.kind == ScopeKind::suite;
    if (is_own && block.kind != BlockKind::inherited && !block.where.refused("quota")) {
      sum.add(block.quota_bytes, 1);
    }
  }
  for (const ScriptSpec& script : suite.scripts) {
    if (starts_with(checker, script, top)) add_blocks_of(suite, script, sum);
  }
  return sum.bytes();
}

void check(SuiteChecker& checker, const std::optional<std::uint64_t>& memory, const Places& where,
           const ScriptSpec* top) {
  if (!memory) return;
  const std::string text = "memory " + units::format_size(*memory);
  const std::uint64_t least = checker.machine().min_quota_bytes;
  if (*memory < std::max<std::uint64_t>(least, 1)) {
    checker.note(where.at("memory"),
                 text + " is too small; an empty block takes " + units::format_size(least));
    return;
  }
  const std::uint64_t declared = declared_below(checker, top);
  if (declared <= *memory) return;
  checker.note(where.at("memory"), text + " does not hold the declared blocks, which take " +
                                       units::format_size(declared));
}

}  // namespace

void check_memory(SuiteChecker& checker) {
  const Suite& suite = checker.suite();
  check(checker, suite.memory_bytes, suite.where, nullptr);
  for (const ScriptSpec& script : suite.scripts) {
    check(checker, script.memory_bytes, script.where, &script);
  }
}

}  // namespace sessionblocks::director
