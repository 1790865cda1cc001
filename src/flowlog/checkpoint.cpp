#include "flowlog/checkpoint.hpp"

namespace sessionblocks::flowlog {

namespace {

// Before what is signed: a signature of this key over anything else is none of a checkpoint.
constexpr std::string_view kDomain = "sessionblocks flowlog checkpoint 1";

void encode_signed(ByteBuffer& out, const Checkpoint& checkpoint) {
  out.put_varint(checkpoint.number);
  out.put_varint(checkpoint.file_number);
  out.put_varint(zigzag(checkpoint.unix_ms));
  out.put_bytes(std::as_bytes(std::span(checkpoint.chain)));
  out.put_varint(checkpoint.next_note);
  out.put_varint(checkpoint.next.size());
  for (const auto& [lane, next] : checkpoint.next) {
    out.put_varint(lane.worker);
    out.put_varint(lane.lane);
    out.put_varint(next);
  }
}

ByteBuffer message_of(const Checkpoint& checkpoint) {
  ByteBuffer message;
  message.put_text(kDomain);
  encode_signed(message, checkpoint);
  return message;
}

template <std::size_t N>
void take_array(ByteReader& in, std::array<unsigned char, N>& out) {
  const auto part = in.bytes(N);
  if (part.size() == N) std::memcpy(out.data(), part.data(), N);
}

}  // namespace

void encode(ByteBuffer& out, const Checkpoint& checkpoint, const SigningKey& key) {
  encode_signed(out, checkpoint);
  const Signature signature = key.sign(message_of(checkpoint).bytes());
  out.put_bytes(std::as_bytes(std::span(signature)));
}

bool decode(std::span<const std::byte> payload, Checkpoint& out) {
  ByteReader in(payload);
  out = {};
  out.number = in.varint();
  out.file_number = in.varint();
  out.unix_ms = in.signed_varint();
  take_array(in, out.chain);
  out.next_note = in.varint();
  // Each lane takes three bytes, so a made-up count ends with the bytes.
  for (std::uint64_t left = in.varint(); left != 0 && !in.failed(); --left) {
    LaneRef lane;
    lane.worker = static_cast<std::uint32_t>(in.bounded(UINT32_MAX));
    lane.lane = static_cast<std::uint16_t>(in.bounded(UINT16_MAX));
    out.next[lane] = in.varint();
  }
  take_array(in, out.signature);
  return !in.failed() && in.at_end();
}

bool is_signed_by(const Checkpoint& checkpoint, const PublicKey& key) {
  return holds(checkpoint.signature, message_of(checkpoint).bytes(), key);
}

}  // namespace sessionblocks::flowlog
