// keys BLOCK, get BLOCK KEY, dump BLOCK.
//
// A worker reads through the public library, so its grants hold and each access is logged. The
// operator reads the segment itself and disturbs nothing, whether anybody runs or not; of entries
// that are sensitive it is shown neither key nor value, whatever it asks for.
#include <sodium.h>

#include "command.hpp"
#include "entry_source.hpp"
#include "entry_text.hpp"

namespace sessionblocks::ctl {
namespace {

struct Reading {
  Source source;
  std::string key;
  std::string prefix;
  bool raw = false;
  bool is_base64 = false;
};

// Of an entry that is not shown: what there is, and how much.
Json json_of_hidden(const std::string& shown, const StoredEntry& entry) {
  Json object;
  put_bytes(object, "key", shown);
  object["type"] = std::string(type_name(entry.type));
  object["sensitive"] = true;
  object["value_bytes"] = entry.value.size();
  object["version"] = entry.version;
  if (entry.expires_in) object["expires_in_ms"] = entry.expires_in->count();
  return object;
}

std::string hidden_value(const StoredEntry& entry) {
  return "(sensitive, " + std::to_string(entry.value.size()) + " bytes)";
}

Result<ExitCode> get(const Options& options, const Reading& arguments) {
  const auto key = key_of(arguments.key, arguments.is_base64);
  if (!key) return tl::unexpected(key.error());
  const auto found = read_entries(options, arguments.source, {*key, "", false});
  if (!found) return tl::unexpected(found.error());
  if (found->entries.empty()) {
    if (!found->problems.empty()) return outcome_of(*found);
    return fail(Errc::not_found, "key " + readable(*key) + " in block " + arguments.source.block);
  }
  const auto& [name, entry] = *found->entries.begin();
  if (found->hides(name)) {
    if (options.format == Format::json) {
      print_json(json_of_hidden(found->shown(name), entry));
    } else {
      print(hidden_value(entry) + "\n");
    }
    say("the entry is sensitive; a worker, or --scope with a grant, is shown its value");
  } else if (options.format == Format::json) {
    print_json(json_of(name, entry));
  } else if (arguments.raw && (entry.type == Type::text || entry.type == Type::bytes)) {
    print(entry.value);
  } else {
    print(readable_value(entry) + (arguments.raw ? "" : "\n"));
  }
  return outcome_of(*found);
}

Result<ExitCode> keys(const Options& options, const Reading& arguments) {
  const auto found =
      read_entries(options, arguments.source, {std::nullopt, arguments.prefix, true});
  if (!found) return tl::unexpected(found.error());
  Json rows = Json::array();
  for (const auto& [key, entry] : found->entries) {
    if (options.format == Format::json) {
      Json row;
      put_bytes(row, "key", found->shown(key));
      rows.push_back(std::move(row));
    } else {
      print(readable(found->shown(key)) + "\n");
    }
  }
  if (options.format == Format::json) print_json(rows);
  return outcome_of(*found);
}

Result<ExitCode> dump(const Options& options, const Reading& arguments) {
  const auto found =
      read_entries(options, arguments.source, {std::nullopt, arguments.prefix, false});
  if (!found) return tl::unexpected(found.error());
  Json rows = Json::array();
  Table table({"KEY", "TYPE", "VERSION", "EXPIRES IN", "VALUE"});
  for (const auto& [key, entry] : found->entries) {
    if (options.format == Format::json) {
      rows.push_back(found->hides(key) ? json_of_hidden(found->shown(key), entry)
                                       : json_of(key, entry));
      continue;
    }
    const auto left = entry.expires_in;
    table.add({readable(found->shown(key)), std::string(type_name(entry.type)),
               std::to_string(entry.version),
               left ? duration_text(static_cast<std::uint64_t>(left->count())) : "never",
               found->hides(key) ? hidden_value(entry) : readable_value(entry)});
  }
  if (options.format == Format::json) {
    print_json(rows);
  } else {
    print(table);
  }
  return outcome_of(*found);
}

}  // namespace

Result<std::string> key_of(const std::string& typed, bool is_base64) {
  std::string key = typed;
  if (is_base64) {
    std::size_t length = 0;
    const char* end = nullptr;
    const int decoded =
        sodium_base642bin(reinterpret_cast<unsigned char*>(key.data()), key.size(), typed.data(),
                          typed.size(), nullptr, &length, &end, sodium_base64_VARIANT_ORIGINAL);
    if (decoded != 0 || end != typed.data() + typed.size()) {
      return fail(Errc::invalid_argument, "key " + readable(typed) + ": it is not base64");
    }
    key.resize(length);
  }
  if (!key.empty() && key.size() <= kMaxKeyBytes) return key;
  return fail(Errc::invalid_key, "a key of " + std::to_string(key.size()) + " bytes");
}

void add_read_commands(CLI::App& app, Invocation& invocation) {
  const auto declare = [&](const char* name, const char* what, auto run) {
    auto* const command = app.add_subcommand(name, what);
    auto arguments = std::make_shared<Reading>();
    command->add_option("BLOCK", arguments->source.block)->required()->type_name("");
    auto* const at =
        command->add_option("--at", arguments->source.at, "as a checkpoint of the block holds it");
    at->type_name("CHECKPOINT");
    command
        ->add_option("--snapshot", arguments->source.snapshot,
                     "as a snapshot file holds it: a path, or a name in the director's folder")
        ->excludes(at)
        ->type_name("FILE");
    command->callback([&invocation, arguments, run] {
      invocation.run = [&invocation, arguments, run] {
        return run(invocation.options, *arguments);
      };
    });
    return std::pair(command, arguments);
  };
  const auto [get_command, get_arguments] = declare("get", "the value of one entry", get);
  get_command->add_option("KEY", get_arguments->key)->required()->type_name("");
  get_command->add_flag("--raw", get_arguments->raw,
                        "the value's bytes as they are, and no newline");
  get_command->add_flag("--base64", get_arguments->is_base64, "KEY is given in base64");
  const auto [keys_command, keys_arguments] = declare("keys", "the keys of a block, sorted", keys);
  keys_command->add_option("--prefix", keys_arguments->prefix, "only keys that begin so");
  const auto [dump_command, dump_arguments] = declare("dump", "all entries, sorted by key", dump);
  dump_command->add_option("--prefix", dump_arguments->prefix, "only keys that begin so");
}

}  // namespace sessionblocks::ctl
