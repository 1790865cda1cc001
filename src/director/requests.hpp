// What clients may ask for. One function per request, grouped by file:
//   request_attach.cpp       operator, attach, worker_segment, detach
//   request_blocks.cpp       open, reopen, readers, close, create, fork, destroy
//   request_states.cpp       seal, unseal, quarantine, release, wipe
//   request_revoke.cpp       revoke, grant
//   request_checkpoints.cpp  checkpoint, checkpoints, release_checkpoint, roll_back
//   request_snapshots.cpp    snapshot, restore
//   request_kept.cpp         elevate, load
//   request_deletions.cpp    delete_snapshot, delete_datablocks
//   request_references.cpp   share, redeem, check_reference
//   request_scopes.cpp       enter_scope, leave_scope, start_script, script_status
//   request_inspect.cpp      list
//   request_guard.cpp        findings, leaks
//   request_operate.cpp      act_as, end_scope, stop
// src/session/PROTOCOL.md lists their fields.
//
// Authority is decided here and nowhere else: who the client is was found out by the kernel
// (credentials, pidfd), by a launch token, or by the operator key, never by what it says of itself.
#pragma once

#include <functional>
#include <optional>

#include "director/client.hpp"
#include "director/fields.hpp"
#include "director/guard.hpp"
#include "director/operator_key.hpp"
#include "director/registry.hpp"
#include "director/start_records.hpp"
#include "director/suite.hpp"

