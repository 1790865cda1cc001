// SessionSystem::embedded(): a director inside this process, with no daemon and no files that a
// crash could leave: segments are unlinked at once and known by descriptor only.
//
// For tests, for programs whose threads or forked children share state, and for trying things out.
// Other processes attach through socket(); the system ends with this object.
#pragma once

#include <sessionblocks/session.hpp>

#include <memory>
#include <string>
#include <vector>

namespace sessionblocks {

struct EmbeddedOptions {
  std::string runtime_directory;  // empty: a fresh one under $XDG_RUNTIME_DIR or /tmp
  std::string log_directory;      // of a log that is not signed; empty: drained, counted, no files
  std::uint64_t ring_records = 1ULL << 16U;  // per thread, a power of two, at least 256
  // A budget for the quotas of all blocks of this system, in bytes; 0: no bound. A block that does
  // not fit is refused when it is made (out_of_memory, and the message says who holds how much).
  std::uint64_t memory_bytes = 0;
};

class SessionSystem {
 public:
  class State;
  // io_error, out_of_memory, unsupported.
  [[nodiscard]] static Result<SessionSystem> embedded(EmbeddedOptions options = {});
  SessionSystem(SessionSystem&&) noexcept;
  SessionSystem& operator=(SessionSystem&&) noexcept;
  ~SessionSystem();

  // A worker of a new scope "embedded/NAME"; sessions of one process are separate workers.
  [[nodiscard]] Result<Session> attach(std::string_view scope = "main");
  // A block owned by the suite scope; `shared` blocks are granted to every scope of this system.
  [[nodiscard]] Result<void> create(const BlockOptions& options);
  [[nodiscard]] Result<void> destroy(std::string_view name);

  // What a child process needs in its environment to attach as `scope`, as NAME=value.
  [[nodiscard]] Result<std::vector<std::string>> environment(std::string_view scope);
  [[nodiscard]] const std::string& socket() const noexcept;

 private:
  explicit SessionSystem(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

}  // namespace sessionblocks
