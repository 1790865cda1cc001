// revoke BLOCK --from SCOPE [--to r], grant BLOCK --to SCOPE.
#include "command.hpp"

namespace sessionblocks::ctl {
namespace {

struct Arguments {
  std::string block;
  std::string scope;
  std::string left = "none";
};

Result<ExitCode> ask(const Options& options, const std::string& op, const Arguments& arguments,
                     const std::string& enforce) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  Message fields = {{"scope", arguments.scope}};
  if (op == "revoke") fields["left"] = arguments.left == "r" ? 1U : 0U;
  if (!enforce.empty()) fields["enforce"] = enforce;
  if (auto done = system->ask(op, arguments.block, std::move(fields)); !done) {
    return tl::unexpected(done.error());
  }
  return ExitCode::ok;
}

}  // namespace

void add_revoke_commands(CLI::App& app, Invocation& invocation) {
  auto* const revoke =
      app.add_subcommand("revoke", "take rights on a block away from a scope and all below it");
  auto* const grant = app.add_subcommand("grant", "give back what was revoked from a scope");
  auto taken = std::make_shared<Arguments>();
  auto given = std::make_shared<Arguments>();
  auto enforce = std::make_shared<std::string>();
  revoke->add_option("BLOCK", taken->block)->required()->type_name("");
  revoke->add_option("--from", taken->scope, "its path, as ls scopes shows it")
      ->required()
      ->type_name("SCOPE");
  revoke->add_option("--to", taken->left, "what is left to it: none (the default) or r")
      ->check(CLI::IsMember({"none", "r"}))
      ->type_name("RIGHTS");
  add_enforce_options(*revoke, enforce);
  grant->add_option("BLOCK", given->block)->required()->type_name("");
  grant->add_option("--to", given->scope, "the very path from which it was revoked")
      ->required()
      ->type_name("SCOPE");
  revoke->callback([&invocation, taken, enforce] {
    invocation.run = [&invocation, taken, enforce] {
      return ask(invocation.options, "revoke", *taken, *enforce);
    };
  });
  grant->callback([&invocation, given] {
    invocation.run = [&invocation, given] { return ask(invocation.options, "grant", *given, {}); };
  });
}

}  // namespace sessionblocks::ctl
