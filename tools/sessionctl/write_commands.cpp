// put BLOCK KEY VALUE, incr BLOCK KEY [BY], erase BLOCK KEY: through the public library, as a
// worker's scope or, for an operator, as the scope that owns the block.
#include <charconv>
#include <cmath>
#include <iostream>
#include <iterator>

#include "command.hpp"
#include "core/units.hpp"

namespace sessionblocks::ctl {
namespace {

struct Writing {
  std::string block;
  std::string key;
  std::string value;
  std::string type = "text";
  std::string ttl;
  bool is_base64 = false;
};

template <typename Number>
std::optional<Number> parse(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
  return number;
}

tl::unexpected<Error> bad_value(const Writing& arguments) {
  return fail(Errc::invalid_argument,
              "value " + readable(arguments.value) + " is no " + arguments.type);
}

Result<Value> value_of(const Writing& arguments) {
  const std::string& text = arguments.value;
  if (arguments.type == "text") return Value(text);
  if (arguments.type == "bytes") {
    const auto bytes = std::as_bytes(std::span(text));
    return Value(Bytes(bytes.begin(), bytes.end()));
  }
  if (arguments.type == "integer") {
    const auto number = parse<std::int64_t>(text);
    if (!number) return bad_value(arguments);
    return Value(*number);
  }
  if (arguments.type == "real") {
    const auto number = parse<double>(text);
    if (!number || !std::isfinite(*number)) return bad_value(arguments);
    return Value(*number);
  }
  if (text != "true" && text != "false") return bad_value(arguments);
  return Value(text == "true");
}

Result<Expiry> expiry_of(const Writing& arguments, Expiry otherwise) {
  if (arguments.ttl.empty()) return otherwise;
  const auto ttl_ms = units::parse_duration_ms(arguments.ttl);
  if (!ttl_ms) return fail(Errc::invalid_argument, "--ttl: " + ttl_ms.error().context());
  if (*ttl_ms == 0) return fail(Errc::invalid_argument, "--ttl: an entry lives longer than 0");
  return Expiry::after(std::chrono::milliseconds(*ttl_ms));
}

// What is read from stdin loses one newline at its end, unless it is bytes: `echo 5 | put -`.
std::string from_stdin(const std::string& type) {
  std::string text(std::istreambuf_iterator<char>(std::cin), {});
  if (type != "bytes" && text.ends_with('\n')) text.pop_back();
  return text;
}

// Whether the entry is one whose value an operator is not shown.
Result<bool> is_hidden(const Options& options, const Writing& arguments, const std::string& key) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto mask = system->mask(arguments.block);
  if (!mask) return tl::unexpected(mask.error());
  return *mask != nullptr && (*mask)->covers(key);
}

Result<System::Opened> open(const Options& options, const Writing& arguments) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  return system->open(arguments.block, AccessMode::read_write);
}

void show(const Options& options, const std::string& key, const std::string& name,
          const Json& result, bool in_tables) {
  if (options.format == Format::json) {
    Json object;
    put_bytes(object, "key", key);
    object[name] = result;
    print_json(object);
  } else if (in_tables) {
    print(result.dump() + "\n");
  }
}

Result<ExitCode> put(const Options& options, Writing arguments) {
  if (arguments.value == "-") arguments.value = from_stdin(arguments.type);
  const auto key = key_of(arguments.key, arguments.is_base64);
  if (!key) return tl::unexpected(key.error());
  const auto value = value_of(arguments);
  if (!value) return tl::unexpected(value.error());
  const auto expiry = expiry_of(arguments, Expiry::never());
  if (!expiry) return tl::unexpected(expiry.error());
  auto opened = open(options, arguments);
  if (!opened) return tl::unexpected(opened.error());
  const auto view = std::visit([](const auto& held) { return ValueView(held); }, *value);
  const auto version = opened->block.put(*key, view, *expiry);
  if (!version) return tl::unexpected(version.error());
  show(options, *key, "version", raw_version(*version), false);
  return ExitCode::ok;
}

