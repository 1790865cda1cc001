// A session system whose director dies: its folder, its directors one after the other, the workers
// that live through all of them, and what must hold when everybody rests.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <sessionblocks/sessionblocks.hpp>
#include <set>
#include <string>
#include <vector>

#include "../director/raw_client.hpp"
#include "board.hpp"
#include "log_check.hpp"
#include "platform/process.hpp"

namespace sessionblocks::deaths {

namespace fs = std::filesystem;

// Every label of a SESSIONBLOCKS_CRASH in the sources, sorted.
[[nodiscard]] std::vector<std::string> labels_in_sources();

// Operations a second that a worker can do, and the test can read in the log before its budget
// removes them.
#ifdef __SANITIZE_ADDRESS__
inline constexpr std::uint64_t kModerateLoad = 4'000;
inline constexpr std::uint64_t kHeavyLoad = 8'000;
#else
inline constexpr std::uint64_t kModerateLoad = 20'000;
inline constexpr std::uint64_t kHeavyLoad = 50'000;
#endif

class Scene {
 public:
  // `scripts`: what the suite has besides its head and the block `cart`.
  explicit Scene(const std::string& scripts, bool ends_with_suite = false);
  ~Scene();
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  // A script of the suite: this program, under load.
  [[nodiscard]] static std::string load(const std::string& name, unsigned workers,
                                        const std::string& more = {});

  // --- directors
  // A director dies at `label`; with `then` the next one, or the one after it, at that.
  void arm(const std::string& label, const std::string& then = {});
  // False: a director has died there, or is about to.
  bool disarm() {
    shall_die_ = shall_die_ && board().armed.exchange(0) == 0;
    return !shall_die_;
  }
  [[nodiscard]] bool is_armed() const { return board().armed.load() != 0; }
  // Starts one and waits until it directs; false when it died by a crash point before that. One
  // that ends in any other way fails the test.
  // `kill_after`: killed then, unless it directs before.
  bool start_director(std::optional<std::chrono::microseconds> kill_after = {});
  // The same until one directs; those before it died at armed points.
  void start_until_directed();
  // If it died at an armed point, the next one is started.
  void go_on();
  // Whether there is one, and it is not about to die at the point where it shall.
  [[nodiscard]] bool is_directed();
  void kill_director();              // SIGKILL, and reaped
  void signal_director(int number);  // and nothing else
  void pause_director();             // SIGSTOP, and waits until it has stopped
  // Waits for its end. Whether it was a crash point's.
  bool await_director();
  [[nodiscard]] pid_t director_pid() const { return director_pid_; }

  // What the next director runs instead.
  void change_suite(const std::string& name, const std::string& scripts);
  // Leaves the log with the beginning of a frame at its end.
  void tear_log();

  // --- workers
  // Waits until `count` lives are at work, i.e. have done operations since now.
  void await_work(std::size_t count);
  void kill_workers();
  // Whether the script has no scope any more.
  [[nodiscard]] bool has_ended(const std::string& script) const;
  void await_progress();  // every living worker answers something
  [[nodiscard]] std::vector<Life*> living();
  [[nodiscard]] static bool lives(Life& life);
  // A worker that nobody starts again, in the scope of the script "victim".
  void start_victim();
  // The youngest victim that is at work; null when there is none, or the director dies first.
  [[nodiscard]] Life* await_victim();
  // Everybody rests, then all that must hold is checked, then everybody goes on.
  void check_at_rest();

  // --- the end: SIGTERM, and nothing is left
  void stop_and_check_nothing_left();
  void check_nothing_left();

  [[nodiscard]] Board& board() const { return *board_; }
  [[nodiscard]] AttachOptions attach_options() const;
  [[nodiscard]] const director::test::Surroundings& around() const { return around_; }
  [[nodiscard]] fs::path logs() const { return around_.directory() / "logs"; }
  [[nodiscard]] std::string said() const;  // the end of what the directors printed
  void check_lives();
  // Often: what the log's budget removes must have been read.
  void read_log();

 private:
  director::test::Surroundings around_;
  bool ends_with_suite_;
  Board* board_ = nullptr;
  bool shall_die_ = false;  // at the point that was armed
  pid_t director_pid_ = 0;
  platform::UniqueFd pidfd_;
  std::vector<platform::UniqueFd> victims_;
  std::unique_ptr<LogCheck> log_;
};

}  // namespace sessionblocks::deaths
