#include "suite_run.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>

#include "child.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::guard_trial {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using Json = nlohmann::json;

constexpr std::uint64_t kLongestMs = 60'000;

std::uint64_t unix_ms() {
  return platform::realtime_ns() / 1'000'000;
}

// A program whose output goes into a file. It is killed with its object, unless it has ended.
class Program {
 public:
  Program(const std::vector<std::string>& words, const fs::path& output) {
    const platform::UniqueFd to(
        ::open(output.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!to) throw std::runtime_error("cannot write " + output.string());
    platform::Program program;
    program.path = words.front();
    program.arguments = words;
    program.environment = {"PATH=/usr/bin:/bin", "HOME=/tmp"};
    program.standard_output = to.get();
    program.standard_error = to.get();
    child_ = must(platform::spawn(program));
  }
  ~Program() {
    if (child_.pid <= 0) return;
    ::kill(child_.pid, SIGKILL);
    wait();
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  void signal(int number) {
    if (child_.pid > 0) ::kill(child_.pid, number);
  }
  [[nodiscard]] bool ends_within(std::chrono::milliseconds limit) {
    pollfd watched{child_.pidfd.get(), POLLIN, 0};
    return ::poll(&watched, 1, static_cast<int>(limit.count())) == 1;
  }
  void wait() {
    int status = 0;
    while (::waitpid(child_.pid, &status, 0) < 0 && errno == EINTR) {
    }
    child_.pid = 0;
  }

 private:
  platform::Child child_;
};

std::string text_in(const fs::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

fs::path fresh_folder() {
  std::string pattern = (fs::temp_directory_path() / "sessionblocks-suite-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  return pattern;
}

struct SuiteDraw {
  std::uint64_t begin_ms = 0;
  double per_s = 0;
  std::uint64_t most = 0;
};

std::string suite_text(const std::string& role, const SuiteDraw& drawn, const std::string& name) {
  std::stringstream text;
  const auto command = [&](const std::string& as) {
    text << "command = [\"" << own_path() << "\", \"--script\", \"" << as << "\", \""
         << drawn.begin_ms << "\", \"" << drawn.per_s << "\", \"" << drawn.most << "\", \"" << name
         << "\"]\n";
  };
  text << "schema = 1\n[suite]\nname = \"trial\"\n"
          "[block.cart]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"8MiB\"\n"
          "grants = { shop = \"rw\", intruder = \"rw\" }\n[script.shop]\n";
  command("shop");
  text << "workers = 2\n[script.intruder]\n";
  command(role);
  text << "[script.drop]\ncommand = [\"/bin/true\"]\nparent = \"intruder\"\n"
          "start = \"on-request\"\n";
  return text.str();
}

// A real system in a folder, and what its guard found so far.
class Suite {
 public:
  Suite(const std::string& role, const SuiteDraw& drawn)
      : folder_(fresh_folder()),
        name_(folder_.filename().string().substr(sizeof "sessionblocks-" - 1)) {
    const fs::path suite = folder_ / "suite" / "suite.toml";
    fs::create_directory(suite.parent_path());
    std::ofstream(suite) << suite_text(role, drawn, name_);
    director_.emplace(std::vector<std::string>{FLOWDIRECTOR, "run", suite, "--system", name_,
                                               "--runtime-dir", folder_ / "run"},
                      folder_ / "director.txt");
  }
  ~Suite() {
    director_->signal(SIGTERM);
    if (director_->ends_within(10s)) director_->wait();
    director_.reset();
    end_left_over();
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  [[nodiscard]] Json findings() {
    if (director_->ends_within(0ms)) {
      throw std::runtime_error("flowdirector has ended: " + text_in(folder_ / "director.txt"));
    }
    const fs::path output = folder_ / "findings.json";
    Program asked(
        {SESSIONCTL, "findings", "-o", "json", "--system", name_, "--runtime-dir", folder_ / "run"},
        output);
    asked.wait();
    const Json rows = Json::parse(text_in(output), nullptr, false);
    return rows.is_array() ? rows : Json::array();  // the director is not there yet
  }

 private:
  // By pid, each process whose command line is our script's: those that the guard did not end.
  void end_left_over() {
    for (const auto& entry : fs::directory_iterator("/proc")) {
      const std::string pid = entry.path().filename();
      if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
      const std::string words = text_in(entry.path() / "cmdline");
      if (words.starts_with(own_path()) && words.find(name_) != std::string::npos) {
        ::kill(std::stoi(pid), SIGKILL);
      }
    }
  }
  fs::path folder_;
  std::string name_;
  std::optional<Program> director_;
};

// An intruder is found by what names its scope, or a worker of that.
bool is_intruder(const std::string& what) {
  return what.find("trial/intruder") != std::string::npos;
}

void sleep_until(std::uint64_t at_unix_ms) {
  while (unix_ms() < at_unix_ms) std::this_thread::sleep_for(5ms);
}

// As the shop's other scripts do.
void work_as_usual(Block& cart, std::uint64_t& turn) {
  static_cast<void>(cart.put("cart:" + std::to_string(turn++ % 200), "some goods"));
  static_cast<void>(cart.get<std::string>("cart:" + std::to_string(turn % 200)));
}

void start_scripts(Session& session, double per_s, std::uint64_t most) {
  for (std::uint64_t i = 0; i < most; ++i) {
    static_cast<void>(session.start_script("drop"));
    std::this_thread::sleep_for(std::chrono::duration<double>(1 / per_s));
  }
}

// They sleep, and end by themselves when nobody ends them before.
void fork_processes(double per_s, std::uint64_t most) {
  constexpr unsigned kLongestS = 60;
  for (std::uint64_t i = 0; i < most; ++i) {
    const pid_t pid = ::fork();
    if (pid == 0) {
      ::alarm(kLongestS);
      ::pause();
      ::_exit(0);
    }
    if (pid < 0) return;
    std::this_thread::sleep_for(std::chrono::duration<double>(1 / per_s));
  }
}

}  // namespace

const std::vector<SuiteAttack>& suite_attacks() {
  static const std::vector<SuiteAttack> attacks = {
      {"start-storm", "a script that starts another again and again", {"many-starts"}},
      {"fork-bomb", "processes that fork, 600 to 700 of them", {"many-processes"}}};
  return attacks;
}

Played play_suite(const SuiteAttack& attack, std::uint64_t seed) {
  Draw draw(seed, attack.name);
  SuiteDraw drawn;
  drawn.begin_ms = unix_ms() + draw.between(3'000, 5'000);
  drawn.per_s = attack.name == "fork-bomb" ? draw.spread(100, 2'000) : draw.spread(3, 50);
  drawn.most = draw.between(600, 700);
  Suite suite(attack.name, drawn);
  Played played;
  played.drawn = std::to_string(int(drawn.per_s)) + " a second, " + std::to_string(drawn.most);
  std::uint64_t seen = 0;
  while (unix_ms() < drawn.begin_ms + kLongestMs && !played.found_after_ms) {
    std::this_thread::sleep_for(200ms);
    for (const Json& row : suite.findings()) {
      const auto number = row["number"].get<std::uint64_t>();
      if (number <= seen) continue;
      seen = number;
      const Found found{unix_ms(), row["rule"], row["what"], row["evidence"], row["action"]};
      const bool is_meant =
          std::find(attack.rules.begin(), attack.rules.end(), found.rule) != attack.rules.end();
      if (!is_intruder(found.what) || unix_ms() < drawn.begin_ms) {
        played.false_alarms.push_back(found);
      } else if (is_meant && !played.found_after_ms) {
        played.found = found;
        played.found_after_ms = found.at_ms - drawn.begin_ms;
      }
    }
  }
  return played;
}

int run_script(const std::string& role, std::uint64_t begin_unix_ms, double per_s,
               std::uint64_t most) {
  auto session = Session::attach();
  if (!session) return 1;
  auto cart = session->open("cart");
  if (!cart) return 1;
  std::uint64_t turn = 0;
  if (role == "start-storm" || role == "fork-bomb") {
    for (; unix_ms() < begin_unix_ms; std::this_thread::sleep_for(10ms)) {
      work_as_usual(*cart, turn);
    }
    sleep_until(begin_unix_ms);
    role == "fork-bomb" ? fork_processes(per_s, most) : start_scripts(*session, per_s, most);
  }
  for (; unix_ms() < begin_unix_ms + 2 * kLongestMs; std::this_thread::sleep_for(10ms)) {
    work_as_usual(*cart, turn);
  }
  return 0;
}

}  // namespace sessionblocks::guard_trial
