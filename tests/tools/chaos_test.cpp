#include "chaos.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdint>
#include <optional>

#include "temporary_folder.hpp"

namespace {

constexpr unsigned kWatchdogS = 60;

// A worker that commits for as long as it lives; `commits` bounds a life without a ticket.
pid_t start_worker(const std::filesystem::path& path, std::uint64_t commits) {
  const pid_t pid = fork();
  if (pid != 0) return pid;
  alarm(kWatchdogS);
  const auto board = demo::open_chaos_board(path);
  if (!board) _exit(1);
  demo::ChaosWatch watch(*board, 3);
  for (std::uint64_t line = 1; line <= commits; ++line) {
    watch.before(demo::Operation::count_page, line);
    watch.committed();
  }
  watch.finished();
  _exit(0);
}

demo::Kill kill_one(demo::ChaosBoard& board) {
  for (;;) {
    if (const auto kill = demo::kill_next(board)) return *kill;
    usleep(100);
  }
}

}  // namespace

TEST_CASE("a worker with a ticket is killed after its commits and not much later") {
  alarm(kWatchdogS);
  const TemporaryFolder folder;
  const auto path = folder.path() / "board";
  const auto board = demo::create_chaos_board(path);
  REQUIRE(board);
  board->tickets = 1;
  board->kill_after[0] = 500;
  board->run_on = 20;
  CHECK_FALSE(demo::kill_next(*board));

  const pid_t pid = start_worker(path, 1'000'000);
  const demo::Kill kill = kill_one(*board);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  CHECK(kill.pid == static_cast<std::uint32_t>(pid));
  CHECK(kill.slot == 3);
  CHECK(kill.commits >= 500);
  CHECK(kill.commits <= 520);
  CHECK(kill.operation == demo::Operation::count_page);
  // Killed between storing the line and counting the commit, it is one line ahead.
  CHECK(kill.line >= kill.commits);
  CHECK(kill.line <= kill.commits + 1);

  // The next process of the slot finds no ticket and ends by itself.
  const pid_t next = start_worker(path, 100);
  REQUIRE(waitpid(next, &status, 0) == next);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK_FALSE(demo::kill_next(*board));
  alarm(0);
}

TEST_CASE("a worker that runs out of work with a ticket left is killed where it is") {
  alarm(kWatchdogS);
  const TemporaryFolder folder;
  const auto path = folder.path() / "board";
  const auto board = demo::create_chaos_board(path);
  REQUIRE(board);
  board->tickets = 1;
  board->kill_after[0] = 500;
  const pid_t pid = start_worker(path, 100);
  const demo::Kill kill = kill_one(*board);
  int status = 0;
  REQUIRE(waitpid(pid, &status, 0) == pid);
  CHECK(WIFSIGNALED(status));
  CHECK(kill.commits == 100);
  CHECK(kill.operation == demo::Operation::idle);
  alarm(0);
}

TEST_CASE("tickets fit into the commits that there are") {
  const TemporaryFolder folder;
  const auto board = demo::create_chaos_board(folder.path() / "board");
  REQUIRE(board);
  for (const std::uint64_t lines : {1'000U, 10'000U, 500'000U}) {
    demo::draw_tickets(*board, 20, lines, 7);
    REQUIRE(board->tickets == 20);
    std::uint64_t sum = 0;
    for (std::size_t ticket = 0; ticket < 20; ++ticket) {
      REQUIRE(board->kill_after[ticket] > 0);
      sum += board->kill_after[ticket] + board->run_on;
    }
    CHECK(sum <= lines);
  }
}
