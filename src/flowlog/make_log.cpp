// How a director that knows nothing of log files gets them.
#include <cstring>
#include <filesystem>

#include "director/logs.hpp"
#include "flowlog/director_sinks.hpp"
#include "platform/disk_file.hpp"

namespace sessionblocks::director {

namespace {

// Who started the director reads this; what Errc advises is meant for workers.
tl::unexpected<Error> explained(const LogOptions& options, const Error& error) {
  return fail(Errc::io_error, "logs in " + options.folder + ": " + error.context() +
                                  "; put that right, name another folder, or keep no logs");
}

flowlog::FlowLogConfig config_of(const LogOptions& options) {
  flowlog::FlowLogConfig config;
  flowlog::LogConfig& log = config.log;
  log.folder = options.folder;
  log.system = options.system;
  log.key_file = options.key_file;
  log.rotate_bytes = options.rotate_bytes.value_or(log.rotate_bytes);
  log.rotate_ms = options.rotate_ms.value_or(log.rotate_ms);
  log.budget_bytes = options.budget_bytes.value_or(log.budget_bytes);
  log.checkpoint_ms = options.checkpoint_ms.value_or(log.checkpoint_ms);
  if (options.counts_when_full) config.on_full_disk = flowlog::OnFullDisk::count;
  return config;
}

Result<std::shared_ptr<AuditSink>> open_logs(const LogOptions& options,
                                             const std::shared_ptr<flowlog::EventLog>& events,
                                             const SystemInstance& instance) {
  if (auto made = platform::make_folder(options.folder); !made) {
    return explained(options, made.error());
  }
  if (!options.key_file.empty()) {
    const auto state = std::filesystem::path(options.key_file).parent_path();
    if (auto made = platform::make_folder(state.native()); !made) {
      return explained(options, made.error());
    }
  }
  if (!events->has_lines()) {
    flowlog::DirectorLogConfig config;
    config.file = options.folder + "/director.log";
    config.to_stderr = false;
    auto lines = flowlog::DirectorLog::open(config);
    if (!lines) return explained(options, lines.error());
    events->set_lines(std::move(*lines));
  }
  auto sink = std::make_shared<flowlog::FlowLogSink>(config_of(options), events);
  flowlog::Instance known{};
  static_assert(sizeof known == sizeof instance);
  std::memcpy(known.data(), instance.data(), instance.size());
  if (auto begun = sink->begin(known); !begun) return explained(options, begun.error());
  return std::shared_ptr<AuditSink>(std::move(sink));
}

}  // namespace

Logs make_logs(LogOptions options) {
  auto events = std::make_shared<flowlog::EventLog>(options.next);
  auto make_audit = [options = std::move(options), events](const SystemInstance& instance) {
    return open_logs(options, events, instance);
  };
  return {std::move(make_audit), std::move(events)};
}

}  // namespace sessionblocks::director
