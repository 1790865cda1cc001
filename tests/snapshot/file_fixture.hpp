// A small snapshot file with two blocks of several frames each, and what is in it.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "../tools/temporary_folder.hpp"
#include "snapshot/reader.hpp"
#include "snapshot/writer.hpp"

namespace sessionblocks::snapshot::test {

struct Kept {
  Type type{};
  std::string value;
  std::uint64_t version = 0;
  std::uint64_t expires_unix_ms = 0;
  friend bool operator==(const Kept&, const Kept&) = default;
};
using KeptEntries = std::map<std::string, Kept>;

inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
inline std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class SmallFile {
 public:
  static constexpr std::uint32_t kEntries = 5;

  explicit SmallFile(std::size_t frame_bytes = 48) {
    for (const char* name : {"cart", "prices"}) {
      const auto id = static_cast<BlockId>(blocks.size() + 7);
      BlockDescription block;
      block.id = id;
      block.generation = Generation{1};
      block.name = name;
      block.kind = BlockKind::shared;
      block.audit = AuditLevel::full;
      block.owner = "shop";
      block.quota_bytes = 1U << 20U;
      block.permits = 4;
      block.instant = 12;
      block.taken_unix_ms = 1'700'000'000'000;
      keys.push_back(keyring.of({instance, id}).value());
      block.key = keys.back().id;
      blocks.push_back(block);
    }
    write(frame_bytes);
  }

  [[nodiscard]] std::string path() const { return (folder.path() / "file").string(); }
  [[nodiscard]] std::string contents() const {
    std::ifstream file(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void replace(const std::string& contents) const {
    std::ofstream(path(), std::ios::binary) << contents;
  }
  [[nodiscard]] static KeptEntries entries_of(std::size_t block) {
    KeptEntries entries;
    for (std::uint64_t n = 0; n < kEntries; ++n) {
      const std::string mark = std::to_string(block) + "-" + std::to_string(n);
      entries["key " + mark] = {static_cast<Type>(1 + n % 2), "the value " + mark, n + 1, n * 1000};
    }
    return entries;
  }
  [[nodiscard]] KeptEntries read(Reader& reader, std::size_t block) const {
    KeptEntries entries;
    const auto outcome = reader.read(block, keys[block], [&](const FileEntry& entry) {
      CHECK(entries
                .emplace(text_of(entry.key), Kept{entry.type, text_of(entry.value), entry.version,
                                                  entry.expires_unix_ms})
                .second);
      return Result<void>();
    });
    CHECK(outcome);
    return entries;
  }

  TemporaryFolder folder;
  SystemInstance instance{std::byte{1}};
  KeyFile keyring{(folder.path() / "keys").string()};
  std::vector<Key> keys;
  std::vector<BlockDescription> blocks;

 private:
  void write(std::size_t frame_bytes) const {
    FileDescription file;
    file.system = "test";
    file.instance = instance;
    file.of = "shop";
    file.blocks = static_cast<std::uint32_t>(blocks.size());
    file.taken_unix_ms = 1'700'000'000'000;
    file.left_out = {"secret"};
    auto writer = Writer::create(path(), file, frame_bytes);
    REQUIRE(writer);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      REQUIRE(writer->begin_block(blocks[i], keys[i]));
      for (const auto& [key, kept] : entries_of(i)) {
        REQUIRE(writer->put(
            {bytes_of(key), kept.type, bytes_of(kept.value), kept.version, kept.expires_unix_ms}));
      }
      REQUIRE(writer->end_block());
    }
    REQUIRE(writer->finish());
  }
};

}  // namespace sessionblocks::snapshot::test
