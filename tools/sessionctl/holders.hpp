// What worker segments tell about a block: who has it open, and what is under way in it. Read with
// pread, like all else; a worker may lie in its segment, so this excuses and informs, and proves
// nothing.
#pragma once

#include <cstdint>
#include <vector>

#include "control_image.hpp"
#include "director/runtime_paths.hpp"

namespace sessionblocks::ctl {

[[nodiscard]] bool has_open(const director::RuntimePaths& paths, const WorkerInfo& worker,
                            const BlockInfo& block);

// Nodes that intents on the block name, and the lanes that are at work on it: what fsck excuses.
struct UnderWay {
  std::vector<std::uint64_t> nodes;
  std::vector<OwnerId> lanes;
  void add(const UnderWay& other);
};
[[nodiscard]] UnderWay under_way(const director::RuntimePaths& paths, const ControlImage& image,
                                 const BlockInfo& block);

// Audit rings of one worker, all lanes together.
struct RingCounts {
  unsigned lanes = 0;
  std::uint64_t written = 0;
  std::uint64_t waiting = 0;  // not drained yet
  std::uint64_t lost = 0;     // let go unrecorded by the policy "count"
  std::uint64_t capacity = 0;
};
[[nodiscard]] RingCounts ring_counts(const director::RuntimePaths& paths, const WorkerInfo& worker);

}  // namespace sessionblocks::ctl
