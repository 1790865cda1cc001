// join BLOCK [--policy PATTERN=POLICY]... [--trial]: a fork goes into its origin.
#include <sessionblocks/join.hpp>

#include "command.hpp"

namespace sessionblocks::ctl {
namespace {

struct Joining {
  std::string block;
  std::vector<std::string> policies;
  bool is_trial = false;
};

Result<JoinOptions> options_of(const Joining& arguments) {
  JoinOptions made;
  made.trial = arguments.is_trial;
  for (const std::string& text : arguments.policies) {
    const std::size_t at = text.rfind('=');
    if (at == std::string::npos || at == 0) {
      return fail(Errc::invalid_argument,
                  "--policy " + readable(text) + ": PATTERN=POLICY, such as 'hits:*=add'");
    }
    made.policies[text.substr(0, at)] = text.substr(at + 1);
  }
  return made;
}

Json json_of(const JoinReport& report) {
  Json conflicts = Json::array();
  for (const JoinConflict& conflict : report.first_conflicts) {
    Json row;
    put_bytes(row, "key", conflict.key);
    row["why"] = conflict.why;
    conflicts.push_back(std::move(row));
  }
  return {{"taken", report.taken},         {"erased", report.erased},
          {"combined", report.combined},   {"kept", report.kept},
          {"conflicts", report.conflicts}, {"first_conflicts", std::move(conflicts)}};
}

void show(const JoinReport& report) {
  Table counts({"TAKEN", "ERASED", "COMBINED", "KEPT", "CONFLICTS"});
  counts.add({std::to_string(report.taken), std::to_string(report.erased),
              std::to_string(report.combined), std::to_string(report.kept),
              std::to_string(report.conflicts)});
  print(counts);
  if (report.conflicts == 0) return;
  Table conflicts({"KEY", "CONFLICT"});
  for (const JoinConflict& conflict : report.first_conflicts) {
    conflicts.add({readable(conflict.key), conflict.why});
  }
  print(conflicts);
}

Result<ExitCode> join(const Options& options, const Joining& arguments) {
  const auto made = options_of(arguments);
  if (!made) return tl::unexpected(made.error());
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  auto opened = system->open(arguments.block, AccessMode::read_write);
  if (!opened) return tl::unexpected(opened.error());
  const auto mask = system->mask(arguments.block);
  if (!mask) return tl::unexpected(mask.error());
  auto report = opened->session.join(opened->block, *made);
  if (!report) return tl::unexpected(report.error());
  for (JoinConflict& conflict : report->first_conflicts) {
    if (*mask) conflict.key = (*mask)->shown(conflict.key);
  }
  if (options.format == Format::json) {
    print_json(json_of(*report));
  } else {
    show(*report);
  }
  return report->conflicts == 0 ? ExitCode::ok : ExitCode::findings;
}

}  // namespace

void add_join_command(CLI::App& app, Invocation& invocation) {
  auto* const command = app.add_subcommand("join", "put what a fork changed into its origin");
  auto arguments = std::make_shared<Joining>();
  command->add_option("BLOCK", arguments->block, "the fork, which ends")->required()->type_name("");
  command
      ->add_option("--policy", arguments->policies,
                   "of keys that both sides changed: refuse (else), ours (the origin's), theirs, "
                   "add, max, newest; the pattern that says most of a key counts")
      ->type_name("PATTERN=POLICY");
  command->add_flag("--trial", arguments->is_trial,
                    "only say what would be; exit 6 if there are conflicts");
  command->callback([&invocation, arguments] {
    invocation.run = [&invocation, arguments] { return join(invocation.options, *arguments); };
  });
}

}  // namespace sessionblocks::ctl
