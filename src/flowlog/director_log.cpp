#include "flowlog/director_log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_color_sinks.h>

#include <exception>
#include <filesystem>
#include <vector>

#include "flowlog/text.hpp"
#include "platform/disk_file.hpp"

namespace sessionblocks::flowlog {

namespace {
// Rotation makes files with the mode of the umask.
spdlog::file_event_handlers only_for_owner() {
  spdlog::file_event_handlers handlers;
  handlers.after_open = [](const spdlog::filename_t& name, std::FILE*) {
    using std::filesystem::perms;
    std::error_code ignored;
    std::filesystem::permissions(name, perms::owner_read | perms::owner_write, ignored);
  };
  return handlers;
}
}  // namespace

struct DirectorLog::Lines {
  explicit Lines(std::vector<spdlog::sink_ptr> sinks)
      : logger("flowdirector", sinks.begin(), sinks.end()) {
    // UTC, as the audit log beside it.
    logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %^%l%$ %v", spdlog::pattern_time_type::utc);
    // Each line: what came before a SIGKILL of the director is what somebody will look for.
    logger.flush_on(spdlog::level::info);
    // Its own handler would print to stderr, where a director has nobody.
    logger.set_error_handler([](const std::string&) {});
  }
  spdlog::logger logger;
};

DirectorLog::DirectorLog(std::unique_ptr<Lines> lines) : lines_(std::move(lines)) {}
DirectorLog::~DirectorLog() {
  flush();
}

Result<std::unique_ptr<DirectorLog>> DirectorLog::open(const DirectorLogConfig& config) {
  try {
    std::vector<spdlog::sink_ptr> sinks;
    if (config.to_stderr) sinks.push_back(std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    if (!config.file.empty()) {
      // Made here so that its mode is 0600 whatever the umask; that it is there already is well.
      auto made = platform::DiskFile::create(config.file);
      if (!made && !(made.error() == Errc::exists)) {
        return tl::unexpected<Error>(std::move(made).error());
      }
      sinks.push_back(std::make_shared<spdlog::sinks::rotating_file_sink_mt>(
          config.file, config.rotate_bytes, config.kept_files, false, only_for_owner()));
    }
    auto lines = std::make_unique<Lines>(std::move(sinks));
    return std::unique_ptr<DirectorLog>(new DirectorLog(std::move(lines)));
  } catch (const spdlog::spdlog_ex& error) {
    return fail(Errc::io_error, std::string(error.what()));
  }
}

void DirectorLog::add(Level level, std::string_view what, std::string_view subject,
                      std::string_view detail) noexcept {
  try {
    std::string line = escaped(what);
    if (!subject.empty()) line.append(" ").append(escaped(subject));
    if (!detail.empty()) line.append(": ").append(escaped(detail));
    lines_->logger.log(level == Level::warning ? spdlog::level::warn : spdlog::level::info, line);
  } catch (const std::exception&) {
    // Out of memory: a line is lost, the director goes on.
  }
}

void DirectorLog::flush() noexcept {
  try {
    lines_->logger.flush();
  } catch (const std::exception&) {
    // As above.
  }
}

}  // namespace sessionblocks::flowlog
