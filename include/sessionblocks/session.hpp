// Session: this process's membership of a session system, as one worker of one scope.
//
// A program that the director started finds everything in its environment:
//   SESSIONBLOCKS_SOCKET  the director's socket      SESSIONBLOCKS_SCOPE  the scope's path
//   SESSIONBLOCKS_TOKEN   for children of a worker: the launch token
// Data operations never need the director; attach, open, create and destroy ask it and answer
// `unreachable` while it is away. The session reconnects by itself.
//
// What a crash leaves: nothing that anyone must clean. The director sees the death, makes good
// what was under way, and frees what the worker held.
#pragma once

#include <sessionblocks/block.hpp>
#include <sessionblocks/error.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>

namespace sessionblocks {

class SessionState;  // src/session

struct AttachOptions {
  std::string socket;  // empty: SESSIONBLOCKS_SOCKET, then that of system "default"
  std::string scope;   // empty: SESSIONBLOCKS_SCOPE; what the director knows of us comes first
  std::string token;   // empty: SESSIONBLOCKS_TOKEN
  std::chrono::milliseconds time_limit{5'000};
};

enum class AccessMode : std::uint8_t { best = 0, read = 1, read_write = 2 };

// A block that a script asks for. The suite says what it may create (may_create).
struct BlockOptions {
  std::string name;
  std::string kind = "private";  // private | shared
  std::uint64_t quota_bytes = 64ULL << 20U;
  std::chrono::milliseconds lifespan{0};  // 0: with the scope
  std::string audit = "full";             // full | writes | counted
  std::string on_full_ring = "wait";      // wait | fail | count
};

class Session {
 public:
  // not_attached: no director is named or found; unreachable: it does not answer;
  // denied: it does not know this process; layout_mismatch: built against another layout.
  [[nodiscard]] static Result<Session> attach(AttachOptions options = {});
  explicit Session(std::shared_ptr<SessionState> state) noexcept;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  // Detaches once the last Block of the session has gone too.
  ~Session();

  // best: read-write where the grants allow it, else read-only.
  // no_such_block: no block of this name is visible to the scope; denied: no grant; unreachable.
  [[nodiscard]] Result<Block> open(std::string_view name, AccessMode mode = AccessMode::best);
  // not_permitted: the suite does not let this script create such a block; exists: taken;
  // out_of_memory: the machine or a budget cannot hold the quota. The block is opened read-write.
  [[nodiscard]] Result<Block> create(const BlockOptions& options);
  // Only a block that this scope owns. denied otherwise; no_such_block.
  [[nodiscard]] Result<void> destroy(std::string_view name);

  // The key with its hash, for every block of this system.
  [[nodiscard]] Key hashed(Key key) const noexcept;

  [[nodiscard]] const std::string& scope() const noexcept;  // e.g. "shop/checkout#2"
  [[nodiscard]] unsigned worker_slot() const noexcept;      // 2 in that example; 0 outside slots
  [[nodiscard]] std::uint32_t worker_id() const noexcept;
  [[nodiscard]] const std::string& system() const noexcept;

 private:
  std::shared_ptr<SessionState> state_;
};

}  // namespace sessionblocks
