// SQLite on tmpfs: write-ahead log, memory-mapped, nothing synced, statements prepared once.
#include <sqlite3.h>

#include <cstring>

#include "failure.hpp"
#include "memory.hpp"
#include "registry.hpp"

namespace sessionblocks::bench {
namespace {

// Its documentation: WITHOUT ROWID is faster where a row is below a twentieth of a page.
constexpr std::uint64_t kSmallRowBytes = 200;
constexpr int kBusyMs = 20'000;

class Database {
 public:
  Database(const std::string& file, std::uint64_t map_bytes) {
    if (::sqlite3_open(file.c_str(), &handle_) != SQLITE_OK) fail("open " + file);
    ::sqlite3_busy_timeout(handle_, kBusyMs);
    execute("PRAGMA journal_mode=WAL");
    execute("PRAGMA synchronous=OFF");
    execute("PRAGMA cache_size=-65536");
    execute("PRAGMA mmap_size=" + std::to_string(map_bytes));
  }
  ~Database() { ::sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  void execute(const std::string& text) {
    if (::sqlite3_exec(handle_, text.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail(text);
  }
  [[nodiscard]] sqlite3_stmt* prepare(const char* text) {
    sqlite3_stmt* statement = nullptr;
    if (::sqlite3_prepare_v3(handle_, text, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) !=
        SQLITE_OK) {
      fail(text);
    }
    return statement;
  }
  [[nodiscard]] int changes() const { return ::sqlite3_changes(handle_); }

 private:
  [[noreturn]] void fail(const std::string& tried) {
    const std::string why = ::sqlite3_errmsg(handle_);
    give_up("SQLite: " + tried + ": " + why);
  }
  sqlite3* handle_ = nullptr;
};

class Statement {
 public:
  Statement(Database& database, const char* text) : handle_(database.prepare(text)) {}
  ~Statement() { ::sqlite3_finalize(handle_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  void bind_key(std::string_view key) {
    ::sqlite3_bind_blob(handle_, 1, key.data(), static_cast<int>(key.size()), SQLITE_STATIC);
  }
  void bind_value(std::span<const std::byte> value) {
    ::sqlite3_bind_blob(handle_, 2, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  }
  void bind_number(std::int64_t value) { ::sqlite3_bind_int64(handle_, 2, value); }
  [[nodiscard]] int step() { return ::sqlite3_step(handle_); }
  [[nodiscard]] std::int64_t number() { return ::sqlite3_column_int64(handle_, 0); }
  [[nodiscard]] std::span<const std::byte> bytes() {
    const void* const data = ::sqlite3_column_blob(handle_, 0);
    return {static_cast<const std::byte*>(data),
            static_cast<std::size_t>(::sqlite3_column_bytes(handle_, 0))};
  }
  // Ends what step() began; a change is committed by it at the latest.
  bool reset() { return ::sqlite3_reset(handle_) == SQLITE_OK; }

 private:
  sqlite3_stmt* handle_;
};

class SqliteHost final : public Host {
 public:
  explicit SqliteHost(const Plan& plan)
      : folder_(plan.memory_folder),
        map_bytes_(plan.room_bytes()),
        database_((folder_ / "db").native(), map_bytes_) {
    const bool is_small = plan.key_bytes + plan.value_bytes <= kSmallRowBytes;
    database_.execute(std::string("CREATE TABLE kv (key BLOB PRIMARY KEY, value)") +
                      (is_small ? " WITHOUT ROWID" : ""));
  }
  [[nodiscard]] std::string address() const override {
    return (folder_ / "db").native() + "\n" + std::to_string(map_bytes_);
  }
  [[nodiscard]] std::uint64_t memory_bytes() const override {
    return allocated_bytes_under(folder_);
  }

 private:
  std::filesystem::path folder_;
  std::uint64_t map_bytes_;
  Database database_;
};

class SqliteClient final : public OneByOne<SqliteClient> {
 public:
  SqliteClient(const std::string& file, std::uint64_t map_bytes)
      : database_(file, map_bytes),
        get_(database_, "SELECT value FROM kv WHERE key = ?1"),
        put_(database_,
             "INSERT INTO kv VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2"),
        increment_(database_, "UPDATE kv SET value = value + 1 WHERE key = ?1 RETURNING value"),
        erase_(database_, "DELETE FROM kv WHERE key = ?1") {}

  Outcome get(Operation& operation) {
    get_.bind_key(operation.key);
    const int code = get_.step();
    Outcome outcome = code == SQLITE_DONE ? Outcome::absent : Outcome::failed;
    if (code == SQLITE_ROW) {
      const auto value = get_.bytes();
      if (value.size() <= operation.bytes.size()) {
        std::memcpy(operation.bytes.data(), value.data(), value.size());
        operation.copied_bytes = value.size();
        outcome = Outcome::done;
      }
    }
    get_.reset();
    return outcome;
  }
  Outcome put(Operation& operation) {
    put_.bind_value(operation.bytes);
    return store(operation.key);
  }
  Outcome reset(Operation& operation) {
    put_.bind_number(0);
    return store(operation.key);
  }
  Outcome increment(Operation& operation) {
    increment_.bind_key(operation.key);
    const bool is_there = increment_.step() == SQLITE_ROW;
    if (is_there) operation.sum = increment_.number();
    const bool is_committed = is_there && increment_.step() == SQLITE_DONE;
    return increment_.reset() && is_committed ? Outcome::done : Outcome::failed;
  }
  Outcome erase(Operation& operation) {
    erase_.bind_key(operation.key);
    const bool is_done = erase_.step() == SQLITE_DONE;
    if (!erase_.reset() || !is_done) return Outcome::failed;
    return database_.changes() > 0 ? Outcome::done : Outcome::absent;
  }
  // One transaction for all.
  void load(std::span<Operation> operations) override {
    database_.execute("BEGIN IMMEDIATE");
    run(operations);
    database_.execute("COMMIT");
  }

 private:
  Outcome store(std::string_view key) {
    put_.bind_key(key);
    const bool is_done = put_.step() == SQLITE_DONE;
    return put_.reset() && is_done ? Outcome::done : Outcome::failed;
  }

  Database database_;
  Statement get_;
  Statement put_;
  Statement increment_;
  Statement erase_;
};

class SqlitePeer final : public Peer {
 public:
  [[nodiscard]] std::string name() const override { return "sqlite"; }
  [[nodiscard]] std::string version() const override {
    return std::string("SQLite ") + ::sqlite3_libversion();
  }
  [[nodiscard]] std::string options() const override {
    return "on tmpfs, journal_mode=WAL, synchronous=OFF, mmap_size of all data, prepared "
           "statements, a transaction for each change";
  }
  [[nodiscard]] std::string promise() const override {
    return "committed changes stay, locks of the dead are released by the kernel; the next one "
           "to open recovers the log";
  }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.survives_deaths = true;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<SqliteHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    const auto line = address.find('\n');
    return std::make_unique<SqliteClient>(address.substr(0, line),
                                          std::stoull(address.substr(line + 1)));
  }
};

}  // namespace

void add_sqlite(Peers& peers) {
  peers.push_back(std::make_unique<SqlitePeer>());
}

}  // namespace sessionblocks::bench
