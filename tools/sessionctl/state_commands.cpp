// seal BLOCK, unseal BLOCK, quarantine BLOCK, release BLOCK, wipe BLOCK, compact BLOCK,
// destroy BLOCK.
#include "command.hpp"

namespace sessionblocks::ctl {
namespace {

Result<ExitCode> change(const Options& options, const std::string& op, const std::string& block,
                        const std::string& enforce) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  Message fields = Message::object();
  if (!enforce.empty()) fields["enforce"] = enforce;
  if (auto changed = system->ask(op, block, std::move(fields)); !changed) {
    return tl::unexpected(changed.error());
  }
  return ExitCode::ok;
}

}  // namespace

void add_enforce_options(CLI::App& command, const std::shared_ptr<std::string>& enforce) {
  auto* const word = command.add_option("--enforce", *enforce,
                                        "what is done this time about who holds more: "
                                        "cooperative, swap or kill; otherwise as the block says");
  word->check(CLI::IsMember({"cooperative", "swap", "kill"}))->type_name("WORD");
  command
      .add_flag_callback(
          "--hard", [enforce] { *enforce = "swap"; }, "as --enforce swap")
      ->excludes(word);
}

void add_state_commands(CLI::App& app, Invocation& invocation) {
  constexpr std::pair<const char*, const char*> kCommands[] = {
      {"seal", "let nobody write to a block any more"},
      {"unseal", "let writers go on"},
      {"quarantine", "let nobody but the director touch a block"},
      {"release", "give a block back that was quarantined, if it is sound"},
      {"wipe", "take every byte out of a block, for good"},
      {"compact", "give back what a block no longer needs of its memory"},
      {"destroy", "end a block now, whatever its at_end says"}};
  for (const auto& [name, what] : kCommands) {
    auto* const command = app.add_subcommand(name, what);
    auto block = std::make_shared<std::string>();
    command->add_option("BLOCK", *block)->required()->type_name("");
    auto enforce = std::make_shared<std::string>();
    const std::string op = name;
    if (op == "seal" || op == "quarantine") add_enforce_options(*command, enforce);
    command->callback([&invocation, block, enforce, op] {
      invocation.run = [&invocation, block, enforce, op] {
        return change(invocation.options, op, *block, *enforce);
      };
    });
  }
}

}  // namespace sessionblocks::ctl
