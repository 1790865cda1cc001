// One attached session: its segments, its lanes, its connection to the director.
#pragma once

#include "layout/control.hpp"
#include "platform/fork_guard.hpp"
#include "platform/mapping.hpp"
#include "session/director_client.hpp"
#include "session/lane.hpp"

#include <sessionblocks/session.hpp>

#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace sessionblocks {

class BlockHandle;

class SessionState : public std::enable_shared_from_this<SessionState> {
 public:
  [[nodiscard]] static Result<std::shared_ptr<SessionState>> attach(const AttachOptions& options);
  ~SessionState();

  [[nodiscard]] Result<std::shared_ptr<BlockHandle>> open(std::string_view name, AccessMode mode);
  [[nodiscard]] Result<void> create(const BlockOptions& options);
  [[nodiscard]] Result<void> destroy(std::string_view name);
  void close(std::uint16_t open) noexcept;  // a BlockHandle has ended
  // A block that we have open is damaged. Only a word in our own segment: no operation waits for
  // the director, and the director takes nobody's word for it.
  void report_damage() noexcept {
    reinterpret_cast<layout::WorkerHeader*>(worker_.data())
        ->damage_seen.fetch_add(1, std::memory_order_release);
  }

  // The calling thread's lane if it used this session last; nullptr: lane() knows.
  [[nodiscard]] Lane* cached() const noexcept {
    const Cached& last = cached_;
    return last.serial == serial_ ? last.lane : nullptr;
  }
  // The calling thread's lane; nullptr with `code` set when there is none.
  [[nodiscard]] Lane* lane(Errc& code) {
    Lane* known = cached();
    return known != nullptr ? known : take_lane(code);
  }
  [[nodiscard]] bool is_forked() const noexcept { return platform::fork_epoch() != fork_epoch_; }
  [[nodiscard]] LaneSet& lanes() noexcept { return *lanes_; }
  [[nodiscard]] const layout::ControlSegment& control() const noexcept {
    return *reinterpret_cast<const layout::ControlSegment*>(control_.data());
  }
  [[nodiscard]] std::uint64_t hash_seed() const noexcept { return hash_seed_; }
  [[nodiscard]] const std::string& scope() const noexcept { return scope_; }
  [[nodiscard]] const std::string& system() const noexcept { return system_; }
  [[nodiscard]] unsigned slot() const noexcept { return slot_; }
  [[nodiscard]] std::uint32_t worker_id() const noexcept { return worker_id_; }

 private:
  SessionState(std::string socket, std::chrono::milliseconds limit)
      : client_(std::move(socket), limit) {}
  [[nodiscard]] Result<void> attach_with(Message hello);
  [[nodiscard]] Result<void> map_control(Reply& reply);
  [[nodiscard]] Result<void> map_worker();
  [[nodiscard]] Lane* take_lane(Errc& code);
  friend struct ThreadLanes;

  // The lane of the session that this thread used last: one comparison on the hot path.
  // constinit: no call of an initialiser before each use.
  struct Cached {
    std::uint64_t serial;
    Lane* lane;
  };
  static constinit thread_local Cached cached_;

  DirectorClient client_;
  std::uint64_t serial_ = 0;  // of this process, never reused
  std::uint64_t fork_epoch_ = 0;
  std::uint64_t hash_seed_ = 0;
  std::string system_;
  std::string scope_;
  unsigned slot_ = 0;
  std::uint32_t worker_id_ = 0;
  platform::Mapping control_;
  platform::Mapping worker_;
  std::unique_ptr<LaneSet> lanes_;
  std::mutex mutex_;
  std::map<std::pair<std::string, int>, std::weak_ptr<BlockHandle>> handles_;
};

// The socket that options, environment and defaults name.
[[nodiscard]] std::string socket_path(const AttachOptions& options);

}  // namespace sessionblocks
