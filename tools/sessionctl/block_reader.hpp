// The entries of a block, read with pread from a segment that workers may be writing to.
//
// What it does: for every slot of the index it reads the slot, the node, and the slot again; an
// entry counts when the slot's version word stood still meanwhile, so its bytes are whole. Each
// entry that is there all the time is given once; one that comes or goes may be.
// What it does not do: map, store, wait, or believe an offset before it was checked.
//
// Errors: corrupt: the header names no usable table; conflict: the index grew during every try.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <sessionblocks/value.hpp>
#include <string>

#include "control_image.hpp"
#include "director/runtime_paths.hpp"
#include "layout/block.hpp"

namespace sessionblocks::ctl {

struct StoredEntry {
  Type type{};
  std::string value;  // its bytes, as get_into gives them
  std::uint64_t version = 0;
  std::optional<std::chrono::milliseconds> expires_in;
};
using Entries = std::map<std::string, StoredEntry, std::less<>>;  // by key

// What to look for: one key, or all that begin with a prefix.
struct Wanted {
  std::optional<std::string> key;
  std::string prefix;
  bool keys_only = false;  // leaves values empty
};

class BlockReader {
 public:
  // invalid_argument: the block has no memory of its own; corrupt: segment and control disagree;
  // quarantined, wiped; gone: it was destroyed meanwhile.
  [[nodiscard]] static Result<BlockReader> open(const director::RuntimePaths& paths,
                                                const BlockInfo& block, std::uint64_t hash_seed);
  // Unfinished entries and damage are counted, not given.
  [[nodiscard]] Result<Entries> read(const Wanted& wanted);
  // Slots that hold what no writer leaves, in the last read().
  [[nodiscard]] std::uint64_t damaged_slots() const noexcept { return damaged_; }

 private:
  struct SlotWords {
    std::uint64_t ref;
    std::uint64_t ver;
    friend bool operator==(SlotWords, SlotWords) = default;
  };
  struct TableWords {
    layout::TableWord current;
    layout::TableWord old;
    [[nodiscard]] bool is_growing() const noexcept {
      return old.is_table() && old.id() + 1 == current.id();
    }
  };

  BlockReader(SegmentReader segment, std::uint64_t bytes, std::uint64_t seed)
      : segment_(std::move(segment)), geometry_(layout::Geometry::of(bytes)), seed_(seed) {}
  [[nodiscard]] Result<TableWords> tables() const;
  [[nodiscard]] Result<void> read_table(layout::TableWord table, const Wanted& wanted);
  [[nodiscard]] Result<void> read_slot(std::uint64_t at, SlotWords words, const Wanted& wanted);
  [[nodiscard]] Result<bool> read_node(std::uint64_t offset);
  void take_entry(const Wanted& wanted);

  SegmentReader segment_;
  layout::Geometry geometry_;
  std::uint64_t seed_;
  std::uint16_t wanted_tag_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t budget_bytes_ = 0;  // of nodes that may still be read: forged ones could overlap
  std::uint64_t now_ms_ = 0;
  std::vector<std::byte> node_;  // the node at hand
  Entries entries_;
};

}  // namespace sessionblocks::ctl
