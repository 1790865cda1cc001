// DataBlocks: what elevated blocks held at an instant, in one SQLite file that the sqlite3 shell
// can read too.
//
//   datablock  one row each: name, kind, audit, permits, quota, and where it comes from: system,
//              instance, scope, block, generation, instant, taken_unix_ms; elevated_unix_ms
//   entry      datablock, key, type, value, version, expires_unix_ms (NULL: never)
//
// Values are what they are: INTEGER (integer; boolean as 0 or 1), REAL, TEXT, BLOB. A number that
// SQLite has no form for (NaN, minus zero) is its 8 bytes as a BLOB. Deleting a row of datablock
// deletes its entries. Nothing is encrypted, and wiping a block does not reach in here.
//
// A DataBlock is added in one transaction: a crash leaves all of it or nothing, and the next open
// takes out what was half written.
//
// Errors besides those named: timed_out (another program holds the file), out_of_memory (the disk
// is full, too), denied, corrupt, io_error; unsupported: a later version made the file.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <vector>

#include "snapshot/description.hpp"
#include "snapshot/entry.hpp"

struct sqlite3;

namespace sessionblocks::datablock {

struct DataBlock {
  std::int64_t id = 0;
  snapshot::BlockDescription about;  // of the block that it was; its key is unused
  std::string system;
  snapshot::SystemInstance instance{};
  std::uint64_t elevated_unix_ms = 0;
  std::uint64_t entries = 0;
};

// What is kept of the blocks that one scope has under one name, one after the other.
struct Line {
  std::string system;
  std::string scope;  // path
  std::string name;
};

using Source = std::function<Result<void>(const snapshot::TakeFileEntry& put)>;

class Store {
 public:
  // Made if there is none.
  [[nodiscard]] static Result<Store> open(const std::string& path);
  // not_found: there is none.
  [[nodiscard]] static Result<Store> open_read(const std::string& path);

  // Its id and its number of entries are found out here. What the source says, and then nothing is
  // kept.
  [[nodiscard]] Result<DataBlock> add(DataBlock made, const Source& source);
  [[nodiscard]] Result<std::vector<DataBlock>> list();  // the oldest first
  // By id, or the youngest of the name. not_found.
  [[nodiscard]] Result<DataBlock> find(const std::string& id_or_name);
  // Of that line; none: nothing was kept of it.
  [[nodiscard]] Result<std::optional<DataBlock>> youngest(const Line& line);
  // All of them or none. not_found: one of them is not there.
  [[nodiscard]] Result<void> remove(std::span<const std::int64_t> ids);
  // Whether it has the very entries of the source: keys, types, values and, to the second, expiry.
  [[nodiscard]] Result<bool> holds(const DataBlock& kept, const Source& source);
  // An error of `take` ends it. corrupt: somebody put in what no entry is; the key is named, unless
  // keys of the DataBlock are sensitive.
  [[nodiscard]] Result<void> read(std::int64_t id, const snapshot::TakeFileEntry& take);

 private:
  struct Close {
    void operator()(sqlite3* database) const noexcept;
  };
  using Handle = std::unique_ptr<sqlite3, Close>;
  explicit Store(Handle database) noexcept : database_(std::move(database)) {}
  [[nodiscard]] static Result<Store> open_with(const std::string& path, int flags);
  [[nodiscard]] Result<void> prepare_tables();

  Handle database_;
};

}  // namespace sessionblocks::datablock
