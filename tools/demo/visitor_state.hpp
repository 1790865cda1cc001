// What the entries of the block `visitors` hold, and how one line of the log changes them.
//
// Each entry carries the number of the last line that went into it. Lines reach an entry in file
// order, so a line whose number is not above that one is in it already: applying it changes
// nothing. That is what makes a restarted worker exact; README.md tells the whole of it.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

#include "access_log.hpp"

namespace demo {

inline constexpr std::size_t kStatusClasses = 9;  // 1xx to 9xx

// One visitor: visitor:ADDRESS.
struct VisitorState {
  std::uint64_t last_line = 0;  // the file's first line is 1
  std::int64_t last_time_s = 0;
  std::uint64_t requests = 0;
  std::uint64_t sessions = 0;
  std::uint64_t bytes = 0;
  std::array<std::uint64_t, kStatusClasses> status{};

  // Returns whether the line was new to this entry. A line more than `gap_s` after the visitor's
  // previous one begins a session; an earlier time never does.
  bool apply(const AccessLine& line, std::uint64_t number, std::int64_t gap_s);
};

// Lines of one partition that have something in common: a page, or being malformed.
struct LineCount {
  std::uint64_t last_line = 0;
  std::uint64_t lines = 0;

  bool apply(std::uint64_t number);
};

// An entry's value is the state's bytes as they are in memory: a block never leaves its host.
template <typename State>
[[nodiscard]] std::array<std::byte, sizeof(State)> encode(const State& state) {
  static_assert(std::has_unique_object_representations_v<State>, "padding would be stored");
  return std::bit_cast<std::array<std::byte, sizeof(State)>>(state);
}

// Reads the state at the front of `value`; nothing when the value is too short to hold one.
template <typename State>
[[nodiscard]] std::optional<State> decode(std::span<const std::byte> value) {
  if (value.size() < sizeof(State)) return std::nullopt;
  State state;
  std::memcpy(&state, value.data(), sizeof(State));
  return state;
}

}  // namespace demo
