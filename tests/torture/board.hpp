// What the driver, the warden and the workers share outside the store: orders, and a journal for
// each worker of what it is about to do and what came of it. It is memory of the driver, so it
// survives whoever wrote into it.
//
// A journal has one writer at a time: the worker of the slot, and while there is none the warden,
// who closes the books of the dead. The oracle reads it. Entries below `ended` are final; `begun`
// is `ended`, or one more while an operation is under way.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "core/words.hpp"
#include "histogram.hpp"

namespace sessionblocks::torture {

inline constexpr unsigned kMostSlots = 16;
inline constexpr std::uint64_t kJournalEntries = std::uint64_t{1} << 15U;
inline constexpr std::uint16_t kNeverEnded = 0xFFFF;  // outcome: its process died in it

// What a journal entry tells. Operations have the number of their Op.
enum class Act : std::uint8_t {
  life_begun = 100,  // argument: number of the life
  attached = 101,    // argument: the director's id of this worker
  scanned = 102,     // one entry that for_each showed
  life_ended = 103,  // argument: how (LifeEnd)
};
enum class LifeEnd : std::uint8_t { killed = 0, in_order = 1, crashed = 2 };

struct JournalEntry {
  std::uint64_t start_ns;
  std::uint64_t end_ns;
  // By the coarse clock, as the store reads it: it may lag behind the other by as long as the
  // processor that moves it is kept from running. For what expires.
  std::uint64_t start_ms;
  std::uint64_t end_ms;
  std::uint64_t version;   // that the call returned; 0: it returns none
  std::uint64_t written;   // identity of the stamp that it writes
  std::uint64_t seen;      // content that was read (stamp.hpp), a sum, or a size
  std::uint64_t argument;  // compare_and_set: expected version; increment: by how much
  std::uint32_t key;
  std::uint32_t bytes;  // written, or read
  std::uint32_t ttl_ms;
  std::uint16_t outcome;  // Errc
  std::uint8_t act;       // Op or Act
  std::uint8_t torn;      // 1: the bytes that were read are no value that anybody writes
};
static_assert(sizeof(JournalEntry) == 80);

struct Journal {
  alignas(64) std::atomic<std::uint64_t> begun;
  std::atomic<std::uint64_t> ended;
  alignas(64) std::atomic<std::uint64_t> taken;  // by the oracle
  JournalEntry entries[kJournalEntries];
};

enum class Phase : std::uint32_t { calm = 0, chaos = 1 };

struct Slot {
  alignas(64) std::atomic<std::uint32_t> life;  // number of its process, from 1
  std::atomic<std::uint32_t> parked;            // number of the pause that it obeys
  // Odd while the warden has it stopped: its own operations are then no survivor's.
  std::atomic<std::uint32_t> stops;
  // The next to be struck works without a rest, so that it is hit inside an operation; the others
  // take one, or the oracle would do little else than judge what nobody was killed in.
  std::atomic<std::uint32_t> is_hot;
  std::atomic<std::uint64_t> remembered;  // the worker's own; the next one finds it
  std::array<Histogram, 2> latency;       // by Phase
  Journal journal;
};

struct Board {
  // Orders of the driver.
  alignas(64) std::atomic<std::uint32_t> pause;  // number of a pause; 0: go on
  std::atomic<std::uint32_t> phase;
  std::atomic<std::uint32_t> go;    // the director runs
  std::atomic<std::uint32_t> stop;  // workers end in order, then the warden
  std::uint64_t seed;
  std::uint64_t wanted_kills;
  std::uint64_t mean_gap_ns;
  std::uint32_t keys_per_class;  // 0: the usual mix
  std::uint32_t crowd;           // keys of that class
  AtLimit at_limit;
  char socket[256];
  char tokens[2][256];  // by role

  // What the warden counts.
  alignas(64) std::atomic<std::uint64_t> kills;
  std::atomic<std::uint64_t> kills_stopped;  // of those: after a SIGSTOP
  std::atomic<std::uint64_t> kills_early;    // before the process had attached
  std::atomic<std::uint64_t> kills_inside;   // between "about to" and the acknowledgement
  std::atomic<std::uint64_t> stops;
  std::atomic<std::uint64_t> kills_by_director;  // of who held a block that it took away
  std::atomic<std::uint64_t> in_order;           // workers that ended by themselves
  std::atomic<std::uint32_t> warden_pause;  // the pause that it obeys: nobody is stopped or dying
  std::atomic<std::uint32_t> warden_done;

  Slot slots[kMostSlots];
};

}  // namespace sessionblocks::torture
