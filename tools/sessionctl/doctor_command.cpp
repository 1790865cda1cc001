// doctor: is this machine, this user and this session system set up right?
//
// Each check says ok, note (works, with less than it could), or problem (and what to do). It makes
// nothing that stays: the sandbox self-test removes its own targets.
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <filesystem>

#include "command.hpp"
#include "layout/block.hpp"
#include "leftovers.hpp"
#include "platform/cpu.hpp"
#include "platform/landlock.hpp"
#include "platform/mapping.hpp"
#include "platform/membarrier.hpp"
#include "platform/sandbox_selftest.hpp"

namespace sessionblocks::ctl {
namespace {

namespace fs = std::filesystem;

enum class Verdict : std::uint8_t { ok, note, problem };

struct Check {
  std::string subject;
  Verdict verdict = Verdict::ok;
  std::string detail;
};
using Checks = std::vector<Check>;

std::string_view word_of(Verdict verdict) {
  constexpr std::string_view kWords[] = {"ok", "note", "PROBLEM"};
  return kWords[static_cast<std::size_t>(verdict)];
}

void check_processor(Checks& checks) {
  const bool has_pair_swap = platform::has_pair_swap();
  checks.push_back({"processor", has_pair_swap ? Verdict::ok : Verdict::problem,
                    has_pair_swap ? "has cmpxchg16b" : "has no cmpxchg16b, which blocks need"});
}

void check_kernel(Checks& checks) {
  utsname names{};
  ::uname(&names);
  checks.push_back({"kernel", Verdict::ok, std::string(names.sysname) + " " + names.release});
  const auto memory = platform::Mapping::anonymous(4'096);
  const auto populated =
      memory ? memory->populate_write(0, 4'096) : Result<void>(tl::unexpected(memory.error()));
  checks.push_back({"reserving memory", populated ? Verdict::ok : Verdict::problem,
                    populated ? "MADV_POPULATE_WRITE" : populated.error().message()});
  const auto barrier = platform::register_for_membarrier();
  checks.push_back({"membarrier", barrier ? Verdict::ok : Verdict::problem,
                    barrier ? "global expedited" : barrier.error().message()});
}

void check_landlock(Checks& checks) {
  namespace landlock = platform::landlock;
  const int abi = landlock::abi();
  const auto verdict = abi >= landlock::kAbiWithTruncate ? Verdict::ok : Verdict::note;
  checks.push_back({"landlock", verdict,
                    abi == 0 ? "not there: workers are not kept from files and segments"
                             : "ABI " + std::to_string(abi)});
  for (const std::string& gap : platform::sandbox_gaps()) {
    checks.push_back({"sandbox", Verdict::note, gap});
  }
}

void check_shared_memory(Checks& checks) {
  struct statfs kind {};
  struct statvfs size {};
  if (::statfs("/dev/shm", &kind) != 0 || ::statvfs("/dev/shm", &size) != 0) {
    checks.push_back({"/dev/shm", Verdict::problem, "not there; mount a tmpfs on it"});
    return;
  }
  const std::uint64_t total = std::uint64_t{size.f_blocks} * size.f_frsize;
  const std::uint64_t free = std::uint64_t{size.f_bavail} * size.f_frsize;
  const std::string text = size_text(free) + " of " + size_text(total) + " free";
  if (kind.f_type != TMPFS_MAGIC) {
    checks.push_back(
        {"/dev/shm", Verdict::problem, "is no tmpfs: blocks would be written to disk"});
  } else if (free < layout::kMinBlockBytes) {
    checks.push_back({"/dev/shm", Verdict::problem, text + "; remove files or make it larger"});
  } else {
    constexpr std::uint64_t kOneDefaultBlock = 64ULL << 20U;
    const bool tight = free < kOneDefaultBlock;
    checks.push_back({"/dev/shm", tight ? Verdict::note : Verdict::ok,
                      tight ? text + ", less than one block of the default quota" : text});
  }
  if (::access("/dev/shm", W_OK) != 0) {
    checks.push_back({"/dev/shm", Verdict::problem, "this user may not write to it"});
  }
}

void check_limits(Checks& checks) {
  constexpr rlim_t kEnoughFiles = 1'024;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const bool enough = files.rlim_max >= kEnoughFiles;
  checks.push_back({"open files", enough ? Verdict::ok : Verdict::problem,
                    "at most " + std::to_string(files.rlim_max) +
                        (enough ? "" : "; raise ulimit -n to 1024 or more")});
  rlimit space{};
  ::getrlimit(RLIMIT_AS, &space);
  const bool bounded = space.rlim_cur != RLIM_INFINITY;
  checks.push_back(
      {"address space", bounded ? Verdict::note : Verdict::ok,
       bounded ? "bounded to " + size_text(space.rlim_cur) + "; blocks and rings are mapped whole"
               : "unlimited"});
  rlimit file_size{};
  ::getrlimit(RLIMIT_FSIZE, &file_size);
  if (file_size.rlim_cur != RLIM_INFINITY) {
    checks.push_back({"file size", Verdict::problem,
                      "bounded to " + size_text(file_size.rlim_cur) +
                          ", segments and logs too; raise ulimit -f"});
  }
}

void check_runtime_folder(const director::RuntimePaths& paths, Checks& checks) {
  const std::string folder = paths.directory.native();
  struct stat status {};
  if (::lstat(folder.c_str(), &status) == 0) {
    const bool ours = S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
    const bool closed = (status.st_mode & 0022) == 0;
    checks.push_back({"runtime folder", ours && closed ? Verdict::ok : Verdict::problem,
                      folder + (!ours     ? " is not a folder of this user"
                                : !closed ? " can be written by others; chmod 700"
                                          : "")});
    return;
  }
  fs::path parent = paths.directory;
  std::error_code ignored;
  while (parent.has_relative_path() && !fs::exists(parent, ignored)) parent = parent.parent_path();
  const bool writable = ::access(parent.c_str(), W_OK | X_OK) == 0;
  checks.push_back({"runtime folder", writable ? Verdict::ok : Verdict::problem,
                    writable ? folder + ", made when a director starts"
                             : folder + " cannot be made: " + parent.native() +
                                   " is not writable; set XDG_RUNTIME_DIR"});
}

void check_director(const System& system, Checks& checks) {
  const std::string name = system.paths().system;
  const auto image = system.control();
  if (!image && image.error() == Errc::not_attached) {
    checks.push_back({"director", Verdict::note, "system " + name + " is not running"});
  } else if (!image) {
    checks.push_back({"director", Verdict::problem, image.error().message()});
  } else if (!image->is_directed()) {
    checks.push_back(
        {"director", Verdict::problem,
         "system " + name + " has no living director; start it again, or run sessionctl clean"});
  } else {
    checks.push_back({"director", Verdict::ok,
                      "system " + name + ", pid " + std::to_string(image->director.pid) + ", " +
                          std::to_string(image->blocks.size()) + " blocks"});
  }
}

void check_leftovers(const Options& options, Checks& checks) {
  Options all = options;
  all.names_system = false;
  const auto systems = find_systems(all);
  if (!systems) return;
  for (const FoundSystem& found : *systems) {
    if (!found.in_use_by.empty()) continue;
    checks.push_back({"left over", Verdict::note,
                      "system " + found.paths.system + ": " +
                          std::to_string(found.segments.size()) +
                          " segments that nobody uses; run sessionctl clean"});
  }
}

// A folder for the self-test: the system's own, or one that is gone afterwards.
class SelftestFolder {
 public:
  explicit SelftestFolder(const director::RuntimePaths& paths) : path_(paths.directory) {
    std::error_code ignored;
    if (fs::is_directory(path_, ignored) && ::access(path_.c_str(), W_OK) == 0) return;
    std::string made = (fs::temp_directory_path(ignored) / "sessionctl-XXXXXX").native();
    is_ours_ = ::mkdtemp(made.data()) != nullptr;
    path_ = made;
  }
  ~SelftestFolder() {
    std::error_code ignored;
    if (is_ours_) fs::remove_all(path_, ignored);
  }
  SelftestFolder(const SelftestFolder&) = delete;
  SelftestFolder& operator=(const SelftestFolder&) = delete;
  [[nodiscard]] const fs::path& path() const noexcept { return path_; }

 private:
  fs::path path_;
  bool is_ours_ = false;
};

void check_sandbox(const director::RuntimePaths& paths, Checks& checks) {
  const SelftestFolder folder(paths);
  platform::OpenerThread opener;
  platform::SelftestSetup setup;
  setup.segment_name = paths.segment_prefix + "doctor." + std::to_string(::getpid());
  setup.runtime_folder = folder.path();
  const auto report = platform::run_sandbox_selftest(opener, setup);
  if (!report) {
    checks.push_back({"sandbox self-test", Verdict::problem, report.error().message()});
    return;
  }
  std::size_t refused = 0;
  for (const platform::AttackResult& attack : report->attacks) {
    if (attack.refused) ++refused;
    // What a stated gap of the kernel explains is no surprise, and no reason to fail.
    const bool explained = !report->gaps.empty() || !report->left_out.empty();
    if (attack.refused) continue;
    checks.push_back({"sandbox self-test", explained ? Verdict::note : Verdict::problem,
                      "not refused: " + attack.attack + " (" + attack.detail + ")"});
  }
  for (const std::string& missing : report->left_out) {
    checks.push_back({"sandbox self-test", Verdict::note, "left out: " + missing});
  }
  checks.push_back({"sandbox self-test",
                    refused == report->attacks.size() ? Verdict::ok : Verdict::note,
                    std::to_string(refused) + " of " + std::to_string(report->attacks.size()) +
                        " attacks refused"});
}

Result<ExitCode> examine(const Options& options) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  Checks checks;
  check_processor(checks);
  check_kernel(checks);
  check_landlock(checks);
  check_limits(checks);
  if (!system->is_worker()) {  // in its sandbox a worker sees another /dev/shm, and no folder
    check_shared_memory(checks);
    check_runtime_folder(system->paths(), checks);
  }
  check_director(*system, checks);
  if (!system->is_worker()) {
    check_leftovers(options, checks);
    check_sandbox(system->paths(), checks);
  }
  Json rows = Json::array();
  Table table({"CHECK", "RESULT", "DETAIL"});
  bool has_problem = false;
  for (const Check& check : checks) {
    has_problem = has_problem || check.verdict == Verdict::problem;
    const bool bad = check.verdict == Verdict::problem;
    rows.push_back({{"check", check.subject},
                    {"result", bad ? "problem" : std::string(word_of(check.verdict))},
                    {"detail", check.detail}});
    table.add({check.subject, std::string(word_of(check.verdict)), check.detail});
  }
  if (options.format == Format::json) {
    print_json(Json{{"ok", !has_problem}, {"checks", std::move(rows)}});
  } else {
    print(table);
  }
  return has_problem ? ExitCode::findings : ExitCode::ok;
}

}  // namespace

void add_doctor_command(CLI::App& app, Invocation& invocation) {
  auto* const command = app.add_subcommand("doctor", "is everything set up right?");
  command->callback(
      [&invocation] { invocation.run = [&invocation] { return examine(invocation.options); }; });
}

}  // namespace sessionblocks::ctl
