#include "stage.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <fstream>
#include <set>
#include <sstream>

#include "../platform/child.hpp"

namespace sessionblocks::hostile {

using director::Event;
using director::EventKind;

Process::Process(const std::vector<std::string>& words) {
  int in[2] = {};
  int out[2] = {};
  REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  pid_ = ::fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ::dup2(in[0], 0);
    ::dup2(out[1], 1);
    std::vector<char*> arguments;
    for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments.front(), arguments.data());
    ::_exit(126);
  }
  ::close(in[0]);
  ::close(out[1]);
  in_ = in[1];
  out_ = out[0];
}

Process::~Process() {
  ::close(in_);
  ::close(out_);
  if (pid_ == 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

bool Process::tell(char word) const {
  return ::write(in_, &word, 1) == 1;  // not: it ended, and its exit code says why
}

std::string Process::read_line() {
  while (buffered_.find('\n') == std::string::npos) {
    char part[4'096];
    const ssize_t got = ::read(out_, part, sizeof part);
    if (got <= 0) return {};
    buffered_.append(part, static_cast<std::size_t>(got));
  }
  const auto end = buffered_.find('\n');
  std::string line = buffered_.substr(0, end);
  buffered_.erase(0, end + 1);
  return line;
}

std::string Process::read_all() {
  char part[4'096];
  for (ssize_t got = 0; (got = ::read(out_, part, sizeof part)) > 0;) {
    buffered_.append(part, static_cast<std::size_t>(got));
  }
  return std::move(buffered_);
}

int Process::wait() {
  int status = 0;
  REQUIRE(::waitpid(pid_, &status, 0) == pid_);
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Worker::Worker(const std::string& socket, const std::string& token, const std::string& kind,
               const std::vector<std::string>& blocks)
    : process_([&] {
        std::vector<std::string> words = {HOSTILE_WORKER, socket, token, kind};
        words.insert(words.end(), blocks.begin(), blocks.end());
        return words;
      }()) {}

std::map<std::string, Answers> Worker::ask() {
  const std::string line = process_.tell('s') ? process_.read_line() : std::string();
  INFO("a worker ended by itself" << (line.empty() ? " with " + std::to_string(process_.wait())
                                                   : std::string()));
  REQUIRE(!line.empty());
  std::map<std::string, Answers> answers;
  const nlohmann::json said = nlohmann::json::parse(line);
  for (const auto& [block, row] : said.items()) {
    for (const auto& [code, times] : row.items()) {
      answers[block][static_cast<Errc>(std::stoi(code))] = times;
    }
  }
  return answers;
}

bool Worker::ends_well() {
  const bool was_there = process_.tell('q');
  const int code = process_.wait();
  INFO("a worker ended with " << code);
  CHECK(code == 0);
  return was_there && code == 0;
}

class Stage::Heard final : public director::EventSink {
 public:
  void on_event(const Event& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  [[nodiscard]] bool has(EventKind kind, const std::string& about) const {
    const std::lock_guard lock(mutex_);
    return std::any_of(events_.begin(), events_.end(), [&](const Event& event) {
      return event.kind == kind && event.subject.find(about) != std::string::npos;
    });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Event> events_;
};

Stage::Stage() : heard_(std::make_shared<Heard>()) {
  ::signal(SIGPIPE, SIG_IGN);  // a worker that ended is a finding, not the end of the test
  auto options = director::test::bare_options(around_);
  auto logs =
      director::make_logs({(around_.directory() / "logs").native(), around_.system(), heard_});
  options.make_audit = std::move(logs.make_audit);
  options.events = std::move(logs.events);
  running_ = std::make_unique<director::test::RunningDirector>(std::move(options));
  socket_ = running_->socket();
  create_block("cart");
  create_block("other");
}

Stage::~Stage() = default;

void Stage::create_block(const std::string& name) {
  running_->director().call([&](director::Registry& registry) {
    director::BlockRequest request;
    request.policy.name = name;
    request.policy.kind = BlockKind::shared;
    request.policy.owner = registry.scopes.root().id;
    request.policy.grants.emplace("*", Rights::read_write);
    request.quota_bytes = std::uint64_t{2} << 20U;
    REQUIRE(registry.create_block(request));
  });
}

std::string Stage::token() {
  return running_->director().token_for_scope(around_.system() + "/main").value();
}

std::unique_ptr<Worker> Stage::worker(const std::string& kind,
                                      const std::vector<std::string>& blocks) {
  auto worker = std::make_unique<Worker>(socket_, token(), kind, blocks);
  (void)worker->ask();
  return worker;
}

BlockState Stage::state_of(const std::string& block) {
  BlockState state{};
  running_->director().call([&](director::Registry& registry) {
    const auto found = registry.blocks.named(block);
    if (!found.empty()) state = found.front()->state;
  });
  return state;
}

namespace {

Held hold(std::string name, director::test::Answered& answered, std::size_t bytes,
          bool is_writable) {
  REQUIRE(answered.ok());
  Held held{std::move(name), std::move(answered.descriptor), nullptr, bytes, is_writable};
  const int protection = is_writable ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const memory = ::mmap(nullptr, bytes, protection, MAP_SHARED, held.fd.get(), 0);
  REQUIRE(memory != MAP_FAILED);
  held.memory = static_cast<std::byte*>(memory);
  return held;
}

}  // namespace

Stage::Hostile Stage::hostile(const std::string& block) {
  Hostile hostile;
  hostile.client = std::make_unique<RawClient>(socket_);
  RawClient& client = *hostile.client;
  auto attached = client.attach({}, token());
  REQUIRE(attached.ok());
  hostile.worker_id = attached.body["worker"];
  hostile.control = hold("control", attached, attached.body["control_bytes"], false);
  auto segment = client.ask({{"op", "worker_segment"}});
  hostile.worker = hold("worker", segment, segment.body["bytes"], true);
  auto opened = client.open(block, 2);
  REQUIRE(opened.ok());
  hostile.open = opened.body["open"];
  hostile.block = hold("block", opened, opened.body["bytes"], true);
  auto readers = client.ask({{"op", "readers"}, {"open", hostile.open}});
  hostile.readers = hold("readers", readers, readers.body["bytes"], true);
  auto other = client.open("other", 1);
  hostile.other = hold("other", other, other.body["bytes"], false);
  return hostile;
}

namespace {

std::string text_of(const Answers& answers) {
  std::string text;
  for (const auto& [code, times] : answers) {
    text += " " + std::to_string(static_cast<unsigned>(code)) + ":" + std::to_string(times);
  }
  return text;
}

}  // namespace

void Stage::inspect(const std::string& block) {
  const std::string system = around_.system();
  const std::string runtime = around_.runtime().native();
  const std::vector<std::vector<std::string>> looks = {
      {"ls"}, {"stats"}, {"fsck"}, {"keys", block}, {"get", block, "key1"}, {"dump", block}};
  for (const auto& look : looks) {
    std::vector<std::string> words = {SESSIONCTL, "--system", system, "--runtime-dir", runtime};
    words.insert(words.end(), look.begin(), look.end());
    Process inspector(words);
    const std::string said = inspector.read_all();
    const int code = inspector.wait();
    INFO("sessionctl " << look.front() << " ended with " << code << ": " << said);
    static const std::set<int> kOwn = {0, 1, 2, 3, 5, 6};
    CHECK(kOwn.contains(code));
  }
}

void Stage::check_others(Worker& reader, Worker& writer) {
  RawClient client(socket_);
  CHECK(client.prove_operator(around_.runtime()).ok());
  CHECK(client.ask({{"op", "list"}, {"what", "blocks"}}).ok());
  for (Worker* worker : {&writer, &reader}) {  // then there is something to read
    const Answers answers = worker->ask()["other"];
    INFO("other answered the " << (worker == &reader ? "reader" : "writer") << text_of(answers));
    CHECK(answers.contains(Errc{}));
    for (const auto& [code, times] : answers) {
      const bool fine = code == Errc{} || code == Errc::not_found ||
                        code == Errc::buffer_too_small || code == Errc::timed_out;
      CHECK(fine);
    }
  }
  CHECK(state_of("other") == BlockState::active);
}

void Stage::check_quarantined(const std::string& block, Worker& reader, Worker& writer) {
  // Each turn waits for a round of the workers' operations; the watchdog bounds it.
  const auto refused = [&](Worker& worker) {
    const Answers answers = worker.ask()[block];
    for (const auto& [code, times] : answers) {
      if (code != Errc::corrupt && code != Errc::quarantined) return false;
    }
    return true;
  };
  while (!refused(reader)) {
  }
  while (!refused(writer)) {
  }
  while (state_of(block) != BlockState::quarantined) (void)reader.ask();
  CHECK(was_said(EventKind::quarantined, block));
  CHECK(director_log().find("quarantined block " + block) != std::string::npos);
}

bool Stage::was_said(EventKind kind, const std::string& about) const {
  return heard_->has(kind, about);
}

std::string Stage::director_log() const {
  std::ostringstream text;
  text << std::ifstream(around_.directory() / "logs" / "director.log").rdbuf();
  return text.str();
}

}  // namespace sessionblocks::hostile
