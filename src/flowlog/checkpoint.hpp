// Checkpoints: a signature over everything that a log holds so far.
//
// What is signed states the chain behind which the checkpoint stands, and so every byte before it,
// and, for people and for comparing, how far each lane and the notes had got.
#pragma once

#include <cstdint>
#include <map>
#include <span>

#include "core/bytes.hpp"
#include "flowlog/frame.hpp"
#include "flowlog/log_record.hpp"
#include "flowlog/signing_key.hpp"

namespace sessionblocks::flowlog {

struct Checkpoint {
  std::uint64_t number = 0;  // over all files of a log, without a hole
  std::uint64_t file_number = 0;
  std::int64_t unix_ms = 0;
  Chain chain{};  // of the frame before
  std::uint64_t next_note = 0;
  std::map<LaneRef, std::uint64_t> next;  // the first ring cell of each lane that is not covered
  Signature signature{};                  // as decoded; encode() makes its own
};

// Signs it.
void encode(ByteBuffer& out, const Checkpoint& checkpoint, const SigningKey& key);
// False: malformed; `out` is then of no use.
[[nodiscard]] bool decode(std::span<const std::byte> payload, Checkpoint& out);
// Whether this payload of a checkpoint frame was signed with the key.
[[nodiscard]] bool is_signed_by(const Checkpoint& checkpoint, const PublicKey& key);

}  // namespace sessionblocks::flowlog
