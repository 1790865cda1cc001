// DataBlocks: what goes in comes out, all of it or nothing.
#include "datablock/store.hpp"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <csignal>
#include <fstream>
#include <limits>
#include <map>

#include "../tools/temporary_folder.hpp"

namespace sessionblocks::datablock {
namespace {

using snapshot::FileEntry;

struct Kept {
  Type type{};
  std::string value;
  std::uint64_t version = 0;
  std::uint64_t expires_unix_ms = 0;
  friend bool operator==(const Kept&, const Kept&) = default;
};
using KeptEntries = std::map<std::string, Kept>;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
template <typename Number>
std::string raw_bytes(Number number) {
  return text_of(std::as_bytes(std::span(&number, 1)));
}

KeptEntries all_kinds() {
  KeptEntries kept;
  const std::string odd("a\0b\xFF", 4);
  kept["text"] = {Type::text, "Anna", 3, 0};
  kept["empty text"] = {Type::text, "", 1, 1'700'000'000'000};
  kept["odd text"] = {Type::text, odd, 1, 0};
  kept["empty bytes"] = {Type::bytes, "", 1, 0};
  kept[odd] = {Type::bytes, odd, std::numeric_limits<std::int64_t>::max(), 0};
  for (const std::int64_t number : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                    std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
    kept["integer " + std::to_string(number)] = {Type::integer, raw_bytes(number), 1, 0};
  }
  int count = 0;
  for (const double number : {0.0, -0.0, 0.1, 3.0, 1e300, -1e-300, std::nan(""), HUGE_VAL,
                              -HUGE_VAL, 9007199254740993.0}) {
    kept["real " + std::to_string(++count)] = {Type::real, raw_bytes(number), 1, 0};
  }
  kept["yes"] = {Type::boolean, std::string(1, 1), 1, 0};
  kept["no"] = {Type::boolean, std::string(1, 0), 1, 0};
  return kept;
}

Source source_of(const KeptEntries& kept) {
  return [&kept](const snapshot::TakeFileEntry& put) -> Result<void> {
    for (const auto& [key, one] : kept) {
      auto done =
          put({bytes_of(key), one.type, bytes_of(one.value), one.version, one.expires_unix_ms});
      if (!done) return done;
    }
    return {};
  };
}

KeptEntries read(Store& store, std::int64_t id) {
  KeptEntries kept;
  const auto outcome = store.read(id, [&](const FileEntry& entry) {
    kept[text_of(entry.key)] = {entry.type, text_of(entry.value), entry.version,
                                entry.expires_unix_ms};
    return Result<void>();
  });
  INFO((outcome ? std::string() : outcome.error().message()));
  CHECK(outcome);
  return kept;
}

DataBlock cart() {
  DataBlock made;
  made.about.id = BlockId{7};
  made.about.generation = Generation{2};
  made.about.name = "cart";
  made.about.kind = BlockKind::forked;
  made.about.audit = AuditLevel::counted;
  made.about.owner = "shop/checkout#2";
  made.about.quota_bytes = 1U << 20U;
  made.about.permits = 12;
  made.about.sensitive = {"token:*", std::string("odd\0\n", 5)};
  made.about.instant = 31;
  made.about.taken_unix_ms = 1'700'000'000'000;
  made.system = "default";
  made.instance[3] = std::byte{9};
  made.elevated_unix_ms = 1'700'000'000'001;
  return made;
}

struct Folder : TemporaryFolder {
  [[nodiscard]] std::string file() const { return (path() / "datablocks.sqlite").string(); }
  // As somebody with the shell would.
  void run(const char* sql) const {
    sqlite3* database = nullptr;
    REQUIRE(sqlite3_open(file().c_str(), &database) == SQLITE_OK);
    CHECK(sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
    sqlite3_close(database);
  }
};

}  // namespace

TEST_CASE("an elevated block comes back as it was, with where it comes from") {
  const Folder folder;
  const KeptEntries kept = all_kinds();
  {
    auto store = Store::open(folder.file());
    REQUIRE(store);
    const auto added = store->add(cart(), source_of(kept));
    INFO((added ? std::string() : added.error().message()));
    REQUIRE(added);
    CHECK(added->entries == kept.size());
    REQUIRE(store->add(cart(), source_of({})));
  }
  struct stat status {};
  REQUIRE(::stat(folder.file().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  auto store = Store::open_read(folder.file());
  REQUIRE(store);
  const auto listed = store->list();
  REQUIRE(listed);
  REQUIRE(listed->size() == 2);
  const DataBlock& first = listed->front();
  CHECK(first.entries == kept.size());
  CHECK(first.about.id == BlockId{7});
  CHECK(first.about.generation == Generation{2});
  CHECK(first.about.name == "cart");
  CHECK(first.about.kind == BlockKind::forked);
  CHECK(first.about.audit == AuditLevel::counted);
  CHECK(first.about.owner == "shop/checkout#2");
  CHECK(first.about.quota_bytes == 1U << 20U);
  CHECK(first.about.permits == 12);
  CHECK(first.about.sensitive == cart().about.sensitive);
  CHECK(first.about.instant == 31);
  CHECK(first.about.taken_unix_ms == 1'700'000'000'000);
  CHECK(first.system == "default");
  CHECK(first.instance == cart().instance);
  CHECK(first.elevated_unix_ms == 1'700'000'000'001);
  CHECK(read(*store, first.id) == kept);
  CHECK(read(*store, listed->back().id).empty());
  CHECK(store->find("cart")->id == listed->back().id);
  CHECK(store->find(std::to_string(first.id))->id == first.id);
  CHECK(store->find("none").error() == Errc::not_found);
  CHECK(Store::open_read((folder.path() / "none").string()).error() == Errc::not_found);
}

TEST_CASE("the rows are what a person expects, and may be edited and deleted") {
  const Folder folder;
  auto store = Store::open(folder.file());
  REQUIRE(store);
  DataBlock plain = cart();
  plain.about.sensitive.clear();
  const auto added = store->add(plain, source_of(all_kinds()));
  REQUIRE(added);
  folder.run(
      "UPDATE entry SET value = 'Bert' WHERE key = 'text' AND value = 'Anna';"
      "UPDATE entry SET value = 5 WHERE key = 'integer -1' AND typeof(value) = 'integer';"
      "UPDATE entry SET value = 2 WHERE key = 'real 3' AND value = 0.1;");
  auto kept = all_kinds();
  kept["text"].value = "Bert";
  kept["integer -1"].value = raw_bytes(std::int64_t{5});
  kept["real 3"].value = raw_bytes(2.0);
  CHECK(read(*store, added->id) == kept);
  folder.run("UPDATE entry SET value = 'five' WHERE key = 'integer -1';");
  const auto spoilt = store->read(added->id, [](const FileEntry&) { return Result<void>(); });
  REQUIRE(!spoilt);
  CHECK(spoilt.error() == Errc::corrupt);
  CHECK(spoilt.error().message().find("integer -1") != std::string::npos);
  folder.run("DELETE FROM datablock;");
  CHECK(store->list()->empty());
  CHECK(read(*store, added->id).empty());
}

TEST_CASE("a message names no key of a DataBlock that has sensitive ones") {
  const Folder folder;
  auto store = Store::open(folder.file());
  REQUIRE(store);
  const auto added = store->add(cart(), source_of(all_kinds()));
  REQUIRE(added);
  folder.run("UPDATE entry SET value = 'five' WHERE key = 'integer -1';");
  const auto spoilt = store->read(added->id, [](const FileEntry&) { return Result<void>(); });
  REQUIRE(!spoilt);
  CHECK(spoilt.error().message().find("integer -1") == std::string::npos);
}

TEST_CASE("a file of before there were sensitive keys is taken over") {
  const Folder folder;
  REQUIRE(Store::open(folder.file())->add(cart(), source_of(all_kinds())));
  folder.run("ALTER TABLE datablock DROP COLUMN sensitive; PRAGMA user_version = 1;");
  auto store = Store::open_read(folder.file());
  REQUIRE(store);
  const auto listed = store->list();
  REQUIRE(listed);
  REQUIRE(listed->size() == 1);
  CHECK(listed->front().about.sensitive.empty());
  CHECK(read(*store, listed->front().id) == all_kinds());
  CHECK(store->add(cart(), source_of({})));
}

TEST_CASE("a source that fails leaves nothing of the DataBlock") {
  const Folder folder;
  auto store = Store::open(folder.file());
  REQUIRE(store);
  const auto failed = store->add(cart(), [](const snapshot::TakeFileEntry& put) -> Result<void> {
    REQUIRE(put({bytes_of("key"), Type::text, bytes_of("value"), 1, 0}));
    return fail(Errc::quarantined);
  });
  CHECK(failed.error() == Errc::quarantined);
  const auto unsound = store->add(cart(), [](const snapshot::TakeFileEntry& put) {
    return put({bytes_of("key"), Type::integer, bytes_of("abc"), 1, 0});
  });
  CHECK(unsound.error() == Errc::corrupt);
  CHECK(store->list()->empty());
  CHECK(store->add(cart(), source_of(all_kinds())));
}

TEST_CASE("a process that is killed while it adds a DataBlock leaves all of it or nothing") {
  const Folder folder;
  KeptEntries kept;
  // More than SQLite's cache holds: pages of the transaction are in the file before it commits.
  for (int i = 0; i < 6; ++i) {
    kept["key" + std::to_string(i)] = {Type::text, std::string(1'000'000, 'x'), 1, 0};
  }
  REQUIRE(Store::open(folder.file())->add(cart(), source_of(kept)));
  for (std::size_t dies_at = 0; dies_at <= kept.size(); ++dies_at) {
    INFO("killed after " << dies_at << " entries");
    const pid_t child = ::fork();
    if (child == 0) {
      ::alarm(60);
      auto store = Store::open(folder.file());
      if (!store) ::_exit(1);
      static_cast<void>(store->add(cart(), [&](const snapshot::TakeFileEntry& put) -> Result<void> {
        std::size_t count = 0;
        for (const auto& [key, one] : kept) {
          if (count++ == dies_at) ::kill(::getpid(), SIGKILL);
          if (auto done = put({bytes_of(key), one.type, bytes_of(one.value), 1, 0}); !done)
            ::_exit(2);
        }
        ::kill(::getpid(), SIGKILL);
        return {};
      }));
      ::_exit(3);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    auto store = Store::open_read(folder.file());
    REQUIRE(store);
    const auto listed = store->list();
    REQUIRE(listed);
    REQUIRE(listed->size() == 1);
    CHECK(read(*store, listed->front().id) == kept);
  }
}

TEST_CASE("a file that is none of ours is refused and left as it is") {
  const Folder folder;
  {
    auto store = Store::open(folder.file());
    REQUIRE(store);
  }
  folder.run("PRAGMA user_version = 3");
  CHECK(Store::open(folder.file()).error() == Errc::unsupported);
  const std::string letter = (folder.path() / "letter").string();
  std::FILE* file = std::fopen(letter.c_str(), "w");
  REQUIRE(file != nullptr);
  for (int i = 0; i < 200; ++i) std::fputs("this is no database. ", file);
  std::fclose(file);
  CHECK(Store::open(letter).error() == Errc::corrupt);
}

TEST_CASE("the youngest of a line is of that system, scope and name") {
  const Folder folder;
  auto store = Store::open(folder.file());
  REQUIRE(store);
  const Line line{"default", "shop/checkout#2", "cart"};
  CHECK_FALSE(store->youngest(line)->has_value());
  const auto add = [&](const char* system, const char* scope, const char* name) {
    DataBlock made = cart();
    made.system = system;
    made.about.owner = scope;
    made.about.name = name;
    return store->add(made, source_of({}))->id;
  };
  add("default", "shop/checkout#2", "cart");
  const auto last = add("default", "shop/checkout#2", "cart");
  add("other", "shop/checkout#2", "cart");
  add("default", "shop/checkout#1", "cart");
  add("default", "shop/checkout#2", "note");
  REQUIRE(store->youngest(line)->has_value());
  CHECK(store->youngest(line)->value().id == last);
}

TEST_CASE("DataBlocks are deleted together or not at all, and nothing of them is in the file") {
  const Folder folder;
  auto store = Store::open(folder.file());
  REQUIRE(store);
  KeptEntries kept;
  const std::string secret(3'000, 'q');
  for (int i = 0; i < 20; ++i) kept["key" + std::to_string(i)] = {Type::text, secret, 1, 0};
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 3; ++i) ids.push_back(store->add(cart(), source_of(kept))->id);
  const std::array with_none = {ids[0], ids[1], std::int64_t{99}};
  CHECK(store->remove(with_none).error() == Errc::not_found);
  CHECK(store->list()->size() == 3);
  CHECK(store->remove({}));
  REQUIRE(store->remove(std::span(ids).first(2)));
  REQUIRE(store->list()->size() == 1);
  CHECK(read(*store, ids[2]) == kept);
  REQUIRE(store->remove(std::span(ids).last(1)));
  std::ifstream file(folder.file(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  CHECK(bytes.find(std::string(100, 'q')) == std::string::npos);
  CHECK(store->add(cart(), source_of(kept))->id > ids[2]);  // numbers are never used again
}

TEST_CASE("a DataBlock holds what a source has, if nothing of it differs") {
  const Folder folder;
  auto store = Store::open(folder.file());
  REQUIRE(store);
  auto kept = all_kinds();
  const auto added = store->add(cart(), source_of(kept));
  REQUIRE(added);
  const auto holds = [&] { return store->holds(*added, source_of(kept)).value(); };
  CHECK(holds());
  for (auto& [key, one] : kept) one.version += 5;  // another block's own
  kept["empty text"].expires_unix_ms += 999;
  CHECK(holds());
  SECTION("another value") {
    kept["text"].value = "Bert";
  }
  SECTION("another type") {
    kept["text"].type = Type::bytes;
  }
  SECTION("another sign") {
    kept["real 1"].value = raw_bytes(-0.0);
  }
  SECTION("another end") {
    kept["empty text"].expires_unix_ms += 1;
  }
  SECTION("an end where there was none") {
    kept["text"].expires_unix_ms = 500;
  }
  SECTION("no end where there was one") {
    kept["empty text"].expires_unix_ms = 0;
  }
  SECTION("one more") {
    kept["more"] = {Type::text, "", 1, 0};
  }
  SECTION("one less") {
    kept.erase("yes");
  }
  SECTION("another key") {
    kept["no!"] = kept["no"];
    kept.erase("no");
  }
  CHECK_FALSE(holds());
  const auto broken = store->holds(*added, [](const snapshot::TakeFileEntry&) -> Result<void> {
    return fail(Errc::quarantined);
  });
  CHECK(broken.error() == Errc::quarantined);
}

}  // namespace sessionblocks::datablock
