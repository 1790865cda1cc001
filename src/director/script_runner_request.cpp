// Child scripts that a worker of their parent, or an operator, has started.
#include <algorithm>

#include "core/crash_point.hpp"
#include "director/script_runner.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

bool is_same_request(const StartRequest& a, const StartRequest& b) {
  return a.worker == b.worker && a.number == b.number;
}

std::string text_of(const std::string& script) {
  return "start script " + quote(script) + ": ";
}

// A script, and what starts with it: its child scripts that do not wait for a request, and theirs.
std::vector<const ScriptSpec*> started_with(const Suite& suite, const ScriptSpec& first) {
  std::vector<const ScriptSpec*> order{&first};
  for (std::size_t at = 0; at < order.size(); ++at) {
    for (const ScriptSpec& script : suite.scripts) {
      const bool starts = script.start == StartWhen::with_suite && script.parent == order[at]->name;
      if (starts) order.push_back(&script);
    }
  }
  return order;
}

}  // namespace

StartRecords ScriptRunner::records() const {
  return StartRecords(parts_.registry.options.paths.started());
}

Result<const ScriptSpec*> ScriptRunner::startable(const std::string& script) const {
  const auto& all = parts_.suite.scripts;
  const auto spec = std::find_if(all.begin(), all.end(),
                                 [&](const ScriptSpec& known) { return known.name == script; });
  if (spec == all.end()) {
    std::vector<std::string_view> names;
    for (const ScriptSpec& known : all) {
      if (known.start == StartWhen::on_request) names.push_back(known.name);
    }
    return fail(Errc::no_such_scope,
                text_of(script) + "the suite has no such script" + suggestion(script, names));
  }
  if (spec->start == StartWhen::on_request) return &*spec;
  return fail(Errc::not_permitted, text_of(script) +
                                       "it starts with the suite; to have it started on request, " +
                                       "write start = \"on-request\" and its parent");
}

// The scope that it will be a child of, where the asking worker, or an operator, may have it
// started.
Result<const Scope*> ScriptRunner::parent_of(const ScriptSpec& spec,
                                             const StartRequest& request) const {
  const std::string what = text_of(spec.name);
  const ScopeTree& scopes = parts_.registry.scopes;
  const bool is_operator = request.worker == WorkerId{};
  const Worker* worker = parts_.registry.workers.find(request.worker);
  const Scope* asking = worker != nullptr ? scopes.script_of(worker->scope) : nullptr;
  if (is_operator && !request.parent.empty()) {
    asking = scopes.find(request.parent);
    if (asking == nullptr)
      return fail(Errc::no_such_scope, what + "scope " + quote(request.parent));
  }
  const auto parent = std::find_if(scripts_.begin(), scripts_.end(), [&](const auto& script) {
    return script->spec->name == spec.parent && !script->is_ending && !script->has_ended;
  });
  const bool runs = parent != scripts_.end();
  if (is_operator && asking == nullptr && runs) asking = scopes.find((*parent)->scope);
  const bool is_parent = asking != nullptr && asking->name == spec.parent &&
                         asking->kind == sessionblocks::ScopeKind::script;
  if (!is_parent && !(is_operator && request.parent.empty())) {
    return fail(Errc::not_permitted, what + "it is a child of script " + quote(spec.parent) +
                                         (is_operator ? "; name that one's scope, or none"
                                                      : ", whose workers alone may start it"));
  }
  if (runs) return asking;
  return fail(Errc::no_such_scope,
              what + "its parent, script " + quote(spec.parent) + ", is ending or has ended");
}

StartStatus ScriptRunner::status_of(const std::string& script, std::uint64_t number) const {
  for (const auto& known : scripts_) {
    if (known->spec->name != script || known->number != number) continue;
    if (!known->has_ended) return {StartState::running, 0};
    if (known->ended_unseen) return {StartState::not_known, 0};
    return {StartState::ended, known->exit_code.value_or(0)};
  }
  return {};
}

Result<std::string> ScriptRunner::start_on_request(const StartRequest& request) {
  const auto spec = startable(request.script);
  if (!spec) return tl::unexpected(spec.error());
  const auto parent = parent_of(**spec, request);
  if (!parent) return tl::unexpected(parent.error());
  const std::string path = (*parent)->path + "/" + request.script;
  const auto before = records().read(request.script);
  // It has been started, and has perhaps ended: an answer that was not heard.
  if (before && before->is_prepared && is_same_request(before->request, request)) return path;
  if (parts_.registry.scopes.find(path) != nullptr) {
    return fail(Errc::exists, text_of(request.script) + path + " has not ended; wait until it has");
  }
  if (auto recorded = records().write({request, false}); !recorded) {
    return tl::unexpected(recorded.error());
  }
  // CRASH(child.recorded): a request for a script that has no scope; its worker asks again.
  SESSIONBLOCKS_CRASH("child.recorded");
  if (auto launched = prepare_and_launch(**spec, request); !launched) {
    return tl::unexpected(launched.error());
  }
  // CRASH(child.started): a script that runs, its worker not told so; it asks again.
  SESSIONBLOCKS_CRASH("child.started");
  const std::string who = request.worker == WorkerId{}
                              ? std::string("an operator")
                              : "worker " + std::to_string(raw(request.worker));
  parts_.registry.say(EventKind::started, "scope " + path, who + " asked for it");
  return path;
}

Result<void> ScriptRunner::prepare_and_launch(const ScriptSpec& spec, const StartRequest& request) {
  const auto order = started_with(parts_.suite, spec);
  std::erase_if(scripts_, [&](const auto& script) {
    return script->has_ended && std::find(order.begin(), order.end(), script->spec) != order.end();
  });
  const std::size_t first = scripts_.size();
  Result<void> prepared;
  for (const ScriptSpec* next : order) {
    if (prepared) prepared = prepare(*next);
  }
  if (prepared) {
    scripts_[first]->arguments = request.arguments;
    scripts_[first]->number = request.number;
    prepared = records().write({request, true});
  }
  if (!prepared) {
    if (scripts_.size() > first) begin_end(*scripts_[first], "it could not be prepared");
    parts_.loop.post([this] { end_finished_scopes(); });
    return prepared;
  }
  // CRASH(child.prepared): a script without processes; the next director starts them.
  SESSIONBLOCKS_CRASH("child.prepared");
  Result<void> launched;
  for (std::size_t at = first; at < scripts_.size(); ++at) {
    for (const auto& slot : scripts_[at]->slots) {
      const auto done = launch_or_end(*slot);
      if (!done && launched) launched = done;
    }
  }
  if (!launched) begin_end(*scripts_[first], "not all of it could be started");
  return launched;
}

// A script that an earlier director was preparing has run nothing, and its worker was told nothing;
// of one that was prepared the arguments are needed when it is started again.
void ScriptRunner::resume_requested(Script& script) {
  const auto record = records().read(script.spec->name);
  if (record && record->is_prepared) {
    script.arguments = record->request.arguments;
    script.number = record->request.number;
  } else {
    begin_end(script, "its start was cut off");
  }
}

}  // namespace sessionblocks::director
