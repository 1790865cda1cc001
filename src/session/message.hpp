// Messages of the control plane: one CBOR map each, on a Unix SOCK_SEQPACKET socket.
//
// At most 64 KiB and 8 levels, both checked before anything is decoded: a parser that recurses is
// not given what a hostile client nested. PROTOCOL.md beside this file lists the messages.
#pragma once

#include <sessionblocks/error.hpp>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

namespace sessionblocks {

using Message = nlohmann::json;

inline constexpr std::size_t kMaxMessageBytes = 64 * 1024;
inline constexpr unsigned kMaxMessageDepth = 8;

// invalid_argument: larger than kMaxMessageBytes.
[[nodiscard]] Result<std::vector<std::uint8_t>> encode_message(const Message& message);
// malformed: not one CBOR map, too large, too deep, or bytes after its end.
[[nodiscard]] Result<Message> decode_message(std::span<const std::uint8_t> bytes);

// {"id": id, "error": number, "context": text, "number": n} and back.
[[nodiscard]] Message error_reply(std::uint64_t id, const Error& error);
[[nodiscard]] Error error_of(const Message& reply);

}  // namespace sessionblocks
