// The logs of a director: FlowLog's files for machines, director.log beside them for people.
#pragma once

#include <memory>
#include <string>

#include "director/audit_sink.hpp"
#include "director/events.hpp"

namespace sessionblocks::director {

struct LogOptions {
  std::string folder;  // made (0700) when it is absent; must be this user's and nobody else's
  std::string system;
  std::shared_ptr<EventSink> next;  // hears every event as well; null: nobody
};

struct Logs {
  MakeAuditSink make_audit;
  std::shared_ptr<EventSink> events;  // the director's, and what FlowLog itself has to say
};

// For DirectorOptions (src/flowlog). Files are opened when make_audit is called, which is when the
// director has its system: one that is refused because another runs writes into nobody's log.
[[nodiscard]] Logs make_logs(LogOptions options);

}  // namespace sessionblocks::director