namespace sessionblocks::director {

struct StartedAs {
  ScopeId scope{};
  WorkerId worker{};
};

// What a script may create, by the suite; the patterns of may_create.
using MayCreate = std::function<bool(std::string_view script, std::string_view block)>;

struct RequestContext {
  Registry& registry;
  const OperatorKey& key;
  MayCreate may_create;
  // What the suite declares for a flow block.
  Registry::BlocksOfFlow blocks_of_flow;
  // Whether operators may attach to scopes that are not there yet: they become scripts then.
  bool makes_scopes = false;
  bool has_suite = false;
  // What the director started the client's process as; nothing if it did not, or it has ended.
  std::function<std::optional<StartedAs>(const Client&)> started_as;
  // The process that was started as this worker, while it runs.
  std::function<std::optional<platform::ProcessIdentity>(WorkerId)> launched;
  std::function<void(Client&, WorkerId)> on_attached;
  std::function<void(WorkerId, std::string_view why)> end_worker;
  std::function<Result<void>(ScopeId)> end_scope;
  std::function<Result<std::string>(const StartRequest&)> start_script;
  std::function<StartStatus(const std::string& script, std::uint64_t number)> script_status;
  std::function<void()> stop;
  Guard* guard = nullptr;  // none: nobody watches
};

// Never throws: memory that is missing is an error reply like any other.
[[nodiscard]] Reply answer(RequestContext& context, Client& client, const Message& request);

// The groups. Each request returns what its reply holds, or why not.
using Answer = Result<Reply>;
Answer answer_operator(RequestContext& context, Client& client, const Fields& fields);
Answer answer_attach(RequestContext& context, Client& client, const Fields& fields);
Answer answer_worker_segment(RequestContext& context, Client& client, const Fields& fields);
Answer answer_detach(RequestContext& context, Client& client, const Fields& fields);
Answer answer_open(RequestContext& context, Client& client, const Fields& fields);
Answer answer_reopen(RequestContext& context, Client& client, const Fields& fields);
Answer answer_readers(RequestContext& context, Client& client, const Fields& fields);
Answer answer_close(RequestContext& context, Client& client, const Fields& fields);
Answer answer_create(RequestContext& context, Client& client, const Fields& fields);
Answer answer_fork(RequestContext& context, Client& client, const Fields& fields);
Answer answer_join(RequestContext& context, Client& client, const Fields& fields);
Answer answer_destroy(RequestContext& context, Client& client, const Fields& fields);
Answer answer_seal(RequestContext& context, Client& client, const Fields& fields);
Answer answer_unseal(RequestContext& context, Client& client, const Fields& fields);
Answer answer_quarantine(RequestContext& context, Client& client, const Fields& fields);
Answer answer_release(RequestContext& context, Client& client, const Fields& fields);
Answer answer_compact(RequestContext& context, Client& client, const Fields& fields);
Answer answer_wipe(RequestContext& context, Client& client, const Fields& fields);
Answer answer_revoke(RequestContext& context, Client& client, const Fields& fields);
Answer answer_grant(RequestContext& context, Client& client, const Fields& fields);
Answer answer_checkpoint(RequestContext& context, Client& client, const Fields& fields);
Answer answer_roll_back(RequestContext& context, Client& client, const Fields& fields);
Answer answer_checkpoints(RequestContext& context, Client& client, const Fields& fields);
Answer answer_release_checkpoint(RequestContext& context, Client& client, const Fields& fields);
Answer answer_snapshot(RequestContext& context, Client& client, const Fields& fields);
Answer answer_restore(RequestContext& context, Client& client, const Fields& fields);
Answer answer_elevate(RequestContext& context, Client& client, const Fields& fields);
Answer answer_load(RequestContext& context, Client& client, const Fields& fields);
Answer answer_delete_snapshot(RequestContext& context, Client& client, const Fields& fields);
Answer answer_delete_datablocks(RequestContext& context, Client& client, const Fields& fields);
Answer answer_share(RequestContext& context, Client& client, const Fields& fields);
Answer answer_redeem(RequestContext& context, Client& client, const Fields& fields);
Answer answer_check_reference(RequestContext& context, Client& client, const Fields& fields);
Answer answer_enter_scope(RequestContext& context, Client& client, const Fields& fields);
Answer answer_leave_scope(RequestContext& context, Client& client, const Fields& fields);
Answer answer_start_script(RequestContext& context, Client& client, const Fields& fields);
Answer answer_script_status(RequestContext& context, Client& client, const Fields& fields);
Answer answer_list(RequestContext& context, Client& client, const Fields& fields);
Answer answer_findings(RequestContext& context, Client& client, const Fields& fields);
Answer answer_leaks(RequestContext& context, Client& client, const Fields& fields);
Answer answer_act_as(RequestContext& context, Client& client, const Fields& fields);
Answer answer_end_scope(RequestContext& context, Client& client, const Fields& fields);
Answer answer_stop(RequestContext& context, Client& client, const Fields& fields);

// By the suite's may_create; without a suite everything is permitted, there is nobody to forbid it.
[[nodiscard]] bool may_create_block(const Suite* suite, std::string_view script,
                                    std::string_view block);
// A script's scope below the root, for systems that make them on demand. no_such_scope.
[[nodiscard]] Result<ScopeId> make_script_scope(Registry& registry, bool makes_scopes,
                                                std::string_view path);

// Whether workers may be attached to the scope. not_permitted: it ends with the one worker in it.
[[nodiscard]] Result<void> check_may_join(const Scope& scope);

// The worker that the client is. not_attached.
[[nodiscard]] Result<Worker*> worker_of(RequestContext& context, const Client& client);
// Field `name`, as blocks may be called. malformed; invalid_argument.
[[nodiscard]] Result<std::string> block_name(const Fields& fields);
// The block that field `name` means, or, for operators, `block`: its id. Workers: one that their
// scope owns (denied otherwise). no_such_block.
[[nodiscard]] Result<StoredBlock*> owned_block(RequestContext& context, const Client& client,
                                               const Fields& fields, std::string_view verb);
// What the field `enforce` says for this one change; none: as the block's policy says.
// invalid_argument; not_permitted: a worker asks for more than a swap, or for less than the policy.
[[nodiscard]] Result<std::optional<Enforcement>> enforcement(const Client& client,
                                                             const Fields& fields,
                                                             const StoredBlock& block);
// Whose the new block `name` will be, made of what was kept of another one. denied: another scope
// owned that; not_permitted: may_create; no_such_scope.
// Whether the client may have what was kept of that block: operators; workers of the scope that
// owned it. denied; not_attached.
[[nodiscard]] Result<void> check_owned_before(RequestContext& context, const Client& client,
                                              const snapshot::BlockDescription& from);
[[nodiscard]] Result<ScopeId> owner_of_kept(RequestContext& context, const Client& client,
                                            const Fields& fields,
                                            const snapshot::BlockDescription& from,
                                            const std::string& name);
[[nodiscard]] std::string asked_for_by(const Client& client);
// A worker, and the one of its opens that field `open` names. not_attached; invalid_argument.
struct OpenedBy {
  Worker* worker = nullptr;
  unsigned open = 0;
};
[[nodiscard]] Result<OpenedBy> opened_by(RequestContext& context, const Client& client,
                                         const Fields& fields);
// What a worker is told that opened a block as `name`.
[[nodiscard]] Reply reply_of(Opening opening, const std::string& name);
// The worker's own scope, or the flow block of it whose number the field `key` has. gone: that has
// ended.
[[nodiscard]] Result<ScopeId> scope_of(RequestContext& context, const Worker& worker,
                                       const Fields& fields, std::string_view key = "flow");
// denied: the client has not proved that it can read operator.key.
[[nodiscard]] Result<void> require_operator(const Client& client, std::string_view what);

}  // namespace sessionblocks::director
