// Who a client is: operator, attach, worker_segment, detach.
#include <unistd.h>

#include "director/requests.hpp"
#include "director/suite_words.hpp"
#include "layout/layout_hash.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::uint64_t kProtocol = 1;
constexpr std::size_t kMaxScopeBytes = 512;
constexpr std::size_t kMaxTokenBytes = 64;
constexpr std::uint64_t kMaxId = 0xFFFF'FFFFU;

Result<void> check_versions(const Fields& fields) {
  const auto protocol = fields.number("protocol", kMaxId);
  if (!protocol) return tl::unexpected(protocol.error());
  const auto layout = fields.number("layout", UINT64_MAX);
  if (!layout) return tl::unexpected(layout.error());
  if (*protocol != kProtocol) {
    return fail(Errc::layout_mismatch, "protocol " + std::to_string(*protocol) +
                                           ", the director speaks " + std::to_string(kProtocol));
  }
  if (*layout != layout::layout_hash()) {
    return fail(Errc::layout_mismatch, "layout " + std::to_string(*layout) + ", the director has " +
                                           std::to_string(layout::kLayoutMajor) + "." +
                                           std::to_string(layout::kLayoutMinor) + " (" +
                                           std::to_string(layout::layout_hash()) + ")");
  }
  return {};
}

// Where a client belongs, by what it can prove.
struct Place {
  ScopeId scope{};
  WorkerId launched_as{};
};

// Whether a process can be a child of a launch. A sandboxed worker has a mount namespace of its own
// that its children cannot leave, so whoever is elsewhere has its token from somebody else. Where
// the launch has none (no sandbox, or none permitted) the token alone counts.
bool may_be_child_of(const platform::ProcessIdentity& launched, const Client& client) {
  const auto ours = platform::mount_namespace(::getpid());
  const auto theirs = platform::mount_namespace(launched.pid);
  if (!ours || !theirs) return false;
  if (*theirs == *ours) return true;
  const auto asking = platform::mount_namespace(client.process.pid);
  return asking && *asking == *theirs;
}

Result<Place> place_by_token(RequestContext& context, const Client& client,
                             const std::string& token, const std::string& path) {
  const auto subject = context.key.subject_of(token);
  if (!subject) return fail(Errc::denied, "attach: the launch token is not of this system");
  Registry& registry = context.registry;
  const bool is_of_launch = subject->worker != WorkerId{};
  const auto launched = is_of_launch ? context.launched(subject->worker) : std::nullopt;
  const Scope* scope = registry.scopes.find(subject->scope);
  if (scope == nullptr || (is_of_launch && !launched)) {
    return fail(Errc::denied, "attach: the worker of this launch token has ended");
  }
  if (launched && !may_be_child_of(*launched, client)) {
    return fail(Errc::denied, "attach: the launch token is another worker's");
  }
  if (!path.empty() && path != scope->path) {
    return fail(Errc::denied, "attach: the launch token is not for scope " + quote(path));
  }
  return Place{subject->scope, subject->worker};
}

Result<Place> place_of(RequestContext& context, Client& client, const Fields& fields) {
  const auto path = fields.text_or("scope", kMaxScopeBytes, "");
  if (!path) return tl::unexpected(path.error());
  const auto token = fields.text_or("token", kMaxTokenBytes, "");
  if (!token) return tl::unexpected(token.error());
  // What the director knows of the process comes before what the process says.
  if (const auto started = context.started_as(client)) {
    return Place{started->scope, started->worker};
  }
  if (!token->empty()) return place_by_token(context, client, *token, *path);
  if (client.is_operator) {
    Registry& registry = context.registry;
    if (const Scope* found = registry.scopes.find(*path)) {
      if (auto may = check_may_join(*found); !may) return tl::unexpected(may.error());
      return Place{found->id, {}};
    }
    const auto scope = make_script_scope(registry, context.makes_scopes, *path);
    if (!scope) return tl::unexpected(scope.error());
    return Place{*scope, {}};
  }
  return fail(Errc::denied,
              "attach: process " + std::to_string(client.credentials.pid) +
                  " was not started by this director, and has no launch token or operator key");
}

