#include "director/events.hpp"

#include <array>

namespace sessionblocks::director {

std::string_view word(EventKind kind) noexcept {
  constexpr std::array<std::string_view, kEventKinds> kWords = {
      "started",  "adopted",  "swept",       "created",     "attached",    "opened",    "denied",
      "detached", "died",     "recovered",   "restarted",   "ended",       "destroyed", "timed-out",
      "failed",   "stopped",  "quarantined", "forged",      "sealed",      "unsealed",  "released",
      "wiped",    "killed",   "shared",      "rolled-back", "handed-over", "saved",     "elevated",
      "joined",   "loaded",   "deleted",     "revoked",     "granted",     "compacted", "begun",
      "closed",   "redeemed", "pinned",      "unpinned",    "forked",      "restored",  "acting",
      "found"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kWords.size() ? kWords[index] : "unknown";
}

}  // namespace sessionblocks::director
