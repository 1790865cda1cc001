// Finds what is sensitive in one block and stands in another that more may read.
//
// What it does: pass() reads what changed since the pass before (changed_entries.hpp), the blocks
// that have sensitive keys first. Their values, and what a pattern's '*' stands for in their keys,
// become fingerprints (fingerprint.hpp); the keys and values of all blocks are scanned for these. A
// piece that is found counts when the block it was found in has wider access than the one it comes
// from (data_access.hpp), unless that is a fork of it and the piece is in a sensitive entry: there
// it came from. What is looked for has changed: all that stands in other blocks is
// scanned again, with what a pass has left of its time.
//
// Whatever stands in two walks is found: a leak is, two walks after it was written. A walk over
// blocks that nobody changed reads 16 bytes a slot of their index; what changed is scanned at 20
// to 40 MiB a second of CPU time. Called ten times a second with 10 ms, a leak is found in 0.2 s as
// long as less than about 1 MiB changes in a second; beyond that later.
//
// What it does not see: what fingerprint.hpp says; what is in a process's own memory, in files or
// on the network; what was overwritten or erased again before two walks saw it; what control
// cannot tell of access (data_access.hpp); blocks that are quarantined or wiped; old versions that
// only a checkpoint holds. A sensitive value is looked for until kKeptMs after it was overwritten
// or erased, and not once its block has ended.
//
// Invariants
// 1. No byte of a sensitive entry is kept. Findings name keys as the tools show them.
// 2. Bounded: FingerprintSet's memory, kMostSecrets, kMostFindings; what finds no room is counted.
// 3. A pass ends within its budget and the time that 128 KiB take to scan.
// Used on the director's event loop, where the registry is.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "director/registry.hpp"
#include "flowguard/changed_entries.hpp"
#include "flowguard/fingerprint.hpp"

namespace sessionblocks::flowguard {

struct LeakFound {
  BlockId source{};
  std::string source_key;  // masked
  BlockId target{};
  std::string target_key;  // masked, if it is sensitive there or the leak is in it
  std::uint64_t version = 0;
  bool is_in_key = false;  // of the target's entry, not in its value
  Form form = Form::plain;
  bool is_whole = false;
  std::size_t bytes = 0;           // of the sensitive value, at least
  std::optional<WorkerId> writer;  // as far as the block's pages tell
  std::string reader;              // a scope that may read the target and not the source

  // One sentence without the names of the blocks: "24 bytes of ..., as hex, in the value of ...".
  [[nodiscard]] std::string text() const;
};

struct LeakCounts {
  std::uint64_t secrets = 0;    // sensitive entries that are looked for now
  std::uint64_t windows = 0;    // fingerprints of them
  std::uint64_t too_short = 0;  // values below kLeastBytes, of all so far
  std::uint64_t left_out = 0;   // windows, bytes and entries that found no room, of all so far
  std::uint64_t walks = 0;      // over all that changed
  std::uint64_t full_walks = 0;
};

class DataLeakDetector {
 public:
  static constexpr std::size_t kMostSecrets = 65'536;
  static constexpr std::size_t kMostFindings = 16'384;  // remembered, so as not to say them twice
  static constexpr std::uint64_t kKeptMs = 60'000;

  explicit DataLeakDetector(std::size_t most_windows = FingerprintSet::kMostWindows);
  ~DataLeakDetector();

  // A hint, such as from the log's drain: the block's turn comes first in the next pass.
  void note_written(BlockId block);
  // What was found since the pass before; each version of an entry once.
  [[nodiscard]] std::vector<LeakFound> pass(director::Registry& registry, std::uint64_t budget_us);
  [[nodiscard]] LeakCounts counts() const noexcept;

 private:
  struct Watched;
  class Visit;
  struct Secret {
    std::uint64_t version = 0;
    std::uint64_t chunk = 0;
    std::vector<ValueId> values;
  };
  // An entry that has a value; equal values of several entries are one in the set.
  struct Origin {
    BlockId block{};
    std::string key;  // masked
    friend bool operator==(const Origin&, const Origin&) = default;
  };
  using Content = std::array<std::uint64_t, 2>;  // keyed hash of a value, and its size
  struct Value {
    Content content{};
    std::vector<Origin> origins;
  };
  struct Retired {
    ValueId value{};
    Origin origin;
    std::uint64_t at_ms = 0;
  };

  void begin_walk(director::Registry& registry);
  void forget_gone(director::Registry& registry);
  [[nodiscard]] Watched* watch(director::Registry& registry, BlockId block);
  void walk_urgent(director::Registry& registry, std::uint64_t deadline_ns);
  [[nodiscard]] bool walk_changed(director::Registry& registry, std::uint64_t deadline_ns);
  void walk_all(director::Registry& registry, std::uint64_t deadline_ns);
  void learn(Watched& watched, const director::StoredBlock& block, const EntryPiece& piece);
  [[nodiscard]] ValueId look_for(std::span<const std::byte> bytes, const Origin& origin);
  void retire(Secret& secret, const Origin& origin);
  void drop(ValueId value, const Origin& origin);
  void drop_oldest();
  [[nodiscard]] std::uint64_t hash_of(std::span<const std::byte> bytes) const noexcept;
  void drop_retired(std::uint64_t now_ms);
  void report(director::Registry& registry, const director::StoredBlock& target,
              const EntryPiece& piece, const Match& match, bool is_in_key);
  void report(director::Registry& registry, const director::StoredBlock& target, LeakFound found,
              std::string_view target_key);

  FingerprintSet set_;
  std::map<BlockId, std::unique_ptr<Watched>> watched_;
  std::unordered_map<ValueId, Value> values_;
  std::map<Content, ValueId> by_content_;
  std::deque<Retired> retired_;
  std::vector<BlockId> order_;  // of the walk: those with sensitive keys first
  std::size_t next_ = 0;
  std::vector<BlockId> all_order_;  // of the walk over everything
  std::size_t all_next_ = 0;
  bool wants_all_ = false;  // something new is looked for since that walk began
  std::set<BlockId> urgent_;
  std::map<std::pair<BlockId, BlockId>, std::optional<std::string>> readers_;  // of this pass
  std::set<std::uint64_t> said_;
  std::deque<std::uint64_t> said_order_;
  std::array<unsigned char, 16> hash_key_{};
  director::SharedMask every_;  // as the system names keys that it does not show
  std::vector<LeakFound> found_;
  std::size_t secrets_ = 0;
  std::uint64_t left_out_ = 0;
  std::uint64_t walks_ = 0;
  std::uint64_t full_walks_ = 0;
};

}  // namespace sessionblocks::flowguard
