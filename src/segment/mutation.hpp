// What an operation makes of an entry: pure, no shared memory is changed here.
#pragma once

#include <sessionblocks/error.hpp>

#include "core/words.hpp"
#include "layout/node.hpp"

#include <array>
#include <cstddef>
#include <span>
#include <vector>

namespace sessionblocks::segment {

enum class ExpiryRule : std::uint8_t { never, at, keep };

struct Mutation {
  Op op = Op::put;
  layout::ValueType type = layout::ValueType::bytes;
  std::span<const std::byte> value;    // put, add, replace, compare_and_set; append: the suffix
  std::uint64_t expected_version = 0;  // compare_and_set
  std::int64_t add_integer = 0;        // increment of an integer (type integer)
  double add_real = 0;                 // increment of a real (type real)
  ExpiryRule expiry = ExpiryRule::never;
  std::uint64_t expires_at_ms = 0;
  std::vector<std::byte>* taken = nullptr;  // get_and_erase: where the old value goes
  bool takes_any_type = true;               // get_and_erase: else only one of `type`
};

// The entry that a slot holds, read from shared bytes: usable only if the slot is unchanged.
struct OldEntry {
  bool has_node = false;  // false: no slot, or a dropped one: the key was never seen or forgotten
  bool is_live = false;   // neither a tombstone nor expired
  layout::ValueType type = layout::ValueType::tombstone;
  std::uint64_t version = 0;
  std::uint64_t expiry_ms = 0;
  const std::byte* value = nullptr;  // shared
  std::uint64_t value_bytes = 0;
};

// What the new node holds: the first `kept_bytes` of the old value, then `value` or `number`.
struct Plan {
  layout::ValueType type = layout::ValueType::tombstone;
  std::uint64_t kept_bytes = 0;
  std::span<const std::byte> value;
  std::array<std::byte, 8> number{};
  bool is_number = false;
  std::uint64_t expiry_ms = 0;

  [[nodiscard]] std::span<const std::byte> tail() const noexcept {
    return is_number ? std::span<const std::byte>(number) : value;
  }
  [[nodiscard]] std::uint64_t value_bytes() const noexcept { return kept_bytes + tail().size(); }
};

// Errc{0}: `plan` is to be committed. not_found, exists, conflict, wrong_type, overflow: it isn't.
[[nodiscard]] Errc plan_mutation(const Mutation& mutation, const OldEntry& old, Plan& plan);

}  // namespace sessionblocks::segment
