// Ends of processes, slots and scripts; restarts.
#include <signal.h>

#include <algorithm>

#include "director/process_group.hpp"
#include "director/script_runner.hpp"
#include "platform/process.hpp"

namespace sessionblocks::director {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

void ScriptRunner::on_exit(Slot& slot) {
  slot.watch.end();
  slot.is_running = false;
  // Its process group while the pid is still its own: what it left running ends with it.
  if (slot.is_child) {
    signal_group(slot.process.pid, SIGKILL);
  } else {
    kill_orphaned_group(slot.process);
  }
  const auto status = platform::try_reap(slot.pidfd.get());
  bool succeeded = false;
  std::string how = "ended";
  if (status && *status) {
    succeeded = (*status)->succeeded();
    how = (*status)->text();
    slot.exit_code = ((*status)->by_signal ? 128 : 0) + (*status)->number;
  }
  slot.pidfd.reset();
  const auto workers = parts_.registry.workers.of_process(slot.process.pid);
  // Adopted: not our child, so its status went to somebody else. It detached in order, or not.
  if (!slot.is_child) {
    succeeded = has_detached(slot, workers);
    slot.script->ended_unseen = true;
  }
  const bool restarts = restart_is_due(slot, succeeded);
  // Before the rows go: nobody after us shall start again what has ended.
  if (!restarts) parts_.registry.scopes.mark_ending(slot.scope);
  for (const WorkerId worker : workers) parts_.end_worker(worker, how);
  if (!succeeded && !is_stopping_ && !slot.script->is_ending) {
    parts_.registry.say(EventKind::died, parts_.registry.scopes.find(slot.scope)->path, how);
  }
  if (restarts) {
    restart_later(slot);
  } else {
    end_slot(slot, succeeded, how);
  }
}

bool ScriptRunner::has_detached(const Slot& slot, const std::vector<WorkerId>& workers) const {
  return slot.detached_in_order || std::any_of(workers.begin(), workers.end(), [this](WorkerId id) {
           return parts_.registry.workers.find(id)->has_detached();
         });
}

bool ScriptRunner::restart_is_due(Slot& slot, bool succeeded) const {
  if (is_stopping_ || slot.script->is_ending) return false;
  const ScriptSpec& spec = *slot.script->spec;
  const bool wanted = spec.restart == RestartPolicy::always ||
                      (spec.restart == RestartPolicy::on_failure && !succeeded);
  if (!wanted) return false;
  const auto since = steady_clock::now() - milliseconds(spec.budget.within_ms);
  while (!slot.restarts.empty() && slot.restarts.front() < since) slot.restarts.pop_front();
  return slot.restarts.size() < spec.budget.count;
}

// At once the first time; a process that keeps dying rests longer and longer, up to a second.
void ScriptRunner::restart_later(Slot& slot) {
  constexpr auto kFirstRest = milliseconds(10);
  constexpr auto kLongestRest = milliseconds(1'000);
  const std::size_t recent = std::min<std::size_t>(slot.restarts.size(), 7);
  const auto rest =
      recent == 0 ? milliseconds(0) : std::min(kFirstRest * (1 << recent), kLongestRest);
  slot.restarts.push_back(steady_clock::now());
  ++slot.restart_count;
  slot.rest = parts_.loop.after(rest, [this, &slot] {
    if (is_stopping_ || slot.script->is_ending) return end_slot(slot, false, "ended while resting");
    static_cast<void>(launch_or_end(slot));
  });
}

void ScriptRunner::end_slot(Slot& slot, bool succeeded, std::string_view how) {
  if (slot.has_ended) return;
  slot.has_ended = true;
  slot.rest.end();
  const Scope* scope = parts_.registry.scopes.find(slot.scope);
  const bool told_to = is_stopping_ || slot.script->is_ending;
  if (!succeeded && !slot.script->exit_code) slot.script->exit_code = slot.exit_code;
  if (!succeeded && !told_to) {
    any_failed_ = true;
    parts_.registry.say(EventKind::failed, scope->path, std::string(how));
  }
  parts_.launcher.clean_up(scope->path);
  // Children of the process that attached for themselves and left its group: their token is dead.
  for (const WorkerId id : parts_.registry.workers.in_scope(slot.scope)) {
    const auto pidfd = parts_.registry.workers.find(id)->process.open();
    if (pidfd) static_cast<void>(platform::send_signal(pidfd->get(), SIGKILL));
  }
  parts_.loop.post([this] { end_finished_scopes(); });
}

void ScriptRunner::begin_end(Script& script, std::string_view why) {
  if (script.is_ending || script.has_ended) return;
  script.is_ending = true;
  // Children first: they get the same signal, and their scopes end before ours can.
  for (const auto& other : scripts_) {
    if (other->spec->parent == script.spec->name) begin_end(*other, why);
  }
  parts_.registry.scopes.mark_ending(script.scope);
  signal_all(script, SIGTERM);
  script.kill = parts_.loop.after(parts_.grace, [this, &script] { signal_all(script, SIGKILL); });
  for (const auto& slot : script.slots) {
    if (!slot->is_running) end_slot(*slot, false, why);
  }
}

void ScriptRunner::signal_all(Script& script, int number) {
  for (const auto& slot : script.slots) {
    if (!slot->is_running) continue;
    if (!slot->is_child && platform::pidfd_ended(slot->pidfd.get())) continue;
    signal_group(slot->process.pid, number);
    // A stopped process does not see SIGTERM before it goes on.
    signal_group(slot->process.pid, SIGCONT);
  }
}

void ScriptRunner::on_worker_ending(WorkerId ending) {
  const Worker* worker = parts_.registry.workers.find(ending);
  for (const auto& script : scripts_) {
    for (const auto& slot : script->slots) {
      if (slot->worker != ending) continue;
      if (worker != nullptr && worker->segment) slot->detached_in_order = worker->has_detached();
      if (slot->is_running) keep_known(*slot);
    }
  }
  parts_.loop.post([this] { end_finished_scopes(); });
}

void ScriptRunner::keep_known(Slot& slot) {
  Registry& registry = parts_.registry;
  const auto id = registry.control.next_worker_id();
  if (!id) return;
  Worker worker;
  worker.id = *id;
  worker.scope = slot.scope;
  worker.process = slot.process;
  worker.launched_as = *id;
  if (registry.workers.add(std::move(worker))) slot.worker = *id;
}

// Slots, then scripts, children before parents: the order is that of scripts_ backwards.
void ScriptRunner::end_finished_scopes() {
  if (is_done_) return;
  Registry& registry = parts_.registry;
  for (auto at = scripts_.rbegin(); at != scripts_.rend(); ++at) {
    Script& script = **at;
    if (script.has_ended) continue;
    for (const auto& slot : script.slots) {
      if (!slot->has_ended || registry.scopes.find(slot->scope) == nullptr) continue;
      if (registry.workers.in_scope(slot->scope).empty()) registry.end_scope(slot->scope, "");
    }
    const Scope* scope = registry.scopes.find(script.scope);
    if (scope != nullptr && !scope->children.empty()) continue;
    if (!registry.workers.in_scope(script.scope).empty()) continue;
    script.has_ended = true;
    script.time_limit.end();
    script.kill.end();
    registry.end_scope(script.scope, script.is_ending ? "it was ended" : "all its workers ended");
  }
  const bool all = std::all_of(scripts_.begin(), scripts_.end(),
                               [](const auto& script) { return script->has_ended; });
  if (!all) return;
  is_done_ = true;
  SuiteOutcome outcome = SuiteOutcome::well;
  if (any_timed_out_) outcome = SuiteOutcome::timed_out;
  if (any_failed_) outcome = SuiteOutcome::failed;
  parts_.on_done(outcome);
}

}  // namespace sessionblocks::director
