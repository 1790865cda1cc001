// How a DataBlock and its entries stand in rows. What store.hpp says of them, and nothing about
// files or transactions.
#pragma once

#include <array>

#include "datablock/statement.hpp"
#include "datablock/store.hpp"

namespace sessionblocks::datablock {

[[nodiscard]] inline std::string_view text_of(std::span<const std::byte> bytes) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Rows that row_of reads; a condition follows.
inline constexpr const char* kColumns =
    "SELECT id, name, kind, audit, permits, quota, system, instance, scope, block, generation, "
    "instant, taken_unix_ms, elevated_unix_ms, "
    "(SELECT count(*) FROM entry WHERE datablock = datablock.id), sensitive FROM datablock ";

[[nodiscard]] DataBlock row_of(Statement& row);
[[nodiscard]] Result<void> insert_datablock(sqlite3* database, const DataBlock& made);

inline constexpr const char* kInsertEntry = "INSERT INTO entry VALUES (?, ?, ?, ?, ?, ?)";
// Rows that EntryRow reads; a condition follows.
inline constexpr const char* kEntryColumns =
    "SELECT key, type, value, version, expires_unix_ms FROM entry ";

[[nodiscard]] Result<void> insert_entry(Statement& insert, std::int64_t id,
                                        const snapshot::FileEntry& entry);

// An entry as a row has it, until the statement's next step.
class EntryRow {
 public:
  // False: no entry is like this, somebody put it in by hand; its key is read all the same.
  [[nodiscard]] bool take(Statement& row);

  snapshot::FileEntry entry;

 private:
  std::array<std::byte, 8> room_{};
};

}  // namespace sessionblocks::datablock
