// A session system of its own for one test: flowdirector as a process, an operator's connection,
// sessionctl to look with. The test stays a process of one thread, so it may fork.
//
// Its end stops the director and fails the test when anything of the system is left.
#pragma once

#include <sessionblocks/sessionblocks.hpp>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "../director/raw_client.hpp"
#include "process.hpp"

namespace sessionblocks::stage {

using director::test::RawClient;
using director::test::Surroundings;

struct StageOptions {
  Limits limits;      // of the director
  std::string suite;  // what follows [suite] in a suite file; empty: no suite
  std::string verb = "serve";
  bool is_verbose = true;
  std::vector<std::string> more;  // further words of its command line
};

// What is spent by a process until now.
struct Spent {
  double cpu_seconds = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t page_table_bytes = 0;
  std::size_t descriptors = 0;
};
[[nodiscard]] Spent spent_by(pid_t pid);

class Stage {
 public:
  explicit Stage(StageOptions options = {});
  ~Stage();
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  [[nodiscard]] std::string socket() const { return (around_.runtime() / "socket").native(); }
  [[nodiscard]] const std::string& system() const { return around_.system(); }
  [[nodiscard]] std::filesystem::path folder() const { return around_.directory(); }
  [[nodiscard]] std::filesystem::path logs() const { return around_.runtime() / "logs"; }
  [[nodiscard]] pid_t director_pid() const { return director_->pid(); }
  void pause_director() const;  // SIGSTOP, and waits until it has stopped
  [[nodiscard]] RawClient& operator_client() { return *operator_; }
  [[nodiscard]] bool director_has_ended() { return director_->has_ended(); }
  [[nodiscard]] int wait_for_director() { return director_->wait(); }

  // SIGKILL. Its connections are gone with it.
  void kill_director();
  // Another one of the same system, with other limits; its exit code if it does not stay, else 0.
  [[nodiscard]] int start_director(const Limits& limits);

  // Of scope SYSTEM/NAME, or of the suite's own scope.
  [[nodiscard]] AttachOptions place(const std::string& scope = {});
  [[nodiscard]] Session attach(const std::string& scope = {});
  // Owned by the suite's scope; every scope may read and write it.
  [[nodiscard]] Result<void> try_create(const std::string& name, std::uint64_t quota_bytes);
  void create(const std::string& name, std::uint64_t quota_bytes = std::uint64_t{8} << 20U);

  void destroy(const std::string& name);
  // As a worker of the suite's scope; the answer is never read.
  void ask_without_waiting(const nlohmann::json& request);
  [[nodiscard]] std::vector<std::string> segment_names() const { return around_.segments(); }
  [[nodiscard]] std::string prefix() const { return around_.prefix(); }

  // Pids of attached workers; the director's own and the one that creates blocks are left out.
  [[nodiscard]] std::vector<pid_t> workers();
  // Returns once there are so many; the watchdog bounds it.
  void wait_for_workers(std::size_t count);

  struct Looked {
    int code = -1;
    std::string out;
    [[nodiscard]] nlohmann::json json() const { return nlohmann::json::parse(out); }
  };
  // sessionctl with --system and --runtime-dir.
  [[nodiscard]] Looked ctl(const std::vector<std::string>& words) const;
  // What the director has said on its standard error.
  [[nodiscard]] std::string said() const;
  [[nodiscard]] std::size_t times_said(const std::string& text) const;
  void wait_until_said(const std::string& text);

  // The director answers, fsck finds nothing, /dev/shm holds the names of what lives and no other,
  // and nobody is attached but `workers`.
  void check_in_order(std::size_t workers = 0);
  // Stops the director; nothing but the logs is left. Also what the end of the stage does.
  void stop();

 private:
  void connect();
  [[nodiscard]] std::vector<nlohmann::json> list(const std::string& what);

  Surroundings around_;
  std::string root_;
  std::vector<std::string> words_;  // the director's command line
  std::optional<Process> director_;
  std::optional<RawClient> operator_;
  std::optional<RawClient> maker_;  // a worker of the suite's scope
};

}  // namespace sessionblocks::stage
