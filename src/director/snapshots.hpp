// What a registry is asked and told about snapshots: blocks at an instant, in a file
// (src/snapshot/FORMAT.md).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "director/block_store.hpp"
#include "snapshot/reader.hpp"

namespace sessionblocks::director {

struct SnapshotPlan {
  std::vector<StoredBlock*> blocks;
  std::string of;                     // the scope that was asked for; empty: one block
  std::vector<std::string> left_out;  // blocks of it that do not permit it
  std::filesystem::path path;
};

// Of several blocks, all of them pinned.
struct Instants {
  std::vector<std::uint64_t> instants;
  std::uint64_t clock_ms = 0;       // CLOCK_MONOTONIC, before the first
  std::uint64_t taken_unix_ms = 0;  // the same
  bool is_exact = false;
};

struct SnapshotMade {
  std::filesystem::path path;
  bool is_exact = false;
  std::uint64_t blocks = 0;
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;
  std::vector<std::string> left_out;
};

struct RestoreRequest {
  std::string name;
  ScopeId owner{};
  bool takes_damaged = false;  // what can be read of it will do
};

struct Restored {
  BlockId block{};
  std::uint64_t entries = 0;
  std::uint64_t expired = 0;        // meanwhile: these were left out
  std::vector<std::string> damage;  // of the block
};

// not_permitted; quarantined, wiped; invalid_argument: it has no memory of its own. `verb` is for
// the message.
[[nodiscard]] Result<void> check_permit(const StoredBlock& block, Permit permit,
                                        std::string_view verb);
// A private block with what the other one had.
[[nodiscard]] BlockRequest request_of(const snapshot::BlockDescription& from,
                                      const RestoreRequest& request);

}  // namespace sessionblocks::director
