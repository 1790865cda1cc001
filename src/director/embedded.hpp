// A director on a thread of this process, for SessionSystem::embedded().
//
// Its segments lose their names as soon as they are made, so a crash of the process leaves nothing
// in /dev/shm; a fresh runtime folder of an empty system may stay in /tmp then.
#pragma once

#include <filesystem>
#include <memory>
#include <sessionblocks/error.hpp>
#include <thread>

#include "director/director.hpp"

namespace sessionblocks::director {

struct EmbeddedSetup {
  std::filesystem::path runtime_directory;  // empty: a fresh one
  std::uint64_t ring_records = std::uint64_t{1} << 16U;
  std::uint64_t budget_bytes = 0;  // of all blocks; 0: no bound
  MakeAuditSink make_audit;
  std::shared_ptr<EventSink> events;
  MakeGuard make_guard;  // none: nobody watches
  GuardClock guard_clock;
};

class EmbeddedDirector {
 public:
  [[nodiscard]] static Result<std::unique_ptr<EmbeddedDirector>> start(EmbeddedSetup setup);
  // In the process that started it: stops and waits. In a forked child: does nothing, for there
  // is no thread, and the system is the parent's.
  ~EmbeddedDirector();
  EmbeddedDirector(const EmbeddedDirector&) = delete;
  EmbeddedDirector& operator=(const EmbeddedDirector&) = delete;

  [[nodiscard]] Director& director() noexcept { return *director_; }

 private:
  explicit EmbeddedDirector(std::unique_ptr<Director> director);

  std::unique_ptr<Director> director_;
  std::thread thread_;
  pid_t owner_;
};

}  // namespace sessionblocks::director
