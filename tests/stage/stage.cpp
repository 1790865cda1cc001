#include "stage.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <set>
#include <sstream>

namespace sessionblocks::stage {

namespace fs = std::filesystem;

namespace {

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

}  // namespace

Spent spent_by(pid_t pid) {
  const fs::path folder = fs::path("/proc") / std::to_string(pid);
  Spent spent;
  std::string line = contents(folder / "stat");
  std::istringstream fields(line.substr(line.rfind(')') + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field) fields >> skipped;
  double user = 0;
  double kernel = 0;
  fields >> user >> kernel;
  spent.cpu_seconds = (user + kernel) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  std::ifstream status(folder / "status");
  while (std::getline(status, line)) {
    const auto kib = [&line](const char* name) -> std::uint64_t {
      return line.starts_with(name) ? std::stoull(line.substr(line.find(':') + 1)) * 1'024 : 0;
    };
    spent.resident_bytes += kib("VmRSS:");
    spent.page_table_bytes += kib("VmPTE:");
  }
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder / "fd")) {
    ++spent.descriptors;
  }
  return spent;
}

Stage::Stage(StageOptions options) : root_(around_.system()) {
  ::alarm(kWatchdogSeconds);
  ::signal(SIGPIPE, SIG_IGN);  // a worker that ended is a finding, not the end of the test
  words_ = {FLOWDIRECTOR, options.verb};
  if (!options.suite.empty()) {
    root_ = "suite";
    const fs::path file = around_.directory() / "suite" / "suite.toml";
    fs::create_directories(file.parent_path() / "out");
    std::ofstream(file) << "schema = 1\n[suite]\nname = \"suite\"\n" << options.suite;
    words_.push_back(file.native());
  }
  const std::vector<std::string> usual = {"--system", around_.system(), "--runtime-dir",
                                          around_.runtime().native()};
  words_.insert(words_.end(), usual.begin(), usual.end());
  if (options.is_verbose) words_.emplace_back("-v");
  words_.insert(words_.end(), options.more.begin(), options.more.end());
  REQUIRE(start_director(options.limits) == 0);
}

int Stage::start_director(const Limits& limits) {
  director_.emplace(words_, (around_.directory() / "said").native(), limits);
  const auto starts = [this] { return times_said("director of system"); };
  for (const std::size_t before = starts(); starts() == before;) {
    if (director_->has_ended()) return director_->wait();
    ::sched_yield();
  }
  connect();
  return 0;
}

void Stage::kill_director() {
  director_->signal(SIGKILL);
  REQUIRE(director_->wait() == 128 + SIGKILL);
  maker_.reset();
  operator_.reset();
}

void Stage::pause_director() const {
  REQUIRE(::kill(director_pid(), SIGSTOP) == 0);
  siginfo_t info{};
  REQUIRE(::waitid(P_PID, static_cast<id_t>(director_pid()), &info, WSTOPPED | WNOWAIT) == 0);
}

void Stage::connect() {
  operator_.emplace(socket());
  REQUIRE(operator_->prove_operator(around_.runtime()).ok());
  maker_.emplace(socket());
  const auto root = place();
  REQUIRE(maker_->attach(root.scope, root.token).ok());
}

Stage::~Stage() {
  stop();
}

void Stage::stop() {
  if (!operator_) return;
  maker_.reset();
  operator_.reset();
  director_->signal(SIGTERM);
  const int code = director_->wait();
  INFO("the director said: " << said());
  CHECK((code == 0 || code == 1));  // 1: a script was ended
  CHECK(around_.segments() == std::vector<std::string>{});
  CHECK_FALSE(fs::exists(socket()));
}

std::size_t Stage::times_said(const std::string& text) const {
  const std::string all = said();
  std::size_t times = 0;
  for (auto at = all.find(text); at != std::string::npos; at = all.find(text, at + 1)) ++times;
  return times;
}

std::string Stage::said() const {
  return contents(around_.directory() / "said");
}

void Stage::wait_until_said(const std::string& text) {
  while (said().find(text) == std::string::npos) {
    INFO("the director said: " << said());
    REQUIRE_FALSE(director_->has_ended());
    ::sched_yield();
  }
}

