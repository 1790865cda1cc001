#include "flowlog/values.hpp"

#include <sodium.h>

#include "layout/node.hpp"
#include "platform/random.hpp"

namespace sessionblocks::flowlog {

namespace {

constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
static_assert(std::tuple_size_v<snapshot::Key::Bytes> ==
              crypto_aead_xchacha20poly1305_ietf_KEYBYTES);

// What the frame says of itself, so that no frame stands in for another.
ByteBuffer bound(const FrameHeader& header, BlockRef block) {
  ByteBuffer out;
  out.put_text("sessionblocks flowlog values 1");
  out.put_varint(header.worker);
  out.put_varint(header.lane);
  out.put_varint(header.first);
  out.put_varint(header.records);
  out.put_varint(block.word);
  return out;
}

const unsigned char* raw_bytes(std::span<const std::byte> bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

}  // namespace

void ValueKeys::set(BlockId block, const snapshot::Key& key) {
  const std::lock_guard lock(mutex_);
  keys_[block] = key;
}

void ValueKeys::forget(BlockId block) {
  const std::lock_guard lock(mutex_);
  keys_.erase(block);
}

bool ValueKeys::use(BlockId block, const std::function<void(const snapshot::Key&)>& use) const {
  const std::lock_guard lock(mutex_);
  const auto at = keys_.find(block);
  if (at == keys_.end()) return false;
  use(at->second);
  return true;
}

void ValueRows::add(std::uint64_t offset, const layout::ValueDetail& detail,
                    std::span<const std::byte> bytes) {
  ++count_;
  rows_.put_varint(offset);
  rows_.put_varint(detail.expiry_ms);
  rows_.put_varint(detail.kept_bytes);
  rows_.put_byte(detail.type);
  rows_.put_varint(bytes.size());
  rows_.put_bytes(bytes);
}

Result<void> seal_values(ByteBuffer& out, const FrameHeader& header, BlockRef block,
                         const snapshot::Key& key, const ValueRows& rows) {
  std::array<std::byte, kNonceBytes> nonce{};
  if (auto drawn = platform::random_bytes(nonce); !drawn) return drawn;
  out.put_varint(block.word);
  out.put_bytes(std::as_bytes(std::span(key.id)));
  out.put_bytes(nonce);
  const ByteBuffer data = bound(header, block);
  const std::size_t bytes = rows.bytes().size();
  std::byte* const sealed = out.room(bytes + kTagBytes);
  crypto_aead_xchacha20poly1305_ietf_encrypt(
      reinterpret_cast<unsigned char*>(sealed), nullptr, raw_bytes(rows.bytes()), bytes,
      raw_bytes(data.bytes()), data.size(), nullptr, raw_bytes(nonce), key.bytes.data());
  out.commit(sealed + bytes + kTagBytes);
  return {};
}

bool read_values(std::span<const std::byte> payload, SealedValues& out) noexcept {
  ByteReader in(payload);
  out.block = {in.varint()};
  const auto id = in.bytes(out.key.size());
  out.nonce = in.bytes(kNonceBytes);
  if (in.failed()) return false;
  std::memcpy(out.key.data(), id.data(), id.size());
  out.sealed = in.rest();
  return out.sealed.size() >= kTagBytes;
}

Result<std::map<std::uint64_t, LoggedValue>> open_values(const FrameHeader& header,
                                                         const SealedValues& values,
                                                         const snapshot::Key& key) {
  const auto altered = [] {
    return fail(Errc::corrupt, "logged values that their key does not open");
  };
  std::vector<std::byte> plain(values.sealed.size() - kTagBytes);
  const ByteBuffer data = bound(header, values.block);
  const int opened = crypto_aead_xchacha20poly1305_ietf_decrypt(
      reinterpret_cast<unsigned char*>(plain.data()), nullptr, nullptr, raw_bytes(values.sealed),
      values.sealed.size(), raw_bytes(data.bytes()), data.size(), raw_bytes(values.nonce),
      key.bytes.data());
  if (opened != 0) return altered();
  std::map<std::uint64_t, LoggedValue> rows;
  ByteReader in(plain);
  for (std::uint32_t i = 0; i < header.records && !in.failed(); ++i) {
    const std::uint64_t sequence = header.first + in.varint();
    LoggedValue value;
    value.expiry_ms = in.varint();
    value.kept_bytes = in.bounded(layout::kMaxValueBytes);
    value.type = in.byte();
    value.bytes = in.text();
    rows.insert_or_assign(sequence, std::move(value));
  }
  if (in.failed() || !in.at_end()) return altered();
  return rows;
}

}  // namespace sessionblocks::flowlog
