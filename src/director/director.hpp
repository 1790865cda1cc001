// FlowDirector: one session system from its start to its end.
//
// It owns the event loop, the socket, the processes of a suite, and the registry of everything
// else. start() leaves a system that works or nothing; run() directs it until stop(), the end of
// the suite, or a signal; then nothing of it is left in /dev/shm or the runtime folder (logs stay).
//
// Threads: start(), run() and the destructor from one thread at a time; stop(), call() and
// socket() from any.
// What a crash leaves: a system that the next start adopts or sweeps (adoption.hpp).
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>

#include "director/launcher.hpp"
#include "director/registry.hpp"
#include "director/script_runner.hpp"
#include "director/suite.hpp"

namespace sessionblocks::director {

struct DirectorOptions {
  std::string system = "default";
  std::filesystem::path runtime_directory;  // empty: the usual one (runtime_paths.hpp)
  std::filesystem::path state_directory;    // empty: in the runtime folder (state_folder.hpp)
  std::optional<Suite> suite;               // checked before; none: an empty system of this name
  std::string root;                         // name of the root scope without a suite; empty: system
  Naming naming = Naming::named;
  std::uint64_t ring_records = layout::kDefaultRingRecords;  // where the suite says nothing
  // For the quotas of all blocks; 0: no bound. None: what the director before it had, or no bound.
  std::optional<std::uint64_t> budget_bytes;
  Confinement confinement = Confinement::sandbox;
  std::chrono::milliseconds grace{5'000};  // between SIGTERM and SIGKILL
  bool ends_with_suite = false;            // "run"; else it goes on without scripts
  bool makes_scopes = false;               // operators may attach to scopes that are not there yet
  bool handles_signals = false;            // SIGTERM and SIGINT stop it in order
  std::shared_ptr<DataPlane> data_plane;   // none: the real one, src/segment
  MakeAuditSink make_audit;                // none: records are drained and dropped
  std::shared_ptr<EventSink> events;       // none: silent
  MakeGuard make_guard;                    // none: nobody watches
  GuardClock guard_clock;                  // none: the usual one
};

class Director {
 public:
  // already_running: another process directs this system (its pid is in the message);
  // layout_mismatch; out_of_memory; denied and io_error for the runtime folder.
  [[nodiscard]] static Result<std::unique_ptr<Director>> start(DirectorOptions options);
  // Ends what run() has not ended, without a grace.
  ~Director();
  Director(const Director&) = delete;
  Director& operator=(const Director&) = delete;

  struct Outcome {
    SuiteOutcome suite = SuiteOutcome::well;
    bool was_stopped = false;  // before the suite had ended
  };
  Outcome run();
  void stop();

  // Runs `work` between two events of the loop and waits for it. Not from the loop's own thread.
  void call(const std::function<void(Registry&)>& work);

  [[nodiscard]] std::string socket() const;
  // A launch token for the scope, which is made when it is not there and `makes_scopes` is set.
  [[nodiscard]] Result<std::string> token_for_scope(std::string_view path);

 private:
  class Core;
  explicit Director(std::unique_ptr<Core> core) noexcept;
  std::unique_ptr<Core> core_;
};

}  // namespace sessionblocks::director
