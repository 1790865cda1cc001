// How a director that knows nothing of log files gets one.
#include <cstring>

#include "flowlog/director_sinks.hpp"

namespace sessionblocks::director {

MakeAuditSink make_log_in(std::string folder) {
  return [folder = std::move(folder)](
             const SystemInstance& instance) -> Result<std::shared_ptr<AuditSink>> {
    flowlog::FlowLogConfig config;
    config.log.folder = folder;
    auto sink = std::make_shared<flowlog::FlowLogSink>(std::move(config), nullptr);
    flowlog::Instance known{};
    static_assert(sizeof known == sizeof instance);
    std::memcpy(known.data(), instance.data(), instance.size());
    if (auto begun = sink->begin(known); !begun) return tl::unexpected(begun.error());
    return std::shared_ptr<AuditSink>(std::move(sink));
  };
}

}  // namespace sessionblocks::director
