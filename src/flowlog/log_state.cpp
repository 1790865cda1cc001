#include "flowlog/log_state.hpp"

#include <algorithm>

namespace sessionblocks::flowlog {

namespace {

std::uint32_t take_u32(ByteReader& in) {
  return static_cast<std::uint32_t>(in.bounded(UINT32_MAX));
}
std::uint16_t take_u16(ByteReader& in) {
  return static_cast<std::uint16_t>(in.bounded(UINT16_MAX));
}

template <typename Map, typename PutRow>
void encode_rows(ByteBuffer& out, const Map& rows, PutRow put_row) {
  out.put_varint(rows.size());
  for (const auto& [key, value] : rows) put_row(key, value);
}

// Each row takes at least one byte, so a made-up count ends with the bytes.
template <typename TakeRow>
void decode_rows(ByteReader& in, TakeRow take_row) {
  for (std::uint64_t left = in.varint(); left != 0 && !in.failed(); --left) take_row();
}

template <std::size_t N, typename Byte>
void take_array(ByteReader& in, std::array<Byte, N>& out) {
  const auto part = in.bytes(N);
  if (part.size() == N) std::memcpy(out.data(), part.data(), N);
}

}  // namespace

std::string_view word(NoteKind kind) noexcept {
  constexpr std::array<std::string_view, 15> kNames = {
      "unknown",     "event",          "worker_added", "worker_removed", "opened",
      "lane_forged", "damage",         "counted",      "undrained",      "files_removed",
      "transition",  "interrupted",    "values_kept",  "values_dropped", "values_ended"};
  const auto index = static_cast<std::size_t>(kind);
  return index < kNames.size() ? kNames[index] : kNames[0];
}

void LogState::apply(const Note& note) {
  switch (note.kind) {
    case NoteKind::worker_added:
      workers[note.worker] = note.text;
      break;
    case NoteKind::worker_removed:
      removed.insert(note.worker);
      break;
    case NoteKind::opened:
      opens[{note.worker, note.open}] = note.block;
      if (auto& name = blocks[raw(note.block.block())]; !note.text.empty()) name = note.text;
      break;
    case NoteKind::counted: {
      auto& [reads, writes] = counted[{note.worker, note.open}];
      reads += note.number;
      writes += note.second;
      break;
    }
    case NoteKind::transition:
    case NoteKind::interrupted:
      next_transition = note.number + 1;
      break;
    case NoteKind::values_kept:
      with_values[raw(note.block.block())] = raw(note.block.generation());
      if (auto& name = blocks[raw(note.block.block())]; !note.text.empty()) name = note.text;
      break;
    case NoteKind::values_dropped:
    case NoteKind::values_ended:
      with_values.erase(raw(note.block.block()));
      break;
    default:
      break;
  }
}

void LogState::forget_removed() {
  // Those of workers that went just now stay for another file: their rows in control may be there.
  std::erase_if(counted, [&](const auto& row) { return !workers.contains(row.first.first); });
  const auto has_gone = [this](std::uint32_t worker) { return removed.contains(worker); };
  std::erase_if(next, [&](const auto& row) { return has_gone(row.first.worker); });
  std::erase_if(workers, [&](const auto& row) { return has_gone(row.first); });
  std::erase_if(opens, [&](const auto& row) { return has_gone(row.first.first); });
  std::set<std::uint32_t> named;
  for (const auto& row : opens) named.insert(raw(row.second.block()));
  for (const auto& row : with_values) named.insert(row.first);
  std::erase_if(blocks, [&](const auto& row) { return !named.contains(row.first); });
  removed.clear();
}

std::string_view LogState::scope_of(std::uint32_t worker) const noexcept {
  const auto at = workers.find(worker);
  return at == workers.end() ? std::string_view() : std::string_view(at->second);
}

std::string_view LogState::name_of(BlockId block) const noexcept {
  const auto at = blocks.find(raw(block));
  return at == blocks.end() ? std::string_view() : std::string_view(at->second);
}

void encode(ByteBuffer& out, const Note& note) {
  out.put_byte(static_cast<std::uint8_t>(note.kind));
  out.put_varint(note.worker);
  out.put_varint(note.lane);
  out.put_varint(note.open);
  out.put_varint(note.block.word);
  out.put_varint(note.number);
  out.put_varint(note.second);
  out.put_text(note.text);
  if (!is_transition(note.kind)) return;
  out.put_text(note.what);
  out.put_text(note.subject);
  out.put_text(note.by);
  out.put_varint(zigzag(note.unix_ms));
}

bool decode(std::span<const std::byte> payload, Note& out) {
  ByteReader in(payload);
  out.kind = static_cast<NoteKind>(in.byte());
  out.worker = take_u32(in);
  out.lane = take_u16(in);
  out.open = take_u16(in);
  out.block = {in.varint()};
  out.number = in.varint();
  out.second = in.varint();
  out.text = in.text();
  out.what.clear();
  out.subject.clear();
  out.by.clear();
  out.unix_ms = 0;
  if (is_transition(out.kind)) {
    out.what = in.text();
    out.subject = in.text();
    out.by = in.text();
    out.unix_ms = in.signed_varint();
  }
  return !in.failed() && in.at_end();
}

void encode(ByteBuffer& out, const LogIdentity& identity) {
  out.put_varint(identity.file_number);
  out.put_bytes(std::as_bytes(std::span(identity.previous)));
  out.put_bytes(std::as_bytes(std::span(identity.instance)));
  out.put_text(identity.system);
  out.put_byte(identity.signer ? 1 : 0);
  if (identity.signer) out.put_bytes(std::as_bytes(std::span(*identity.signer)));
}

bool decode(std::span<const std::byte> payload, LogIdentity& out) {
  ByteReader in(payload);
  out.file_number = in.varint();
  take_array(in, out.previous);
  take_array(in, out.instance);
  out.system = in.text();
  out.signer.reset();
  const std::uint8_t is_signed = in.byte();
  if (is_signed == 1) take_array(in, out.signer.emplace());
  if (is_signed > 1) in.fail();
  return !in.failed() && in.at_end();
}

void encode(ByteBuffer& out, const LogState& state) {
  encode_rows(out, state.next, [&](LaneRef lane, std::uint64_t next) {
    out.put_varint(lane.worker);
    out.put_varint(lane.lane);
    out.put_varint(next);
  });
  encode_rows(out, state.workers, [&](std::uint32_t worker, const std::string& scope) {
    out.put_varint(worker);
    out.put_text(scope);
  });
  encode_rows(out, state.opens, [&](const auto& open, BlockRef block) {
    out.put_varint(open.first);
    out.put_varint(open.second);
    out.put_varint(block.word);
  });
  encode_rows(out, state.blocks, [&](std::uint32_t block, const std::string& name) {
    out.put_varint(block);
    out.put_text(name);
  });
  out.put_varint(state.next_note);
  out.put_varint(state.next_checkpoint);
  out.put_varint(state.next_transition);
  encode_rows(out, state.counted, [&](const auto& open, const auto& counts) {
    out.put_varint(open.first);
    out.put_varint(open.second);
    out.put_varint(counts.first);
    out.put_varint(counts.second);
  });
  encode_rows(out, state.with_values, [&](std::uint32_t block, std::uint32_t generation) {
    out.put_varint(block);
    out.put_varint(generation);
  });
}

bool decode(std::span<const std::byte> payload, LogState& out) {
  ByteReader in(payload);
  out = {};
  decode_rows(in, [&] {
    const std::uint32_t worker = take_u32(in);
    const std::uint16_t lane = take_u16(in);
    out.next[{worker, lane}] = in.varint();
  });
  decode_rows(in, [&] {
    const std::uint32_t worker = take_u32(in);
    out.workers[worker] = in.text();
  });
  decode_rows(in, [&] {
    const std::uint32_t worker = take_u32(in);
    const std::uint16_t open = take_u16(in);
    out.opens[{worker, open}] = {in.varint()};
  });
  decode_rows(in, [&] {
    const std::uint32_t block = take_u32(in);
    out.blocks[block] = in.text();
  });
  out.next_note = in.varint();
  out.next_checkpoint = in.varint();
  out.next_transition = in.varint();
  decode_rows(in, [&] {
    const std::uint32_t worker = take_u32(in);
    const std::uint16_t open = take_u16(in);
    auto& [reads, writes] = out.counted[{worker, open}];
    reads = in.varint();
    writes = in.varint();
  });
  decode_rows(in, [&] {
    const std::uint32_t block = take_u32(in);
    out.with_values[block] = take_u32(in);
  });
  return !in.failed() && in.at_end();
}

void encode_key(ByteBuffer& out, KeyRef key, std::string_view bytes) {
  out.put_varint(key.block.word);
  out.put_varint(key.id);
  out.put_text(bytes);
}

bool decode_key(ByteReader& in, KeyRef& key, std::string& bytes) {
  key.block = {in.varint()};
  key.id = in.varint();
  bytes = in.text();
  return !in.failed();
}

}  // namespace sessionblocks::flowlog
