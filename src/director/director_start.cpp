// How a director begins: folder, lock, key, adoption, socket, scripts.
#include <sodium.h>
#include <unistd.h>

#include <fstream>

#include "core/crash_point.hpp"
#include "director/declared_blocks.hpp"
#include "director/director_core.hpp"
#include "platform/user.hpp"

namespace sessionblocks::director {
namespace {

// Removing its files is the last thing a director does. One that starts meanwhile may have locked
// a file that has no name any more; then the name holds another pid, or nothing.
bool lock_file_is_ours(const std::filesystem::path& path) {
  std::ifstream file(path);
  pid_t pid = 0;
  return (file >> pid) && pid == ::getpid();
}

}  // namespace

Result<void> Director::Core::start() {
  if (::sodium_init() < 0) return fail(Errc::unsupported, "libsodium does not start");
  // First of all: one that arrives while scripts are being started is heard when the loop runs.
  if (options.handles_signals) {
    loop.on_signals({SIGTERM, SIGINT}, [this](int) { begin_stop(); });
  }
  auto of = RuntimePaths::of(options.system, options.runtime_directory);
  if (!of) return tl::unexpected(of.error());
  paths = std::move(*of);
  find_users();
  const bool others = users_.size() > 1;
  if (auto made = paths.make(others ? 0711 : 0700); !made) return made;
  if (auto taken = take_lock(); !taken) return taken;
  // CRASH(start.locked): a lock that ended with us, and perhaps a folder.
  SESSIONBLOCKS_CRASH("start.locked");
  if (auto kept = take_state(); !kept) return kept;
  auto loaded = OperatorKey::load_or_create(paths.operator_key());
  if (!loaded) return tl::unexpected(loaded.error());
  key = *loaded;
  if (options.make_guard) {
    const auto rules = options.suite ? options.suite->guards : std::vector<GuardSpec>{};
    guard = options.make_guard(rules, options.guard_clock);
  }
  bool goes_on = false;
  if (auto taken = take_system(goes_on); !taken) return taken;
  context_.emplace(request_context());
  if (auto listening = listen(); !listening) return listening;
  // CRASH(start.listening): a socket nobody answers; the next director makes its own.
  SESSIONBLOCKS_CRASH("start.listening");
  if (auto watched = watch_adopted(); !watched) return watched;
  if (auto started = start_scripts(goes_on); !started) return started;
  must_stay_ = false;
  is_directing_ = true;
  // CRASH(start.scripts): all scripts run; adoption takes them over.
  SESSIONBLOCKS_CRASH("start.scripts");
  housekeeping_ = loop.after(nap_, [this] { housekeep(); });
  if (guard) {
    guard->begin(
        {*registry, [this](ScopeId scope, std::string_view why) { return end_scope(scope, why); }});
    watch_over();
  }
  registry->say(EventKind::started, "director of system " + options.system,
                "pid " + std::to_string(::getpid()) + ", socket " + paths.socket().native());
  return {};
}

Result<void> Director::Core::take_lock() {
  constexpr int kTries = 100;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    auto lock = platform::FileLock::acquire(paths.lock());
    if (!lock) return tl::unexpected(lock.error());
    if (lock_file_is_ours(paths.lock())) {
      lock_.emplace(std::move(*lock));
      return {};
    }
    if (auto made = paths.make(users_.size() > 1 ? 0711 : 0700); !made) return made;
  }
  return fail(Errc::already_running, "lock " + paths.lock().native() + ": it keeps changing hands");
}

Result<void> Director::Core::take_state() const {
  const StateFolder state(paths.state());
  if (!options.state_directory.empty()) {
    if (auto led = state.lead_to(options.state_directory); !led) return led;
  }
  state.remove_unfinished();
  return {};
}

Result<void> Director::Core::take_system(bool& goes_on) {
  const Suite* suite = options.suite ? &*options.suite : nullptr;
  auto adoption = adopt_or_create(registry_options(), suite);
  if (!adoption) {
    const auto left = platform::SharedSegment::list(paths.control_segment());
    must_stay_ = !left || !left->empty();
    return tl::unexpected(adoption.error());
  }
  registry = std::move(adoption->registry);
  goes_on = must_stay_ = adoption->goes_on;
  // CRASH(start.adopted): the system is in order, and still names the director before.
  SESSIONBLOCKS_CRASH("start.adopted");
  const auto self = platform::ProcessIdentity::self();
  if (!self) return tl::unexpected(self.error());
  const auto space = platform::pid_namespace();
  if (!space) return tl::unexpected(space.error());
  registry->control.take_over(*self, *space);
  if (!registry->scopes.has_root()) {
    const auto begun = registry->begin(EventKind::begun, "scope " + root_name());
    const auto root = registry->scopes.add_suite(root_name());
    if (!root) return tl::unexpected(root.error());
    registry->say(EventKind::begun, "scope " + root_name());
  }
  if (auto own = registry->attach_director(*self); !own) return own;
  if (goes_on) {
    registry->adopt_checkpoints();
    registry->forks.finish();
    registry->states.finish();
    registry->revocations.finish();
    registry->finish_hand_overs();
  }
  registry->on_unmap = [this](const Worker& worker, unsigned open) { send_unmap(worker, open); };
  if (options.naming == Naming::named) {
    for (const std::string& system : sweep_dead_systems(paths)) {
      registry->say(EventKind::swept, "system " + system, "its director and workers have ended");
    }
  }
  return {};
}

