#include "child.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string_view>

#include "core/crash_point.hpp"
#include "platform/process.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr int kIn = 0;
constexpr int kOut = 1;
constexpr const char* kBlock = "steps";

void answer() {
  const char done = 'd';
  static_cast<void>(::write(kOut, &done, 1));
}

[[noreturn]] void stay() {
  answer();
  while (true) ::pause();
}

void hold_write() {
#if defined(SESSIONBLOCKS_CRASH_POINTS)
  crash_hook() = [](const char* label) {
    if (std::string_view(label) == "write.before_commit") stay();
  };
#endif
}

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe: no descriptor is left");
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  platform::UniqueFd read;
  platform::UniqueFd write;
};

}  // namespace

bool can_hold_a_write() noexcept {
#if defined(SESSIONBLOCKS_CRASH_POINTS)
  return true;
#else
  return false;
#endif
}

std::string own_path() {
  return std::filesystem::read_symlink("/proc/self/exe").string();
}

int run_child() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  auto session = Session::attach();
  if (!session) return 1;
  BlockOptions options;
  options.name = kBlock;
  options.quota_bytes = std::uint64_t{1} << 20U;
  auto block = session->create(options);
  if (!block || !block->put("value", "of a step")) return 1;
  answer();
  char order = 0;
  while (::read(kIn, &order, 1) == 1) {
    if (order == static_cast<char>(Order::visit)) {
      static_cast<void>(block->visit("value", [](std::span<const std::byte>) { stay(); }));
    }
    if (order == static_cast<char>(Order::write)) hold_write();
    for (int i = 0; i < 10; ++i) {
      static_cast<void>(block->increment("steps"));
      static_cast<void>(block->get<std::string>("value"));
    }
    answer();
  }
  return 0;
}

ChildWorker::ChildWorker(System& system, const std::string& script) {
  Pipe to;
  Pipe from;
  const AttachOptions place = system.place(script);
  platform::Program program;
  program.path = own_path();
  program.arguments = {"guard_trial", "--worker"};
  program.environment = {"SESSIONBLOCKS_SOCKET=" + place.socket,
                         "SESSIONBLOCKS_SCOPE=" + place.scope,
                         "SESSIONBLOCKS_TOKEN=" + place.token};
  program.standard_input = to.read.get();
  program.standard_output = from.write.get();
  child_ = must(platform::spawn(program));
  to_ = std::move(to.write);
  from_ = std::move(from.read);
  from.write.reset();
  char ready = 0;
  if (::read(from_.get(), &ready, 1) != 1) throw std::runtime_error("a worker did not attach");
  system.call([&](director::Registry& registry) {
    for (const WorkerId id : registry.workers.of_process(child_.pid)) worker_ = raw(id);
    for (const auto& [id, block] : registry.blocks.all()) {
      if (block.policy.name == kBlock) block_text_ = block.text();
    }
  });
}

ChildWorker::~ChildWorker() {
  kill_and_reap();
}

void ChildWorker::order(Order what) {
  const char word = static_cast<char>(what);
  char done = 0;
  if (::write(to_.get(), &word, 1) != 1 || ::read(from_.get(), &done, 1) != 1) {
    throw std::runtime_error("a worker has ended");
  }
}

void ChildWorker::signal(int number) {
  if (child_.pid > 0) ::kill(child_.pid, number);
}

void ChildWorker::kill_and_reap() {
  if (child_.pid <= 0) return;
  ::kill(child_.pid, SIGKILL);
  int status = 0;
  while (::waitpid(child_.pid, &status, 0) < 0 && errno == EINTR) {
  }
  child_.pid = 0;
}

}  // namespace sessionblocks::guard_trial