Result<ExitCode> increment(const Options& options, const Writing& arguments) {
  const auto key = key_of(arguments.key, arguments.is_base64);
  if (!key) return tl::unexpected(key.error());
  const auto expiry = expiry_of(arguments, Expiry::keep());
  if (!expiry) return tl::unexpected(expiry.error());
  const auto whole = parse<std::int64_t>(arguments.value);
  const auto real = parse<double>(arguments.value);
  const bool looks_whole = arguments.value.find_first_not_of("-0123456789") == std::string::npos;
  if (!whole && (looks_whole || !real || !std::isfinite(*real))) {
    return fail(Errc::invalid_argument, "BY " + readable(arguments.value) +
                                            ": an integer of 64 bits, or a real such as 0.5");
  }
  const auto hidden = is_hidden(options, arguments, *key);
  if (!hidden) return tl::unexpected(hidden.error());
  auto opened = open(options, arguments);
  if (!opened) return tl::unexpected(opened.error());
  if (whole) {
    const auto sum = opened->block.increment(*key, *whole, *expiry);
    if (!sum) return tl::unexpected(sum.error());
    show(options, *key, "value", *hidden ? Json("(sensitive)") : Json(*sum), true);
  } else {
    const auto sum = opened->block.increment_real(*key, *real, *expiry);
    if (!sum) return tl::unexpected(sum.error());
    show(options, *key, "value", *hidden ? Json("(sensitive)") : Json(*sum), true);
  }
  return ExitCode::ok;
}

Result<ExitCode> erase(const Options& options, const Writing& arguments) {
  const auto key = key_of(arguments.key, arguments.is_base64);
  if (!key) return tl::unexpected(key.error());
  auto opened = open(options, arguments);
  if (!opened) return tl::unexpected(opened.error());
  const auto version = opened->block.erase(*key);
  if (!version && version.error() == Errc::not_found) {
    return fail(Errc::not_found, "key " + readable(*key) + " in block " + arguments.block);
  }
  if (!version) return tl::unexpected(version.error());
  show(options, *key, "version", raw_version(*version), false);
  return ExitCode::ok;
}

}  // namespace

void add_write_commands(CLI::App& app, Invocation& invocation) {
  const auto declare = [&](const char* name, const char* what, auto run) {
    auto* const command = app.add_subcommand(name, what);
    auto arguments = std::make_shared<Writing>();
    command->add_option("BLOCK", arguments->block)->required()->type_name("");
    command->add_option("KEY", arguments->key)->required()->type_name("");
    command->add_flag("--base64", arguments->is_base64, "KEY is given in base64");
    command->callback([&invocation, arguments, run] {
      invocation.run = [&invocation, arguments, run] {
        return run(invocation.options, *arguments);
      };
    });
    return std::pair(command, arguments);
  };
  const auto [put_command, put_arguments] = declare("put", "store a value", put);
  put_command->add_option("VALUE", put_arguments->value, "- takes it from stdin")
      ->required()
      ->type_name("");
  put_command->add_option("--type", put_arguments->type, "text, unless given")
      ->check(CLI::IsMember({"text", "bytes", "integer", "real", "boolean"}))
      ->type_name("TYPE");
  put_command->add_option("--ttl", put_arguments->ttl, "how long it lives, such as 30m")
      ->type_name("DURATION");
  const auto [incr_command, incr_arguments] =
      declare("incr", "add to a number, print the sum", increment);
  incr_arguments->value = "1";
  incr_command->add_option("BY", incr_arguments->value, "1, unless given")->type_name("");
  incr_command->add_option("--ttl", incr_arguments->ttl, "how long it lives, such as 30m")
      ->type_name("DURATION");
  declare("erase", "remove an entry", erase);
}

}  // namespace sessionblocks::ctl
