// How a walk over a block at one moment, or several, is taken part in (BlockHandle::walk_at).
#pragma once

#include "session/seen.hpp"

#include <string_view>

namespace sessionblocks {

class MomentVisitor {
 public:
  virtual ~MomentVisitor() = default;
  // A key follows; also when what was said of it since the last begin() does not count.
  virtual void begin() = 0;
  // Its version at moments[which]; not called for a moment that it was not there at.
  virtual void use(std::size_t which, const segment::Version& version) = 0;
  // What the audit shall say of it when it is shown; nullptr: it is not wanted.
  [[nodiscard]] virtual const Seen* wants(std::string_view key) = 0;
  // False ends the walk.
  [[nodiscard]] virtual bool show(std::string_view key) = 0;
};

}  // namespace sessionblocks
