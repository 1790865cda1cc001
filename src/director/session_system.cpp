// SessionSystem: the public face of an embedded director.
#include <sessionblocks/system.hpp>

#include "director/declared_blocks.hpp"
#include "director/embedded.hpp"
#include "director/logs.hpp"
#include "director/request_ending.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks {

namespace {

Result<director::BlockRequest> request_of(const BlockOptions& options) {
  director::BlockRequest request;
  request.policy.name = options.name;
  if (!director::is_name(options.name)) {
    return fail(Errc::invalid_argument,
                "block " + director::quote(options.name) + ": " + std::string(director::kNameRule));
  }
  if (options.kind == "shared") {
    request.policy.kind = BlockKind::shared;
    request.policy.grants.emplace("*", Rights::read_write);
  } else if (options.kind != "private") {
    return fail(Errc::invalid_argument, "block " + options.name + ": kind private or shared");
  }
  const auto refused = [&options](const std::string& what) {
    return fail(Errc::invalid_argument, "block " + options.name + ": " + what);
  };
  const auto audit = director::value_of<director::AuditLevel>(options.audit);
  if (!audit) return refused("audit " + director::quote(options.audit));
  const auto full_ring = director::value_of<director::OnFullRing>(options.on_full_ring);
  if (!full_ring) return refused("on_full_ring " + director::quote(options.on_full_ring));
  const auto enforce = director::value_of<director::Enforce>(options.enforce);
  if (!enforce) return refused("enforce " + director::quote(options.enforce));
  const auto at_limit = director::value_of<director::AtLimit>(options.at_limit);
  if (!at_limit) return refused("at_limit " + director::quote(options.at_limit));
  const auto at_end = director::value_of<director::AtEnd>(options.at_end);
  if (!at_end) return refused("at_end " + director::quote(options.at_end));
  if (options.lifespan.count() < 0 || options.idle.count() < 0) {
    return refused("lifespan and idle are not negative");
  }
  const auto permits = director::permit_bits(options.permit);
  if (!permits) return tl::unexpected(permits.error());
  request.permits = *permits;
  request.audit = director::stored(*audit);
  request.full_ring = director::stored(*full_ring);
  request.enforce = director::stored(*enforce);
  request.at_limit = director::stored(*at_limit);
  if (auto checked = director::check_patterns(options.sensitive); !checked) {
    return tl::unexpected(checked.error());
  }
  request.sensitive = options.sensitive;
  request.logs_values = options.log_values;
  request.quota_bytes = options.quota_bytes;
  request.lifespan_ms = static_cast<std::uint64_t>(options.lifespan.count());
  request.ending.idle_ms = static_cast<std::uint64_t>(options.idle.count());
  request.ending.at_end = director::stored(*at_end);
  request.ending.heir_path = options.heir;
  return request;
}

}  // namespace

class SessionSystem::State {
 public:
  std::unique_ptr<director::EmbeddedDirector> embedded;
  std::string socket;
};

SessionSystem::SessionSystem(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
SessionSystem::SessionSystem(SessionSystem&&) noexcept = default;
SessionSystem& SessionSystem::operator=(SessionSystem&&) noexcept = default;
SessionSystem::~SessionSystem() = default;

Result<SessionSystem> SessionSystem::embedded(EmbeddedOptions options) try {
  director::EmbeddedSetup setup;
  setup.runtime_directory = options.runtime_directory;
  setup.ring_records = options.ring_records;
  setup.budget_bytes = options.memory_bytes;
  if (!options.log_directory.empty()) {
    auto logs = director::make_logs({options.log_directory, "embedded", nullptr});
    setup.make_audit = std::move(logs.make_audit);
    setup.events = std::move(logs.events);
  }
  auto embedded = director::EmbeddedDirector::start(std::move(setup));
  if (!embedded) return tl::unexpected(embedded.error());
  auto state = std::make_unique<State>();
  state->embedded = std::move(*embedded);
  state->socket = state->embedded->director().socket();
  return SessionSystem(std::move(state));
} catch (const std::bad_alloc&) {
  return fail(Errc::out_of_memory);
}

Result<Session> SessionSystem::attach(std::string_view scope) {
  const std::string path = "embedded/" + std::string(scope);
  const auto token = state_->embedded->director().token_for_scope(path);
  if (!token) return tl::unexpected(token.error());
  AttachOptions options;
  options.socket = state_->socket;
  options.scope = path;
  options.token = *token;
  return Session::attach(std::move(options));
}

Result<void> SessionSystem::create(const BlockOptions& options) {
  auto request = request_of(options);
  if (!request) return tl::unexpected(request.error());
  Result<void> created;
  state_->embedded->director().call([&](director::Registry& registry) {
    request->policy.owner = registry.scopes.root().id;
    created = director::choose_ending(registry.scopes, false, *request);
    if (!created) return;
    const auto block = registry.create_block(*request);
    if (!block) created = tl::unexpected(block.error());
  });
  return created;
}

Result<void> SessionSystem::destroy(std::string_view name) {
  Result<void> destroyed;
  state_->embedded->director().call([&](director::Registry& registry) {
    const auto block = registry.visible_block(name, registry.scopes.root().id);
    if (block) {
      registry.destroy_block((*block)->id, "the program asked for it");
    } else {
      destroyed = tl::unexpected(block.error());
    }
  });
  return destroyed;
}

Result<std::vector<std::string>> SessionSystem::environment(std::string_view scope) {
  const std::string path = "embedded/" + std::string(scope);
  const auto token = state_->embedded->director().token_for_scope(path);
  if (!token) return tl::unexpected(token.error());
  return std::vector<std::string>{"SESSIONBLOCKS_SOCKET=" + state_->socket,
                                  "SESSIONBLOCKS_SCOPE=" + path, "SESSIONBLOCKS_TOKEN=" + *token};
}

const std::string& SessionSystem::socket() const noexcept {
  return state_->socket;
}

}  // namespace sessionblocks
