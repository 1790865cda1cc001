// elevate BLOCK, datablocks, load DATABLOCK --as NAME; deletion_commands.cpp has datablocks delete.
//
// The director elevates and loads; the list is read from the file itself, with or without one.
#include "command.hpp"
#include "core/words.hpp"
#include "datablock/store.hpp"
#include "deletion_commands.hpp"
#include "flowlog/text.hpp"
#include "snapshot_file.hpp"

namespace sessionblocks::ctl {
namespace {

struct Loading {
  std::string datablock;
  std::string name;
  std::string owner;
};

std::string time_text(std::uint64_t unix_ms) {
  return flowlog::utc_text(static_cast<std::int64_t>(unix_ms));
}

Result<ExitCode> elevate(const Options& options, const std::string& block) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  Message request = {{"op", "elevate"}};
  if (auto named = system->name_block(request, block); !named) {
    return tl::unexpected(named.error());
  }
  const auto made = system->ask(request);
  if (!made) return tl::unexpected(made.error());
  const auto id = made->at("datablock").get<std::uint64_t>();
  if (options.format == Format::json) {
    print_json({{"datablock", id}, {"entries", made->at("entries").get<std::uint64_t>()}});
  } else {
    print(std::to_string(id) + "\n");
  }
  return ExitCode::ok;
}

Result<ExitCode> list(const Options& options) {
  const auto state = state_folder(options);
  if (!state) return tl::unexpected(state.error());
  std::vector<datablock::DataBlock> found;
  auto store = datablock::Store::open_read(state->datablocks().native());
  if (!store && !(store.error() == Errc::not_found)) return tl::unexpected(store.error());
  if (store) {
    auto listed = store->list();
    if (!listed) return tl::unexpected(listed.error());
    found = std::move(*listed);
  }
  Json rows = Json::array();
  Table table({"ID", "NAME", "SYSTEM", "SCOPE", "BLOCK", "INSTANT", "TAKEN", "ENTRIES"});
  for (const datablock::DataBlock& one : found) {
    const snapshot::BlockDescription& about = one.about;
    rows.push_back({{"datablock", one.id},
                    {"name", about.name},
                    {"system", one.system},
                    {"scope", about.owner},
                    {"block", raw(about.id)},
                    {"generation", raw(about.generation)},
                    {"kind", word(about.kind)},
                    {"instant", about.instant},
                    {"taken", time_text(about.taken_unix_ms)},
                    {"elevated", time_text(one.elevated_unix_ms)},
                    {"entries", one.entries}});
    table.add({std::to_string(one.id), about.name, one.system, about.owner,
               std::to_string(raw(about.id)), std::to_string(about.instant),
               time_text(about.taken_unix_ms), std::to_string(one.entries)});
  }
  if (options.format == Format::json) {
    print_json(rows);
  } else {
    print(table);
  }
  return ExitCode::ok;
}

Result<ExitCode> load(const Options& options, const Loading& arguments) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  Message request = {{"op", "load"}, {"datablock", arguments.datablock}, {"name", arguments.name}};
  if (!arguments.owner.empty()) request["owner"] = arguments.owner;
  const auto made = system->ask(request);
  if (!made) return tl::unexpected(made.error());
  const auto expired = made->at("expired").get<std::uint64_t>();
  if (expired != 0) say(std::to_string(expired) + " entries have expired and were left out");
  if (options.format == Format::json) {
    print_json({{"block", made->at("block").get<std::uint64_t>()},
                {"name", arguments.name},
                {"entries", made->at("entries").get<std::uint64_t>()},
                {"expired", expired}});
  }
  return ExitCode::ok;
}

}  // namespace

void add_datablock_commands(CLI::App& app, Invocation& invocation) {
  auto* const elevate_command =
      app.add_subcommand("elevate", "keep a block past its scope, as a DataBlock");
  auto block = std::make_shared<std::string>();
  elevate_command->add_option("BLOCK", *block)->required()->type_name("");
  elevate_command->callback([&invocation, block] {
    invocation.run = [&invocation, block] { return elevate(invocation.options, *block); };
  });
  auto* const datablocks =
      app.add_subcommand("datablocks", "the DataBlocks, and where they come from");
  datablocks->fallthrough();
  add_datablock_deletion(*datablocks, invocation);
  datablocks->callback([&invocation, datablocks] {
    if (!datablocks->get_subcommands().empty()) return;
    invocation.run = [&invocation] { return list(invocation.options); };
  });
  auto* const load_command = app.add_subcommand("load", "make a new block of a DataBlock");
  auto loading = std::make_shared<Loading>();
  load_command
      ->add_option("DATABLOCK", loading->datablock, "its number; or a name: the youngest of it")
      ->required()
      ->type_name("");
  load_command->add_option("--as", loading->name, "what it is called")
      ->required()
      ->type_name("NAME");
  load_command
      ->add_option("--owner", loading->owner, "its scope; the one that owned it, unless given")
      ->type_name("PATH");
  load_command->callback([&invocation, loading] {
    invocation.run = [&invocation, loading] { return load(invocation.options, *loading); };
  });
}

}  // namespace sessionblocks::ctl
