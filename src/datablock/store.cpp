#include "datablock/store.hpp"

#include <algorithm>

#include "core/crash_point.hpp"
#include "datablock/rows.hpp"
#include "platform/disk_file.hpp"

namespace sessionblocks::datablock {
namespace {

using snapshot::FileEntry;

constexpr int kVersion = 2;
// The director's loop waits meanwhile.
constexpr int kBusyMs = 1'000;

constexpr const char* kTables = R"(
  CREATE TABLE datablock (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL, kind TEXT NOT NULL, audit TEXT NOT NULL, permits INTEGER NOT NULL,
    quota INTEGER NOT NULL, system TEXT NOT NULL, instance BLOB NOT NULL, scope TEXT NOT NULL,
    block INTEGER NOT NULL, generation INTEGER NOT NULL, instant INTEGER NOT NULL,
    taken_unix_ms INTEGER NOT NULL, elevated_unix_ms INTEGER NOT NULL, sensitive BLOB);
  CREATE TABLE entry (
    datablock INTEGER NOT NULL REFERENCES datablock (id),
    key BLOB NOT NULL, type TEXT NOT NULL, value, version INTEGER NOT NULL,
    expires_unix_ms INTEGER, PRIMARY KEY (datablock, key)) WITHOUT ROWID;
  CREATE TRIGGER datablock_deleted AFTER DELETE ON datablock
    BEGIN DELETE FROM entry WHERE datablock = old.id; END;
  PRAGMA user_version = 2;)";
constexpr const char* kSinceVersion1 = R"(
  ALTER TABLE datablock ADD COLUMN sensitive BLOB;
  PRAGMA user_version = 2;)";

// Of one entry through two clocks, that of blocks and that of files.
constexpr std::uint64_t kSameExpiryMs = 1'000;

// The version is the block's own, and another block's is another one.
bool is_same(const FileEntry& a, const FileEntry& b) {
  const auto [sooner, later] = std::minmax(a.expires_unix_ms, b.expires_unix_ms);
  const bool both_end = (sooner == 0) == (later == 0);
  return a.type == b.type && std::ranges::equal(a.value, b.value) && both_end &&
         later - sooner < kSameExpiryMs;
}

// Of an entry, for a message. A DataBlock that has sensitive keys names none.
std::string name_of(sqlite3* database, std::int64_t id, std::span<const std::byte> key) {
  Statement select(database, "SELECT sensitive IS NULL FROM datablock WHERE id = ?");
  const auto row = select.number(id).step();
  if (!row || !*row || select.number_at(0) == 0) return ", a key of it";
  return ", key \"" + std::string(text_of(key)) + "\"";
}

}  // namespace

void Store::Close::operator()(sqlite3* database) const noexcept {
  sqlite3_close(database);
}

Result<Store> Store::open_with(const std::string& path, int flags) {
  sqlite3* made = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &made, flags | SQLITE_OPEN_NOFOLLOW, nullptr);
  Store store{Handle(made)};
  if (code != SQLITE_OK) {
    return tl::unexpected<Error>(error_of(made, code, "DataBlocks in " + path));
  }
  sqlite3_busy_timeout(made, kBusyMs);
  if (auto prepared = store.prepare_tables(); !prepared) return tl::unexpected(prepared.error());
  return store;
}

Result<void> Store::prepare_tables() {
  Transaction transaction(database_.get());
  const bool may_write = sqlite3_db_readonly(database_.get(), "main") == 0;
  if (may_write) {
    if (auto begun = transaction.begin(); !begun) return begun;
  }
  std::int64_t version = 0;
  {
    Statement ask(database_.get(), "PRAGMA user_version");
    const auto row = ask.step();
    if (!row) return tl::unexpected(row.error());
    version = ask.number_at(0);
  }
  if (version == kVersion) return {};
  if ((version != 0 && version != 1) || !may_write) {
    return fail(Errc::unsupported, "DataBlocks: the file has version " + std::to_string(version) +
                                       ", this program knows " + std::to_string(kVersion));
  }
  const char* const missing = version == 0 ? kTables : kSinceVersion1;
  if (auto made = execute(database_.get(), missing); !made) return made;
  return transaction.commit();
}

Result<Store> Store::open(const std::string& path) {
  // Made by us first: SQLite would let others read it.
  auto file = platform::DiskFile::create(path);
  if (!file && !(file.error() == Errc::exists)) return tl::unexpected(file.error());
  return open_with(path, SQLITE_OPEN_READWRITE);
}

Result<Store> Store::open_read(const std::string& path) {
  const auto file = platform::DiskFile::open_read(path);
  if (!file) return tl::unexpected(file.error());
  // What a crash left half written can be taken out only by who may write.
  auto store = open_with(path, SQLITE_OPEN_READWRITE);
  if (!store && store.error() == Errc::denied) return open_with(path, SQLITE_OPEN_READONLY);
  return store;
}

