#include "director/script_runner.hpp"

#include <algorithm>

#include "core/crash_point.hpp"
#include "director/declared_blocks.hpp"
#include "platform/process.hpp"

namespace sessionblocks::director {
namespace {

using Kind = sessionblocks::ScopeKind;

// Parents before children; a suite has no cycle. What starts with the suite, or every script.
std::vector<const ScriptSpec*> in_order(const Suite& suite, bool with_requested) {
  std::vector<const ScriptSpec*> order;
  const auto is_placed = [&order](const std::string& name) {
    return name.empty() || std::any_of(order.begin(), order.end(), [&](const ScriptSpec* script) {
             return script->name == name;
           });
  };
  for (std::size_t round = 0; round < suite.scripts.size(); ++round) {
    for (const ScriptSpec& script : suite.scripts) {
      const bool is_wanted = with_requested || script.start == StartWhen::with_suite;
      if (!is_wanted || is_placed(script.name)) continue;
      if (is_placed(script.parent)) order.push_back(&script);
    }
  }
  return order;
}

}  // namespace

Result<void> ScriptRunner::start() {
  records().remove_all();
  if (auto prepared = prepare_suite(); !prepared) return prepared;
  for (const auto& script : scripts_) {
    for (const auto& slot : script->slots) static_cast<void>(launch_or_end(*slot));
  }
  parts_.loop.post([this] { end_finished_scopes(); });
  return {};
}

Result<void> ScriptRunner::resume() {
  is_resuming_ = true;
  if (auto prepared = prepare_suite(); !prepared) return prepared;
  is_resuming_ = false;
  for (const auto& script : scripts_) {
    for (const auto& slot : script->slots) take_over(*slot);
  }
  for (const auto& script : scripts_) {
    if (script->spec->start == StartWhen::on_request) resume_requested(*script);
  }
  for (const auto& script : scripts_) {
    for (const auto& slot : script->slots) {
      if (slot->is_running || script->is_ending) continue;
      if (parts_.registry.scopes.find(slot->scope)->is_ending) {
        end_slot(*slot, true, "it had ended");  // how is no longer known
      } else {
        static_cast<void>(launch_or_end(*slot));
      }
    }
  }
  for (const auto& script : scripts_) {
    const Scope* scope = parts_.registry.scopes.find(script->scope);
    if (scope != nullptr && scope->is_ending) begin_end(*script, "an earlier director began to");
  }
  parts_.loop.post([this] { end_finished_scopes(); });
  return {};
}

// Processes, descriptors and memory come back; a program that is not there does not. What may come
// back counts as a run that failed.
Result<void> ScriptRunner::launch_or_end(Slot& slot) {
  auto launched = launch(slot);
  if (launched) return launched;
  const Error& error = launched.error();
  const bool may_pass = error == Errc::too_many || error == Errc::out_of_memory;
  if (!may_pass || !restart_is_due(slot, false)) {
    end_slot(slot, false, error.message());
    return launched;
  }
  parts_.registry.say(EventKind::failed, parts_.registry.scopes.find(slot.scope)->path,
                      error.message());
  restart_later(slot);
  return {};
}

Result<void> ScriptRunner::prepare_suite() {
  const ScopeId root = parts_.registry.scopes.root().id;
  if (auto made = make_blocks(root, blocks_of_suite(parts_.suite, root)); !made) return made;
  for (const ScriptSpec* spec : in_order(parts_.suite, is_resuming_)) {
    if (auto prepared = prepare(*spec); !prepared) return prepared;
  }
  return {};
}

Result<ScopeId> ScriptRunner::scope_for(Kind kind, ScopeId parent, std::string_view name,
                                        std::uint16_t slot) {
  ScopeTree& scopes = parts_.registry.scopes;
  for (const ScopeId child : scopes.find(parent)->children) {
    const Scope* found = scopes.find(child);
    if (found->kind == kind && found->name == name && found->slot == slot) return child;
  }
  if (is_resuming_) return ScopeId{};
  Registry& registry = parts_.registry;
  const auto begun = registry.begin(EventKind::begun, "scope " + std::string(name));
  const auto made = scopes.add(kind, parent, name, slot);
  if (made) registry.say(EventKind::begun, "scope " + scopes.find(*made)->path);
  return made;
}

Result<void> ScriptRunner::prepare(const ScriptSpec& spec) {
  ScopeId parent = spec.parent.empty() ? parts_.registry.scopes.root().id : ScopeId{};
  for (const auto& other : scripts_) {
    if (other->spec->name == spec.parent && !other->has_ended) parent = other->scope;
  }
  if (parent == ScopeId{}) return {};  // ended, or never started, and so did this one
  const auto scope = scope_for(Kind::script, parent, spec.name, 0);
  if (!scope) return tl::unexpected(scope.error());
  if (*scope == ScopeId{}) return {};
  Script* const script = scripts_.emplace_back(std::make_unique<Script>()).get();
  script->spec = &spec;
  script->scope = *scope;
  auto made = make_blocks(*scope, blocks_of_script(parts_.suite, spec, *scope));
  if (!made) return made;
  for (std::uint32_t number = 1; number <= spec.workers; ++number) {
    const auto prepared = prepare_slot(*script, static_cast<std::uint16_t>(number));
    if (!prepared) return prepared;
  }
  if (spec.timeout_ms) {
    script->time_limit =
        parts_.loop.after(std::chrono::milliseconds(*spec.timeout_ms), [this, late = script] {
          any_timed_out_ = true;
          late->exit_code = 124;
          parts_.registry.say(EventKind::timed_out, "script " + late->spec->name);
          begin_end(*late, "its time limit has passed");
        });
  }
  return {};
}

Result<void> ScriptRunner::prepare_slot(Script& script, std::uint16_t number) {
  const auto scope = scope_for(Kind::worker, script.scope, script.spec->name, number);
  if (!scope) return tl::unexpected(scope.error());
  if (*scope == ScopeId{}) return {};
  auto slot = std::make_unique<Slot>();
  slot->script = &script;
  slot->number = number;
  slot->scope = *scope;
  script.slots.push_back(std::move(slot));
  return make_blocks(*scope, blocks_of_slot(parts_.suite, *script.spec, *scope));
}

// Of a scope that an earlier director was ending, some have been destroyed already. One that had
// ended, and for which a budget or the machine has no room any more, or whose DataBlock cannot be
// read, stops no take-over: whoever lives had to do without it before.
Result<void> ScriptRunner::make_blocks(ScopeId scope, const std::vector<BlockRequest>& requests) {
  if (parts_.registry.scopes.find(scope)->is_ending) return {};
  if (!is_resuming_) return parts_.registry.create_missing(requests);
  for (const BlockRequest& request : requests) {
    const auto made = parts_.registry.create_missing({request});
    if (!made && made.error() != Errc::out_of_memory && !request.is_loaded) return made;
    if (!made) {
      parts_.registry.say(EventKind::failed, "block " + request.policy.name,
                          made.error().message());
    }
  }
  return {};
}

Result<void> ScriptRunner::launch(Slot& slot) {
  Registry& registry = parts_.registry;
  const Scope* scope = registry.scopes.find(slot.scope);
  const auto id = registry.control.next_worker_id();
  if (!id) return tl::unexpected(id.error());
  const Launch request{*slot.script->spec, slot.script->arguments, scope->path,
                       parts_.key.token_for({slot.scope, *id}),
                       [&](pid_t pid) { return admit(slot, *id, pid); }};
  const EventKind kind = slot.restart_count == 0 ? EventKind::started : EventKind::restarted;
  const auto begun = registry.begin(kind, scope->path);
  auto launched = parts_.launcher.start(request);
  if (!launched) {
    registry.workers.remove(*id);
    return tl::unexpected(launched.error());
  }
  slot.pidfd = std::move(launched->pidfd);
  slot.worker = *id;
  slot.launch = *id;
  slot.detached_in_order = false;
  slot.is_running = true;
  slot.is_child = true;
  watch(slot);
  std::string detail = "pid " + std::to_string(launched->pid);
  for (const std::string& missing : launched->left_out) detail += "; without: " + missing;
  registry.say(kind, scope->path, std::move(detail));
  return {};
}

// The row comes before the program: no process of ours runs that a director after us cannot know.
Result<void> ScriptRunner::admit(Slot& slot, WorkerId id, pid_t pid) {
  // CRASH(launch.spawned): a process that no row names; it ends with us.
  SESSIONBLOCKS_CRASH("launch.spawned");
  // It is our child and not reaped: the pid is certain, even if it has ended by now.
  const auto process = platform::ProcessIdentity::of(pid);
  if (!process) return tl::unexpected(process.error());
  slot.process = *process;
  Worker worker;
  worker.id = id;
  worker.scope = slot.scope;
  worker.process = *process;
  worker.launched_as = id;
  auto added = parts_.registry.workers.add(std::move(worker));
  if (!added) return tl::unexpected(added.error());
  parts_.registry.control.worker((*added)->row).restarts = slot.restart_count;
  // CRASH(launch.row): a row, and a process that ends with us; for adoption a script that failed.
  SESSIONBLOCKS_CRASH("launch.row");
  return {};
}

// A process that an earlier director started in this slot and that still runs.
void ScriptRunner::take_over(Slot& slot) {
  for (auto& [id, worker] : parts_.registry.workers.all()) {
    if (worker.scope != slot.scope || worker.launched_as != id) continue;
    auto pidfd = worker.process.open();
    if (!pidfd) continue;
    slot.worker = id;
    slot.launch = id;
    slot.process = worker.process;
    slot.pidfd = std::move(*pidfd);
    slot.is_running = true;
    slot.is_child = false;
    slot.restart_count = parts_.registry.control.worker(worker.row).restarts;
    watch(slot);
    return;
  }
}

void ScriptRunner::watch(Slot& slot) {
  slot.watch = parts_.loop.watch(slot.pidfd.get(), [this, &slot] { on_exit(slot); });
}

Result<void> ScriptRunner::end_scope(ScopeId scope, std::string_view why) {
  Script* script = script_at(scope);
  if (script == nullptr) {
    return fail(Errc::invalid_argument, "end a scope: only scripts end by themselves");
  }
  begin_end(*script, why);
  return {};
}

void ScriptRunner::end_all(std::string_view why) {
  is_stopping_ = true;
  for (const auto& script : scripts_) begin_end(*script, why);
  end_finished_scopes();
}

ScriptRunner::Script* ScriptRunner::script_at(ScopeId scope) {
  for (const auto& script : scripts_) {
    if (script->scope == scope) return script.get();
  }
  return nullptr;
}

std::optional<StartedAs> ScriptRunner::started_as(const platform::ProcessIdentity& process) const {
  for (const auto& script : scripts_) {
    for (const auto& slot : script->slots) {
      if (slot->is_running && slot->process == process) return StartedAs{slot->scope, slot->worker};
    }
  }
  return std::nullopt;
}

std::optional<platform::ProcessIdentity> ScriptRunner::launched(WorkerId launch) const {
  for (const auto& script : scripts_) {
    for (const auto& slot : script->slots) {
      if (slot->is_running && slot->launch == launch) return slot->process;
    }
  }
  return std::nullopt;
}

}  // namespace sessionblocks::director
