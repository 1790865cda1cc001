// Redis over a Unix socket with its own client library, one request at a time and pipelined.
// Nothing is saved to disk, nothing is evicted.
#include <hiredis/hiredis.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "failure.hpp"
#include "registry.hpp"
#include "server.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::size_t kPipeline = 16;
constexpr std::size_t kLoadPipeline = 256;
constexpr std::uint32_t kExpiryStepMs = 5;

class RedisHost final : public Host {
 public:
  explicit RedisHost(const Plan& plan)
      : socket_(plan.disk_folder / "redis"),
        server_("redis-server",
                {"--port", "0", "--unixsocket", socket_.native(), "--save", "", "--appendonly",
                 "no", "--maxmemory", std::to_string(plan.room_bytes()), "--maxmemory-policy",
                 "noeviction", "--daemonize", "no", "--dir", plan.disk_folder.native()},
                socket_, plan.disk_folder / "redis.log") {}
  [[nodiscard]] std::string address() const override { return socket_.native(); }
  [[nodiscard]] std::uint64_t memory_bytes() const override { return server_.grown_bytes(); }

 private:
  std::filesystem::path socket_;
  Server server_;
};

class RedisClient final : public Client {
 public:
  RedisClient(const std::string& socket, std::size_t depth)
      : context_(::redisConnectUnix(socket.c_str())), depth_(depth) {
    if (context_ == nullptr || context_->err != 0) give_up("Redis: connect to " + socket);
  }
  ~RedisClient() override { ::redisFree(context_); }

  void run(std::span<Operation> operations) override { run_in_pipelines(operations, depth_); }
  void load(std::span<Operation> operations) override {
    run_in_pipelines(operations, kLoadPipeline);
  }
  [[nodiscard]] std::size_t depth() const noexcept override { return depth_; }

 private:
  void run_in_pipelines(std::span<Operation> operations, std::size_t depth) {
    for (std::size_t at = 0; at < operations.size(); at += depth) {
      const auto some = operations.subspan(at, std::min(depth, operations.size() - at));
      for (const Operation& operation : some) append(operation);
      for (Operation& operation : some) take_reply(operation);
    }
  }

  void append(const Operation& operation) {
    std::array<const char*, 5> words{};
    std::array<std::size_t, 5> sizes{};
    int count = 0;
    const auto add = [&](std::string_view word) {
      words[static_cast<std::size_t>(count)] = word.data();
      sizes[static_cast<std::size_t>(count++)] = word.size();
    };
    const std::string_view value(reinterpret_cast<const char*>(operation.bytes.data()),
                                 operation.bytes.size());
    std::string ttl;
    switch (operation.kind) {
      case OpKind::get:
        add("GET"), add(operation.key);
        break;
      case OpKind::put:
        add("SET"), add(operation.key), add(value);
        break;
      case OpKind::increment:
        add("INCR"), add(operation.key);
        break;
      case OpKind::reset:
        add("SET"), add(operation.key), add("0");
        break;
      case OpKind::erase:
        add("DEL"), add(operation.key);
        break;
    }
    if (operation.ttl_ms != 0) {
      ttl = std::to_string(operation.ttl_ms);
      add("PX"), add(ttl);
    }
    ::redisAppendCommandArgv(context_, count, words.data(), sizes.data());
  }

  void take_reply(Operation& operation) {
    void* raw = nullptr;
    if (::redisGetReply(context_, &raw) != REDIS_OK) {
      give_up(std::string("Redis: read a reply: ") + context_->errstr);
    }
    auto* const reply = static_cast<redisReply*>(raw);
    operation.outcome = outcome_of(*reply, operation);
    ::freeReplyObject(reply);
  }

  static Outcome outcome_of(const redisReply& reply, Operation& operation) {
    switch (operation.kind) {
      case OpKind::get:
        if (reply.type == REDIS_REPLY_NIL) return Outcome::absent;
        if (reply.type != REDIS_REPLY_STRING || reply.len > operation.bytes.size()) break;
        std::memcpy(operation.bytes.data(), reply.str, reply.len);
        operation.copied_bytes = reply.len;
        return Outcome::done;
      case OpKind::put:
      case OpKind::reset:
        return reply.type == REDIS_REPLY_STATUS ? Outcome::done : Outcome::failed;
      case OpKind::increment:
        if (reply.type != REDIS_REPLY_INTEGER) break;
        operation.sum = reply.integer;
        return Outcome::done;
      case OpKind::erase:
        if (reply.type != REDIS_REPLY_INTEGER) break;
        return reply.integer > 0 ? Outcome::done : Outcome::absent;
    }
    return Outcome::failed;
  }

  redisContext* context_;
  std::size_t depth_;
};

class RedisPeer final : public Peer {
 public:
  explicit RedisPeer(std::size_t depth) : depth_(depth) {}

  [[nodiscard]] std::string name() const override {
    return depth_ == 1 ? "redis" : "redis-pipelined";
  }
  [[nodiscard]] std::string version() const override {
    return version_line("redis-server", "--version") + ", hiredis " +
           std::to_string(HIREDIS_MAJOR) + "." + std::to_string(HIREDIS_MINOR) + "." +
           std::to_string(HIREDIS_PATCH);
  }
  [[nodiscard]] std::string options() const override {
    return "Unix socket, no snapshots, no append-only file, noeviction, " + std::to_string(depth_) +
           " under way";
  }
  [[nodiscard]] std::string promise() const override {
    return "a killed client: nothing is lost or waits; a killed server: everything is gone";
  }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.pipelines = depth_ > 1;
    abilities.measures_memory = depth_ == 1;
    abilities.survives_deaths = true;
    abilities.expiry_step_ms = kExpiryStepMs;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<RedisHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return std::make_unique<RedisClient>(address, depth_);
  }

 private:
  std::size_t depth_;
};

}  // namespace

void add_redis(Peers& peers) {
  peers.push_back(std::make_unique<RedisPeer>(1));
  peers.push_back(std::make_unique<RedisPeer>(kPipeline));
}

}  // namespace sessionblocks::bench
