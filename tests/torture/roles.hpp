// What the workers do. A new kind of worker (one that takes checkpoints, say) is one more row of
// kRoles with a function of its own; everything else goes by this table: how many there are, the
// scope that they attach to and with it their grant, who is stopped, killed and started again.
#pragma once

#include <sessionblocks/sessionblocks.hpp>

#include <array>
#include <random>

#include "keys.hpp"
#include "recorder.hpp"

namespace sessionblocks::torture {

// What a worker has when its role begins.
struct Place {
  Board& board;
  const KeySet& keys;
  Recorder& recorder;
  Block& block;
  std::mt19937_64& random;
  unsigned number = 0;  // among those of its role
};

void write_things(Place& place);  // writer.cpp
void read_things(Place& place);   // reader.cpp

struct Role {
  const char* scope;
  const char* grant;
  unsigned count;
  void (*run)(Place&);
};
inline constexpr std::array kRoles = {
    Role{"writer", "rw", 4, write_things},
    Role{"reader", "r", 2, read_things},
};
inline constexpr unsigned kWriters = kRoles[0].count;
inline constexpr unsigned kSlots = [] {
  unsigned slots = 0;
  for (const Role& role : kRoles) slots += role.count;
  return slots;
}();
static_assert(kSlots <= kMostSlots && kRoles.size() <= sizeof(Board::tokens) / 256);

struct RoleOfSlot {
  unsigned role = 0;
  unsigned number = 0;
};
[[nodiscard]] constexpr RoleOfSlot role_of(unsigned slot) noexcept {
  unsigned role = 0;
  while (slot >= kRoles[role].count) slot -= kRoles[role++].count;
  return {role, slot};
}

inline constexpr const char* kBlockName = "torture";
inline constexpr std::size_t kMostBytes = 96 * 1024;  // of a value

// One read of any kind of one key, recorded; the version that it saw, 0 for none.
[[nodiscard]] std::uint64_t read_one(Place& place, std::uint32_t key);

// A worker's whole life, from attach to its end; for the child of a fork. Its exit code.
[[nodiscard]] int live(Board& board, const KeySet& keys, unsigned slot);

}  // namespace sessionblocks::torture
