// How a director that knows nothing of log files gets them.
#include <cstring>

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

Result<std::shared_ptr<AuditSink>> open_logs(const LogOptions& options,
                                             const std::shared_ptr<flowlog::EventLog>& events,
                                             const SystemInstance& instance) {
  if (auto made = platform::make_folder(options.folder); !made) {
    return explained(options, made.error());
  }
  if (!events->has_lines()) {
    flowlog::DirectorLogConfig config;
    config.file = options.folder + "/director.log";
    config.to_stderr = false;
    auto lines = flowlog::DirectorLog::open(config);
    if (!lines) return explained(options, lines.error());
    events->set_lines(std::move(*lines));
  }
  flowlog::FlowLogConfig config;
  config.log.folder = options.folder;
  config.log.system = options.system;
  auto sink = std::make_shared<flowlog::FlowLogSink>(std::move(config), events);
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