Result<DataBlock> Store::add(DataBlock made, const Source& source) {
  Transaction transaction(database_.get());
  auto done = transaction.begin();
  if (done) done = insert_datablock(database_.get(), made);
  if (!done) return tl::unexpected(done.error());
  made.id = sqlite3_last_insert_rowid(database_.get());
  made.entries = 0;
  Statement insert(database_.get(), kInsertEntry);
  done = source([&](const FileEntry& entry) -> Result<void> {
    if (!snapshot::is_sound(entry)) {
      return fail(Errc::corrupt, "DataBlock: an entry that no writer makes");
    }
    ++made.entries;
    return insert_entry(insert, made.id, entry);
  });
  insert.reset();
  if (done) done = transaction.commit();
  if (!done) return tl::unexpected(done.error());
  return made;
}

Result<void> Store::remove(std::span<const std::int64_t> ids) {
  // What was in it is overwritten in the file, and not only out of reach.
  auto done = execute(database_.get(), "PRAGMA secure_delete = ON");
  Transaction transaction(database_.get());
  if (done) done = transaction.begin();
  if (!done) return done;
  Statement one(database_.get(), "DELETE FROM datablock WHERE id = ?");
  for (const std::int64_t id : ids) {
    one.reset();
    const auto stepped = one.number(id).step();
    if (!stepped) return tl::unexpected(stepped.error());
    if (sqlite3_changes(database_.get()) == 0) {
      return fail(Errc::not_found, "DataBlock " + std::to_string(id));
    }
  }
  one.reset();
  // CRASH(datablock.deleting): a transaction that is not committed; who opens the file next takes
  // it out, and nothing was deleted.
  SESSIONBLOCKS_CRASH("datablock.deleting");
  return transaction.commit();
}

Result<std::vector<DataBlock>> Store::list() {
  Statement select(database_.get(), (std::string(kColumns) + "ORDER BY id").c_str());
  std::vector<DataBlock> found;
  for (;;) {
    const auto row = select.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return found;
    found.push_back(row_of(select));
  }
}

Result<DataBlock> Store::find(const std::string& id_or_name) {
  Statement select(database_.get(),
                   (std::string(kColumns) +
                    "WHERE name = ?1 OR CAST(id AS TEXT) = ?1 ORDER BY name = ?1, id DESC LIMIT 1")
                       .c_str());
  const auto row = select.text(id_or_name).step();
  if (!row) return tl::unexpected(row.error());
  if (*row) return row_of(select);
  return fail(Errc::not_found, "DataBlock " + id_or_name);
}

Result<std::optional<DataBlock>> Store::youngest(const Line& line) {
  Statement select(database_.get(),
                   (std::string(kColumns) +
                    "WHERE system = ? AND scope = ? AND name = ? ORDER BY id DESC LIMIT 1")
                       .c_str());
  const auto row = select.text(line.system).text(line.scope).text(line.name).step();
  if (!row) return tl::unexpected(row.error());
  return *row ? std::optional(row_of(select)) : std::nullopt;
}

Result<void> Store::read(std::int64_t id, const snapshot::TakeFileEntry& take) {
  Statement select(database_.get(),
                   (std::string(kEntryColumns) + "WHERE datablock = ? ORDER BY key").c_str());
  select.number(id);
  for (;;) {
    const auto row = select.step();
    if (!row) return tl::unexpected(row.error());
    if (!*row) return {};
    EntryRow read;
    if (!read.take(select)) {
      return fail(Errc::corrupt, "DataBlock " + std::to_string(id) +
                                     name_of(database_.get(), id, read.entry.key) +
                                     ": its type and its value do not fit");
    }
    if (auto taken = take(read.entry); !taken) return taken;
  }
}

// An error ends the source early; it is ours, and says nothing to anybody.
Result<bool> Store::holds(const DataBlock& kept, const Source& source) {
  Statement select(database_.get(),
                   (std::string(kEntryColumns) + "WHERE datablock = ? AND key = ?").c_str());
  std::uint64_t same = 0;
  bool differs = false;
  auto shown = source([&](const FileEntry& entry) -> Result<void> {
    select.reset();
    const auto row = select.number(kept.id).text(text_of(entry.key)).step();
    if (!row) return tl::unexpected(row.error());
    EntryRow read;
    differs = !*row || !read.take(select) || !is_same(read.entry, entry);
    if (differs) return fail(Errc::cancelled, "DataBlock: it differs");
    ++same;
    return {};
  });
  if (differs) return false;
  if (!shown) return tl::unexpected(shown.error());
  return same == kept.entries;
}

}  // namespace sessionblocks::datablock
