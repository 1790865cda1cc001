// What a director does first: finds out what an earlier one of the same system left, takes over
// what lives, puts right what died, removes what nobody needs.
//
//   no control segment, or one that was never finished    names are removed, a fresh system
//   another boot or pid namespace, or ended in order      the same
//   another suite                                         its workers are killed, then the same
//   another layout                                        layout_mismatch, nothing is touched
//   more segments than this process may open              too_many, nothing is touched
//   else                                                  rows are read, dead workers recovered;
//                                                         nobody lives: removed, a fresh system
//                                                         somebody lives: that system goes on
//
// The caller holds the system's lock. Each step may be repeated after a crash.
#pragma once

#include <memory>
#include <sessionblocks/error.hpp>
#include <string>

#include "director/registry.hpp"
#include "director/suite.hpp"

namespace sessionblocks::director {

struct Adoption {
  std::unique_ptr<Registry> registry;
  bool goes_on = false;  // the registry holds a system with living workers
};

// `suite` is null for a system without a suite file.
[[nodiscard]] Result<Adoption> adopt_or_create(RegistryOptions options, const Suite* suite);

// Removes what dead systems of this user left: those whose director and workers have all ended;
// where the runtime folder is at its usual place, its lock is held meanwhile. One with blocks that
// are to be elevated or snapshot when their scope ends waits for its own director. Returns their
// names. `own` is left alone.
std::vector<std::string> sweep_dead_systems(const RuntimePaths& own);

}  // namespace sessionblocks::director
