#include "suite_run.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "platform/process.hpp"
#include "platform/shared_segment.hpp"
#include "platform/spawn.hpp"

namespace confinement {

using namespace sessionblocks;

namespace {

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

int code_of(const platform::ExitStatus& status) {
  return status.by_signal ? 128 + status.number : status.number;
}

platform::UniqueFd new_file(const fs::path& path) {
  platform::UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  REQUIRE(fd);
  return fd;
}

fs::path make_folder() {
  std::string pattern = (fs::temp_directory_path() / "sb-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  REQUIRE(::chmod(pattern.c_str(), 0711) == 0);
  return pattern;
}

std::string unique_system() {
  static int count = 0;
  return "confined-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

}  // namespace

SuiteRun::SuiteRun(std::string_view body, DirectorIs who)
    : system_(unique_system()), folder_(make_folder()) {
  ::alarm(kWatchdogSeconds);
  if (who == DirectorIs::ordinary_user && ::geteuid() == 0) {
    user_ = platform::find_user("nobody").value();
  }
  give_to_director(folder_);
  for (const fs::path& folder : {suite(), logs(), folder_ / "bin"}) {
    fs::create_directory(folder);
    REQUIRE(::chmod(folder.c_str(), folder == logs() ? 0700 : 0755) == 0);
    give_to_director(folder);
  }
  // Where it was built, another user may not be able to read it.
  for (const fs::path program : {FLOWDIRECTOR, SESSIONCTL}) {
    fs::copy_file(program, folder_ / "bin" / program.filename());
  }
  write_suite(body);
}

void SuiteRun::give_to_director(const fs::path& path) const {
  if (user_) REQUIRE(::chown(path.c_str(), user_->uid, user_->gid) == 0);
}

SuiteRun::~SuiteRun() {
  if (director_) {
    // Its own end takes the scripts along; the watchdogs of both bound this.
    static_cast<void>(platform::send_signal(director_.get(), SIGTERM));
    static_cast<void>(platform::reap(director_.get()));
  }
  for (const std::string& name : segments()) {
    static_cast<void>(platform::SharedSegment::unlink(name));
  }
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
  ::alarm(0);
}

void SuiteRun::write_file(const std::string& name, std::string_view text) const {
  std::ofstream(suite() / name, std::ios::binary) << text;
  REQUIRE(::chmod((suite() / name).c_str(), 0755) == 0);
  give_to_director(suite() / name);
}

void SuiteRun::write_suite(std::string_view body) const {
  std::string text = "schema = 1\n[suite]\nname = \"shop\"\n";
  write_file("suite.toml", text.append(body));
}

void SuiteRun::copy_program(const fs::path& program) const {
  fs::copy_file(program, suite() / program.filename());
  REQUIRE(::chmod((suite() / program.filename()).c_str(), 0755) == 0);
  give_to_director(suite() / program.filename());
}

void SuiteRun::start(const std::vector<std::string>& more) {
  platform::Program program;
  program.path = folder_ / "bin" / fs::path(FLOWDIRECTOR).filename();
  program.user = user_;
  program.arguments = {"flowdirector",
                       "run",
                       "--no-guard",
                       suite() / "suite.toml",
                       "--system",
                       system_,
                       "--runtime-dir",
                       runtime(),
                       "--log-dir",
                       logs(),
                       "--grace-ms",
                       "1000",
                       "-v"};
  program.arguments.insert(program.arguments.end(), more.begin(), more.end());
  program.environment = {"PATH=/usr/bin:/bin", "HOME=" + folder_.native()};
  const auto out = new_file(folder_ / "out");
  const auto err = new_file(folder_ / "err");
  program.standard_output = out.get();
  program.standard_error = err.get();
  auto child = platform::spawn(program);
  REQUIRE(child);
  director_ = std::move(child->pidfd);
}

int SuiteRun::wait() {
  const auto status = platform::reap(director_.get());
  REQUIRE(status);
  director_.reset();
  return code_of(*status);
}

std::string SuiteRun::out() const {
  return contents(folder_ / "out");
}
std::string SuiteRun::err() const {
  return contents(folder_ / "err");
}

std::vector<std::string> SuiteRun::segments() const {
  auto names = platform::SharedSegment::list(
      "sessionblocks." + std::to_string(user_ ? user_->uid : ::geteuid()) + "." + system_ + ".");
  return names ? *names : std::vector<std::string>{};
}

std::string SuiteRun::leftovers() const {
  std::string text;
  for (const std::string& name : segments()) text += "/dev/shm/" + name + "\n";
  if (fs::exists(runtime())) text += runtime().native() + "\n";
  return text;
}

ProgramOutput output_of(const std::vector<std::string>& words) {
  int ends[2] = {};
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const platform::UniqueFd reading(ends[0]);
  platform::UniqueFd writing(ends[1]);
  platform::Program program;
  program.path = words.front();
  program.arguments = words;
  program.standard_output = writing.get();
  auto child = platform::spawn(program);
  REQUIRE(child);
  writing.reset();
  ProgramOutput output;
  char buffer[4'096];
  ssize_t length = 0;
  while ((length = ::read(reading.get(), buffer, sizeof buffer)) > 0) {
    output.out.append(buffer, static_cast<std::size_t>(length));
  }
  const auto status = platform::reap(child->pidfd.get());
  REQUIRE(status);
  output.code = code_of(*status);
  return output;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

}  // namespace confinement
