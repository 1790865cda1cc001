#include "entry_text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstring>

#include "flowlog/text.hpp"

namespace sessionblocks::ctl {
namespace {

template <typename Number>
Number number_of(const std::string& bytes) {
  Number number{};
  std::memcpy(&number, bytes.data(), std::min(bytes.size(), sizeof number));
  return number;
}

}  // namespace

// Reals are spelled as JSON spells them: shortest text that reads back the same.
std::string readable_value(const StoredEntry& entry) {
  switch (entry.type) {
    case Type::integer:
      return std::to_string(number_of<std::int64_t>(entry.value));
    case Type::real: {
      std::array<char, 64> text{};
      const auto end =
          std::to_chars(text.data(), text.data() + text.size(), number_of<double>(entry.value));
      return {text.data(), end.ptr};
    }
    case Type::boolean:
      return number_of<std::uint8_t>(entry.value) != 0 ? "true" : "false";
    default:
      return readable(entry.value);
  }
}

Json json_of(const std::string& key, const StoredEntry& entry) {
  Json object;
  put_bytes(object, "key", key);
  object["type"] = std::string(type_name(entry.type));
  switch (entry.type) {
    case Type::integer:
      object["value"] = number_of<std::int64_t>(entry.value);
      break;
    case Type::real: {
      const auto number = number_of<double>(entry.value);
      if (std::isfinite(number)) {
        object["value"] = number;
      } else {
        object["value"] = readable_value(entry);  // JSON has no such numbers
      }
      break;
    }
    case Type::boolean:
      object["value"] = number_of<std::uint8_t>(entry.value) != 0;
      break;
    case Type::text:
      put_bytes(object, "value", entry.value);
      break;
    default:
      object["value_base64"] = flowlog::base64(entry.value);
  }
  object["version"] = entry.version;
  if (entry.expires_in) object["expires_in_ms"] = entry.expires_in->count();
  return object;
}

}  // namespace sessionblocks::ctl
