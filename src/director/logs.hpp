// The logs of a director: FlowLog's files for machines, director.log beside them for people.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "director/audit_sink.hpp"
#include "director/events.hpp"

namespace sessionblocks::director {

struct LogOptions {
  std::string folder;  // made (0700) when it is absent; must be this user's and nobody else's
  std::string system;
  std::shared_ptr<EventSink> next;  // hears every event as well; null: nobody
  // What signs checkpoints, made when it is absent, in a folder that is made too; empty: nothing.
  std::string key_file{};
  // Left out, each is as FlowLog has it (flowlog/log_file.hpp).
  std::optional<std::uint64_t> rotate_bytes{};
  std::optional<std::uint64_t> rotate_ms{};
  std::optional<std::uint64_t> budget_bytes{};
  std::optional<std::uint64_t> checkpoint_ms{};
  bool counts_when_full = false;  // a full disk costs records, which are counted; else they wait
};

struct Logs {
  MakeAuditSink make_audit;
  std::shared_ptr<EventSink> events;  // the director's, and what FlowLog itself has to say
};

// For DirectorOptions (src/flowlog). Files are opened when make_audit is called, which is when the
// director has its system: one that is refused because another runs writes into nobody's log.
[[nodiscard]] Logs make_logs(LogOptions options);

}  // namespace sessionblocks::director
