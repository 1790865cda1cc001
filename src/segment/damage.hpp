// Looking for damage in a block while others write to it: for bytes that no writer of this library
// leaves at any instant. fsck knows more, and wants a block at rest.
//
// Only loads. What it calls damaged is damaged; what it calls sound may still be wrong where no
// reader looks. A turn's time is bounded by the slots that the caller asks for.
#pragma once

#include "segment/lookup.hpp"

#include <string_view>

namespace sessionblocks::segment {

class DamageSearch {
 public:
  enum class Step : std::uint8_t { more, sound, damaged };

  explicit DamageSearch(const BlockMemory& memory) noexcept : memory_(&memory) {}

  // Looks at the header, and at the next `most_slots` slots of the index with their nodes.
  [[nodiscard]] Step look(std::uint64_t most_slots);
  // One sentence: what is wrong. Empty unless it is damaged.
  [[nodiscard]] std::string_view what() const noexcept { return what_; }

 private:
  enum class Seen : std::uint8_t { sound, damaged, moved_on };

  [[nodiscard]] Step call(std::string_view what) noexcept;
  [[nodiscard]] bool is_table(const TableView& view) const noexcept;
  [[nodiscard]] Seen look_at(const TableView& view, std::uint64_t index);
  [[nodiscard]] bool is_node_whole(const SlotView& view) const noexcept;

  const BlockMemory* memory_;
  Tables tables_;
  std::uint64_t next_ = 0;  // slot of the current table, then of the old one
  int restarts_ = 0;
  std::string_view what_;
};

}  // namespace sessionblocks::segment
