// What the public face of blocks makes of shared bytes and outcomes: owned values and errors that
// name what was tried.
#pragma once

#include "session/block_operation.hpp"

#include <cstring>
#include <new>

namespace sessionblocks {

// No exception of ours crosses the API; a callback's own goes through.
template <typename Body>
[[gnu::always_inline]] inline auto catching_bad_alloc(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no memory in this process");
  }
}

inline std::string describe(std::string_view tried, const Key& key, const BlockHandle& block) {
  std::string text(tried);
  text.append(" \"").append(key.text().substr(0, 64)).append("\" in block ").append(block.name());
  return text;
}

inline Error wrong_type(layout::ValueType has, std::string_view wanted, const Key& key,
                        const BlockHandle& block) {
  std::string text = describe("asked for ", key, block);
  text.append(" as ").append(wanted).append(", it is ").append(type_name(static_cast<Type>(has)));
  return {Errc::wrong_type, std::move(text)};
}

// Frequent outcomes carry no text: they must not allocate.
inline Error error_of(Errc code, std::string_view tried, const Key& key, const BlockHandle& block) {
  const bool frequent = code == Errc::not_found || code == Errc::conflict || code == Errc::exists;
  return frequent ? Error(code) : Error(code, describe(tried, key, block));
}

// The owned value of the bytes [data, data + size) of this type.
template <typename T>
Errc take_value(T& value, layout::ValueType type, const std::byte* bytes, std::uint64_t size) {
  if constexpr (std::same_as<T, Value>) {
    switch (type) {
      case layout::ValueType::bytes:
        return take_value(value.template emplace<Bytes>(), type, bytes, size);
      case layout::ValueType::text:
        return take_value(value.template emplace<std::string>(), type, bytes, size);
      case layout::ValueType::integer:
        return take_value(value.template emplace<std::int64_t>(), type, bytes, size);
      case layout::ValueType::real:
        return take_value(value.template emplace<double>(), type, bytes, size);
      case layout::ValueType::boolean:
        return take_value(value.template emplace<bool>(), type, bytes, size);
      default:
        return Errc::corrupt;
    }
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, Bytes>) {
    constexpr auto kType =
        std::same_as<T, Bytes> ? layout::ValueType::bytes : layout::ValueType::text;
    if (type != kType) return Errc::wrong_type;
    value.resize(size);
    copy_out(reinterpret_cast<std::byte*>(value.data()), bytes, size);
    return Errc{};
  } else {
    constexpr auto kType = std::same_as<T, bool>     ? layout::ValueType::boolean
                           : std::same_as<T, double> ? layout::ValueType::real
                                                     : layout::ValueType::integer;
    if (type != kType) return Errc::wrong_type;
    if (size != sizeof(T)) return Errc::corrupt;
    std::byte copy[8];
    copy_out(copy, bytes, sizeof(T));
    if constexpr (std::same_as<T, bool>) {
      value = copy[0] != std::byte{0};
    } else {
      std::memcpy(&value, copy, sizeof(T));
    }
    return Errc{};
  }
}

template <typename T>
constexpr std::string_view wanted_name() {
  if constexpr (std::same_as<T, std::string>) return "text";
  if constexpr (std::same_as<T, Bytes>) return "bytes";
  if constexpr (std::same_as<T, std::int64_t>) return "integer";
  if constexpr (std::same_as<T, double>) return "real";
  if constexpr (std::same_as<T, bool>) return "boolean";
  return "any value";
}

template <typename T>
constexpr layout::ValueType wanted_type() {
  if constexpr (std::same_as<T, std::string>) return layout::ValueType::text;
  if constexpr (std::same_as<T, Bytes>) return layout::ValueType::bytes;
  if constexpr (std::same_as<T, std::int64_t>) return layout::ValueType::integer;
  if constexpr (std::same_as<T, double>) return layout::ValueType::real;
  if constexpr (std::same_as<T, bool>) return layout::ValueType::boolean;
  return layout::ValueType::tombstone;
}

inline std::optional<std::chrono::milliseconds> expires_in(std::uint64_t expiry_ms) {
  if (expiry_ms == 0) return std::nullopt;
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  return std::chrono::milliseconds(expiry_ms > now_ms ? expiry_ms - now_ms : 0);
}

}  // namespace sessionblocks
