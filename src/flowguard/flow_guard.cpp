#include "flowguard/flow_guard.hpp"

#include <algorithm>
#include <utility>

#include "director/suite_words.hpp"
#include "flowguard/leaks.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::flowguard {

void FlowGuard::begin(director::GuardHands hands) {
  registry_ = &hands.registry;
  actions_.emplace(std::move(hands));
}

Result<void> FlowGuard::admit(const director::Asking& asking) {
  if (!actions_) return {};
  if (acts_ >= kActsBeforeLook) look();
  return actions_->admit(asking);
}

void FlowGuard::answered(const director::Asking& asking, Errc code) {
  observer_.answered(asking, code, clock_());
}

void FlowGuard::acted(director::Act act, ScopeId scope, BlockId block) {
  if (registry_ == nullptr) return;  // an earlier director's, or before it has begun
  ++acts_;
  observer_.acted(*registry_, act, scope, block);
}

std::chrono::milliseconds FlowGuard::pass() {
  const auto begun = std::chrono::steady_clock::now();
  look();
  const auto took = std::chrono::steady_clock::now() - begun;
  return std::max(kBetweenLooks,
                  std::chrono::duration_cast<std::chrono::milliseconds>(took * kRests));
}

void FlowGuard::look() {
  acts_ = 0;
  const std::uint64_t now_ms = clock_();
  activity_.set_now(now_ms);
  notifier_.look(now_ms);
  fsck_.look(*registry_, now_ms);
  observed_ = observer_.look(*registry_, now_ms);
  const RuleBook::Judged judged = book_.judge(observed_, now_ms);
  for (const RuleBook::Over& over : judged.over) actions_->lift(*over.rule, over.kind, over.id);
  for (const RuleBook::Firing& firing : judged.due) find(firing, now_ms);
}

void FlowGuard::find(const RuleBook::Firing& firing, std::uint64_t now_ms) {
  const Rule& rule = *firing.rule;
  const Observed& observed = *firing.observed;
  const WorkerId doer = doer_of(observed);
  Finding finding;
  finding.found_unix_ms = static_cast<std::int64_t>(platform::realtime_ns() / 1'000'000);
  finding.lasted_ms = now_ms - firing.since_ms;
  finding.rule = rule.name;
  finding.what = observed.text;
  const auto* scope = registry_->scopes.find(actions_->script_of(observed.kind, observed.id));
  finding.scope = scope != nullptr ? scope->path : registry_->scopes.root().path;
  if (doer != WorkerId{}) finding.worker = "worker " + std::to_string(raw(doer));
  finding.evidence = rule.when.evidence(observed.measures);
  finding.action = director::word(rule.action);
  finding.done = actions_->act(rule, observed, doer);
  const Finding& kept = findings_.add(std::move(finding));
  director::Subject subject(kept.what, doer);
  if (observed.kind == Kind::block) {
    subject.block = static_cast<BlockId>(observed.id);
    const auto* block = registry_->blocks.find(subject.block);
    if (block != nullptr) subject.generation = block->generation;
  }
  registry_->say(director::EventKind::found, std::move(subject), text_of(kept));
  const std::string untold = notifier_.tell(rule.notify, row_of(kept).dump(), now_ms);
  if (!untold.empty()) {
    registry_->say(director::EventKind::failed, "notify of rule " + rule.name, untold);
  }
}

WorkerId FlowGuard::doer_of(const Observed& observed) const {
  if (observed.kind == Kind::worker) return static_cast<WorkerId>(observed.id);
  if (observed.kind == Kind::scope) return {};
  return observer_.main_writer(static_cast<BlockId>(observed.id));
}

Message FlowGuard::leaks() const {
  return registry_ == nullptr ? Message::array() : leaks_of(*registry_, observer_, observed_);
}

}  // namespace sessionblocks::flowguard
