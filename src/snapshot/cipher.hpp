// Compressing and encrypting the payload of a frame, and back: zstd, then XChaCha20-Poly1305.
//
// The nonce is the file's id and the frame's number: a key never sees one twice, because ids are
// random and a file is written once. Authenticated with it: the frame's header, so that no frame
// stands in for another, and the digest of the block's description, so that no description does.
#pragma once

#include <vector>

#include "snapshot/frame.hpp"
#include "snapshot/keys.hpp"

namespace sessionblocks::snapshot {

inline constexpr std::uint32_t kMaxPlainBytes = 0x4000'0000;

// The payload of an encrypted frame whose header is complete but for its sizes, which are filled
// in. value_too_large: more than kMaxPlainBytes; out_of_memory.
[[nodiscard]] Result<std::vector<std::byte>> seal(const Key& key, FrameHeader& header,
                                                  const Digest& description,
                                                  std::span<const std::byte> plain);
// corrupt: another key's, or altered.
[[nodiscard]] Result<std::vector<std::byte>> unseal(const Key& key, const FrameHeader& header,
                                                    const Digest& description,
                                                    std::span<const std::byte> payload);

}  // namespace sessionblocks::snapshot
