// start SCRIPT [ARGS...]: has a script started that the suite declares with start = "on-request".
//
// An operator starts any of them, below its parent; a worker those whose parent its own script is.
#include <chrono>
#include <thread>

#include "command.hpp"
#include "platform/random.hpp"

namespace sessionblocks::ctl {
namespace {

constexpr std::chrono::milliseconds kNap{50};
constexpr std::uint64_t kMostNumber = (std::uint64_t{1} << 53U) - 1;

struct Starting {
  std::string script;
  std::vector<std::string> arguments;
  std::string never;
  bool waits = false;
};

// What it ended with. While no director answers another one may be about to take over; none for as
// long as a director may take is an error.
Result<int> wait_for_end(const System& system, const Starting& arguments, std::uint64_t number,
                         std::chrono::milliseconds patience) {
  using std::chrono::steady_clock;
  const Message request = {{"op", "script_status"}, {"name", arguments.script}, {"number", number}};
  auto last_heard = steady_clock::now();
  for (;; std::this_thread::sleep_for(kNap)) {
    const auto status = system.ask(request);
    if (!status) {
      const bool may_pass = status.error() == Errc::unreachable;
      if (!may_pass || steady_clock::now() - last_heard > patience) {
        return tl::unexpected(status.error());
      }
      continue;
    }
    last_heard = steady_clock::now();
    const std::string state = status->value("state", "");
    if (state == "ended") return status->at("exit_code").get<int>();
    if (state == "running") continue;
    return fail(Errc::gone, "start script " + arguments.script +
                                ": it has ended, and how is not known: another director, or "
                                "another start of it, came in between");
  }
}

Result<ExitCode> start(const Options& options, const Starting& arguments) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto random = platform::random_u64();
  if (!random) return tl::unexpected(random.error());
  const std::uint64_t number = *random & kMostNumber;  // nobody else's, by all chances
  Message request = {{"op", "start_script"},
                     {"name", arguments.script},
                     {"args", arguments.arguments},
                     {"number", number}};
  if (!options.scope.empty()) request["scope"] = options.scope;
  const auto started = system->ask(request);
  if (!started) return tl::unexpected(started.error());
  const std::string scope = started->at("scope").get<std::string>();
  const bool is_json = options.format == Format::json;
  if (!is_json) print(scope + "\n");
  if (!arguments.waits) {
    if (is_json) print_json({{"scope", scope}});
    return ExitCode::ok;
  }
  const auto code =
      wait_for_end(*system, arguments, number, std::chrono::milliseconds(options.time_limit_ms));
  if (!code) return tl::unexpected(code.error());
  if (is_json) print_json({{"scope", scope}, {"exit_code", *code}});
  if (*code != 0) say("script " + scope + " ended with exit code " + std::to_string(*code));
  return static_cast<ExitCode>(*code);
}

// A hidden positional has brackets all the same.
class PlainUsage : public CLI::Formatter {
 public:
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = Formatter::make_usage(app, std::move(name));
    const auto at = usage.find(" []");
    return at == std::string::npos ? usage : usage.erase(at, 3);
  }
};

}  // namespace

void add_start_command(CLI::App& app, Invocation& invocation) {
  auto* const command = app.add_subcommand(
      "start", "start a script of the suite that has start = \"on-request\"; prints its scope");
  auto starting = std::make_shared<Starting>();
  command->add_option("SCRIPT", starting->script)->required()->type_name("");
  command
      ->add_option("ARGS", starting->arguments,
                   "for its command; after --, they may begin with a dash")
      ->type_name("");
  // CLI11 hands "--" up, and what follows, once nothing is missing here; this one always is.
  command->add_option("NOTHING", starting->never)->type_name("")->group("");
  command->add_flag("--wait", starting->waits,
                    "until it has ended; then exits as it did: 128 + signal when it was killed, "
                    "124 when its time was over");
  command->formatter(std::make_shared<PlainUsage>());
  command->footer("An operator may name the scope of its parent with --scope.");
  command->callback([&invocation, starting] {
    invocation.run = [&invocation, starting] { return start(invocation.options, *starting); };
  });
}

}  // namespace sessionblocks::ctl