AttachOptions Stage::place(const std::string& scope) {
  AttachOptions options;
  options.socket = socket();
  options.scope = scope.empty() ? root_ : root_ + "/" + scope;
  options.time_limit = std::chrono::seconds(60);
  const auto answered = operator_->ask({{"op", "act_as"}, {"scope", options.scope}});
  REQUIRE(answered.ok());
  options.token = answered.body["token"];
  return options;
}

Session Stage::attach(const std::string& scope) {
  auto session = Session::attach(place(scope));
  INFO((session ? std::string() : session.error().message()));
  REQUIRE(session);
  return std::move(*session);
}

Result<void> Stage::try_create(const std::string& name, std::uint64_t quota_bytes) {
  const auto made =
      maker_->ask({{"op", "create"}, {"name", name}, {"kind", "shared"}, {"quota", quota_bytes}});
  if (made.ok()) return {};
  return tl::unexpected(error_of(made.body));
}

void Stage::create(const std::string& name, std::uint64_t quota_bytes) {
  const auto made = try_create(name, quota_bytes);
  INFO((made ? std::string() : made.error().message()));
  REQUIRE(made);
}

void Stage::ask_without_waiting(const nlohmann::json& request) {
  nlohmann::json numbered = request;
  numbered["id"] = 1;
  const auto bytes = encode_message(numbered);
  REQUIRE(bytes);
  maker_->send_bytes(*bytes);
}

void Stage::destroy(const std::string& name) {
  REQUIRE(operator_->ask({{"op", "destroy"}, {"name", name}}).ok());
}

std::vector<nlohmann::json> Stage::list(const std::string& what) {
  std::vector<nlohmann::json> rows;
  std::uint64_t cursor = 0;
  while (true) {
    const auto answered = operator_->ask({{"op", "list"}, {"what", what}, {"cursor", cursor}});
    REQUIRE(answered.ok());
    for (const auto& row : answered.body["rows"]) rows.push_back(row);
    if (!answered.body.contains("cursor")) return rows;
    cursor = answered.body["cursor"];
  }
}

std::vector<pid_t> Stage::workers() {
  std::vector<pid_t> pids;
  for (const auto& row : list("workers")) {
    const pid_t pid = row["pid"];
    const bool is_ours = pid == ::getpid() && row["scope"] == root_;
    if (pid != director_->pid() && !is_ours && row["state"] == "attached") pids.push_back(pid);
  }
  return pids;
}

void Stage::wait_for_workers(std::size_t count) {
  while (workers().size() != count) ::sched_yield();
}

Stage::Looked Stage::ctl(const std::vector<std::string>& words) const {
  std::vector<std::string> all = {SESSIONCTL, "--system", around_.system(), "--runtime-dir",
                                  around_.runtime().native()};
  all.insert(all.end(), words.begin(), words.end());
  Process program(all, (around_.directory() / "sessionctl-said").native());
  Looked looked;
  looked.out = program.read_all();
  looked.code = program.wait();
  return looked;
}

void Stage::check_in_order(std::size_t workers_left) {
  wait_for_workers(workers_left);
  const Looked fsck = ctl({"fsck"});
  INFO("fsck: " << fsck.out);
  CHECK(fsck.code == 0);
  std::set<std::string> wanted = {around_.prefix() + "control"};
  for (const auto& row : list("blocks")) {
    const std::string of = std::to_string(row["block"].get<unsigned>()) + "." +
                           std::to_string(row["generation"].get<unsigned>());
    wanted.insert(around_.prefix() + "block." + of);
    wanted.insert(around_.prefix() + "readers." + of);
  }
  for (const auto& row : list("workers")) {
    if (row["state"] != "attached") continue;
    wanted.insert(around_.prefix() + "worker." + std::to_string(row["worker"].get<unsigned>()));
  }
  const auto present = around_.segments();
  CHECK(std::set<std::string>(present.begin(), present.end()) == wanted);
}

}  // namespace sessionblocks::stage
