#include "output.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <iostream>

#include "flowlog/text.hpp"

namespace sessionblocks::ctl {
namespace {

std::size_t code_points(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

bool is_number(std::string_view cell) {
  return !cell.empty() &&
         std::all_of(cell.begin(), cell.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

// C1 controls (U+0080 to U+009F) are two bytes in UTF-8, and terminals obey them too.
bool has_wide_control(std::string_view text) {
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    if (text[at] == '\xC2' && static_cast<unsigned char>(text[at + 1]) < 0xA0U) return true;
  }
  return false;
}

std::string with_decimal(double value, std::string_view unit) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), value < 10 ? "%.1f " : "%.0f ", value);
  return std::string(text.data()).append(unit);
}

}  // namespace

std::string Table::text() const {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::size_t> widths(rows_.front().size());
  std::vector<bool> numeric(widths.size(), rows_.size() > 1);
  for (const auto& row : rows_) {
    auto& shown = rows.emplace_back();
    for (std::size_t column = 0; column < widths.size(); ++column) {
      shown.push_back(column < row.size() ? readable(row[column]) : std::string());
      widths[column] = std::max(widths[column], code_points(shown.back()));
      if (rows.size() > 1 && !is_number(shown.back())) numeric[column] = false;
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t column = 0; column < row.size(); ++column) {
      const std::string space(widths[column] - code_points(row[column]), ' ');
      line += numeric[column] ? space + row[column] : row[column] + space;
      if (column + 1 < row.size()) line += "  ";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

void print(std::string_view text) {
  std::cout << text;
}
void print(const Table& table) {
  std::cout << table.text();
}
void print_json(const Json& document) {
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
}
void say(std::string_view line) {
  std::cerr << "sessionctl: " << line << '\n';
}

Result<void> finish_output() {
  std::cout.flush();
  if (std::cout.good()) return {};
  return fail(Errc::io_error, "stdout does not take the output");
}

void put_bytes(Json& object, const std::string& name, std::string_view bytes) {
  if (flowlog::is_utf8(bytes)) {
    object[name] = bytes;
  } else {
    object[name + "_base64"] = flowlog::base64(bytes);
  }
}

std::string readable(std::string_view bytes) {
  const bool plain = flowlog::is_utf8(bytes) && !has_wide_control(bytes) &&
                     std::none_of(bytes.begin(), bytes.end(), is_control);
  if (plain) return std::string(bytes);
  std::string text = flowlog::escaped(bytes);
  // The escaping keeps valid UTF-8, and with it what a terminal would obey.
  for (std::size_t at = 0; at + 1 < text.size(); ++at) {
    const auto next = static_cast<unsigned char>(text[at + 1]);
    if (text[at] != '\xC2' || next >= 0xA0U) continue;
    std::array<char, 16> code{};
    std::snprintf(code.data(), code.size(), "\\xc2\\x%02x", static_cast<unsigned>(next));
    text.replace(at, 2, code.data());
  }
  return text;
}

std::string size_text(std::uint64_t bytes) {
  constexpr std::array<std::string_view, 5> kUnits = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < kUnits.size(); ++unit) value /= 1024;
  if (unit == 0) return std::to_string(bytes) + " B";
  return with_decimal(value, kUnits[unit]);
}

std::string duration_text(std::uint64_t ms) {
  if (ms < 1'000) return std::to_string(ms) + " ms";
  if (ms < 60'000) return with_decimal(static_cast<double>(ms) / 1'000, "s");
  const std::uint64_t minutes = ms / 60'000;
  if (minutes < 60) return std::to_string(minutes) + " min";
  const std::uint64_t hours = minutes / 60;
  if (hours < 48) return std::to_string(hours) + " h " + std::to_string(minutes % 60) + " min";
  return std::to_string(hours / 24) + " d " + std::to_string(hours % 24) + " h";
}

}  // namespace sessionblocks::ctl
