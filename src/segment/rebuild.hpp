// Rebuild: makes the next generation of a block out of what the present one shows, moment by
// moment, so that its checkpoints come along with the instants that they have.
//
//   present    --- pin 4 ---- pin 9 ---- now
//   next         load, pin    change, pin   change
//
// The present generation may be written meanwhile: what a held checkpoint shows does not change.
// The last moment is looked at when nothing can commit there any more. Its bytes are not trusted.
#pragma once

#include "segment/loader.hpp"
#include "segment/moment.hpp"

#include <optional>

namespace sessionblocks::segment {

class Rebuild {
 public:
  Rebuild(const BlockMemory& present, Loader& next) noexcept : present_(&present), next_(&next) {}

  // Everything that differs from the moment before, or all of it at first; versions are kept.
  // corrupt: what the present generation shows makes no sense; what Loader says.
  [[nodiscard]] Errc advance(const Moment& moment);
  // The same, and a checkpoint shows it. Precondition: `moment` is one that somebody holds.
  [[nodiscard]] Errc advance_and_pin(const Moment& moment);
  // What was changed between the moment that was reached and `now` gets a version that no entry of
  // the present generation had, and is recorded: it is changed back.
  [[nodiscard]] Errc change_back_from(const Moment& now);
  // On top of all that: recorded, with a version as above. An entry keeps the time it was written.
  [[nodiscard]] Errc change(const EntryBytes& entry);
  [[nodiscard]] Errc remove(std::span<const std::byte> key);
  // What comes after: instants and versions that the present generation did not give out.
  void end();

 private:
  struct Side : EntryCopy {
    bool is_there = false;
  };
  template <typename Apply>
  [[nodiscard]] Errc compare(std::span<const Moment> moments, Apply&& apply);

  const BlockMemory* present_;
  Loader* next_;
  std::optional<Moment> reached_;
  std::uint64_t highest_version_ = 0;
};

}  // namespace sessionblocks::segment
