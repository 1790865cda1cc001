// What `sessionctl leaks` lists: blocks that hold what nobody uses, and why they are listed.
#pragma once

#include <span>

#include "director/registry.hpp"
#include "flowguard/observer.hpp"

namespace sessionblocks::flowguard {

// A row for each block that has something to say: scope, worker (its main writer), block, age,
// stale and live bytes, for how long it has grown, and words of kinds:
//   growing     it has grown for a minute or more, and half of it is stale
//   unread      half of its entries or more were never read
//   outlived    nobody has used it for ten minutes
//   checkpoint  one is older than ten minutes
//   unredeemed  ten references or more were made and not redeemed
//   hazard      a reader has kept an entry from reuse for ten seconds
[[nodiscard]] Message leaks_of(director::Registry& registry, const Observer& observer,
                               std::span<const Observed> observed);

}  // namespace sessionblocks::flowguard
