// Joining a fork to the block that it was forked from: a three-way merge against the instant that
// both sides have in common, as version control merges branches.
//
// What only the fork changed goes into its origin; so does nothing that only the origin changed. Of
// a key that both changed, and not to the same, a policy decides; what `add` is for is added up
// even if both sides added the same. The origin's users see all of it or nothing, at once, and go
// on there by themselves; the fork ends. A crash of anybody leaves both as they were, or joined.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace sessionblocks {

struct JoinOptions {
  // By patterns of keys, in which '*' stands for any run of bytes; of those that match a key the
  // one with the most other bytes counts, of several the first in order. Without one: refuse.
  //   refuse   the join fails and names the key
  //   ours     as the origin has it
  //   theirs   as the fork has it, also when it erased it
  //   add      counters: what the fork added, or took off, is added to the origin's; integers and
  //            reals; what is not there is 0
  //   max      the larger number; what is not there is less
  //   newest   the one written last, in steps of some 4 ms; the fork's if both are as old
  // add and max refuse what is no number, or not the same kind of number on all sides.
  std::map<std::string, std::string> policies;
  // Only says what would become of the keys. Both sides go on; writers of the fork wait meanwhile.
  bool trial = false;
};

struct JoinConflict {
  std::string key;
  std::string why;
};

// Keys, by what became of them; those that only the origin changed, or nobody, are not counted.
struct JoinReport {
  std::uint64_t taken = 0;      // as the fork has them
  std::uint64_t erased = 0;     // as the fork has not
  std::uint64_t combined = 0;   // added up
  std::uint64_t kept = 0;       // as the origin has them, though the fork changed them, too
  std::uint64_t conflicts = 0;  // of a trial: else a join with conflicts fails
  std::vector<JoinConflict> first_conflicts;  // at most 32
};

}  // namespace sessionblocks
