#include "neighbour.hpp"

#include "local.hpp"
#include "workload.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace sessionblocks::bench {
namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) std::abort();
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  platform::UniqueFd read;
  platform::UniqueFd write;
};

}  // namespace

Neighbour::Neighbour(std::vector<std::string> environment, const std::string& block,
                     const std::string& operation) {
  Pipe stop;
  Pipe ready;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, stop.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, ready.write.get(), 1);
  std::string program = "sessionbench";
  std::string mode = "neighbour";
  std::string block_name = block;
  std::string operation_name = operation;
  char* arguments[] = {program.data(), mode.data(), block_name.data(), operation_name.data(),
                       nullptr};
  std::vector<char*> variables;
  for (auto& entry : environment) variables.push_back(entry.data());
  variables.push_back(nullptr);
  const int failed =
      ::posix_spawn(&pid_, "/proc/self/exe", &actions, nullptr, arguments, variables.data());
  posix_spawn_file_actions_destroy(&actions);
  ready.write.reset();
  char byte = 0;
  if (failed != 0 || ::read(ready.read.get(), &byte, 1) != 1) {
    std::fputs("sessionbench: the second process did not start\n", stderr);
    std::exit(1);
  }
  stop_ = std::move(stop.write);
}

Neighbour::~Neighbour() {
  stop_.reset();
  int status = 0;
  ::waitpid(pid_, &status, 0);
}

int run_neighbour(const char* block_name, const char* operation) {
  auto session = Session::attach();
  if (!session) Workload::die(session.error());
  auto block = session->open(block_name);
  if (!block) Workload::die(block.error());
  Workload workload(*session, *block, operation, "neighbour", 1);
  if (::write(1, "r", 1) != 1) return 1;
  for (;;) {
    pollfd input{0, POLLIN, 0};
    if (::poll(&input, 1, 0) != 0) return 0;
    for (int i = 0; i < 10'000; ++i) workload.run_once();
  }
}

}  // namespace sessionblocks::bench
