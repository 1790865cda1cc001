// snapshot create [BLOCK] FILE, snapshot info FILE, snapshot restore FILE [BLOCK] --as NAME;
// snapshot_list.cpp and deletion_commands.cpp have list and delete.
//
// The director writes and restores; what a file says of itself is read without one.
#include <algorithm>

#include "command.hpp"
#include "core/words.hpp"
#include "deletion_commands.hpp"
#include "director/permits.hpp"
#include "flowlog/text.hpp"
#include "snapshot_file.hpp"
#include "snapshot_list.hpp"

namespace sessionblocks::ctl {
namespace {

namespace fs = std::filesystem;

struct Creating {
  std::vector<std::string> words;  // BLOCK and FILE, or FILE
  bool of_suite = false;
};

struct Restoring {
  std::string file;
  std::string block;
  std::string name;
  std::string owner;
  bool takes_damaged = false;
};

// As the director takes it: a name, or an absolute path. It has another working folder.
std::string file_for_director(const std::string& file) {
  return file.find('/') == std::string::npos ? file : fs::absolute(file).native();
}

Result<Message> ask_for_snapshot(const Options& options, const System& system,
                                 const Creating& arguments) {
  Message request = {{"op", "snapshot"}, {"file", file_for_director(arguments.words.back())}};
  if (arguments.words.size() == 2) {
    auto named = system.name_block(request, arguments.words.front());
    if (!named) return tl::unexpected(named.error());
  } else if (arguments.of_suite || !options.scope.empty()) {
    request["scope"] = options.scope;
  } else {
    return fail(Errc::invalid_argument,
                "snapshot create: name a block, or a scope with --scope, or say --suite");
  }
  return system.ask(request);
}

Result<ExitCode> create(const Options& options, const Creating& arguments) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto made = ask_for_snapshot(options, *system, arguments);
  if (!made) return tl::unexpected(made.error());
  for (const auto& block : made->at("left_out")) {
    say("left out, its permit lacks \"persist\": " + readable(block.get<std::string>()));
  }
  const bool is_exact = made->at("exact").get<bool>();
  if (options.format == Format::json) {
    Json object = {{"file", made->at("file").get<std::string>()}, {"exact", is_exact}};
    for (const char* name : {"blocks", "entries", "bytes"}) {
      object[name] = made->at(name).get<std::uint64_t>();
    }
    object["left_out"] = made->at("left_out").get<std::vector<std::string>>();
    print_json(object);
  } else {
    print(readable(made->at("file").get<std::string>()) + ": " +
          std::to_string(made->at("entries").get<std::uint64_t>()) + " entries of " +
          std::to_string(made->at("blocks").get<std::uint64_t>()) + " blocks, " +
          size_text(made->at("bytes").get<std::uint64_t>()) +
          (is_exact ? "\n" : ", not of one instant\n"));
  }
  return ExitCode::ok;
}

std::string_view key_state(const Options& options, const snapshot::BlockDescription& block) {
  const auto key = key_of(options, block);
  if (key) return "there";
  return key.error() == Errc::wiped ? "wiped" : "missing";
}

Json json_of(const snapshot::BlockInFile& block, std::string_view key) {
  const snapshot::BlockDescription& about = block.description;
  return {{"block", raw(about.id)},
          {"name", about.name},
          {"kind", word(about.kind)},
          {"owner", about.owner},
          {"quota", about.quota_bytes},
          {"audit", word(about.audit)},
          {"permits", director::permit_words(about.permits)},
          {"instant", about.instant},
          {"taken", flowlog::utc_text(static_cast<std::int64_t>(about.taken_unix_ms))},
          {"bytes", block.bytes},
          {"key", key}};
}

Result<ExitCode> info(const Options& options, const std::string& file) {
  const auto reader = open_snapshot(options, file);
  if (!reader) return tl::unexpected(reader.error());
  Json object;
  if (const auto& about = reader->file()) {
    object = {{"system", about->system},
              {"of", about->of},
              {"exact", about->is_exact},
              {"taken", flowlog::utc_text(static_cast<std::int64_t>(about->taken_unix_ms))},
              {"left_out", about->left_out}};
  }
  object["blocks"] = Json::array();
  object["damage"] = Json::array();
  Table table({"NAME", "ID", "KIND", "OWNER", "QUOTA", "TAKEN", "SIZE", "KEY"});
  for (const snapshot::BlockInFile& block : reader->blocks()) {
    const snapshot::BlockDescription& about = block.description;
    const std::string_view key = key_state(options, about);
    object["blocks"].push_back(json_of(block, key));
    table.add({about.name, std::to_string(raw(about.id)), std::string(word(about.kind)),
               about.owner, size_text(about.quota_bytes),
               flowlog::utc_text(static_cast<std::int64_t>(about.taken_unix_ms)),
               size_text(block.bytes), std::string(key)});
  }
  for (const snapshot::Damage& damage : reader->damage()) {
    object["damage"].push_back(damage.text());
    say(damage.text());
  }
  if (options.format == Format::json) {
    print_json(object);
  } else {
    print(table);
    if (reader->file() && !reader->file()->is_exact) print("not of one instant\n");
  }
  return reader->damage().empty() ? ExitCode::ok : ExitCode::findings;
}

Result<ExitCode> restore(const Options& options, const Restoring& arguments) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const std::string path =
      system->is_worker() ? arguments.file : snapshot_path(options, arguments.file)->native();
  Message request = {{"op", "restore"},
                     {"file", file_for_director(path)},
                     {"name", arguments.name},
                     {"block", arguments.block},
                     {"damaged", arguments.takes_damaged ? 1U : 0U}};
  if (!arguments.owner.empty()) request["owner"] = arguments.owner;
  const auto made = system->ask(request);
  if (!made) return tl::unexpected(made.error());
  const auto number = [&](const char* name) { return made->at(name).get<std::uint64_t>(); };
  if (number("expired") != 0) {
    say(std::to_string(number("expired")) + " entries have expired meanwhile and were left out");
  }
  if (options.format == Format::json) {
    print_json({{"block", number("block")},
                {"name", arguments.name},
                {"entries", number("entries")},
                {"expired", number("expired")}});
  }
  if (number("damaged") == 0) return ExitCode::ok;
  say("parts of it could not be read; run sessionctl snapshot info");
  return ExitCode::findings;
}

