#include "scene.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

#include <chrono>
#include <fstream>
#include <thread>

#include "block_check.hpp"
#include "director/suite_file.hpp"
#include "platform/spawn.hpp"

namespace sessionblocks::deaths {
namespace {

using namespace std::chrono_literals;

// Until `finding` is empty. What still stands when nothing changes any more fails the test; this is
// no limit of what is tested, only the watchdog with a text.
template <typename Finding>
void until_empty(const char* what, const Scene& scene, Finding finding) {
  const auto until = std::chrono::steady_clock::now() + 20s;
  std::string found;
  while (!(found = finding()).empty()) {
    if (std::chrono::steady_clock::now() > until) {
      INFO(scene.said());
      FAIL(what << ": " << found);
    }
    std::this_thread::sleep_for(1ms);
  }
}

std::string with_board(std::string text, const std::string& board) {
  const std::string mark = "@BOARD@";
  for (auto at = text.find(mark); at != std::string::npos; at = text.find(mark)) {
    text.replace(at, mark.size(), board);
  }
  return text;
}

}  // namespace

std::vector<std::string> labels_in_sources() {
  std::set<std::string> labels;
  const std::string macro = "SESSIONBLOCKS_CRASH(\"";
  for (const auto& file : fs::recursive_directory_iterator(SOURCE_FOLDER)) {
    if (file.path().extension() != ".cpp" && file.path().extension() != ".hpp") continue;
    std::ifstream stream(file.path());
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    for (std::size_t at = 0; (at = text.find(macro, at)) != std::string::npos;) {
      at += macro.size();
      labels.insert(text.substr(at, text.find('"', at) - at));
    }
  }
  return {labels.begin(), labels.end()};
}

Scene::Scene(const std::string& scripts, bool ends_with_suite) : ends_with_suite_(ends_with_suite) {
  ::alarm(kWatchdogSeconds);
  board_ = map_board(around_.directory() / "board");
  REQUIRE(board_ != nullptr);
  board_->per_second.store(kModerateLoad);
  for (const std::string& label : labels_in_sources()) {
    REQUIRE(board_->labels_used < kMostLabels);
    std::strncpy(board_->labels[board_->labels_used++].name, label.c_str(), 39);
  }
  fs::create_directory(around_.directory() / "suite");
  change_suite("deaths", scripts);
  log_ = std::make_unique<LogCheck>(*board_, logs());
}

Scene::~Scene() {
  if (director_pid_ != 0) kill_director();
  kill_workers();
  for (const auto& victim : victims_) static_cast<void>(platform::reap(victim.get()));
  ::munmap(board_, sizeof(Board));
}

std::string Scene::load(const std::string& name, unsigned workers, const std::string& more) {
  const std::string self = fs::read_symlink("/proc/self/exe");
  return "[script." + name + "]\ncommand = [\"" + self +
         "\", \"[.worker]\"]\nworkers = " + std::to_string(workers) +
         "\nenv = { DEATHS_BOARD = \"@BOARD@\", DEATHS_ROLE = \"" + name + "\" }\n" + more + "\n";
}

void Scene::change_suite(const std::string& name, const std::string& scripts) {
  std::ofstream(around_.directory() / "suite" / "suite.toml")
      << "schema = 1\n[suite]\nname = \"" << name << "\"\n"
      << with_board(scripts, around_.directory() / "board");
}

void Scene::tear_log() {
  std::set<fs::path> files;
  for (const auto& file : fs::directory_iterator(logs())) {
    // One that never began is removed, whatever is in it.
    const bool is_log = file.path().extension() == ".sblog";
    if (is_log && file.file_size() != 0) files.insert(file.path());
  }
  REQUIRE_FALSE(files.empty());
  std::ifstream first(*files.begin(), std::ios::binary);
  std::string bytes(40, 0);
  first.read(bytes.data(), 40);
  std::ofstream(*files.rbegin(), std::ios::binary | std::ios::app) << bytes;
}

void Scene::arm(const std::string& label, const std::string& then) {
  const std::uint32_t index = board().find(label.c_str());
  const std::uint32_t next = then.empty() ? 0 : board().find(then.c_str());
  REQUIRE((index != 0 && (then.empty() || next != 0)));
  board().armed_next.store(next);
  board().armed.store(index);
  shall_die_ = true;
}

bool Scene::start_director(std::optional<std::chrono::microseconds> kill_after) {
  REQUIRE(director_pid_ == 0);
  board().ready.store(0);
  platform::Program program;
  program.path = fs::read_symlink("/proc/self/exe");
  program.arguments = {"test_deaths", "[.director]"};
  program.environment = {"PATH=/usr/bin:/bin",
                         "DEATHS_BOARD=" + (around_.directory() / "board").string(),
                         "DEATHS_SYSTEM=" + around_.system(),
                         "DEATHS_RUNTIME=" + around_.runtime().string(),
                         "DEATHS_LOGS=" + logs().string(),
                         "DEATHS_SUITE=" + (around_.directory() / "suite" / "suite.toml").string(),
                         std::string("DEATHS_ENDS=") + (ends_with_suite_ ? "1" : "0")};
  const platform::UniqueFd out(::open((around_.directory() / "said").c_str(),
                                      O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  program.standard_output = out.get();
  program.standard_error = out.get();
  auto child = platform::spawn(program);
  REQUIRE(child);
  director_pid_ = child->pid;
  pidfd_ = std::move(child->pidfd);
  const auto begun = std::chrono::steady_clock::now();
  while (board().ready.load() != director_pid_) {
    if (kill_after && std::chrono::steady_clock::now() - begun >= *kill_after) {
      kill_director();
      return false;
    }
    pollfd ended{pidfd_.get(), POLLIN, 0};
    if (::poll(&ended, 1, 1) > 0) return !await_director() && ends_with_suite_;
  }
  return true;
}

void Scene::start_until_directed() {
  constexpr int kMostDeaths = 3;  // one at each point that is armed
  for (int deaths = 0; !start_director(); ++deaths) REQUIRE(deaths < kMostDeaths);
}

void Scene::go_on() {
  if (is_directed()) return;
  REQUIRE(await_director());
  start_until_directed();
}

bool Scene::is_directed() {
  if (shall_die_ && !is_armed()) return false;
  return director_pid_ != 0 && !platform::pidfd_ended(pidfd_.get());
}

void Scene::signal_director(int number) {
  REQUIRE(platform::send_signal(pidfd_.get(), number));
}

void Scene::pause_director() {
  signal_director(SIGSTOP);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(director_pid_), &info, WSTOPPED | WNOWAIT) == 0);
}

void Scene::kill_director() {
  static_cast<void>(platform::send_signal(pidfd_.get(), SIGKILL));
  static_cast<void>(await_director());
}

bool Scene::await_director() {
  const auto status = platform::reap(pidfd_.get());
  pidfd_.reset();
  director_pid_ = 0;
  REQUIRE(status);
  const bool killed = status->by_signal && status->number == SIGKILL;
  shall_die_ = shall_die_ && is_armed();
  INFO(said());
  INFO("the director ended with " << status->text());
  REQUIRE((killed || status->succeeded()));
  return killed;
}

std::string Scene::said() const {
  std::ifstream file(around_.directory() / "said");
  std::string text{std::istreambuf_iterator<char>(file), {}};
  return text.size() > 3'000 ? text.substr(text.size() - 3'000) : text;
}