// The same process comes back after its connection was lost: it keeps its worker.
Result<Worker*> reconnect(RequestContext& context, const Client& client, std::uint64_t id) {
  Worker* worker = context.registry.workers.find(static_cast<WorkerId>(id));
  if (worker == nullptr || worker->state != WorkerState::attached) {
    return fail(Errc::gone, "attach: worker " + std::to_string(id) + " has ended");
  }
  if (!(worker->process == client.process)) {
    return fail(Errc::denied, "attach: worker " + std::to_string(id) + " is another process");
  }
  return worker;
}

Result<Worker*> attach(RequestContext& context, Client& client, const Fields& fields) {
  if (fields.has("worker")) {
    const auto id = fields.number("worker", kMaxId);
    if (!id) return tl::unexpected(id.error());
    return reconnect(context, client, *id);
  }
  const auto place = place_of(context, client, fields);
  if (!place) return tl::unexpected(place.error());
  Registry& registry = context.registry;
  Worker* started = registry.workers.find(place->launched_as);
  const bool is_first = started != nullptr && started->state == WorkerState::starting &&
                        started->process == client.process;
  if (!is_first) return registry.attach(place->scope, client.process, place->launched_as);
  if (auto attached = registry.attach_started(*started); !attached) {
    return tl::unexpected(attached.error());
  }
  return started;
}

}  // namespace

Answer answer_operator(RequestContext& context, Client& client, const Fields& fields) {
  const auto key = fields.bytes("key");
  if (!key) return tl::unexpected(key.error());
  if (!context.key.equals(*key)) return fail(Errc::denied, "operator: not the key of this system");
  client.is_operator = true;
  return Reply{};
}

Answer answer_attach(RequestContext& context, Client& client, const Fields& fields) {
  if (client.worker != WorkerId{}) {
    return fail(Errc::invalid_argument, "attach: this connection has attached already");
  }
  if (auto checked = check_versions(fields); !checked) return tl::unexpected(checked.error());
  auto control = context.registry.control_descriptor();
  if (!control) return tl::unexpected(control.error());
  const auto worker = attach(context, client, fields);
  if (!worker) return tl::unexpected(worker.error());
  client.worker = (*worker)->id;
  context.on_attached(client, client.worker);
  const Scope* scope = context.registry.scopes.find((*worker)->scope);
  std::uint16_t slot = 0;
  for (const Scope* at = scope; at != nullptr; at = context.registry.scopes.find(at->parent)) {
    if (at->slot == 0) continue;
    slot = at->slot;
    break;
  }
  Reply reply;
  reply.body = {{"system", context.registry.options.paths.system},
                {"scope", scope->path},
                {"slot", slot},
                {"worker", raw(client.worker)},
                {"control_bytes", context.registry.control_bytes()}};
  reply.descriptor = std::move(*control);
  return reply;
}

Answer answer_worker_segment(RequestContext& context, Client& client, const Fields& /*fields*/) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  auto descriptor =
      (*worker)->segment->descriptor(platform::Access::read_write, context.registry.opener);
  if (!descriptor) return tl::unexpected(descriptor.error());
  Reply reply;
  reply.body = {{"bytes", (*worker)->segment->bytes()}, {"ring_records", (*worker)->ring_records}};
  reply.descriptor = std::move(*descriptor);
  return reply;
}

Answer answer_detach(RequestContext& context, Client& client, const Fields& /*fields*/) {
  const auto worker = worker_of(context, client);
  if (!worker) return tl::unexpected(worker.error());
  const WorkerId id = client.worker;
  client.worker = WorkerId{};
  // One that only asked something, and never mapped its segment, cannot have said so itself.
  if ((*worker)->segment) (*worker)->header()->finished.store(1, std::memory_order_release);
  context.end_worker(id, "it detached");
  return Reply{};
}

}  // namespace sessionblocks::director
