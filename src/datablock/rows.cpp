#include "datablock/rows.hpp"

#include <array>
#include <cmath>

#include "core/bytes.hpp"

namespace sessionblocks::datablock {
namespace {

using snapshot::FileEntry;

template <typename Enum>
Enum word_of(const std::string& text, Enum most) {
  for (auto value = static_cast<Enum>(1); value < most;
       value = static_cast<Enum>(static_cast<unsigned>(value) + 1U)) {
    if (word(value) == text) return value;
  }
  return most;
}

void bind_value(Statement& insert, const FileEntry& entry) {
  switch (entry.type) {
    case Type::integer: {
      std::int64_t number = 0;
      std::memcpy(&number, entry.value.data(), sizeof number);
      insert.number(number);
      return;
    }
    case Type::real: {
      double number = 0;
      std::memcpy(&number, entry.value.data(), sizeof number);
      const bool has_form = !std::isnan(number) && !(number == 0 && std::signbit(number));
      has_form ? insert.real(number) : insert.blob(entry.value);
      return;
    }
    case Type::boolean:
      insert.number(std::int64_t{entry.value.front() != std::byte{0}});
      return;
    case Type::text:
      insert.text(text_of(entry.value));
      return;
    case Type::bytes:
      insert.blob(entry.value);
      return;
  }
}

// The value of a row in the form that blocks have it in; `room` holds numbers. False: none such.
bool take_value(Statement& row, int column, Type type, std::array<std::byte, 8>& room,
                FileEntry& entry) {
  const int has = row.type_at(column);
  const auto as_number = [&](const auto& number, std::size_t bytes) {
    std::memcpy(room.data(), &number, bytes);
    entry.value = std::span(room).first(bytes);
    return true;
  };
  switch (type) {
    case Type::integer:
      return has == SQLITE_INTEGER && as_number(row.number_at(column), 8);
    case Type::boolean:
      return has == SQLITE_INTEGER && as_number(std::uint8_t{row.number_at(column) != 0}, 1);
    case Type::real:
      if (has == SQLITE_FLOAT || has == SQLITE_INTEGER) return as_number(row.real_at(column), 8);
      entry.value = row.bytes_at(column);
      return has == SQLITE_BLOB;
    case Type::text:
      entry.value = row.bytes_at(column);
      return has == SQLITE_TEXT;
    case Type::bytes:
      entry.value = row.bytes_at(column);
      return has == SQLITE_BLOB;
  }
  return false;
}

Type type_named(const std::string& name) {
  for (const Type type : {Type::bytes, Type::text, Type::integer, Type::real, Type::boolean}) {
    if (type_name(type) == name) return type;
  }
  return Type{};
}

// One after the other, each with its length.
ByteBuffer bytes_of(const std::vector<std::string>& patterns) {
  ByteBuffer bytes;
  for (const std::string& pattern : patterns) bytes.put_text(pattern);
  return bytes;
}

std::vector<std::string> patterns_in(std::span<const std::byte> bytes) {
  std::vector<std::string> patterns;
  ByteReader in(bytes);
  while (!in.at_end() && !in.failed()) patterns.push_back(in.text());
  if (in.failed()) patterns.assign(1, "*");  // edited by hand: every key then
  return patterns;
}

}  // namespace

DataBlock row_of(Statement& row) {
  DataBlock found;
  snapshot::BlockDescription& about = found.about;
  found.id = row.number_at(0);
  about.name = row.text_at(1);
  about.kind = word_of(row.text_at(2), BlockKind::forked);
  about.audit = word_of(row.text_at(3), AuditLevel::counted);
  about.permits = static_cast<std::uint32_t>(row.number_at(4));
  about.quota_bytes = static_cast<std::uint64_t>(row.number_at(5));
  found.system = row.text_at(6);
  const auto instance = row.bytes_at(7);
  if (instance.size() == found.instance.size()) {
    std::memcpy(found.instance.data(), instance.data(), instance.size());
  }
  about.owner = row.text_at(8);
  about.id = static_cast<BlockId>(row.number_at(9));
  about.generation = static_cast<Generation>(row.number_at(10));
  about.instant = static_cast<std::uint64_t>(row.number_at(11));
  about.taken_unix_ms = static_cast<std::uint64_t>(row.number_at(12));
  found.elevated_unix_ms = static_cast<std::uint64_t>(row.number_at(13));
  found.entries = static_cast<std::uint64_t>(row.number_at(14));
  about.sensitive = patterns_in(row.bytes_at(15));
  return found;
}

Result<void> insert_datablock(sqlite3* database, const DataBlock& made) {
  const snapshot::BlockDescription& about = made.about;
  Statement insert(database,
                   "INSERT INTO datablock (name, kind, audit, permits, quota, system, instance, "
                   "scope, block, generation, instant, taken_unix_ms, elevated_unix_ms, sensitive) "
                   "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const ByteBuffer sensitive = bytes_of(about.sensitive);
  insert.text(about.name).text(word(about.kind)).text(word(about.audit));
  insert.number(std::uint64_t{about.permits}).number(about.quota_bytes).text(made.system);
  insert.blob(made.instance).text(about.owner).number(std::uint64_t{raw(about.id)});
  insert.number(std::uint64_t{raw(about.generation)}).number(about.instant);
  insert.number(about.taken_unix_ms).number(made.elevated_unix_ms);
  about.sensitive.empty() ? insert.nothing() : insert.blob(sensitive.bytes());
  const auto done = insert.step();
  return done ? Result<void>() : tl::unexpected(done.error());
}

Result<void> insert_entry(Statement& insert, std::int64_t id, const FileEntry& entry) {
  insert.reset();
  insert.number(id).text(text_of(entry.key)).text(type_name(entry.type));
  bind_value(insert, entry);
  insert.number(entry.version);
  entry.expires_unix_ms == 0 ? insert.nothing() : insert.number(entry.expires_unix_ms);
  const auto stepped = insert.step();
  return stepped ? Result<void>() : tl::unexpected(stepped.error());
}

bool EntryRow::take(Statement& row) {
  entry.type = type_named(row.text_at(1));
  const bool has_value = take_value(row, 2, entry.type, room_, entry);
  entry.key = row.bytes_at(0);
  entry.version = static_cast<std::uint64_t>(row.number_at(3));
  entry.expires_unix_ms = static_cast<std::uint64_t>(row.number_at(4));
  return has_value && snapshot::is_sound(entry);
}

}  // namespace sessionblocks::datablock
