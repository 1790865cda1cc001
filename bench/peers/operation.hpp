// One thing to do to one key, the same for every peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace sessionblocks::bench {

enum class OpKind : std::uint8_t {
  get,        // copy the value into `bytes`
  put,        // store `bytes`
  increment,  // add one to a counter
  reset,      // make a counter that stands at 0
  erase,
};

enum class Outcome : std::uint8_t { none, done, absent, failed };

struct Operation {
  OpKind kind = OpKind::get;
  Outcome outcome = Outcome::none;
  std::uint32_t ttl_ms = 0;      // put: 0 is for ever
  std::string_view key;          // lives as long as the operation
  std::uint64_t key_hash = 0;    // for a peer that hashes in prepare()
  std::span<std::byte> bytes;    // get: room for the copy; put: what is stored
  std::size_t copied_bytes = 0;  // get: how many were copied
  std::int64_t sum = 0;          // increment: the counter after it
};

[[nodiscard]] constexpr std::string_view name_of(OpKind kind) noexcept {
  switch (kind) {
    case OpKind::get:
      return "get";
    case OpKind::put:
      return "put";
    case OpKind::increment:
      return "increment";
    case OpKind::reset:
      return "reset";
    case OpKind::erase:
      return "erase";
  }
  return "";
}

}  // namespace sessionblocks::bench
