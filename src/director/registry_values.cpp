// Registry: blocks whose values are logged. The key is asked for here, where one thread uses the
// key file, and not where records are written.
#include "director/registry.hpp"

namespace sessionblocks::director {

Result<void> Registry::check_values(const BlockRequest& request) const {
  if (!request.logs_values) return {};
  const auto refused = [&](Errc code, const std::string& why) {
    return fail(code, "create block " + request.policy.name + ": log_values " + why);
  };
  if (!has_permit(request.permits, Permit::persist)) {
    return refused(Errc::not_permitted, "needs \"persist\" in its permit");
  }
  if (request.audit == sessionblocks::AuditLevel::counted) {
    return refused(Errc::invalid_argument, "needs audit full or writes");
  }
  if (request.policy.kind == sessionblocks::BlockKind::inherited) {
    return refused(Errc::invalid_argument, "belongs to the block that it is inherited from");
  }
  if (!request.sensitive.empty()) {
    return refused(Errc::invalid_argument, "cannot be had with sensitive keys: no log shows those");
  }
  if (options.audit->keeps_values()) return {};
  return refused(Errc::invalid_argument,
                 "needs a log, and this system keeps none; start its director with one");
}

// A key that no deleted snapshot takes along.
Result<void> Registry::keep_values(const StoredBlock& block) {
  if (!block.logs_values || block.state == sessionblocks::BlockState::wiped) return {};
  if (auto made = state().make(); !made) return made;
  const auto key = snapshot::KeyFile(state().keys().native()).of({instance, block.id}, true);
  if (!key) return tl::unexpected(key.error());
  options.audit->keep_values(block.id, block.generation, block.policy.name, *key);
  return {};
}

void Registry::keep_values_or_say(const StoredBlock& block) {
  if (auto kept = keep_values(block); !kept) {
    say(EventKind::failed, "log the values of " + block.text(), kept.error().message());
  }
}

}  // namespace sessionblocks::director
