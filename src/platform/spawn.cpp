#include "platform/spawn.hpp"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <filesystem>

#include "platform/core_dump.hpp"
#include "platform/os_error.hpp"
#include "platform/process.hpp"

namespace sessionblocks::platform {
namespace {

constexpr int kFirstFreeFd = 3;

// Everything the child needs, made before the fork: the child takes no memory.
struct Plan {
  const Program* program = nullptr;
  std::vector<char*> arguments;
  std::vector<char*> environment;
  std::optional<PreparedSandbox> sandbox;
  std::vector<int> sources;  // in the child: copies of passed[i].from, above every target
  int floor = kFirstFreeFd;  // above every target
  int report_fd = -1;
  UniqueFd gate_of_child;   // where it waits for one byte; none: it does not wait
  UniqueFd gate_of_parent;  // closed with the parent, however that ends
};

std::vector<char*> pointers_to(const std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (const std::string& text : texts) pointers.push_back(const_cast<char*>(text.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// --- In the child: system calls only ---------------------------------------------------------

void use_default_signals() noexcept {
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// Marks every descriptor from 3 up to be closed by exec.
void close_others_on_exec() noexcept {
  constexpr unsigned kCloseOnExec = 1U << 2;
  if (::syscall(SYS_close_range, kFirstFreeFd, ~0U, kCloseOnExec) == 0) return;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const int end = static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 1U << 20));
  for (int fd = kFirstFreeFd; fd < end; ++fd) ::fcntl(fd, F_SETFD, FD_CLOEXEC);
}

int copy_above(int fd, int floor) noexcept {
  return ::fcntl(fd, F_DUPFD_CLOEXEC, floor);
}

// Puts each passed descriptor at its number. All sources are first copied above all targets, so
// that no target overwrites a source that is still needed.
bool place_descriptors(Plan& plan) noexcept {
  const Program& program = *plan.program;
  const int wishes[3] = {program.standard_input, program.standard_output, program.standard_error};
  int standard[3] = {-1, -1, -1};
  for (int target = 0; target < 3; ++target) {
    int source = wishes[target];
    if (source < 0 && target == 0) {
      source = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (source < 0) return false;
    }
    if (source < 0) continue;
    standard[target] = copy_above(source, plan.floor);
    if (standard[target] < 0) return false;
  }
  for (std::size_t index = 0; index < program.passed.size(); ++index) {
    plan.sources[index] = copy_above(program.passed[index].from, plan.floor);
    if (plan.sources[index] < 0) return false;
  }
  close_others_on_exec();
  for (int target = 0; target < 3; ++target) {
    if (standard[target] >= 0 && ::dup2(standard[target], target) < 0) return false;
  }
  for (std::size_t index = 0; index < program.passed.size(); ++index) {
    if (::dup2(plan.sources[index], program.passed[index].to) < 0) return false;
  }
  return true;
}

bool become(const UserIds& user) noexcept {
  return ::setgroups(user.groups.size(), user.groups.data()) == 0 &&
         ::setresgid(user.gid, user.gid, user.gid) == 0 &&
         ::setresuid(user.uid, user.uid, user.uid) == 0;
}

// Whether the parent lets it run. The parent's end is its alone: with it the gate closes for good.
bool passes_gate(const Plan& plan, int gate) noexcept {
  if (gate < 0) return true;
  ::close(plan.gate_of_parent.get());
  char byte = 0;
  return retry_on_eintr([&] { return ::read(gate, &byte, 1); }) == 1;
}

// Descriptors that the sandbox prepared may lie where a passed one must go, so they are placed
// last; nothing after that opens a path by descriptor.
void run_child(Plan& plan) noexcept {
  const Program& program = *plan.program;
  const int report_fd = copy_above(plan.report_fd, plan.floor);
  const ChildReporter reporter(report_fd < 0 ? plan.report_fd : report_fd);
  const int gate = plan.gate_of_child ? copy_above(plan.gate_of_child.get(), plan.floor) : -1;
  use_default_signals();
  restore_core_dumps();
  if (::setpgid(0, 0) != 0 || (plan.gate_of_child && gate < 0)) {
    reporter.failed(ChildStep::process_group);
    return;
  }
  if (!passes_gate(plan, gate)) return;
  if (plan.sandbox && !plan.sandbox->apply_before_user(reporter)) return;
  if (program.user && !become(*program.user)) {
    reporter.failed(ChildStep::user);
    return;
  }
  if (!program.working_folder.empty() && ::chdir(program.working_folder.c_str()) != 0) {
    reporter.failed(ChildStep::working_folder);
    return;
  }
  if (plan.sandbox && !plan.sandbox->apply_after_user(reporter)) return;
  if (!place_descriptors(plan)) {
    reporter.failed(ChildStep::descriptors);
    return;
  }
  ::execve(program.path.c_str(), plan.arguments.data(), plan.environment.data());
  reporter.failed(ChildStep::exec);
}

// --- In the parent ---------------------------------------------------------------------------

// Forks with all signals blocked, so that no handler of the parent runs in the child.
pid_t fork_and_run(Plan& plan) noexcept {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = ::fork();
  if (pid == 0) {
    run_child(plan);
    ::_exit(127);
  }
  const int number = errno;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = number;
  return pid;
}

// No step of the child takes room on a disk: ENOSPC is the kernel's word for "no more of these".
std::string describe(const ChildReport& report) {
  const std::string why = report.number == ENOSPC
                              ? "too many namespaces or mounts (/proc/sys/user, fs.mount-max)"
                              : std::generic_category().message(report.number);
  return std::string(child_step_name(report.step)).append(": ").append(why);
}

Errc code_of(const ChildReport& report) noexcept {
  return report.number == ENOSPC ? Errc::too_many : errc_of_errno(report.number);
}

// Reads the child's reports until exec closes the pipe or the child gave up.
Result<std::vector<std::string>> read_reports(int fd, const std::string& path) {
  std::vector<std::string> left_out;
  while (true) {
    ChildReport report;
    const ssize_t length = retry_on_eintr([&] { return ::read(fd, &report, sizeof(report)); });
    if (length == 0) return left_out;
    if (length != sizeof(report)) return fail_errno("start: read the child's report", path);
    if (!report.fatal) {
      left_out.push_back(describe(report));
      continue;
    }
    return fail(code_of(report), "start " + path + ": " + describe(report));
  }
}

Result<void> check(const Program& program) {
  if (program.path.empty() || program.path.front() != '/' || program.arguments.empty()) {
    return fail(Errc::invalid_argument, "start \"" + program.path + "\": needs an absolute path");
  }
  for (const PassedFd& passed : program.passed) {
    if (passed.from < 0 || passed.to < kFirstFreeFd || passed.to > 1000) {
      return fail(Errc::invalid_argument, "start " + program.path + ": descriptor number " +
                                              std::to_string(passed.to) + " cannot be passed");
    }
  }
  return {};
}

Result<Plan> make_plan(const Program& program) {
  if (auto checked = check(program); !checked) return tl::unexpected(checked.error());
  Plan plan;
  plan.program = &program;
  plan.arguments = pointers_to(program.arguments);
  plan.environment = pointers_to(program.environment);
  plan.sources.resize(program.passed.size(), -1);
  for (const PassedFd& passed : program.passed) plan.floor = std::max(plan.floor, passed.to + 1);
  if (program.sandbox) {
    auto sandbox = PreparedSandbox::prepare(*program.sandbox);
    if (!sandbox) return tl::unexpected(sandbox.error());
    plan.sandbox = std::move(*sandbox);
  }
  return plan;
}

// Not a pipe: writing to a child that failed in its first steps must not be a signal.
Result<void> make_gate(Plan& plan) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
    return fail_errno("start", plan.program->path);
  }
  plan.gate_of_child.reset(ends[0]);
  plan.gate_of_parent.reset(ends[1]);
  return {};
}

Result<void> admit(Plan& plan, pid_t pid) {
  if (!plan.program->admit) return {};
  auto admitted = plan.program->admit(pid);
  // A child that has ended already has said why.
  if (admitted)
    retry_on_eintr([&] { return ::send(plan.gate_of_parent.get(), "", 1, MSG_NOSIGNAL); });
  return admitted;
}

}  // namespace

Result<Child> spawn(const Program& program) {
  auto plan = make_plan(program);
  if (!plan) return tl::unexpected(plan.error());
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail_errno("start", program.path);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  plan->report_fd = writing.get();
  if (program.admit) {
    if (auto made = make_gate(*plan); !made) return tl::unexpected(made.error());
  }

  const pid_t pid = fork_and_run(*plan);
  if (pid < 0) return fail_errno("start: fork for", program.path);
  writing.reset();
  ::setpgid(pid, pid);  // here too: whoever signals the group need not wait for the child
  auto pidfd = open_pidfd(pid);
  auto admitted = pidfd ? admit(*plan, pid) : Result<void>(tl::unexpected(pidfd.error()));
  plan->gate_of_parent.reset();  // it waits no more, whatever came of it
  auto left_out = read_reports(reading.get(), program.path);
  if (admitted && left_out) return Child{pid, std::move(*pidfd), std::move(*left_out)};

  ::kill(pid, SIGKILL);  // our own child, not yet reaped: the number is still its own
  retry_on_eintr([&] { return ::waitpid(pid, nullptr, 0); });
  return tl::unexpected(admitted ? left_out.error() : admitted.error());
}

Result<std::string> find_program(const std::string& command, std::string_view search_path,
                                 const std::string& working_folder) {
  namespace fs = std::filesystem;
  const fs::path base = working_folder.empty() ? fs::current_path() : fs::path(working_folder);
  bool seen = false;
  const auto try_path = [&](const fs::path& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return false;
    seen = true;
    return ::access(path.c_str(), X_OK) == 0;
  };
  if (command.find('/') != std::string::npos) {
    fs::path path = (base / command).lexically_normal();
    if (try_path(path)) return path.string();
  } else if (!command.empty()) {
    for (std::size_t at = 0; at <= search_path.size();) {
      const std::size_t end = std::min(search_path.find(':', at), search_path.size());
      fs::path path = (base / search_path.substr(at, end - at) / command).lexically_normal();
      if (try_path(path)) return path.string();
      at = end + 1;
    }
  }
  if (seen) return fail(Errc::denied, "program " + command + ": not executable");
  return fail(Errc::not_found, "program " + command);
}

}  // namespace sessionblocks::platform
