// clean: removes what dead session systems of this user left in /dev/shm.
#include "command.hpp"
#include "leftovers.hpp"

namespace sessionblocks::ctl {
namespace {

Result<ExitCode> clean(const Options& options, bool only_look) {
  const auto systems = find_systems(options);
  if (!systems) return tl::unexpected(systems.error());
  Json rows = Json::array();
  Table table({"SYSTEM", "RESULT", "SEGMENTS", "WHY"});
  ExitCode outcome = ExitCode::ok;
  for (const FoundSystem& found : *systems) {
    std::string result = "kept";
    std::string why = found.in_use_by;
    if (why.empty() && only_look) {
      result = "dead";
      why = "nobody uses it";
    } else if (why.empty()) {
      const auto user = remove_system(found);
      result = user && user->empty() ? "removed" : "kept";
      why = user ? (user->empty() ? "nobody used it" : *user) : user.error().message();
      if (!user) outcome = ExitCode::error;
    }
    rows.push_back({{"system", found.paths.system},
                    {"result", result},
                    {"segments", found.segments.size()},
                    {"why", why}});
    table.add({found.paths.system, result, std::to_string(found.segments.size()), why});
  }
  if (options.format == Format::json) {
    print_json(Json{{"systems", std::move(rows)}});
  } else if (systems->empty()) {
    print("nothing to clean\n");
  } else {
    print(table);
  }
  return outcome;
}

}  // namespace

void add_clean_command(CLI::App& app, Invocation& invocation) {
  auto* const command = app.add_subcommand("clean", "remove what dead systems of this user left");
  auto only_look = std::make_shared<bool>(false);
  command->add_flag("-n,--dry-run", *only_look, "say what would be removed");
  command->callback([&invocation, only_look] {
    invocation.run = [&invocation, only_look]() -> Result<ExitCode> {
      const auto system = System::of(invocation.options);
      if (!system) return tl::unexpected(system.error());
      if (auto allowed = require_operator(*system, "clean"); !allowed) {
        return tl::unexpected(allowed.error());
      }
      return clean(invocation.options, *only_look);
    };
  });
}

}  // namespace sessionblocks::ctl
