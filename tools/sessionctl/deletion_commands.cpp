#include "deletion_commands.hpp"

#include "director/deletions.hpp"
#include "platform/file_lock.hpp"
#include "snapshot_file.hpp"

namespace sessionblocks::ctl {
namespace {

namespace fs = std::filesystem;

struct Deleting {
  std::string what;
  bool all = false;
  bool keeps_keys = false;
};

Result<void> anything(const snapshot::BlockDescription& /*from*/) {
  return {};
}

// Nobody directs the system as long as this lives.
class NoDirector {
 public:
  [[nodiscard]] static Result<NoDirector> of(const System& system) {
    NoDirector made;
    std::error_code ignored;
    made.path_ = system.paths().lock();
    if (!fs::exists(made.path_.parent_path(), ignored)) return made;  // nor did anybody
    made.is_mine_ = !fs::exists(made.path_, ignored);
    auto lock = platform::FileLock::acquire(made.path_.native());
    if (!lock) return tl::unexpected(lock.error());
    made.lock_.emplace(std::move(*lock));
    return made;
  }
  NoDirector(NoDirector&& other) noexcept
      : path_(std::move(other.path_)),
        lock_(std::move(other.lock_)),
        is_mine_(std::exchange(other.is_mine_, false)) {}
  NoDirector& operator=(NoDirector&&) = delete;
  ~NoDirector() {
    std::error_code ignored;
    if (is_mine_ && lock_) fs::remove(path_, ignored);
  }

 private:
  NoDirector() = default;
  fs::path path_;
  std::optional<platform::FileLock> lock_;
  bool is_mine_ = false;
};

bool is_directors_folder(const Options& options, const System& system) {
  std::error_code ignored;
  return options.state_directory.empty() ||
         fs::equivalent(options.state_directory, system.paths().state(), ignored);
}

// What the director answers, or `here` does.
template <typename Here>
Result<Message> ask_or_do(const Options& options, const Message& request, Here here) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const bool has_other_folder = !is_directors_folder(options, *system);
  if (system->is_worker() || !has_other_folder) {
    auto answered = system->ask(request);
    const bool is_unheard = !answered && answered.error() == Errc::unreachable;
    if (system->is_worker() || !is_unheard) return answered;
    auto alone = NoDirector::of(*system);
    if (!alone) return answered;  // one is there, and does not answer
    const auto state = state_folder(options);
    return state ? here(*state) : tl::unexpected(state.error());
  }
  const auto state = state_folder(options);
  return state ? here(*state) : tl::unexpected(state.error());
}

Result<ExitCode> delete_snapshot(const Options& options, const Deleting& arguments) {
  const Message request = {{"op", "delete_snapshot"},
                           {"file", arguments.what},
                           {"keep_keys", arguments.keeps_keys ? 1U : 0U}};
  const auto here = [&](const director::StateFolder& state) -> Result<Message> {
    const auto deleted =
        director::delete_snapshot(state, arguments.what, arguments.keeps_keys, anything);
    if (!deleted) return tl::unexpected(deleted.error());
    return Message{{"keys", deleted->keys}, {"keys_kept", deleted->kept}};
  };
  const auto done = ask_or_do(options, request, here);
  if (!done) return tl::unexpected(done.error());
  if (options.format == Format::json) {
    print_json({{"snapshot", arguments.what},
                {"keys_deleted", done->at("keys").get<std::uint64_t>()},
                {"keys_kept", done->at("keys_kept").get<std::uint64_t>()}});
  }
  return ExitCode::ok;
}

Result<ExitCode> delete_datablocks(const Options& options, const Deleting& arguments) {
  const Message request = {
      {"op", "delete_datablocks"}, {"datablock", arguments.what}, {"all", arguments.all ? 1U : 0U}};
  const auto here = [&](const director::StateFolder& state) -> Result<Message> {
    const auto deleted =
        director::delete_datablocks(state, arguments.what, arguments.all, anything);
    if (!deleted) return tl::unexpected(deleted.error());
    return Message{{"deleted", deleted->size()}};
  };
  const auto done = ask_or_do(options, request, here);
  if (!done) return tl::unexpected(done.error());
  if (options.format == Format::json) {
    print_json({{"deleted", done->at("deleted").get<std::uint64_t>()}});
  }
  return ExitCode::ok;
}

template <typename Run>
void run_with(CLI::App& command, Invocation& invocation, std::shared_ptr<Deleting> deleting,
              Run run) {
  command.callback([&invocation, deleting, run] {
    invocation.run = [&invocation, deleting, run] { return run(invocation.options, *deleting); };
  });
}

}  // namespace

void add_snapshot_deletion(CLI::App& snapshot, Invocation& invocation) {
  auto* const command = snapshot.add_subcommand(
      "delete", "delete one of the director's folder, and the keys that no other one there needs");
  auto deleting = std::make_shared<Deleting>();
  command->add_option("NAME", deleting->what)->required()->type_name("");
  command->add_flag("--keep-keys", deleting->keeps_keys, "a copy of it shall stay readable");
  run_with(*command, invocation, deleting, delete_snapshot);
}

void add_datablock_deletion(CLI::App& datablocks, Invocation& invocation) {
  auto* const command = datablocks.add_subcommand("delete", "delete DataBlocks, for good");
  auto deleting = std::make_shared<Deleting>();
  command
      ->add_option("DATABLOCK", deleting->what, "NAME@NUMBER, its number, or a name that one has")
      ->required()
      ->type_name("");
  command->add_flag("--all", deleting->all, "all of that name");
  run_with(*command, invocation, deleting, delete_datablocks);
}

}  // namespace sessionblocks::ctl
