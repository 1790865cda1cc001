#include "moves.hpp"

#include <algorithm>

namespace sessionblocks::torture {

Done change_of(const RolledBack& event, std::uint32_t key, bool is_erase, std::uint64_t version,
               std::uint64_t value_bytes) {
  Done done;
  done.op = is_erase ? Op::erase : Op::put;
  done.start_ns = event.start_ns;
  done.end_ns = event.end_ns;
  done.start_ms = event.start_ms;
  done.end_ms = event.end_ms;
  done.version = version;
  done.value_bytes = value_bytes;
  done.back = &(*event.then)[key];
  return done;
}

void check_untouched(const std::string& name, const RolledBack& event, std::uint32_t key,
                     const KeyState& before, const std::vector<Done>& done,
                     const Complain& complain) {
  const KeyState& then = (*event.then)[key];
  std::uint64_t version = before.version;
  bool is_live = before.is_live;
  bool expires = before.expires_last_ms != 0;
  for (const Done& one : done) {
    if (!one.changes()) continue;
    expires = expires || one.ttl_ms != 0;
    if (one.version < version) continue;
    // Under way at the time: it may have come after the rollback, or have been all that there was.
    if (one.was_cut_off || one.end_ns >= event.start_ns) return;
    version = one.version;
    is_live = !one.takes_out();
  }
  if (expires || then.expires_last_ms != 0 || version == then.version) return;
  if (is_live || then.is_live) {
    complain(name + ": version " + std::to_string(version) +
             " was acknowledged after the checkpoint, version " + std::to_string(then.version) +
             ", and the rollback did not change it back");
  }
}

void InstantCheck::look(std::uint32_t key, const std::string& name, const KeyState& before,
                        const std::vector<Done>& done, const Complain& complain) {
  const auto shown = instant_.versions.find(key);
  if (shown == instant_.versions.end()) return;
  const std::uint64_t version = shown->second;
  // Of a key that is not there it is not known since which version.
  if (version == 0) return;
  bool is_known = before.version == version;
  for (const Done& one : done) {
    if (!one.changes()) continue;
    if (one.version == version) {
      is_known = true;
      earliest_ns_ = std::max(earliest_ns_, one.start_ns);
    } else if (one.version > version && !one.was_cut_off) {
      latest_ns_ = std::min(latest_ns_, one.end_ns);
    }
  }
  if (!is_known) {
    complain("fork: " + name + " has version " + std::to_string(version) + ", which nobody wrote");
  }
}

void InstantCheck::end(const Complain& complain) const {
  const std::uint64_t first = std::max(earliest_ns_, instant_.start_ns);
  const std::uint64_t last = std::min(latest_ns_, instant_.end_ns);
  // Equal clocks say nothing.
  if (first > last) {
    complain("fork: of no instant: it shows a change that began " + std::to_string(first - last) +
             " ns after another had ended that it does not show");
  }
}

}  // namespace sessionblocks::torture
