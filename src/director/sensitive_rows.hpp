// The patterns of sensitive keys, as control keeps them: for the director that adopts the system,
// and for inspectors, which ask nobody.
//
// Invariants
// 1. A block's row says that it has sensitive keys before anybody can know of the block. Patterns
//    that are not there then mean that every key is: what cannot be told is masked.
// 2. Only the director's event loop calls this.
// What a crash leaves: rows that name no block; adoption withdraws them.
#pragma once

#include <functional>

#include "director/control_directory.hpp"
#include "director/sensitive_keys.hpp"

namespace sessionblocks::director {

class SensitiveRows {
 public:
  explicit SensitiveRows(ControlDirectory& control) noexcept : control_(&control) {}

  // Writes down the patterns; the answer goes into the block's row. None: masking none. Patterns
  // that find no room: every_key, and `patterns` becomes that.
  [[nodiscard]] layout::Masking keep(BlockId block, SensitivePatterns& patterns) noexcept;
  // What an earlier director, or this one, wrote down of a block whose row says `masking`.
  [[nodiscard]] SensitivePatterns of(BlockId block, layout::Masking masking) const;
  void forget(BlockId block) noexcept;
  // Withdraws the rows of blocks that are not there.
  void keep_if(const std::function<bool(BlockId)>& is_there) noexcept;

 private:
  ControlDirectory* control_;
  std::uint32_t next_row_ = 0;
};

}  // namespace sessionblocks::director
