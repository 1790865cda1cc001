// What the harness needs to know of a store to run the same work against it.
//
// A peer has three parts, each in a process of its own:
//   Peer    in the harness: what it is; opens nothing and starts nothing.
//   Host    in a process forked for it: holds what must outlive the workers, such as a server, a
//           director or a file. Its end leaves nothing behind.
//   Client  in each worker process: does operations.
// To add a peer, write a file like peer_boost.cpp and name it in registry.cpp.
//
// Errors are exceptions (std::runtime_error) here: a benchmark that cannot go on has nothing to
// save, and the text ends up beside the name of the case.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "operation.hpp"

namespace sessionblocks::bench {

// What a peer is asked to hold.
struct Plan {
  std::filesystem::path disk_folder;    // for sockets and logs
  std::filesystem::path memory_folder;  // on tmpfs
  std::uint64_t entries = 0;
  std::uint64_t key_bytes = 0;
  std::uint64_t value_bytes = 0;
  bool expires = false;
  unsigned blocks = 1;  // of SessionBlocks

  [[nodiscard]] std::uint64_t data_bytes() const noexcept {
    return entries * (key_bytes + value_bytes);
  }
  // Enough for any of them to hold it, with their overhead and what is being replaced.
  [[nodiscard]] std::uint64_t room_bytes() const noexcept {
    return 3 * data_bytes() + entries * 512 + (std::uint64_t{128} << 20U);
  }
};

class Host {
 public:
  Host() = default;
  virtual ~Host() = default;
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  // What a client needs to find it; may have several lines.
  [[nodiscard]] virtual std::string address() const = 0;
  // Memory that the data takes now; 0: not known.
  [[nodiscard]] virtual std::uint64_t memory_bytes() const = 0;
  // Everything was loaded.
  virtual void loaded() {}
};

class Client {
 public:
  Client() = default;
  virtual ~Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  // Not timed: what a program does once for a key that it uses often.
  virtual void prepare(std::span<Operation> /*operations*/) {}
  // Timed. Gives each its outcome.
  virtual void run(std::span<Operation> operations) = 0;
  // Not timed: filling the store, where there is a faster way than run().
  virtual void load(std::span<Operation> operations) { run(operations); }
  // Operations that are under way at the same time.
  [[nodiscard]] virtual std::size_t depth() const noexcept { return 1; }
};

// What a peer cannot do is said, never measured as something else.
struct Abilities {
  unsigned max_processes = 64;
  std::uint64_t max_value_bytes = std::uint64_t{1} << 40U;
  std::uint64_t max_key_bytes = 250;
  bool counts = true;                // increment
  bool pipelines = false;            // more than one operation under way: no read-modify-write
  std::uint32_t expiry_step_ms = 0;  // 0: entries do not expire
  bool survives_deaths = false;      // of a process inside an operation, without a wait for ever
  std::vector<std::string> studies;  // questions that only it is asked
  bool measures_memory = true;       // false: another variant's figure is its own
  bool only_studies = false;         // a variant made for them
  bool only_counts = false;          // nothing but increments
  bool in_process = false;           // each worker has data of its own, and loads it itself
  bool is_floor = false;             // no peer: shows what the rest of the loop costs
};

class Peer {
 public:
  Peer() = default;
  virtual ~Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  [[nodiscard]] virtual std::string name() const = 0;
  [[nodiscard]] virtual std::string version() const = 0;
  [[nodiscard]] virtual std::string options() const = 0;
  // What is left, and who waits, when a process that uses it is killed at any instruction.
  [[nodiscard]] virtual std::string promise() const = 0;
  [[nodiscard]] virtual Abilities abilities() const { return {}; }
  [[nodiscard]] virtual std::unique_ptr<Host> open(const Plan& plan) const = 0;
  [[nodiscard]] virtual std::unique_ptr<Client> connect(const std::string& address) const = 0;
};

// A client whose operations are single calls: Derived has get, put, increment, reset and
// erase, each from Operation& to Outcome. They are inlined into one loop.
template <typename Derived>
class OneByOne : public Client {
 public:
  void run(std::span<Operation> operations) final {
    auto& self = static_cast<Derived&>(*this);
    for (Operation& operation : operations) {
      switch (operation.kind) {
        case OpKind::get:
          operation.outcome = self.get(operation);
          break;
        case OpKind::put:
          operation.outcome = self.put(operation);
          break;
        case OpKind::increment:
          operation.outcome = self.increment(operation);
          break;
        case OpKind::reset:
          operation.outcome = self.reset(operation);
          break;
        case OpKind::erase:
          operation.outcome = self.erase(operation);
          break;
      }
    }
  }
};

}  // namespace sessionblocks::bench
