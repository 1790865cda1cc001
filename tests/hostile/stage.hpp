// A director of its own system, a reader process and a writer process on two blocks, an inspector,
// and somebody hostile who has the descriptors that any worker of the library gets. The director
// runs on a thread of the test: what ends it ends the test.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "../director/raw_client.hpp"
#include "director/logs.hpp"

namespace sessionblocks::hostile {

using director::test::RawClient;

// A process of the test; killed, if it is still there, and reaped at its end.
class Process {
 public:
  explicit Process(const std::vector<std::string>& words);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  [[nodiscard]] bool tell(char word) const;
  [[nodiscard]] std::string read_line();  // empty at the end of its output
  [[nodiscard]] std::string read_all();
  [[nodiscard]] int wait();  // exit code, or 128 + signal

 private:
  pid_t pid_ = 0;
  int in_ = -1;
  int out_ = -1;
  std::string buffered_;
};

// What the operations on one block answered: how often each code, 0 for ok.
using Answers = std::map<Errc, std::uint64_t>;

class Worker {
 public:
  Worker(const std::string& socket, const std::string& token, const std::string& kind,
         const std::vector<std::string>& blocks);
  // Of operations that began after the call.
  [[nodiscard]] std::map<std::string, Answers> ask();
  // It works on until it is told to end, and does so in order.
  [[nodiscard]] bool ends_well();

 private:
  Process process_;
};

// A segment as the director passed it to a worker, and mapped.
struct Held {
  std::string name;
  platform::UniqueFd fd;
  std::byte* memory = nullptr;
  std::size_t bytes = 0;
  bool is_writable = false;

  [[nodiscard]] std::uint64_t* words() const { return reinterpret_cast<std::uint64_t*>(memory); }
  [[nodiscard]] std::size_t word_count() const { return bytes / 8; }
};

class Stage {
 public:
  Stage();
  ~Stage();

  [[nodiscard]] director::Director& director() { return running_->director(); }
  [[nodiscard]] const std::string& socket() const { return socket_; }
  [[nodiscard]] std::string token();
  // At work: it has the blocks open, and has been through its operations once.
  [[nodiscard]] std::unique_ptr<Worker> worker(const std::string& kind,
                                               const std::vector<std::string>& blocks);
  void create_block(const std::string& name);
  [[nodiscard]] BlockState state_of(const std::string& block);

  // The hostile worker: attached, and what it holds. `block` read-write, "other" read-only.
  struct Hostile {
    std::unique_ptr<RawClient> client;
    Held control;
    Held worker;
    Held block;
    Held readers;
    Held other;
    std::uint32_t worker_id = 0;
    unsigned open = 0;
    [[nodiscard]] std::vector<Held*> all() { return {&control, &worker, &block, &readers, &other}; }
  };
  [[nodiscard]] Hostile hostile(const std::string& block);

  // The inspector looks at everything. Fails the test when it ends in any way that is not its own.
  void inspect(const std::string& block);
  // The director answers, and the other block's workers get what they ask for.
  void check_others(Worker& reader, Worker& writer);
  // Reader and writer get `corrupt` or `quarantined` and nothing else, and the director has
  // quarantined the block.
  void check_quarantined(const std::string& block, Worker& reader, Worker& writer);

  [[nodiscard]] bool was_said(director::EventKind kind, const std::string& about = {}) const;
  [[nodiscard]] std::string director_log() const;

 private:
  class Heard;
  director::test::Surroundings around_;
  std::shared_ptr<Heard> heard_;
  std::unique_ptr<director::test::RunningDirector> running_;
  std::string socket_;
};

}  // namespace sessionblocks::hostile
