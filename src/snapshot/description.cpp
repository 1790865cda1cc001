#include "snapshot/description.hpp"

#include <algorithm>

namespace sessionblocks::snapshot {
namespace {

constexpr std::uint64_t kMostBlocks = 1U << 20U;
constexpr std::uint64_t kMostPatterns = 4'096;

template <typename Array>
void put_array(ByteBuffer& out, const Array& array) {
  out.put_bytes(std::as_bytes(std::span(array)));
}

template <typename Array>
void take_array(ByteReader& in, Array& array) {
  const auto bytes = in.bytes(array.size());
  if (bytes.size() == array.size()) std::memcpy(array.data(), bytes.data(), array.size());
}

template <typename Enum>
Enum take_word(ByteReader& in, Enum most) {
  const std::uint8_t value = in.byte();
  if (value == 0 || value > static_cast<std::uint8_t>(most)) in.fail();
  return static_cast<Enum>(value);
}

template <typename Description>
Result<Description> whole(const ByteReader& in, Description description, const char* what) {
  if (!in.failed() && in.at_end()) return description;
  return fail(Errc::malformed, std::string("snapshot: ") + what);
}

}  // namespace

void FileDescription::encode(ByteBuffer& out) const {
  out.put_text(system);
  put_array(out, instance);
  out.put_text(of);
  out.put_varint(blocks);
  out.put_byte(is_exact ? 1 : 0);
  out.put_varint(taken_unix_ms);
  out.put_varint(left_out.size());
  for (const std::string& name : left_out) out.put_text(name);
}

Result<FileDescription> FileDescription::decode(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  FileDescription file;
  file.system = in.text();
  take_array(in, file.instance);
  file.of = in.text();
  file.blocks = static_cast<std::uint32_t>(in.bounded(kMostBlocks));
  file.is_exact = in.byte() == 1;
  file.taken_unix_ms = in.varint();
  const std::uint64_t count = in.bounded(kMostBlocks);
  for (std::uint64_t i = 0; i < count && !in.failed(); ++i) file.left_out.push_back(in.text());
  return whole(in, std::move(file), "its description of itself");
}

void BlockDescription::encode(ByteBuffer& out) const {
  out.put_varint(raw(id));
  out.put_varint(raw(generation));
  out.put_text(name);
  out.put_byte(static_cast<std::uint8_t>(kind));
  out.put_byte(static_cast<std::uint8_t>(audit));
  out.put_text(owner);
  out.put_varint(quota_bytes);
  out.put_varint(permits);
  out.put_varint(instant);
  out.put_varint(taken_unix_ms);
  put_array(out, key);
  out.put_varint(sensitive.size());
  for (const std::string& pattern : sensitive) out.put_text(pattern);
}

Result<BlockDescription> BlockDescription::decode(std::span<const std::byte> bytes) {
  ByteReader in(bytes);
  BlockDescription block;
  block.id = static_cast<BlockId>(in.bounded(UINT32_MAX));
  block.generation = static_cast<Generation>(in.bounded(UINT32_MAX));
  block.name = in.text();
  block.kind = take_word(in, BlockKind::forked);
  block.audit = take_word(in, AuditLevel::counted);
  block.owner = in.text();
  block.quota_bytes = in.varint();
  block.permits = static_cast<std::uint32_t>(in.bounded(UINT32_MAX));
  block.instant = in.varint();
  block.taken_unix_ms = in.varint();
  take_array(in, block.key);
  if (!in.at_end()) {  // files of before there were any end here
    const std::uint64_t count = in.bounded(kMostPatterns);
    for (std::uint64_t i = 0; i < count && !in.failed(); ++i) {
      block.sensitive.push_back(in.text());
    }
  }
  return whole(in, std::move(block), "its description of a block");
}

}  // namespace sessionblocks::snapshot
