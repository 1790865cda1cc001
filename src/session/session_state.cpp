#include "session/session_state.hpp"

#include "layout/layout_hash.hpp"
#include "platform/membarrier.hpp"
#include "segment/format.hpp"
#include "session/block_handle.hpp"
#include "session/succession.hpp"

#include <algorithm>
#include <atomic>
#include <vector>

namespace sessionblocks {

constinit thread_local SessionState::Cached SessionState::cached_ = {0, nullptr};

// The lanes that this thread has taken, given back when the thread ends.
struct ThreadLanes {
  struct Taken {
    std::uint64_t serial;
    std::weak_ptr<SessionState> session;
    Lane* lane;
  };
  std::vector<Taken> taken;

  ~ThreadLanes() {
    for (const Taken& entry : taken) {
      const auto session = entry.session.lock();
      if (session && !session->is_forked()) session->lanes_->give_back(*entry.lane);
    }
  }
  static ThreadLanes& mine() {
    static thread_local ThreadLanes lanes;
    return lanes;
  }
};

Lane* SessionState::take_lane(Errc& code) {
  auto& mine = ThreadLanes::mine();
  std::erase_if(mine.taken, [](const auto& entry) { return entry.session.expired(); });
  Lane* lane = nullptr;
  for (const auto& entry : mine.taken) {
    if (entry.serial == serial_) lane = entry.lane;
  }
  if (lane == nullptr) {
    auto taken = lanes_->take();
    if (!taken) {
      code = taken.error().code();
      return nullptr;
    }
    lane = *taken;
    mine.taken.push_back({serial_, weak_from_this(), lane});
  }
  cached_ = {serial_, lane};
  return lane;
}

Result<std::shared_ptr<SessionState>> SessionState::attach(const AttachOptions& options) {
  const std::string socket = socket_path(options);
  if (socket.empty()) {
    return fail(Errc::not_attached, "SESSIONBLOCKS_SOCKET is not set and no system is running");
  }
  static std::atomic<std::uint64_t> next_serial{1};
  std::shared_ptr<SessionState> state(new SessionState(socket, options.time_limit));
  state->serial_ = next_serial.fetch_add(1);
  state->fork_epoch_ = platform::arm_fork_guard();
  if (auto barrier = platform::register_for_membarrier(); !barrier) {
    return tl::unexpected(barrier.error());
  }
  Message hello = {{"op", "attach"},
                   {"protocol", 1},
                   {"layout", layout::layout_hash()},
                   {"layout_version", {layout::kLayoutMajor, layout::kLayoutMinor}}};
  const auto named = [](const std::string& given, const char* variable) {
    const char* from_environment = given.empty() ? std::getenv(variable) : nullptr;
    return from_environment != nullptr ? std::string(from_environment) : given;
  };
  if (const auto scope = named(options.scope, "SESSIONBLOCKS_SCOPE"); !scope.empty()) {
    hello["scope"] = scope;
  }
  if (const auto token = named(options.token, "SESSIONBLOCKS_TOKEN"); !token.empty()) {
    hello["token"] = token;
  }
  if (auto attached = state->attach_with(std::move(hello)); !attached) {
    return tl::unexpected(attached.error());
  }
  return state;
}

Result<void> SessionState::attach_with(Message hello) {
  client_.introduce_with(hello);
  auto reply = client_.connect();
  if (!reply) return tl::unexpected(reply.error());
  if (auto mapped = map_control(**reply); !mapped) return mapped;
  hello["worker"] = worker_id_;
  client_.introduce_with(std::move(hello));
  return map_worker();
}

Result<void> SessionState::map_control(Reply& reply) try {
  const Message& fields = reply.fields;
  system_ = fields.at("system").get<std::string>();
  scope_ = fields.at("scope").get<std::string>();
  slot_ = fields.value("slot", 0U);
  worker_id_ = fields.at("worker").get<std::uint32_t>();
  if (fields.at("control_bytes").get<std::uint64_t>() < sizeof(layout::ControlSegment)) {
    return fail(Errc::layout_mismatch, "the control segment is smaller than this build's");
  }
  auto control = reply.map(sizeof(layout::ControlSegment), platform::Access::read_only);
  if (!control) return tl::unexpected(control.error());
  control_ = std::move(*control);
  hash_seed_ = this->control().header.hash_seed;
  return segment::check_identity(this->control().header.identity, layout::Magic::control);
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to attach: ") + error.what());
}

Result<void> SessionState::map_worker() try {
  auto reply = client_.request({{"op", "worker_segment"}});
  if (!reply) return tl::unexpected(reply.error());
  const auto bytes = reply->fields.at("bytes").get<std::uint64_t>();
  const auto records = reply->fields.at("ring_records").get<std::uint64_t>();
  if (records < layout::kMinRingRecords || records > (std::uint64_t{1} << 32U) ||
      bytes < layout::worker_bytes(records)) {
    return fail(Errc::malformed, "reply to worker_segment: sizes do not fit");
  }
  auto worker = reply->map(layout::worker_bytes(records), platform::Access::read_write);
  if (!worker) return tl::unexpected(worker.error());
  worker_ = std::move(*worker);
  const segment::WorkerMemory memory(worker_.data(), records);
  if (auto known = segment::check_identity(memory.header().identity, layout::Magic::worker);
      !known) {
    return known;
  }
  lanes_ = std::make_unique<LaneSet>(memory, worker_, static_cast<WorkerId>(worker_id_));
  return {};
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to worker_segment: ") + error.what());
}

SessionState::~SessionState() {
  // A forked child has the mappings no more (MADV_DONTFORK) and must not speak for its parent.
  if (is_forked() || !lanes_) return;
  if (cached() != nullptr) cached_ = {0, nullptr};
  lanes_->give_back_all();
  reinterpret_cast<layout::WorkerHeader*>(worker_.data())
      ->finished.store(1, std::memory_order_release);
  (void)client_.request({{"op", "detach"}});
}

Result<std::shared_ptr<BlockHandle>> SessionState::open(const Wanted& wanted) {
  if (is_forked()) return fail(Errc::forked);
  const std::lock_guard lock(mutex_);
  retire_superseded();
  auto& known = handles_[wanted];
  if (auto handle = known.lock(); handle && handle->is_current()) return handle;
  auto handle = BlockHandle::open(shared_from_this(), client_, wanted);
  if (handle) known = *handle;
  return handle;
}

Result<Message> SessionState::ask_of(const BlockHandle& block, std::string_view op,
                                     Message fields) {
  if (is_forked()) return fail(Errc::forked);
  fields["op"] = op;
  fields["open"] = block.open_index();
  fields["block"] = block.id();
  fields["generation"] = block.generation();
  auto reply = client_.request(std::move(fields));
  if (!reply) return tl::unexpected(reply.error());
  return std::move(reply->fields);
}

Result<void> SessionState::create(const BlockOptions& options, FlowNumber flow) {
  if (is_forked()) return fail(Errc::forked);
  Message request = {{"op", "create"},
                     {"name", options.name},
                     {"kind", options.kind},
                     {"quota", options.quota_bytes},
                     {"lifespan_ms", options.lifespan.count()},
                     {"idle_ms", options.idle.count()},
                     {"at_end", options.at_end},
                     {"heir", options.heir},
                     {"audit", options.audit},
                     {"on_full_ring", options.on_full_ring},
                     {"enforce", options.enforce},
                     {"at_limit", options.at_limit},
                     {"log_values", options.log_values ? 1 : 0},
                     {"permit", options.permit},
                     {"sensitive", options.sensitive}};
  if (flow != kNoFlow) request["flow"] = flow;
  auto reply = client_.request(std::move(request));
  if (!reply) return tl::unexpected(reply.error());
  // The name may mean another block now: a flow scope's comes before that of a scope around it.
  const std::lock_guard lock(mutex_);
  std::erase_if(handles_, [&](const auto& known) { return known.first.name == options.name; });
  return {};
}

Result<Block> SessionState::fork(const BlockLink& link, std::string_view name, FlowNumber flow) {
  Message fields = Message::object();
  if (!name.empty()) fields["name"] = name;
  if (flow != kNoFlow) fields["flow"] = flow;
  const auto reply = on_now(link, [&](BlockHandle& block) -> Result<Message> {
    if (!block.is_of(*this)) {
      return fail(Errc::invalid_argument,
                  "fork block " + block.name() + ": another session opened it");
    }
    return ask_of(block, "fork", fields);
  });
  if (!reply) return tl::unexpected(reply.error());
  auto handle = open({flow, reply->value("name", ""), AccessMode::read_write});
  if (!handle) return tl::unexpected(handle.error());
  return Block(std::move(*handle));
}

Result<void> SessionState::ask(std::string_view op, std::string_view name, FlowNumber flow,
                               Message request) {
  if (is_forked()) return fail(Errc::forked);
  request["op"] = op;
  request["name"] = name;
  if (flow != kNoFlow) request["flow"] = flow;
  auto reply = client_.request(std::move(request));
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

void SessionState::close(std::uint16_t open) noexcept {
  if (is_forked()) return;
  lanes_->forget_block(open);
  try {
    (void)client_.request({{"op", "close"}, {"open", open}});
  } catch (...) {  // no memory for the message: the director learns it when we detach
  }
}

}  // namespace sessionblocks
