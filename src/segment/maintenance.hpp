// What keeps a block fit without any operation waiting for it: the director does it in turns.
//
// Prepares the next table ahead of need, finishes a growth that writers began, gives back the pages
// of tables that nobody can come back to, and takes and releases checkpoints. Every step can be cut
// off and done again.
#pragma once

#include "segment/checkpoints.hpp"
#include "segment/growth.hpp"
#include "segment/settle.hpp"

#include <span>

namespace sessionblocks::segment {

// The lane with which a director moves slots: its own worker segment and worker id.
struct MaintenancePlace {
  BlockMemory* memory = nullptr;
  layout::ReadersSegment* readers = nullptr;
  layout::LaneHead* lane = nullptr;
  std::uint16_t open = 0;
  OwnerId owner{};
  Growing growing = Growing::freely;
};

class Maintenance {
 public:
  explicit Maintenance(const MaintenancePlace& place);

  // `workers`: everyone who has the block open read-write. True when there was anything to do.
  bool run(std::span<const IntentSource> workers);
  [[nodiscard]] Checkpoints& checkpoints() noexcept { return checkpoints_; }

 private:
  bool prepare();
  bool finish();
  bool retire(std::span<const IntentSource> workers);

  MaintenancePlace place_;
  ThreadHeap heap_;
  Growth growth_;
  Checkpoints checkpoints_;
  std::uint32_t retired_below_ = 0;  // tables with smaller ids have been given back
};

}  // namespace sessionblocks::segment
