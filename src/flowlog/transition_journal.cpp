#include "flowlog/transition_journal.hpp"

#include <xxhash.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/crash_point.hpp"

namespace sessionblocks::flowlog {

namespace {

constexpr std::uint64_t kMostBytes = 64U << 10U;  // beside what the log lacks
constexpr std::size_t kHeadBytes = 8;

std::uint32_t checksum_of(std::span<const std::byte> payload) noexcept {
  return static_cast<std::uint32_t>(XXH3_64bits(payload.data(), payload.size()));
}

// Of the payload at the start of `bytes`; nothing: torn, or none.
std::optional<std::span<const std::byte>> payload_of(std::span<const std::byte> bytes) noexcept {
  std::uint32_t head[2];
  static_assert(sizeof head == kHeadBytes);
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(head, bytes.data(), sizeof head);
  const auto rest = bytes.subspan(sizeof head);
  if (head[0] > rest.size()) return std::nullopt;
  const auto payload = rest.first(head[0]);
  if (checksum_of(payload) != head[1]) return std::nullopt;
  return payload;
}

}  // namespace

std::vector<Note> TransitionJournal::open(const std::string& path, std::uint64_t next) {
  next_ = next;
  auto file = platform::DiskFile::create(path);
  if (!file) file = platform::DiskFile::open_append(path);
  if (!file) return {};
  file_ = std::move(*file);
  std::vector<Note> lacking = read(next);
  // Noted as done, so that nobody notes them again.
  auto interrupted = std::exchange(begun_, {});
  for (auto& [begun, note] : interrupted) {
    note.kind = NoteKind::interrupted;
    // CRASH(journal.interrupted): some of what was under way has its number, and the next director
    // takes it from here; the rest is as it was.
    SESSIONBLOCKS_CRASH("journal.interrupted");
    lacking.push_back(tell(std::move(note), begun));
  }
  return lacking;
}

std::vector<Note> TransitionJournal::read(std::uint64_t next) {
  const auto bytes = file_.size_bytes();
  std::vector<std::byte> all(static_cast<std::size_t>(bytes.value_or(0)));
  const auto read = file_.read_at(0, all);
  all.resize(read.value_or(0));
  std::vector<Note> lacking;
  std::span<const std::byte> rest = all;
  for (auto payload = payload_of(rest); payload; payload = payload_of(rest)) {
    rest = rest.subspan(kHeadBytes + payload->size());
    ByteReader in(*payload);
    const auto kind = static_cast<Row>(in.byte());
    const std::uint64_t begun = in.varint();
    const auto encoded = in.bytes(in.varint());
    Note note;
    if (in.failed() || (kind != Row::withdrawn && !decode(encoded, note))) continue;
    next_begun_ = std::max(next_begun_, begun + 1);
    if (kind == Row::begun) {
      begun_[begun] = std::move(note);
      continue;
    }
    begun_.erase(begun);
    if (kind != Row::done || note.number < next) continue;
    next_ = std::max(next_, note.number + 1);
    lacking.push_back(std::move(note));
  }
  file_bytes_ = all.size() - rest.size();
  if (!rest.empty() && !file_.truncate(file_bytes_)) file_ = {};
  return lacking;
}

void TransitionJournal::append(Row kind, std::uint64_t begun, const Note& note) {
  if (!file_) return;
  ByteBuffer encoded;
  if (kind != Row::withdrawn) encode(encoded, note);
  ByteBuffer payload;
  payload.put_byte(static_cast<std::uint8_t>(kind));
  payload.put_varint(begun);
  payload.put_varint(encoded.size());
  payload.put_bytes(encoded.bytes());
  const std::uint32_t head[2] = {static_cast<std::uint32_t>(payload.size()),
                                 checksum_of(payload.bytes())};
  ByteBuffer row;
  row.put_bytes(std::as_bytes(std::span(head)));
  row.put_bytes(payload.bytes());
  if (file_.write_all(row.bytes())) {
    file_bytes_ += row.size();
  } else if (!file_.truncate(file_bytes_)) {
    file_ = {};  // rows behind a torn one would never be read
  }
}

std::uint64_t TransitionJournal::begin(const Note& note) {
  const std::uint64_t begun = next_begun_++;
  begun_[begun] = note;
  append(Row::begun, begun, note);
  return begun;
}

Note TransitionJournal::tell(Note note, std::uint64_t begun) {
  note.number = next_++;
  begun_.erase(begun);
  append(Row::done, begun, note);
  // CRASH(journal.told): it is here and not in the log's files; the next director notes it.
  SESSIONBLOCKS_CRASH("journal.told");
  return note;
}

void TransitionJournal::withdraw(std::uint64_t begun) {
  if (begun_.erase(begun) != 0) append(Row::withdrawn, begun, {});
}

void TransitionJournal::forget(std::uint64_t next, When when) {
  if (!file_ || next < next_ || !begun_.empty()) return;
  if (file_bytes_ == 0 || (when == When::grown && file_bytes_ < kMostBytes)) return;
  // CRASH(journal.logged): rows that the log has all of; the next director passes over them.
  SESSIONBLOCKS_CRASH("journal.logged");
  if (file_.truncate(0)) file_bytes_ = 0;
}

}  // namespace sessionblocks::flowlog
