#include "event_printer.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace sessionblocks::tools {
namespace {

using director::EventKind;

spdlog::level::level_enum level_of(EventKind kind) {
  switch (kind) {
    case EventKind::failed:
    case EventKind::timed_out:
    case EventKind::quarantined:
      return spdlog::level::err;
    case EventKind::denied:
    case EventKind::died:
    case EventKind::swept:
    case EventKind::forged:
    case EventKind::found:
      return spdlog::level::warn;
    case EventKind::attached:
    case EventKind::opened:
    case EventKind::detached:
      return spdlog::level::debug;
    default:
      return spdlog::level::info;
  }
}

spdlog::level::level_enum threshold(Verbosity verbosity) {
  if (verbosity == Verbosity::quiet) return spdlog::level::err;
  return verbosity == Verbosity::verbose ? spdlog::level::debug : spdlog::level::info;
}

class EventPrinter final : public director::EventSink {
 public:
  explicit EventPrinter(Verbosity verbosity)
      : logger_("flowdirector", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger_.set_pattern("%H:%M:%S.%e %^%v%$");
    logger_.set_level(threshold(verbosity));
  }

  void on_event(const director::Event& event) override {
    const auto level = level_of(event.kind);
    const auto kind = director::word(event.kind);
    if (event.detail.empty()) {
      logger_.log(level, "{:<9} {}", kind, event.subject);
    } else {
      logger_.log(level, "{:<9} {}: {}", kind, event.subject, event.detail);
    }
  }

 private:
  spdlog::logger logger_;
};

}  // namespace

std::shared_ptr<director::EventSink> make_event_printer(Verbosity verbosity) {
  return std::make_shared<EventPrinter>(verbosity);
}

}  // namespace sessionblocks::tools
