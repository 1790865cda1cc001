// LMDB on tmpfs, with and without syncing. As its documentation says is fastest: one read
// transaction that is reset and renewed, one write transaction per change that others shall see,
// a writable map where nothing is synced.
#include <lmdb.h>

#include <cstring>

#include "failure.hpp"
#include "memory.hpp"
#include "registry.hpp"

namespace sessionblocks::bench {
namespace {

void check(int code, const char* tried) {
  if (code != 0) give_up(std::string("LMDB: ") + tried + ": " + ::mdb_strerror(code));
}

struct Environment {
  Environment(const std::string& folder, std::uint64_t map_bytes, unsigned flags) {
    check(::mdb_env_create(&env), "create an environment");
    if (map_bytes != 0) check(::mdb_env_set_mapsize(env, map_bytes), "set the map's size");
    check(::mdb_env_open(env, folder.c_str(), flags, 0600), "open");
  }
  ~Environment() { ::mdb_env_close(env); }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  MDB_env* env = nullptr;
};

class LmdbHost final : public Host {
 public:
  LmdbHost(const Plan& plan, unsigned flags)
      : folder_(plan.memory_folder), environment_(folder_.native(), plan.room_bytes(), flags) {}
  [[nodiscard]] std::string address() const override { return folder_.native(); }
  [[nodiscard]] std::uint64_t memory_bytes() const override {
    return allocated_bytes_under(folder_);
  }

 private:
  std::filesystem::path folder_;
  Environment environment_;
};

class LmdbClient final : public OneByOne<LmdbClient> {
 public:
  LmdbClient(const std::string& folder, unsigned flags) : environment_(folder, 0, flags) {
    check(::mdb_txn_begin(environment_.env, nullptr, 0, &reading_), "begin");
    check(::mdb_dbi_open(reading_, nullptr, 0, &database_), "open the database");
    check(::mdb_txn_commit(reading_), "commit");
    check(::mdb_txn_begin(environment_.env, nullptr, MDB_RDONLY, &reading_), "begin reading");
    ::mdb_txn_reset(reading_);
  }
  ~LmdbClient() override { ::mdb_txn_abort(reading_); }

  Outcome get(Operation& operation) {
    if (::mdb_txn_renew(reading_) != 0) return Outcome::failed;
    MDB_val key = value_of(operation.key);
    MDB_val value{};
    const int code = ::mdb_get(reading_, database_, &key, &value);
    const bool fits = code == 0 && value.mv_size <= operation.bytes.size();
    if (fits) {
      std::memcpy(operation.bytes.data(), value.mv_data, value.mv_size);
      operation.copied_bytes = value.mv_size;
    }
    ::mdb_txn_reset(reading_);
    if (code == MDB_NOTFOUND) return Outcome::absent;
    return fits ? Outcome::done : Outcome::failed;
  }
  Outcome put(Operation& operation) { return store(operation.key, operation.bytes); }
  Outcome increment(Operation& operation) {
    MDB_txn* writing = nullptr;
    if (::mdb_txn_begin(environment_.env, nullptr, 0, &writing) != 0) return Outcome::failed;
    MDB_val key = value_of(operation.key);
    MDB_val value{};
    if (::mdb_get(writing, database_, &key, &value) != 0 || value.mv_size != 8) {
      ::mdb_txn_abort(writing);
      return Outcome::failed;
    }
    std::memcpy(&operation.sum, value.mv_data, 8);
    ++operation.sum;
    value.mv_data = &operation.sum;
    return finished(writing, ::mdb_put(writing, database_, &key, &value, 0));
  }
  Outcome reset(Operation& operation) {
    std::int64_t zero = 0;
    return store(operation.key, std::as_writable_bytes(std::span(&zero, 1)));
  }
  Outcome erase(Operation& operation) {
    MDB_txn* writing = nullptr;
    if (::mdb_txn_begin(environment_.env, nullptr, 0, &writing) != 0) return Outcome::failed;
    MDB_val key = value_of(operation.key);
    const int code = ::mdb_del(writing, database_, &key, nullptr);
    const Outcome outcome = finished(writing, code);
    return code == MDB_NOTFOUND ? Outcome::absent : outcome;
  }
  // One transaction for all.
  void load(std::span<Operation> operations) override {
    MDB_txn* writing = nullptr;
    check(::mdb_txn_begin(environment_.env, nullptr, 0, &writing), "begin writing");
    for (Operation& operation : operations) {
      std::int64_t zero = 0;
      const bool resets = operation.kind == OpKind::reset;
      MDB_val key = value_of(operation.key);
      MDB_val value{resets ? 8 : operation.bytes.size(),
                    resets ? static_cast<void*>(&zero) : operation.bytes.data()};
      check(::mdb_put(writing, database_, &key, &value, 0), "put");
      operation.outcome = Outcome::done;
    }
    check(::mdb_txn_commit(writing), "commit");
  }

 private:
  static MDB_val value_of(std::string_view text) {
    return {text.size(), const_cast<char*>(text.data())};
  }
  static Outcome finished(MDB_txn* writing, int code) {
    if (code != 0) {
      ::mdb_txn_abort(writing);
      return Outcome::failed;
    }
    return ::mdb_txn_commit(writing) == 0 ? Outcome::done : Outcome::failed;
  }
  Outcome store(std::string_view text, std::span<std::byte> bytes) {
    MDB_txn* writing = nullptr;
    if (::mdb_txn_begin(environment_.env, nullptr, 0, &writing) != 0) return Outcome::failed;
    MDB_val key = value_of(text);
    MDB_val value{bytes.size(), bytes.data()};
    return finished(writing, ::mdb_put(writing, database_, &key, &value, 0));
  }

  Environment environment_;
  MDB_txn* reading_ = nullptr;
  MDB_dbi database_ = 0;
};

class LmdbPeer final : public Peer {
 public:
  explicit LmdbPeer(bool syncs) : syncs_(syncs) {}

  [[nodiscard]] std::string name() const override { return syncs_ ? "lmdb-sync" : "lmdb"; }
  [[nodiscard]] std::string version() const override {
    return ::mdb_version(nullptr, nullptr, nullptr);
  }
  [[nodiscard]] std::string options() const override {
    return syncs_ ? "on tmpfs, synced at each commit"
                  : "on tmpfs, MDB_WRITEMAP and MDB_NOSYNC, a write transaction for each change";
  }
  [[nodiscard]] std::string promise() const override {
    return "committed changes stay, the lock of a dead writer is taken over; the slot of a dead "
           "reader keeps old pages until mdb_reader_check";
  }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.survives_deaths = true;
    abilities.measures_memory = !syncs_;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<LmdbHost>(plan, flags());
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return std::make_unique<LmdbClient>(address, flags());
  }

 private:
  [[nodiscard]] unsigned flags() const { return syncs_ ? 0 : MDB_WRITEMAP | MDB_NOSYNC; }

  bool syncs_;
};

}  // namespace

void add_lmdb(Peers& peers) {
  peers.push_back(std::make_unique<LmdbPeer>(false));
  peers.push_back(std::make_unique<LmdbPeer>(true));
}

}  // namespace sessionblocks::bench
