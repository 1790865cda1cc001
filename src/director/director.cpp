#include "director/director.hpp"

#include <algorithm>
#include <array>
#include <future>

#include "core/crash_point.hpp"
#include "director/director_core.hpp"
#include "platform/descriptors.hpp"

namespace sessionblocks::director {

Director::Director(std::unique_ptr<Core> core) noexcept : core_(std::move(core)) {}
Director::~Director() = default;

Result<std::unique_ptr<Director>> Director::start(DirectorOptions options) {
  auto core = std::make_unique<Core>(std::move(options));
  if (auto started = core->start(); !started) return tl::unexpected(started.error());
  return std::unique_ptr<Director>(new Director(std::move(core)));
}

Director::Outcome Director::run() {
  return core_->run();
}

void Director::stop() {
  core_->loop.post([core = core_.get()] { core->begin_stop(); });
}

void Director::call(const std::function<void(Registry&)>& work) {
  std::promise<void> done;
  core_->loop.post([this, &work, &done] {
    work(*core_->registry);
    done.set_value();
  });
  done.get_future().wait();
}

std::string Director::socket() const {
  return core_->paths.socket().native();
}

Result<std::string> Director::token_for_scope(std::string_view path) {
  Result<std::string> token;
  call([&](Registry& registry) {
    const Scope* found = registry.scopes.find(path);
    Result<ScopeId> scope = found != nullptr ? Result<ScopeId>(found->id) : Result<ScopeId>();
    if (found == nullptr) scope = make_script_scope(registry, core_->options.makes_scopes, path);
    if (scope) {
      token = core_->key.token_for({*scope, WorkerId{}});
    } else {
      token = tl::unexpected(scope.error());
    }
  });
  return token;
}

Director::Core::~Core() {
  // The lock is held only when this process directs the system; else its files are another's. A
  // system that could not be taken over stays as it was, with its key: workers live in it.
  if (!lock_ || is_finished_ || must_stay_) return;
  launcher_.reset();
  runner_.reset();
  finish();
}

Director::Outcome Director::Core::run() {
  if (!is_finished_) loop.run();
  return outcome_;
}

void Director::Core::begin_stop() {
  if (is_stopping_ || is_finished_) return;
  is_stopping_ = true;
  outcome_.was_stopped = true;
  registry->say(EventKind::stopped, "director of system " + options.system, "it was asked to");
  if (!runner_ || is_suite_done_) return finish();
  runner_->end_all("the director stops");
}

void Director::Core::on_suite_done(SuiteOutcome outcome) {
  outcome_.suite = outcome;
  is_suite_done_ = true;
  if (options.ends_with_suite || is_stopping_) finish();
}

// Everybody has ended, or is not ours to end: blocks, then files.
void Director::Core::finish() {
  if (is_finished_) return;
  is_finished_ = true;
  listener_rest_.end();
  listener_watch_.end();
  listener_.reset();
  housekeeping_.end();
  guarding_.end();
  // One that has not begun has nothing to keep: what it made of DataBlocks is in them.
  if (registry) is_directing_ ? registry->end_system() : registry->remove_all();
  // CRASH(stop.unlinked): files of a system that is over; the next director, sweep or clean removes
  // them.
  SESSIONBLOCKS_CRASH("stop.unlinked");
  for (auto& [id, attachment] : attachments_) attachment.watch.end();
  attachments_.clear();
  // Destroying clients calls back nothing: they just go, and their sockets with them.
  loop.post([this] { clients_.clear(); });
  paths.remove();
  loop.post([this] { loop.stop(); });
}

void Director::Core::on_connections() {
  while (true) {
    auto connection = listener_->accept();
    if (!connection) return rest_from_connections(connection.error());
    if (!connection->has_value()) return;
    if (platform::is_spare_descriptor((*connection)->fd())) {
      refuse(**connection);
    } else {
      welcome(std::move(**connection));
    }
  }
}

// The listener stays readable, so watching on would be spinning. Who waits goes on waiting.
void Director::Core::rest_from_connections(const Error& error) {
  constexpr std::chrono::milliseconds kRest{100};
  registry->say(EventKind::failed, "accept", error.message());
  listener_watch_.end();
  listener_rest_ = loop.after(kRest, [this] {
    listener_watch_ = loop.watch(listener_->fd(), [this] { on_connections(); });
  });
}

// The answer to whatever it asks first.
void Director::Core::refuse(platform::Connection& connection) {
  const Error error(Errc::too_many, "the director has " + platform::no_descriptors_text());
  registry->say(EventKind::denied, "a connection", error.message());
  const auto bytes = encode_message(error_reply(0, error));
  if (bytes) static_cast<void>(connection.send(std::as_bytes(std::span(*bytes))));
  // Closing with something unread would make the kernel drop what we have just sent.
  std::array<std::byte, kMaxMessageBytes> unread;
  for (int taken = 0; taken < Client::kMessagesAtOnce; ++taken) {
    const auto received = connection.receive_data_only(unread);
    if (!received || received->outcome != platform::ReceiveOutcome::received) return;
  }
}

// Whom the kernel says is there. A process that has ended already, or another user's, is not heard.
void Director::Core::welcome(platform::Connection connection) {
  const auto credentials = connection.peer();
  if (!credentials) return;
  if (credentials->uid != 0 && !users_.contains(credentials->uid)) {
    return registry->say(EventKind::denied, "pid " + std::to_string(credentials->pid),
                         "user " + std::to_string(credentials->uid) + " has no part in this");
  }
  auto pidfd = connection.peer_pidfd();
  if (!pidfd) return;
  // The pid is the process's as long as its pidfd says that it runs.
  const auto process = platform::ProcessIdentity::of(credentials->pid);
  if (!process || platform::pidfd_ended(pidfd->pidfd.get())) return;
  auto client = std::make_shared<Client>(
      std::move(connection),
      Client::Calls{
          .request = [this](Client& asking,
                            const Message& request) { return answer(*context_, asking, request); },
          .ended = [this](Client& gone, Client::End how) { on_client_ended(gone, how); }});
  client->credentials = *credentials;
  client->process = *process;
  client->pidfd = std::move(pidfd->pidfd);
  client->start(loop);
  clients_.insert(std::move(client));
}

void Director::Core::on_client_ended(Client& client, Client::End how) {
  const WorkerId worker = client.worker;
  // Disconnected by us: the worker goes on with its mappings and comes back when it wants to.
  if (worker != WorkerId{} && how == Client::End::closed_by_peer) {
    end_worker(worker, "its connection ended");
  }
  // Whoever called us still holds it.
  clients_.erase(client.shared_from_this());
}

void Director::Core::attach(Client& client, WorkerId worker) {
  const auto found = attachments_.find(worker);
  if (found == attachments_.end()) {
    watch_worker(worker, std::move(client.pidfd));
  } else if (const auto before = found->second.client.lock()) {
    before->worker = WorkerId{};  // it came back before we saw the old connection end
    before->disconnect();
  }
  attachments_[worker].client = client.weak_from_this();
}

void Director::Core::watch_worker(WorkerId worker, platform::UniqueFd pidfd) {
  Attachment& attachment = attachments_[worker];
  attachment.pidfd = std::move(pidfd);
  attachment.watch = loop.watch(attachment.pidfd.get(),
                                [this, worker] { end_worker(worker, "its process ended"); });
}

void Director::Core::end_worker(WorkerId worker, std::string_view why) {
  if (registry->workers.find(worker) == nullptr) return;
  if (const auto found = attachments_.find(worker); found != attachments_.end()) {
    if (const auto client = found->second.client.lock()) client->worker = WorkerId{};
    attachments_.erase(found);
  }
  if (runner_) runner_->on_worker_ending(worker);
  registry->end_worker(worker, why);
}

void Director::Core::send_unmap(const Worker& worker, unsigned open) {
  const auto found = attachments_.find(worker.id);
  if (found == attachments_.end()) return;
  const auto client = found->second.client.lock();
  if (!client) return;
  Reply event;
  event.body = {{"event", "unmap"}, {"open", open}};
  client->send(std::move(event));
}

// Often while blocks grow, rarely when nothing happens.
void Director::Core::housekeep() {
  constexpr std::chrono::milliseconds kShortest{5};
  constexpr std::chrono::milliseconds kLongest{200};
  const bool grew = registry->housekeep();
  nap_ = grew ? kShortest : std::min(nap_ * 2, kLongest);
  housekeeping_ = loop.after(nap_, [this] { housekeep(); });
}

void Director::Core::watch_over() {
  const auto nap = guard->pass();
  guarding_ = loop.after(nap, [this] { watch_over(); });
}

// Of a script's or a flow's. Without a suite nobody else ends a script's scope: its processes are
// killed, then it goes with its blocks.
Result<void> Director::Core::end_scope(ScopeId id, std::string_view why) {
  const Scope* scope = registry->scopes.script_of(id);
  if (scope == nullptr) return fail(Errc::invalid_argument, "the suite itself ends by a stop");
  if (runner_) return runner_->end_scope(scope->id, why);
  const ScopeId script = scope->id;
  std::vector<platform::ProcessIdentity> processes;
  for (const auto& [worker_id, worker] : registry->workers.all()) {
    if (!worker.is_director && registry->scopes.is_at_or_below(worker.scope, script)) {
      processes.push_back(worker.process);
    }
  }
  const std::string text = "scope " + scope->path;
  if (auto killed = registry->states.kill(processes, text); !killed) return killed;
  for (const ScopeId below : registry->scopes.subtree(script)) registry->end_scope(below, why);
  return {};
}

}  // namespace sessionblocks::director
