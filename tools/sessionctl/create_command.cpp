// create BLOCK: as the worker's scope or, for an operator, as --scope or the suite's own.
#include "command.hpp"
#include "core/units.hpp"

namespace sessionblocks::ctl {
namespace {

// As they were typed.
struct Creation {
  BlockOptions block;
  std::string quota = "64MiB";
  std::string lifespan;
  std::string idle;
};

Result<std::chrono::milliseconds> duration_of(const std::string& option, const std::string& text) {
  if (text.empty()) return std::chrono::milliseconds(0);
  const auto parsed = units::parse_duration_ms(text);
  if (!parsed) return fail(Errc::invalid_argument, option + ": " + parsed.error().context());
  if (*parsed == 0) return fail(Errc::invalid_argument, option + ": a block lives longer than 0");
  return std::chrono::milliseconds(*parsed);
}

// The suite's own, which is there as long as the system is.
Result<std::string> own_scope(const System& system, const Options& options) {
  if (system.is_worker() || !options.scope.empty()) return options.scope;
  const auto image = system.control();
  if (!image) return tl::unexpected(image.error());
  for (const ScopeInfo& scope : image->scopes) {
    if (scope.parent == ScopeId{}) return scope.path;
  }
  return fail(Errc::no_such_scope, "system " + image->system + " has no scope of its own");
}

Result<ExitCode> create(const Options& options, Creation creation) {
  const auto quota = units::parse_size(creation.quota);
  if (!quota) return fail(Errc::invalid_argument, "--quota: " + quota.error().context());
  const auto lifespan = duration_of("--lifespan", creation.lifespan);
  if (!lifespan) return tl::unexpected(lifespan.error());
  const auto idle = duration_of("--idle", creation.idle);
  if (!idle) return tl::unexpected(idle.error());
  creation.block.quota_bytes = *quota;
  creation.block.lifespan = *lifespan;
  creation.block.idle = *idle;
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto scope = own_scope(*system, options);
  if (!scope) return tl::unexpected(scope.error());
  auto session = system->attach(*scope);
  if (!session) return tl::unexpected(session.error());
  const auto block = session->create(creation.block);
  if (!block) return tl::unexpected(block.error());
  if (options.format == Format::json) {
    print_json(Json{{"id", block->id()}, {"name", block->name()}, {"owner", session->scope()}});
  }
  return ExitCode::ok;
}

}  // namespace

void add_create_command(CLI::App& app, Invocation& invocation) {
  auto* const command = app.add_subcommand("create", "make a block");
  auto creation = std::make_shared<Creation>();
  BlockOptions& block = creation->block;
  command->add_option("BLOCK", block.name)->required()->type_name("");
  const auto choice = [command](const char* option, std::string& value, const char* what,
                                const std::set<std::string>& words) {
    command->add_option(option, value, what)->check(CLI::IsMember(words))->type_name("");
  };
  choice("--kind", block.kind, "private (the scope's own, unless given) or shared",
         {"private", "shared"});
  choice("--audit", block.audit, "full, writes or counted", {"full", "writes", "counted"});
  choice("--on-full-ring", block.on_full_ring, "wait, fail or count", {"wait", "fail", "count"});
  choice("--enforce", block.enforce, "cooperative, swap or kill", {"cooperative", "swap", "kill"});
  choice("--at-limit", block.at_limit, "when it is full: refuse, evict-expired or evict-lru",
         {"refuse", "evict-expired", "evict-lru"});
  choice("--at-end", block.at_end, "destroy, heir, snapshot or elevate",
         {"destroy", "heir", "snapshot", "elevate"});
  command->add_flag("--log-values", block.log_values,
                    "the log keeps its values, for replay; wants --permit persist");
  command->add_option("--heir", block.heir, "with --at-end heir: the scope that gets it")
      ->type_name("PATH");
  command->add_option("--quota", creation->quota, "64MiB, unless given")->type_name("SIZE");
  command->add_option("--lifespan", creation->lifespan, "with its scope, unless given")
      ->type_name("DURATION");
  command->add_option("--idle", creation->idle, "ends it when nobody uses it for so long")
      ->type_name("DURATION");
  command->add_option("--permit", block.permit, "share, fork, persist, elevate")
      ->delimiter(',')
      ->type_name("WORDS");
  command
      ->add_option("--sensitive", block.sensitive,
                   "keys that no tool and no log shows, such as 'token:*'")
      ->type_name("PATTERN")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  command->callback([&invocation, creation] {
    invocation.run = [&invocation, creation] { return create(invocation.options, *creation); };
  });
}

}  // namespace sessionblocks::ctl
