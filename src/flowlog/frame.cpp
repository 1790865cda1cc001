#include "flowlog/frame.hpp"

#include <sodium.h>
#include <xxhash.h>

namespace sessionblocks::flowlog {

namespace {

constexpr std::size_t kChecked = offsetof(FrameHeader, checksum);
constexpr std::size_t kChained = offsetof(FrameHeader, chain);

std::uint64_t checksum_of(const FrameHeader& header, std::span<const std::byte> payload) noexcept {
  return XXH3_64bits_withSeed(payload.data(), payload.size(), XXH3_64bits(&header, kChecked));
}

Chain chain_of(const Chain& previous, const FrameHeader& header,
               std::span<const std::byte> payload) noexcept {
  // libsodium picks its fastest code here, once; without it the slow one gives the same bytes.
  [[maybe_unused]] static const int initialised = sodium_init();
  crypto_generichash_state state;
  Chain chain{};
  crypto_generichash_init(&state, nullptr, 0, chain.size());
  crypto_generichash_update(&state, previous.data(), previous.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(&header), kChained);
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(payload.data()),
                            payload.size());
  crypto_generichash_final(&state, chain.data(), chain.size());
  return chain;
}

}  // namespace

std::size_t begin_frame(ByteBuffer& out) {
  const std::size_t place = out.size();
  out.commit(out.room(sizeof(FrameHeader)) + sizeof(FrameHeader));
  return place;
}

void end_frame(ByteBuffer& out, std::size_t place, FrameHeader header, Chain& chain) {
  const auto payload = out.bytes().subspan(place + sizeof(FrameHeader));
  header.payload_bytes = static_cast<std::uint32_t>(payload.size());
  header.checksum = checksum_of(header, payload);
  header.chain = chain = chain_of(chain, header, payload);
  std::memcpy(out.data() + place, &header, sizeof header);
}

FrameState read_frame(std::span<const std::byte> bytes, Frame& frame) noexcept {
  if (bytes.size() < sizeof(FrameHeader)) return FrameState::torn;
  FrameHeader& header = frame.header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kFrameMagic || header.payload_bytes > kMaxPayloadBytes) {
    return FrameState::malformed;
  }
  const auto rest = bytes.subspan(sizeof header);
  if (header.payload_bytes > rest.size()) return FrameState::torn;
  frame.payload = rest.first(header.payload_bytes);
  return checksum_of(header, frame.payload) == header.checksum ? FrameState::whole
                                                               : FrameState::malformed;
}

bool chain_holds(const Frame& frame, const Chain& previous) noexcept {
  return chain_of(previous, frame.header, frame.payload) == frame.header.chain;
}

}  // namespace sessionblocks::flowlog
