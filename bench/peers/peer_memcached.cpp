// memcached over a Unix socket, with the meta commands that its documentation recommends, one
// request at a time and pipelined. A plain client: libmemcached knows no meta commands. Nothing is
// evicted (-M), so that a miss is never a guess.
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "failure.hpp"
#include "registry.hpp"
#include "server.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::size_t kPipeline = 16;
constexpr std::size_t kLoadPipeline = 64;
// Whole seconds, by a clock that a timer sets.
constexpr std::uint32_t kExpiryStepMs = 2'000;

std::vector<std::string> arguments_for(const Plan& plan, const std::string& socket) {
  std::vector<std::string> arguments = {
      "-s", socket, "-M", "-m", std::to_string((plan.room_bytes() >> 20U) + 64),
      "-t", "2",    "-R", "256"};
  // It refuses to run as root unless it is told so.
  if (::getuid() == 0) arguments.insert(arguments.end(), {"-u", "root"});
  return arguments;
}

class MemcachedHost final : public Host {
 public:
  explicit MemcachedHost(const Plan& plan)
      : socket_(plan.disk_folder / "memcached"),
        server_("memcached", arguments_for(plan, socket_.native()), socket_,
                plan.disk_folder / "memcached.log") {}
  [[nodiscard]] std::string address() const override { return socket_.native(); }
  [[nodiscard]] std::uint64_t memory_bytes() const override { return server_.grown_bytes(); }

 private:
  std::filesystem::path socket_;
  Server server_;
};

class MemcachedClient final : public Client {
 public:
  MemcachedClient(const std::string& socket, std::size_t depth)
      : descriptor_(connect_unix(socket)), depth_(depth), input_(1U << 18U) {}
  ~MemcachedClient() override { ::close(descriptor_); }

  void run(std::span<Operation> operations) override { run_in_pipelines(operations, depth_); }
  void load(std::span<Operation> operations) override {
    run_in_pipelines(operations, kLoadPipeline);
  }
  [[nodiscard]] std::size_t depth() const noexcept override { return depth_; }

 private:
  // Requests that do not fit into both sides' buffers would wait for each other.
  static constexpr std::size_t kMostRequestBytes = 32 * 1'024;

  void run_in_pipelines(std::span<Operation> operations, std::size_t depth) {
    for (std::size_t at = 0; at < operations.size();) {
      const std::size_t begin = at;
      output_.clear();
      std::size_t bytes = 0;
      while (at < operations.size() && at - begin < depth &&
             (at == begin || bytes < kMostRequestBytes)) {
        append(operations[at]);
        bytes += operations[at++].bytes.size() + 64;
      }
      flush();
      for (std::size_t i = begin; i < at; ++i) take_reply(operations[i]);
    }
  }

  void append(const Operation& operation) {
    const auto add = [this](std::string_view text) { output_.append(text); };
    switch (operation.kind) {
      case OpKind::get:
        add("mg "), add(operation.key), add(" v\r\n");
        return;
      case OpKind::increment:
        add("ma "), add(operation.key), add(" v\r\n");
        return;
      case OpKind::erase:
        add("md "), add(operation.key), add("\r\n");
        return;
      case OpKind::reset:
        add("ms "), add(operation.key), add(" 1\r\n0\r\n");
        return;
      case OpKind::put:
        break;
    }
    add("ms "), add(operation.key), add(" "), add(std::to_string(operation.bytes.size()));
    if (operation.ttl_ms != 0) add(" T" + std::to_string((operation.ttl_ms + 999) / 1'000));
    add("\r\n");
    add({reinterpret_cast<const char*>(operation.bytes.data()), operation.bytes.size()});
    add("\r\n");
  }

  void flush() {
    for (std::size_t sent = 0; sent < output_.size();) {
      const ssize_t size =
          ::send(descriptor_, output_.data() + sent, output_.size() - sent, MSG_NOSIGNAL);
      if (size < 0 && errno != EINTR) give_up_errno("send to memcached");
      if (size > 0) sent += static_cast<std::size_t>(size);
    }
  }

  // More bytes behind those that are there.
  void receive() {
    if (begin_ > 0 && end_ == input_.size()) {
      std::memmove(input_.data(), input_.data() + begin_, end_ - begin_);
      end_ -= begin_;
      begin_ = 0;
    }
    if (end_ == input_.size()) input_.resize(2 * input_.size());
    const ssize_t size = ::recv(descriptor_, input_.data() + end_, input_.size() - end_, 0);
    if (size == 0) give_up("memcached has closed the connection");
    if (size < 0 && errno != EINTR) give_up_errno("receive from memcached");
    if (size > 0) end_ += static_cast<std::size_t>(size);
  }

  // Without its end; valid until the next receive().
  std::string_view line() {
    for (std::size_t looked = begin_;;) {
      const void* const found = std::memchr(input_.data() + looked, '\n', end_ - looked);
      if (found == nullptr) {
        const std::size_t done = end_ - begin_;
        receive();
        looked = begin_ + done;
        continue;
      }
      const auto end = static_cast<std::size_t>(static_cast<const char*>(found) - input_.data());
      const std::string_view text(input_.data() + begin_, end - begin_ - 1);
      begin_ = end + 1;
      return text;
    }
  }

  void take_reply(Operation& operation) {
    const std::string_view head = line();
    const std::string_view word = head.substr(0, 2);
    operation.outcome = Outcome::failed;
    if (word == "HD") operation.outcome = Outcome::done;
    if (word == "EN" || word == "NF") operation.outcome = Outcome::absent;
    if (word == "VA") {
      std::size_t size = 0;
      std::from_chars(head.data() + 3, head.data() + head.size(), size);
      take_value(operation, size);
    }
    if (begin_ == end_) begin_ = end_ = 0;
  }

  void take_value(Operation& operation, std::size_t size) {
    while (end_ - begin_ < size + 2) receive();
    const char* const value = input_.data() + begin_;
    begin_ += size + 2;
    if (operation.kind == OpKind::increment) {
      std::from_chars(value, value + size, operation.sum);
    } else if (size <= operation.bytes.size()) {
      std::memcpy(operation.bytes.data(), value, size);
      operation.copied_bytes = size;
    } else {
      return;
    }
    operation.outcome = Outcome::done;
  }

  int descriptor_;
  std::size_t depth_;
  std::string output_;
  std::vector<char> input_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

class MemcachedPeer final : public Peer {
 public:
  explicit MemcachedPeer(std::size_t depth) : depth_(depth) {}

  [[nodiscard]] std::string name() const override {
    return depth_ == 1 ? "memcached" : "memcached-pipelined";
  }
  [[nodiscard]] std::string version() const override { return version_line("memcached", "-V"); }
  [[nodiscard]] std::string options() const override {
    return "Unix socket, two threads, meta commands, no eviction, " + std::to_string(depth_) +
           " under way";
  }
  [[nodiscard]] std::string promise() const override {
    return "a killed client: nothing is lost or waits; a killed server: everything is gone";
  }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.max_key_bytes = 250;
    abilities.max_value_bytes = 1'000'000;
    abilities.pipelines = depth_ > 1;
    abilities.measures_memory = depth_ == 1;
    abilities.survives_deaths = true;
    abilities.expiry_step_ms = kExpiryStepMs;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<MemcachedHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return std::make_unique<MemcachedClient>(address, depth_);
  }

 private:
  std::size_t depth_;
};

}  // namespace

void add_memcached(Peers& peers) {
  peers.push_back(std::make_unique<MemcachedPeer>(1));
  peers.push_back(std::make_unique<MemcachedPeer>(kPipeline));
}

}  // namespace sessionblocks::bench