template <typename Arguments, typename Run>
void run_with(CLI::App& command, Invocation& invocation, std::shared_ptr<Arguments> arguments,
              Run run) {
  command.callback([&invocation, arguments, run] {
    invocation.run = [&invocation, arguments, run] { return run(invocation.options, *arguments); };
  });
}

}  // namespace

void add_snapshot_commands(CLI::App& app, Invocation& invocation) {
  auto* const snapshot = app.add_subcommand("snapshot", "keep blocks in a file, and get them back");
  snapshot->require_subcommand(1);
  snapshot->fallthrough();
  auto* const create_command = snapshot->add_subcommand(
      "create", "a block, the blocks of --scope and below, or all of them, at one instant");
  auto creating = std::make_shared<Creating>();
  create_command
      ->add_option("BLOCK FILE", creating->words,
                   "FILE is a path, or a name in the director's folder")
      ->required()
      ->expected(1, 2)
      ->type_name("");
  create_command->add_flag("--suite", creating->of_suite, "every block that permits it");
  run_with(*create_command, invocation, creating, create);

  add_snapshot_list(*snapshot, invocation);
  add_snapshot_deletion(*snapshot, invocation);
  auto* const info_command = snapshot->add_subcommand("info", "what a file holds, and its damage");
  auto file = std::make_shared<std::string>();
  info_command->add_option("FILE", *file)->required()->type_name("");
  run_with(*info_command, invocation, file, info);

  auto* const restore_command = snapshot->add_subcommand("restore", "make a new block of it");
  auto restoring = std::make_shared<Restoring>();
  restore_command->add_option("FILE", restoring->file)->required()->type_name("");
  restore_command->add_option("BLOCK", restoring->block, "where the file holds several")
      ->type_name("");
  restore_command->add_option("--as", restoring->name, "what it is called")
      ->required()
      ->type_name("NAME");
  restore_command
      ->add_option("--owner", restoring->owner, "its scope; the one that owned it, unless given")
      ->type_name("PATH");
  restore_command->add_flag("--damaged", restoring->takes_damaged,
                            "what can be read of a damaged file will do");
  run_with(*restore_command, invocation, restoring, restore);
}

}  // namespace sessionblocks::ctl
