// One attached session: its segments, its lanes, its connection to the director.
#pragma once

#include "layout/control.hpp"
#include "platform/fork_guard.hpp"
#include "platform/mapping.hpp"
#include "session/director_client.hpp"
#include "session/lane.hpp"

#include <sessionblocks/session.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sessionblocks {

class BlockHandle;

// The number of a flow scope, given by us; through none: as the session's own scope.
using FlowNumber = std::uint64_t;
inline constexpr FlowNumber kNoFlow = 0;

struct Wanted {
  FlowNumber flow = kNoFlow;
  std::string name;
  AccessMode mode = AccessMode::best;
  friend auto operator<=>(const Wanted&, const Wanted&) = default;
};

struct EnteredFlow {
  FlowNumber number = kNoFlow;
  std::string path;
};

class SessionState : public std::enable_shared_from_this<SessionState> {
 public:
  [[nodiscard]] static Result<std::shared_ptr<SessionState>> attach(const AttachOptions& options);
  ~SessionState();

  [[nodiscard]] Result<std::shared_ptr<BlockHandle>> open(const Wanted& wanted);
  [[nodiscard]] Result<void> create(const BlockOptions& options, FlowNumber flow = kNoFlow);
  // A request about a block that the scope, or that flow scope, owns.
  [[nodiscard]] Result<void> ask(std::string_view op, std::string_view name,
                                 FlowNumber flow = kNoFlow, Message fields = Message::object());
  // session_scopes.cpp
  [[nodiscard]] Result<EnteredFlow> enter_scope(std::string_view name, FlowNumber outer = kNoFlow);
  [[nodiscard]] Result<void> leave_scope(FlowNumber flow);
  [[nodiscard]] Result<std::string> start_script(std::string_view name,
                                                 const std::vector<std::string>& arguments);
  // About a block that is open, by the op's name; the reply's fields. gone: it is not any more.
  [[nodiscard]] Result<Message> ask_of(const BlockHandle& block, std::string_view op,
                                       Message fields);
  [[nodiscard]] Result<Block> fork(const BlockLink& block, std::string_view name, FlowNumber flow);
  [[nodiscard]] Result<JoinReport> join(const BlockLink& fork, const JoinOptions& options);
  // references.cpp
  [[nodiscard]] Result<std::string> share(const BlockHandle& block, const ShareOptions& options);
  [[nodiscard]] Result<std::shared_ptr<BlockHandle>> redeem(std::string_view reference);
  // kept_blocks.cpp
  [[nodiscard]] Result<SnapshotInfo> snapshot(std::string_view block, std::string_view file);
  [[nodiscard]] Result<void> restore(std::string_view file, std::string_view name,
                                     std::string_view block);
  [[nodiscard]] Result<std::uint64_t> elevate(std::string_view block);
  [[nodiscard]] Result<void> load(std::string_view datablock, std::string_view name);
  [[nodiscard]] Result<void> delete_snapshot(std::string_view file);
  [[nodiscard]] Result<void> delete_datablock(std::string_view datablock);
  void close(std::uint16_t open) noexcept;  // a BlockHandle has ended
  // succession.cpp: nullptr: there is none.
  [[nodiscard]] Result<BlockHandle*> successor_of(BlockHandle& handle, Errc code);
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
  [[nodiscard]] Result<void> leave_what_was_given_up();
  void retire_superseded();
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
  std::map<Wanted, std::weak_ptr<BlockHandle>> handles_;
  std::vector<std::weak_ptr<BlockHandle>> superseded_;  // not closed yet
  std::mutex flows_mutex_;
  FlowNumber last_flow_ = kNoFlow;
  std::atomic<std::uint64_t> last_start_{0};
  // Flow scopes that are perhaps there and that nobody here is in: an answer was not heard.
  std::vector<FlowNumber> given_up_;
};

// The socket that options, environment and defaults name.
[[nodiscard]] std::string socket_path(const AttachOptions& options);

}  // namespace sessionblocks
