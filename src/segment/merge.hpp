// Merge: what a fork changed since it was forked, on its way into its origin.
//
//   origin  ---o------------>  changed here too, and otherwise: the key's policy decides
//               \.
//   fork         o---------->  not changed here: nothing to do
//
// Three-way, per key, against the instant that both sides keep as a checkpoint, as version control
// merges files. Nothing is changed here: what is decided goes to a sink. Neither side's bytes are
// trusted. Exact when nobody writes to either side meanwhile.
#pragma once

#include "core/words.hpp"
#include "segment/entry_bytes.hpp"
#include "segment/moment.hpp"

#include <functional>
#include <string_view>

namespace sessionblocks::segment {

struct MergeSides {
  const BlockMemory* origin = nullptr;
  Moment origin_base;
  const BlockMemory* fork = nullptr;
  Moment fork_base;
  std::uint64_t now_ms = 0;  // what has expired by then is not there
};

struct MergeSink {
  std::function<Errc(const EntryBytes&)> put;
  std::function<Errc(std::span<const std::byte> key)> erase;
};

// Of conflicts, only the first are named.
inline constexpr std::size_t kMostConflictsNamed = 32;

struct MergeConflict {
  std::vector<std::byte> key;
  std::string_view why;
};

// Keys, by what became of them.
struct MergeReport {
  std::uint64_t taken = 0;     // as the fork has them
  std::uint64_t erased = 0;    // as the fork has not
  std::uint64_t combined = 0;  // added up
  std::uint64_t kept = 0;      // as the origin has them, though the fork changed them
  std::uint64_t conflicts = 0;
  std::vector<MergeConflict> named;
};

// add: what the fork added to a number, integer or real, is added to the origin's; one that is not
// there is 0. max: the larger number; one that is not there is less. newest: the one written last,
// in steps of some milliseconds, the fork's if they are equal.
using PolicyOfKey = std::function<JoinPolicy(std::span<const std::byte> key)>;

// Goes through all keys whether or not there are conflicts. corrupt; what the sink says ends it.
[[nodiscard]] Errc merge(const MergeSides& sides, const PolicyOfKey& policy_of,
                         const MergeSink& sink, MergeReport& report);

}  // namespace sessionblocks::segment
