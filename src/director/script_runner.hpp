// Runs the scripts of a suite: scopes, their blocks, worker processes, restarts, time limits, ends.
//
// Scripts start with the suite, with their parent, or when a worker of their parent asks for it.
//
//   slot:   starting -> running -> (died) -> resting -> running ... -> ended
//   script: running -> ending (time limit, operator, stop) -> ended
//
// A slot ends when its process has ended and no restart is due; a script when all its slots and
// child scripts have; the suite when all scripts have. Ending is SIGTERM, a grace, SIGKILL.
// Blocks are there before a process starts, and are destroyed after its last one is gone.
#pragma once

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "director/event_loop.hpp"
#include "director/launcher.hpp"
#include "director/operator_key.hpp"
#include "director/registry.hpp"
#include "director/requests.hpp"
#include "director/start_records.hpp"
#include "director/suite.hpp"

namespace sessionblocks::director {

enum class SuiteOutcome : std::uint8_t { well, failed, timed_out };

class ScriptRunner {
 public:
  struct Parts {
    EventLoop& loop;
    Registry& registry;
    const OperatorKey& key;
    Launcher& launcher;
    const Suite& suite;
    std::chrono::milliseconds grace;
    std::function<void(SuiteOutcome)> on_done;  // all scripts have ended
    std::function<void(WorkerId, std::string_view)> end_worker;
  };
  explicit ScriptRunner(Parts parts) : parts_(std::move(parts)) {}

  // Makes scopes and blocks, then starts every script that starts with the suite. On an error
  // nothing was started; what was made is in the registry, which the caller empties.
  [[nodiscard]] Result<void> start();
  // Over what adoption found: takes living processes over, starts those that died meanwhile. What
  // has no scope any more had ended before, and is not started again.
  [[nodiscard]] Result<void> resume();

  // Starts a child script of the asking worker's script, or for an operator, with what starts with
  // it; its path. Asked for again by the same request, nothing is done. no_such_scope: no such
  // script, or its parent is ending or does not run; not_permitted: another script's child, or one
  // that starts with the suite; exists: it has not ended; what create_block and Launcher say, and
  // then what was begun is ended.
  [[nodiscard]] Result<std::string> start_on_request(const StartRequest& request);
  [[nodiscard]] StartStatus status_of(const std::string& script, std::uint64_t number) const;

  // Asks every process of the scope and below to end, and kills those that do not.
  [[nodiscard]] Result<void> end_scope(ScopeId scope, std::string_view why);
  void end_all(std::string_view why);

  // What this process was started as; nothing if it was not, or has ended.
  [[nodiscard]] std::optional<StartedAs> started_as(const platform::ProcessIdentity& process) const;
  // The process behind a launch token, while it runs.
  [[nodiscard]] std::optional<platform::ProcessIdentity> launched(WorkerId launch) const;
  // A worker is about to end: perhaps its slot's last. If its process lives (it detached, or became
  // another program), a new row keeps it known, at every instant, to a director that adopts.
  void on_worker_ending(WorkerId worker);

 private:
  struct Script;
  struct Slot {
    Script* script = nullptr;
    ScopeId scope{};
    std::uint16_t number = 0;
    WorkerId worker{};  // the row that stands for the process that runs now
    WorkerId launch{};  // whom its launch token names
    bool detached_in_order = false;
    platform::ProcessIdentity process;
    platform::UniqueFd pidfd;
    FdWatch watch;
    Timer rest;
    std::deque<std::chrono::steady_clock::time_point> restarts;
    std::uint32_t restart_count = 0;
    int exit_code = 1;  // of its last process, as a shell says it
    bool is_running = false;
    bool is_child = false;  // adopted processes are not
    bool has_ended = false;
  };
  struct Script {
    const ScriptSpec* spec = nullptr;
    ScopeId scope{};
    std::vector<std::unique_ptr<Slot>> slots;
    std::vector<std::string> arguments;  // after those of its command
    std::uint64_t number = 0;            // of the request that started it
    std::optional<int> exit_code;        // of the first slot that failed for good; 124: time limit
    Timer time_limit;
    Timer kill;
    bool is_ending = false;
    bool has_ended = false;
    bool ended_unseen = false;  // a process of it that an earlier director had started
  };

  [[nodiscard]] Result<void> prepare_suite();
  [[nodiscard]] Result<void> prepare(const ScriptSpec& spec);
  [[nodiscard]] Result<void> prepare_slot(Script& script, std::uint16_t number);
  [[nodiscard]] Result<void> make_blocks(ScopeId scope, const std::vector<BlockRequest>& requests);
  // The scope with this place in the tree, made unless the suite resumes: then 0 when there is
  // none.
  [[nodiscard]] Result<ScopeId> scope_for(sessionblocks::ScopeKind kind, ScopeId parent,
                                          std::string_view name, std::uint16_t slot);
  [[nodiscard]] Result<void> launch(Slot& slot);
  [[nodiscard]] Result<void> admit(Slot& slot, WorkerId id, pid_t pid);
  // An error: the slot has ended.
  [[nodiscard]] Result<void> launch_or_end(Slot& slot);
  void take_over(Slot& slot);
  void keep_known(Slot& slot);
  void watch(Slot& slot);
  void on_exit(Slot& slot);
  [[nodiscard]] bool has_detached(const Slot& slot, const std::vector<WorkerId>& workers) const;
  [[nodiscard]] bool restart_is_due(Slot& slot, bool succeeded) const;
  void restart_later(Slot& slot);
  void end_slot(Slot& slot, bool succeeded, std::string_view how);
  void begin_end(Script& script, std::string_view why);
  void signal_all(Script& script, int number);
  void end_finished_scopes();
  [[nodiscard]] Script* script_at(ScopeId scope);
  // script_runner_request.cpp
  [[nodiscard]] StartRecords records() const;
  [[nodiscard]] Result<const ScriptSpec*> startable(const std::string& script) const;
  [[nodiscard]] Result<const Scope*> parent_of(const ScriptSpec& spec,
                                               const StartRequest& request) const;
  [[nodiscard]] Result<void> prepare_and_launch(const ScriptSpec& spec,
                                                const StartRequest& request);
  void resume_requested(Script& script);

  Parts parts_;
  std::vector<std::unique_ptr<Script>> scripts_;  // parents before children
  bool any_failed_ = false;
  bool any_timed_out_ = false;
  bool is_resuming_ = false;
  bool is_stopping_ = false;
  bool is_done_ = false;
};

}  // namespace sessionblocks::director