bool Scene::lives(Life& life) {
  if (life.pid.load() == 0 || life.is_over) return false;
  platform::ProcessIdentity process;
  process.pid = life.pid.load();
  process.start_ticks = life.start_ticks.load();
  process.boot = *platform::boot_id();
  life.is_over = !process.alive();
  return !life.is_over;
}

std::vector<Life*> Scene::living() {
  std::vector<Life*> found;
  for (std::uint32_t i = 0; i < board().lives_used.load(); ++i) {
    if (lives(board().lives[i])) found.push_back(&board().lives[i]);
  }
  return found;
}

void Scene::start_victim() {
  platform::Program program;
  program.path = fs::read_symlink("/proc/self/exe");
  program.arguments = {"test_deaths", "[.worker]"};
  program.environment = {"DEATHS_BOARD=" + (around_.directory() / "board").string(),
                         "DEATHS_ROLE=victim",
                         "SESSIONBLOCKS_SOCKET=" + (around_.runtime() / "socket").string(),
                         std::string("SESSIONBLOCKS_TOKEN=") + board().victim_token};
  const platform::UniqueFd out(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  program.standard_output = out.get();
  auto child = platform::spawn(program);
  REQUIRE(child);
  victims_.push_back(std::move(child->pidfd));
}

Life* Scene::await_victim() {
  for (int times = 0; times < 100 && is_directed(); ++times) {
    const auto lives = living();
    for (auto life = lives.rbegin(); life != lives.rend(); ++life) {
      if ((*life)->is_victim.load() != 0 && (*life)->answered.load() > 20) return *life;
    }
    std::this_thread::sleep_for(1ms);
  }
  return nullptr;
}

void Scene::kill_workers() {
  for (Life* life : living()) ::kill(-life->pid.load(), SIGKILL);
  while (!living().empty()) std::this_thread::sleep_for(1ms);
}

bool Scene::has_ended(const std::string& script) const {
  const auto control = ControlView::of(around_.prefix());
  return control && !control->has_scope(script);
}

void Scene::check_lives() {
  for (std::uint32_t i = 0; i < board().lives_used.load(); ++i) {
    const Life& life = board().lives[i];
    if (life.has_failed.load() == 0) continue;
    INFO(said());
    FAIL("life " << i << ", worker " << life.worker.load() << ": " << life.failure);
  }
}

void Scene::read_log() {
  if (auto wrong = log_->read(); !wrong.empty()) {
    INFO(said());
    FAIL(wrong);
  }
}

void Scene::await_work(std::size_t count) {
  until_empty("workers at work", *this, [&] {
    check_lives();
    unsigned at_work = 0;
    for (const Life* life : living()) at_work += life->answered.load() > 0 ? 1U : 0U;
    return at_work >= count ? std::string() : std::to_string(at_work);
  });
}

void Scene::await_progress() {
  for (Life* life : living()) {
    const std::uint64_t before = life->answered.load();
    until_empty("a worker goes on", *this, [&] {
      check_lives();
      const bool goes_on = life->answered.load() > before || life->worker.load() == 0;
      return goes_on || living().empty() ? std::string() : "it does not";
    });
  }
}

void Scene::check_at_rest() {
  const std::uint32_t rest = board().rest.fetch_add(1) + 1;
  until_empty("everybody rests", *this, [&] {
    check_lives();
    for (const Life* life : living()) {
      // One that does not work yet begins nothing either.
      if (life->rests.load() != rest && life->worker.load() != 0) return std::string("not yet");
    }
    return std::string();
  });
  until_empty("the audit log", *this, [&] {
    read_log();
    return log_->compare();
  });
  const auto control = ControlView::of(around_.prefix());
  REQUIRE(control);
  until_empty("segments and rows", *this, [&] { return control->compare_names(director_pid_); });
  until_empty("transitions", *this, [&] {
    auto wrong = log_->read();
    return wrong.empty() ? control->compare_transitions(*log_) : wrong;
  });
  until_empty("blocks", *this, [&] { return control->check_blocks(); });
  until_empty("entries", *this, [&] { return control->check_entries(board(), *log_); });
  board().rest.fetch_add(1);
}

AttachOptions Scene::attach_options() const {
  AttachOptions options;
  options.socket = (around_.runtime() / "socket").string();
  options.scope = "deaths";
  options.token = board().root_token;
  options.time_limit = 10s;
  return options;
}

void Scene::stop_and_check_nothing_left() {
  signal_director(SIGTERM);
  CHECK_FALSE(await_director());
  check_nothing_left();
}

void Scene::check_nothing_left() {
  INFO(said());
  CHECK(around_.segments() == std::vector<std::string>{});
  // What was kept past the system is all that stays of its folder.
  if (fs::exists(around_.runtime())) {
    for (const auto& entry : fs::directory_iterator(around_.runtime())) {
      CHECK(entry.path().filename() == "state");
    }
    CHECK_FALSE(fs::exists(around_.runtime() / "state" / "snapshots" / ".unfinished"));
  }
  CHECK(living().empty());
}

}  // namespace sessionblocks::deaths
