// share BLOCK: prints a reference to it. redeem REFERENCE: what one is for, and whether it would
// open its block now; nothing is opened, and one for a single use is not used up.
#include <iostream>
#include <iterator>

#include "command.hpp"
#include "core/units.hpp"
#include "core/words.hpp"

namespace sessionblocks::ctl {
namespace {

struct Sharing {
  std::string block;
  std::string lifetime = "1m";
  ShareOptions options;
};

Result<ExitCode> share(const Options& options, Sharing arguments) {
  const auto lifetime_ms = units::parse_duration_ms(arguments.lifetime);
  if (!lifetime_ms) {
    return fail(Errc::invalid_argument, "--lifetime: " + lifetime_ms.error().context());
  }
  arguments.options.lifetime = std::chrono::milliseconds(*lifetime_ms);
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  auto opened = system->open(arguments.block, AccessMode::read);
  if (!opened) return tl::unexpected(opened.error());
  const auto reference = opened->session.share(opened->block, arguments.options);
  if (!reference) return tl::unexpected(reference.error());
  if (options.format == Format::table) {
    print(*reference + "\n");
    return ExitCode::ok;
  }
  print_json({{"reference", *reference},
              {"block", opened->block.name()},
              {"rights", arguments.options.rights},
              {"issuer", opened->session.scope()},
              {"audience", arguments.options.audience},
              {"single_use", arguments.options.single_use},
              {"expires_in_ms", *lifetime_ms}});
  return ExitCode::ok;
}

// One that its director has described; a missing name is of something that has ended.
Json json_of(const Message& fields, const std::optional<Error>& refusal) {
  const auto rights = static_cast<Rights>(fields.value("rights", 0U));
  Json object = {{"state", refusal ? errc_name(refusal->code()) : "redeemable"},
                 {"id", fields.value("reference", "")},
                 {"block", fields.value("name", "")},
                 {"block_id", fields.value("block", 0U)},
                 {"rights", word(rights)},
                 {"issuer", fields.value("issuer", "")},
                 {"audience", fields.value("audience", "")},
                 {"single_use", fields.value("single_use", false)},
                 {"expires_in_ms", fields.value("expires_in_ms", std::uint64_t{0})}};
  return object;
}

std::string cell_of(const std::string& name, const Json& value) {
  if (name == "expires_in_ms") return duration_text(value.get<std::uint64_t>());
  if (value.is_string()) return value.get<std::string>().empty() ? "(ended)" : value;
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  return value.dump();
}

void show(const Json& reference, Format format) {
  if (format == Format::json) return print_json(reference);
  Table table({"FIELD", "VALUE"});
  for (const auto& [name, value] : reference.items()) {
    table.add({name == "expires_in_ms" ? "expires_in" : name, cell_of(name, value)});
  }
  print(table);
}

Result<ExitCode> redeem(const Options& options, std::string reference) {
  if (reference == "-") {
    reference.assign(std::istreambuf_iterator<char>(std::cin), {});
    if (reference.ends_with('\n')) reference.pop_back();
  }
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto answered = system->ask({{"op", "check_reference"}, {"token", reference}});
  if (!answered) return tl::unexpected(answered.error());
  std::optional<Error> refusal;
  if (const auto found = answered->find("refusal"); found != answered->end()) {
    refusal = error_of(*found);
  }
  show(json_of(*answered, refusal), options.format);
  if (!refusal) return ExitCode::ok;
  say(refusal->message());
  return exit_code_of(refusal->code());
}

}  // namespace

void add_share_commands(CLI::App& app, Invocation& invocation) {
  auto* const share_command =
      app.add_subcommand("share", "print a reference by which another scope opens the block");
  auto sharing = std::make_shared<Sharing>();
  share_command->add_option("BLOCK", sharing->block)->required()->type_name("");
  share_command->add_option("--rights", sharing->options.rights, "r, unless given")
      ->check(CLI::IsMember({"r", "rw"}))
      ->type_name("r|rw");
  share_command
      ->add_option("--audience", sharing->options.audience,
                   "the scope that may redeem it, such as shop/report; * for any of the system")
      ->required()
      ->type_name("SCOPE");
  share_command
      ->add_option("--lifetime", sharing->lifetime, "such as 10m, at most 24h; 1m, unless given")
      ->type_name("DURATION");
  share_command->add_flag("--single-use", sharing->options.single_use, "good for opening once");
  share_command->footer("A reference is a secret: whoever has it and belongs to SCOPE can use it.");
  share_command->callback([&invocation, sharing] {
    invocation.run = [&invocation, sharing] { return share(invocation.options, *sharing); };
  });
  auto* const redeem_command = app.add_subcommand(
      "redeem", "say what a reference is for and whether it counts, without using it up");
  auto reference = std::make_shared<std::string>();
  redeem_command
      ->add_option("REFERENCE", *reference, "- takes it from stdin, where ps shows it to nobody")
      ->required()
      ->type_name("");
  redeem_command->callback([&invocation, reference] {
    invocation.run = [&invocation, reference] { return redeem(invocation.options, *reference); };
  });
}

}  // namespace sessionblocks::ctl
