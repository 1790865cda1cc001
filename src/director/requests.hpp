// What clients may ask for. One function per request, grouped by file:
//   request_attach.cpp     operator, attach, worker_segment, detach
//   request_blocks.cpp     open, readers, close, create, destroy
//   request_inspect.cpp    list
//   request_operate.cpp    act_as, end_scope, stop
// src/session/PROTOCOL.md lists their fields.
//
// Authority is decided here and nowhere else: who the client is was found out by the kernel
// (credentials, pidfd), by a launch token, or by the operator key, never by what it says of itself.
#pragma once

#include <functional>
#include <optional>

#include "director/client.hpp"
#include "director/fields.hpp"
#include "director/operator_key.hpp"
#include "director/registry.hpp"
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
  // Whether operators may attach to scopes that are not there yet: they become scripts then.
  bool makes_scopes = false;
  // What the director started the client's process as; nothing if it did not, or it has ended.
  std::function<std::optional<StartedAs>(const Client&)> started_as;
  // The process that was started as this worker, while it runs.
  std::function<std::optional<platform::ProcessIdentity>(WorkerId)> launched;
  std::function<void(Client&, WorkerId)> on_attached;
  std::function<void(WorkerId, std::string_view why)> end_worker;
  std::function<Result<void>(ScopeId)> end_scope;
  std::function<void()> stop;
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
Answer answer_readers(RequestContext& context, Client& client, const Fields& fields);
Answer answer_close(RequestContext& context, Client& client, const Fields& fields);
Answer answer_create(RequestContext& context, Client& client, const Fields& fields);
Answer answer_destroy(RequestContext& context, Client& client, const Fields& fields);
Answer answer_list(RequestContext& context, Client& client, const Fields& fields);
Answer answer_act_as(RequestContext& context, Client& client, const Fields& fields);
Answer answer_end_scope(RequestContext& context, Client& client, const Fields& fields);
Answer answer_stop(RequestContext& context, Client& client, const Fields& fields);

// By the suite's may_create; without a suite everything is permitted, there is nobody to forbid it.
[[nodiscard]] bool may_create_block(const Suite* suite, std::string_view script,
                                    std::string_view block);
// A script's scope below the root, for systems that make them on demand. no_such_scope.
[[nodiscard]] Result<ScopeId> make_script_scope(Registry& registry, bool makes_scopes,
                                                std::string_view path);

// The worker that the client is. not_attached.
[[nodiscard]] Result<Worker*> worker_of(RequestContext& context, const Client& client);
// denied: the client has not proved that it can read operator.key.
[[nodiscard]] Result<void> require_operator(const Client& client, std::string_view what);

}  // namespace sessionblocks::director
