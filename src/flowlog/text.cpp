#include "flowlog/text.hpp"

#include <sodium.h>

#include <cstdio>
#include <ctime>

namespace sessionblocks::flowlog {

namespace {

void append_hex(std::string& out, const char* prefix, unsigned width, unsigned value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out += prefix;
  for (unsigned i = width; i-- > 0;) out += kDigits[(value >> (4U * i)) & 0xFU];
}

}  // namespace

std::size_t utf8_size(std::string_view bytes) noexcept {
  const auto at = [bytes](std::size_t i) {
    return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U;
  };
  const unsigned first = at(0);
  if (first < 0x80U) return 1;
  const std::size_t size = first >= 0xF0U ? 4 : first >= 0xE0U ? 3 : 2;
  if (first < 0xC2U || first > 0xF4U) return 0;
  for (std::size_t i = 1; i < size; ++i) {
    if ((at(i) & 0xC0U) != 0x80U) return 0;
  }
  const bool is_overlong = (first == 0xE0U && at(1) < 0xA0U) || (first == 0xF0U && at(1) < 0x90U);
  const bool is_outside = (first == 0xEDU && at(1) > 0x9FU) || (first == 0xF4U && at(1) > 0x8FU);
  return is_overlong || is_outside ? 0 : size;
}

bool is_utf8(std::string_view bytes) noexcept {
  while (!bytes.empty()) {
    const std::size_t size = utf8_size(bytes);
    if (size == 0) return false;
    bytes.remove_prefix(size);
  }
  return true;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (code < 0x20U || code == 0x7FU) {
      append_hex(out, "\\u", 4, code);
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string base64(std::string_view bytes) {
  constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
  std::string out(sodium_base64_encoded_len(bytes.size(), kVariant), '\0');
  sodium_bin2base64(out.data(), out.size(), reinterpret_cast<const unsigned char*>(bytes.data()),
                    bytes.size(), kVariant);
  out.pop_back();  // the closing zero
  return out;
}

std::string escaped(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    const std::size_t size = utf8_size(bytes);
    const auto code = static_cast<unsigned char>(bytes[0]);
    // U+0080 to U+009F steer terminals as well.
    const bool is_control = code < 0x20U || code == 0x7FU ||
                            (code == 0xC2U && static_cast<unsigned char>(bytes[1]) < 0xA0U);
    if (size == 0 || is_control) {
      append_hex(out, "\\x", 2, code);
      bytes.remove_prefix(1);
      continue;
    }
    if (bytes[0] == '\\') out += '\\';
    out += bytes.substr(0, size);
    bytes.remove_prefix(size);
  }
  return out;
}

std::string utc_text(std::int64_t unix_ms) {
  const std::int64_t ms = ((unix_ms % 1'000) + 1'000) % 1'000;
  const auto seconds = static_cast<std::time_t>((unix_ms - ms) / 1'000);
  std::tm parts{};
  const bool is_usual =
      ::gmtime_r(&seconds, &parts) != nullptr && parts.tm_year >= -900 && parts.tm_year < 8'100;
  if (!is_usual) return std::to_string(unix_ms) + "ms";
  char text[40];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text + size, sizeof text - size, ".%03dZ", static_cast<int>(ms));
  return text;
}

}  // namespace sessionblocks::flowlog
