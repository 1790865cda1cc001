// keys BLOCK, get BLOCK KEY, dump BLOCK.
//
// A worker reads through the public library, so its grants hold and each access is logged. The
// operator reads the segment itself and disturbs nothing, whether anybody runs or not.
#include <sodium.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "block_reader.hpp"
#include "command.hpp"
#include "flowlog/text.hpp"

namespace sessionblocks::ctl {
namespace {

struct Reading {
  std::string block;
  std::string key;
  std::string prefix;
  bool raw = false;
  bool is_base64 = false;
};

struct Read {
  Entries entries;
  std::uint64_t damaged_slots = 0;
};

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string bytes_of(const Value& value) {
  const auto view = std::visit([](const auto& held) { return ValueView(held); }, value);
  return text_of(view.bytes());
}

Result<Read> read_as_worker(const System& system, const std::string& name, const Wanted& wanted) {
  auto opened = system.open(name, AccessMode::read);
  if (!opened) return tl::unexpected(opened.error());
  Read read;
  if (wanted.key) {
    auto entry = opened->block.get<Value>(*wanted.key);
    if (!entry && entry.error() == Errc::not_found) return read;
    if (!entry) return tl::unexpected(entry.error());
    read.entries[*wanted.key] = {type_of(entry->value), bytes_of(entry->value),
                                 raw_version(entry->version), entry->expires_in};
    return read;
  }
  const auto walked = opened->block.for_each(wanted.prefix, [&](const EntryView& entry) {
    read.entries[std::string(entry.key)] = {entry.type,
                                            wanted.keys_only ? "" : text_of(entry.value),
                                            raw_version(entry.version), entry.expires_in};
    return true;
  });
  if (!walked) return tl::unexpected(walked.error());
  return read;
}

Result<Read> read_as_operator(const System& system, const std::string& name, const Wanted& wanted) {
  const auto image = system.control();
  if (!image) return tl::unexpected(image.error());
  const auto block = system.block(*image, name);
  if (!block) return tl::unexpected(block.error());
  auto reader = BlockReader::open(system.paths(), *block, image->hash_seed);
  if (!reader) return tl::unexpected(reader.error());
  auto entries = reader->read(wanted);
  if (!entries) return tl::unexpected(entries.error());
  return Read{std::move(*entries), reader->damaged_slots()};
}

Result<Read> read(const Options& options, const std::string& name, const Wanted& wanted) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  // --scope asks for what that scope may see, which is its grants' and the director's to say.
  const bool as_scope = system->is_worker() || !options.scope.empty();
  if (!as_scope) return read_as_operator(*system, name, wanted);
  auto as_owner = read_as_worker(*system, name, wanted);
  const bool no_director = !as_owner && as_owner.error() == Errc::unreachable;
  return no_director && !system->is_worker() ? read_as_operator(*system, name, wanted)
                                             : std::move(as_owner);
}

template <typename Number>
Number number_of(const std::string& bytes) {
  Number number{};
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof number));
  return number;
}

// Reals are spelled as JSON spells them: shortest text that reads back the same.
std::string readable_value(const StoredEntry& entry) {
  switch (entry.type) {
    case Type::integer:
      return std::to_string(number_of<std::int64_t>(entry.value));
    case Type::real: {
      std::array<char, 64> text{};
      const auto end =
          std::to_chars(text.data(), text.data() + text.size(), number_of<double>(entry.value));
      return {text.data(), end.ptr};
    }
    case Type::boolean:
      return number_of<std::uint8_t>(entry.value) != 0 ? "true" : "false";
    default:
      return readable(entry.value);
  }
}

Json json_of(const std::string& key, const StoredEntry& entry) {
  Json object;
  put_bytes(object, "key", key);
  object["type"] = std::string(type_name(entry.type));
  switch (entry.type) {
    case Type::integer:
      object["value"] = number_of<std::int64_t>(entry.value);
      break;
    case Type::real: {
      const auto number = number_of<double>(entry.value);
      if (std::isfinite(number)) {
        object["value"] = number;
      } else {
        object["value"] = readable_value(entry);  // JSON has no such numbers
      }
      break;
    }
    case Type::boolean:
      object["value"] = number_of<std::uint8_t>(entry.value) != 0;
      break;
    case Type::text:
      put_bytes(object, "value", entry.value);
      break;
    default:
      object["value_base64"] = flowlog::base64(entry.value);
  }
  object["version"] = entry.version;
  if (entry.expires_in) object["expires_in_ms"] = entry.expires_in->count();
  return object;
}

Result<ExitCode> outcome_of(const Read& read) {
  if (read.damaged_slots == 0) return ExitCode::ok;
  say(std::to_string(read.damaged_slots) + " entries cannot be read; run sessionctl fsck");
  return ExitCode::findings;
}

Result<ExitCode> get(const Options& options, const Reading& arguments) {
  const auto key = key_of(arguments.key, arguments.is_base64);
  if (!key) return tl::unexpected(key.error());
  const auto found = read(options, arguments.block, {*key, "", false});
  if (!found) return tl::unexpected(found.error());
  if (found->entries.empty()) {
    if (found->damaged_slots != 0) return outcome_of(*found);
    return fail(Errc::not_found, "key " + readable(*key) + " in block " + arguments.block);
  }
  const auto& [name, entry] = *found->entries.begin();
  if (options.format == Format::json) {
    print_json(json_of(name, entry));
  } else if (arguments.raw && (entry.type == Type::text || entry.type == Type::bytes)) {
    print(entry.value);
  } else {
    print(readable_value(entry) + (arguments.raw ? "" : "\n"));
  }
  return outcome_of(*found);
}

Result<ExitCode> keys(const Options& options, const Reading& arguments) {
  const auto found = read(options, arguments.block, {std::nullopt, arguments.prefix, true});
  if (!found) return tl::unexpected(found.error());
  Json rows = Json::array();
  for (const auto& [key, entry] : found->entries) {
    if (options.format == Format::json) {
      Json row;
      put_bytes(row, "key", key);
      rows.push_back(std::move(row));
    } else {
      print(readable(key) + "\n");
    }
  }
  if (options.format == Format::json) print_json(rows);
  return outcome_of(*found);
}

Result<ExitCode> dump(const Options& options, const Reading& arguments) {
  const auto found = read(options, arguments.block, {std::nullopt, arguments.prefix, false});
  if (!found) return tl::unexpected(found.error());
  Json rows = Json::array();
  Table table({"KEY", "TYPE", "VERSION", "EXPIRES IN", "VALUE"});
  for (const auto& [key, entry] : found->entries) {
    if (options.format == Format::json) {
      rows.push_back(json_of(key, entry));
      continue;
    }
    const auto left = entry.expires_in;
    table.add({readable(key), std::string(type_name(entry.type)), std::to_string(entry.version),
               left ? duration_text(static_cast<std::uint64_t>(left->count())) : "never",
               readable_value(entry)});
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
    command->add_option("BLOCK", arguments->block)->required()->type_name("");
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