std::string Director::Core::root_name() const {
  if (options.suite) return options.suite->name;
  return options.root.empty() ? options.system : options.root;
}

RegistryOptions Director::Core::registry_options() const {
  RegistryOptions made;
  made.paths = paths;
  made.naming = options.naming;
  made.ring_records = options.suite ? options.suite->director.ring_records : options.ring_records;
  made.budget_bytes = options.budget_bytes;
  if (options.suite) made.budgets = budgets_of(*options.suite);
  made.mask_key = mask_key_of(key);
  made.data_plane = options.data_plane;
  made.make_audit = options.make_audit;
  made.events = options.events;
  made.guard = guard.get();
  return made;
}

void Director::Core::find_users() {
  users_ = {::geteuid()};
  if (!options.suite) return;
  for (const ScriptSpec& script : options.suite->scripts) {
    if (!script.user) continue;
    if (const auto user = platform::find_user(*script.user)) users_.insert(user->uid);
  }
}

Result<void> Director::Core::listen() {
  // Who may connect is checked at accept; other users reach the socket only in a 0711 folder.
  auto listener = platform::Listener::listen(paths.socket(), users_.size() > 1 ? 0666 : 0600);
  if (!listener) return tl::unexpected(listener.error());
  listener_.emplace(std::move(*listener));
  listener_watch_ = loop.watch(listener_->fd(), [this] { on_connections(); });
  return {};
}

RequestContext Director::Core::request_context() {
  const auto may_create = [this](std::string_view script, std::string_view block) {
    return may_create_block(options.suite ? &*options.suite : nullptr, script, block);
  };
  const auto blocks_of = [this](const Scope& flow) {
    const Scope* script = registry->scopes.script_of(flow.id);
    return options.suite ? blocks_of_flow(*options.suite, script, flow)
                         : std::vector<BlockRequest>{};
  };
  return RequestContext{
      .registry = *registry,
      .key = key,
      .may_create = may_create,
      .blocks_of_flow = blocks_of,
      .makes_scopes = options.makes_scopes,
      .has_suite = options.suite.has_value(),
      .started_as =
          [this](const Client& client) {
            return runner_ ? runner_->started_as(client.process) : std::nullopt;
          },
      .launched = [this](WorkerId id) { return runner_ ? runner_->launched(id) : std::nullopt; },
      .on_attached = [this](Client& client, WorkerId worker) { attach(client, worker); },
      .end_worker = [this](WorkerId worker, std::string_view why) { end_worker(worker, why); },
      .end_scope = [this](ScopeId scope) -> Result<void> {
        if (runner_) return runner_->end_scope(scope, "an operator asked for it");
        return fail(Errc::invalid_argument, "end_scope: this system runs no suite");
      },
      .start_script = [this](const StartRequest& request) -> Result<std::string> {
        if (!runner_) return fail(Errc::unsupported, "start a script: this system runs no suite");
        auto path = runner_->start_on_request(request);
        const Scope* started = path ? registry->scopes.find(*path) : nullptr;
        if (started != nullptr) registry->acted(Act::start_script, started->id);
        return path;
      },
      .script_status =
          [this](const std::string& script, std::uint64_t number) {
            return runner_ ? runner_->status_of(script, number) : StartStatus{};
          },
      .stop = [this] { loop.post([this] { begin_stop(); }); },
      .guard = guard.get()};
}

Result<void> Director::Core::start_scripts(bool goes_on) {
  if (!options.suite) return {};
  launcher_ = make_launcher(paths, *options.suite, options.confinement);
  runner_ = std::make_unique<ScriptRunner>(ScriptRunner::Parts{
      .loop = loop,
      .registry = *registry,
      .key = key,
      .launcher = *launcher_,
      .suite = *options.suite,
      .grace = options.grace,
      .on_done = [this](SuiteOutcome outcome) { on_suite_done(outcome); },
      .end_worker = [this](WorkerId worker, std::string_view why) { end_worker(worker, why); }});
  return goes_on ? runner_->resume() : runner_->start();
}

Result<void> Director::Core::watch_adopted() {
  std::vector<WorkerId> ended;
  for (auto& [id, worker] : registry->workers.all()) {
    if (worker.state != WorkerState::attached || worker.process.pid == ::getpid()) continue;
    auto pidfd = worker.process.open();
    if (pidfd) {
      watch_worker(id, std::move(*pidfd));
    } else if (pidfd.error() == Errc::gone) {
      ended.push_back(id);
    } else {
      return tl::unexpected(pidfd.error());  // alive perhaps, and nobody would see it end
    }
  }
  for (const WorkerId id : ended) end_worker(id, "it died while no director ran");
  return {};
}

}  // namespace sessionblocks::director
