#include "snapshot/keys.hpp"

#include <sodium.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "platform/disk_file.hpp"
#include "platform/random.hpp"
#include "snapshot/frame.hpp"

namespace sessionblocks::snapshot {
namespace {

using platform::DiskFile;

enum class RecordState : std::uint32_t { usable = 1, removed = 2, released = 3 };
constexpr std::uint32_t kNeededElsewhere = 1;

struct Record {
  std::uint32_t magic = kMagic;
  RecordState state = RecordState::usable;
  SystemInstance instance{};
  std::uint32_t block = 0;
  std::uint32_t flags = 0;
  KeyId id{};
  Key::Bytes key{};
  std::array<std::uint8_t, 16> spare{};
  Digest checksum{};

  static constexpr std::uint32_t kMagic = 0x314B4253;  // "SBK1"

  [[nodiscard]] Digest digest() const noexcept {
    return digest_of(std::as_bytes(std::span(this, 1)).first(offsetof(Record, checksum)));
  }
  [[nodiscard]] bool is_whole() const noexcept { return magic == kMagic && digest() == checksum; }
  [[nodiscard]] bool belongs_to(const KeyOwner& owner) const noexcept {
    return instance == owner.instance && block == raw(owner.block);
  }
};
static_assert(sizeof(Record) == 128 && offsetof(Record, checksum) == 96);

struct Records {
  std::optional<DiskFile> file;
  std::vector<Record> all;  // damaged ones too

  Records() = default;
  Records(Records&&) = default;
  Records& operator=(Records&&) = delete;
  ~Records() { sodium_memzero(all.data(), all.size() * sizeof(Record)); }
};

Result<Records> read_all(const std::string& path) {
  Records records;
  auto file = DiskFile::open_write(path);
  if (!file && file.error() == Errc::not_found) return records;
  if (!file) return tl::unexpected(file.error());
  if (auto own = file->require_private(path); !own) return tl::unexpected(own.error());
  const auto bytes = file->size_bytes();
  if (!bytes) return tl::unexpected(bytes.error());
  records.all.resize(*bytes / sizeof(Record));
  const auto read = file->read_at(0, std::as_writable_bytes(std::span(records.all)));
  if (!read) return tl::unexpected(read.error());
  records.file = std::move(*file);
  return records;
}

Result<void> write(DiskFile& file, std::size_t index, Record record) {
  record.checksum = record.digest();
  const auto bytes = std::as_bytes(std::span(&record, 1));
  auto written = file.overwrite(index * sizeof(Record), bytes);
  if (written) written = file.sync();
  sodium_memzero(&record, sizeof record);
  return written;
}

Key key_of(const Record& record) {
  Key key;
  key.id = record.id;
  key.bytes = record.key;
  return key;
}

}  // namespace

Key::~Key() {
  sodium_memzero(bytes.data(), bytes.size());
}

Result<Key> KeyFile::of(const KeyOwner& owner, bool for_elsewhere) const {
  auto records = read_all(path_);
  if (!records) return tl::unexpected(records.error());
  std::size_t place = records->all.size();
  for (std::size_t i = 0; i < records->all.size(); ++i) {
    Record& record = records->all[i];
    if (!record.is_whole()) continue;
    if (record.state == RecordState::released) place = std::min(place, i);
    if (record.state != RecordState::usable || !record.belongs_to(owner)) continue;
    if (for_elsewhere && (record.flags & kNeededElsewhere) == 0) {
      record.flags |= kNeededElsewhere;
      if (auto kept = write(*records->file, i, record); !kept) return tl::unexpected(kept.error());
    }
    return key_of(record);
  }
  if (!records->file) {
    auto made = DiskFile::create(path_);
    if (!made) return tl::unexpected(made.error());
    auto opened = DiskFile::open_write(path_);
    if (!opened) return tl::unexpected(opened.error());
    if (auto kept = platform::sync_folder_of(path_); !kept) return tl::unexpected(kept.error());
    records->file = std::move(*opened);
  }
  Record record;
  record.instance = owner.instance;
  record.block = raw(owner.block);
  if (for_elsewhere) record.flags = kNeededElsewhere;
  auto drawn = platform::random_bytes(std::as_writable_bytes(std::span(record.id)));
  if (drawn) drawn = platform::random_bytes(std::as_writable_bytes(std::span(record.key)));
  if (drawn) drawn = write(*records->file, place, record);
  const Key key = key_of(record);
  sodium_memzero(record.key.data(), record.key.size());
  if (!drawn) return tl::unexpected(drawn.error());
  return key;
}

Result<Key> KeyFile::find(const KeyId& id) const {
  const auto records = read_all(path_);
  if (!records) return tl::unexpected(records.error());
  for (const Record& record : records->all) {
    const bool is_key = record.is_whole() && record.state != RecordState::released;
    if (record.id != id || !is_key) continue;
    if (record.state == RecordState::usable) return key_of(record);
    return fail(Errc::wiped, "snapshot: its block was wiped, and its key with it");
  }
  return fail(Errc::denied, "snapshot: no key for it in " + path_);
}

// Whether the record is whole or not: the key may be in it.
Result<void> KeyFile::remove(const KeyOwner& owner) const {
  auto records = read_all(path_);
  if (!records) return tl::unexpected(records.error());
  for (std::size_t i = 0; i < records->all.size(); ++i) {
    Record& record = records->all[i];
    if (record.state != RecordState::usable || !record.belongs_to(owner)) continue;
    record.state = RecordState::removed;
    sodium_memzero(record.key.data(), record.key.size());
    if (auto gone = write(*records->file, i, record); !gone) return gone;
  }
  return {};
}

Result<std::size_t> KeyFile::release(const std::vector<KeyId>& ids) const {
  if (ids.empty()) return std::size_t{0};
  auto records = read_all(path_);
  if (!records) return tl::unexpected(records.error());
  std::size_t count = 0;
  for (std::size_t i = 0; i < records->all.size(); ++i) {
    const Record& record = records->all[i];
    const bool is_meant = std::find(ids.begin(), ids.end(), record.id) != ids.end();
    const bool is_there = record.is_whole() && record.state != RecordState::released;
    if (!is_meant || !is_there || (record.flags & kNeededElsewhere) != 0) continue;
    Record empty;
    empty.state = RecordState::released;
    if (auto gone = write(*records->file, i, empty); !gone) return tl::unexpected(gone.error());
    ++count;
  }
  return count;
}

}  // namespace sessionblocks::snapshot
