// What a worker under load does: operation n of a life is the same in the worker and in the log.
// Each has one record, and none fails.
#pragma once

#include <string>

#include "core/words.hpp"

namespace sessionblocks::deaths {

struct Operation {
  Op op;
  std::string key;
};

inline constexpr const char* kTotal = "total";

inline std::string key_of(std::uint32_t life, const char* name, std::uint64_t number) {
  return "l" + std::to_string(life) + ":" + name + std::to_string(number);
}

// A life's own keys begin with its number; `total` is everybody's.
inline Operation operation(std::uint32_t life, std::uint64_t n, bool reads_only) {
  if (reads_only) return {Op::get, kTotal};
  switch (n % 8) {
    case 0:
      return {Op::put, key_of(life, "k", n / 8 % 32)};
    case 1:
      return {Op::get, key_of(life, "k", n / 8 % 32)};
    case 2:
      return {Op::increment, kTotal};
    case 3:
      return {Op::increment, key_of(life, "n", 0)};
    case 4:
      return {Op::get, kTotal};
    case 5:
      return {Op::put, key_of(life, "s", n / 8 % 8)};
    case 6:
      return {n % 16 < 8 ? Op::put : Op::erase, key_of(life, "e", n / 16 % 4)};
    default:
      return {Op::get, key_of(life, "s", n / 8 % 8)};
  }
}

// What operation n puts. Some take runs of pages.
inline std::string text_of(std::uint64_t n) {
  const std::size_t bytes = n / 8 % 8 == 7 ? 20'000 : 20 + n % 400;
  return std::string(bytes, static_cast<char>('a' + n % 26));
}

}  // namespace sessionblocks::deaths
