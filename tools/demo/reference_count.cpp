// demo-reference: the same report as the demo, counted in one process in the plainest way.
//
// It is what the demo's result is judged by, so it shares nothing with it: not the library, not the
// parser. It cuts a line into its nine fields first and judges the fields afterwards, keeps whole
// strings in ordered maps, and lets the C library do the calendar.
#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

constexpr std::int64_t kSessionGapSeconds = 1'800;
constexpr std::size_t kTopPages = 10;

struct Totals {
  std::uint64_t requests = 0;
  std::uint64_t bytes = 0;
  std::uint64_t sessions = 0;
  std::uint64_t malformed = 0;
  std::map<std::string, std::uint64_t> status;
  std::unordered_map<std::string, std::uint64_t> pages;
  std::unordered_map<std::string, std::int64_t> visitors;  // time of the last line
};

// Fields are separated by single spaces, except between quotes or brackets. Delimiters stay in the
// field, so that a later check sees whether they were there.
std::vector<std::string> split_fields(const std::string& line) {
  std::vector<std::string> fields(1);
  char closing = 0;
  for (std::size_t at = 0; at < line.size(); ++at) {
    const char byte = line[at];
    if (closing == 0 && byte == ' ') {
      fields.emplace_back();
      continue;
    }
    const bool first = fields.back().empty();
    fields.back() += byte;
    if (closing == '"' && byte == '\\' && at + 1 < line.size()) {
      fields.back() += line[++at];
    } else if (closing != 0 && byte == closing) {
      closing = 0;
    } else if (closing == 0 && first && fields.size() == 4 && byte == '[') {
      closing = ']';
    } else if (closing == 0 && first && fields.size() >= 5 && byte == '"') {
      closing = '"';
    }
  }
  // An unclosed quote is made visible: no field of a whole line is empty.
  if (closing != 0) fields.emplace_back();
  return fields;
}

// A field "..." with no unescaped quote inside.
bool is_quoted(const std::string& field) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') return false;
  for (std::size_t at = 1; at + 1 < field.size(); ++at) {
    if (field[at] == '"') return false;
    if (field[at] == '\\' && ++at + 1 >= field.size()) return false;
  }
  return true;
}

bool all_digits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// "[17/May/2015:10:05:03 +0000]"; the pattern is compared byte by byte before anything is read.
bool read_time(const std::string& field, std::int64_t& seconds) {
  static const std::string kPattern = "[00/Aaa/0000:00:00:00 +0000]";
  if (field.size() != kPattern.size()) return false;
  for (std::size_t at = 0; at < field.size(); ++at) {
    if (kPattern[at] == '0' && (field[at] < '0' || field[at] > '9')) return false;
    if (std::strchr("[/: ]", kPattern[at]) != nullptr && field[at] != kPattern[at]) return false;
  }
  const std::string months = "JanFebMarAprMayJunJulAugSepOctNovDec";
  const std::size_t month = months.find(field.substr(4, 3));
  if (month == std::string::npos || month % 3 != 0) return false;
  const auto number = [&field](std::size_t at, std::size_t length) {
    return std::stoi(field.substr(at, length));
  };
  std::tm asked{};
  asked.tm_mday = number(1, 2);
  asked.tm_mon = static_cast<int>(month / 3);
  asked.tm_year = number(8, 4) - 1900;
  asked.tm_hour = number(13, 2);
  asked.tm_min = number(16, 2);
  asked.tm_sec = number(19, 2);
  std::tm normal = asked;
  const std::time_t utc = timegm(&normal);
  const bool exists = normal.tm_mday == asked.tm_mday && normal.tm_mon == asked.tm_mon &&
                      normal.tm_hour == asked.tm_hour && normal.tm_min == asked.tm_min &&
                      normal.tm_sec == asked.tm_sec && normal.tm_year == asked.tm_year;
  const char sign = field[22];
  if (!exists || asked.tm_year < 70 || (sign != '+' && sign != '-')) return false;
  if (number(23, 2) > 23 || number(25, 2) > 59) return false;
  const std::int64_t east = number(23, 2) * 3'600 + number(25, 2) * 60;
  seconds = static_cast<std::int64_t>(utc) + (sign == '+' ? -east : east);
  return true;
}

bool read_page(const std::string& quoted, std::string& page) {
  std::vector<std::string> words(1);
  for (const char byte : quoted.substr(1, quoted.size() - 2)) {
    if (byte == ' ') {
      words.emplace_back();
    } else {
      words.back() += byte;
    }
  }
  if (words.size() != 2 && words.size() != 3) return false;
  for (const std::string& word : words) {
    if (word.empty()) return false;
  }
  static const char* const kMethodBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
  if (words[0].find_first_not_of(kMethodBytes) != std::string::npos) return false;
  if (words.size() == 3 && (words[2].rfind("HTTP/", 0) != 0 || words[2].size() == 5)) return false;
  page = words[1].substr(0, words[1].find('?'));
  return true;
}

// Returns whether the line is a request; if so, it is in the totals.
bool count_line(const std::string& line, Totals& totals) {
  const std::vector<std::string> fields = split_fields(line);
  if (fields.size() != 9) return false;
  for (const std::string& field : fields) {
    if (field.empty()) return false;
  }
  std::int64_t time = 0;
  std::string page;
  const std::string& client = fields[0];
  const std::string& status = fields[5];
  const std::string& bytes = fields[6];
  if (client.size() > 255 || !read_time(fields[3], time)) return false;
  if (!is_quoted(fields[4]) || !read_page(fields[4], page)) return false;
  if (!all_digits(status) || status.size() != 3 || status[0] == '0') return false;
  if (bytes != "-" && (!all_digits(bytes) || bytes.size() > 12)) return false;
  if (!is_quoted(fields[7]) || !is_quoted(fields[8])) return false;

  totals.requests += 1;
  totals.bytes += bytes == "-" ? 0 : std::stoull(bytes);
  totals.status[status.substr(0, 1) + "xx"] += 1;
  totals.pages[page] += 1;
  const auto [place, is_new] = totals.visitors.try_emplace(client);
  if (is_new || time - place->second > kSessionGapSeconds) totals.sessions += 1;
  place->second = time;
  return true;
}

std::string base64(const std::string& bytes) {
  static const char* const kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t offset = 0; offset < 3; ++offset) {
      const bool inside = at + offset < bytes.size();
      group = group << 8 | (inside ? static_cast<unsigned char>(bytes[at + offset]) : 0U);
    }
    for (std::size_t digit = 0; digit < 4; ++digit) {
      const bool inside = at + digit <= bytes.size();
      text += inside ? kAlphabet[group >> (18 - 6 * digit) & 63] : '=';
    }
  }
  return text;
}

// JSON text must be UTF-8; a page whose bytes are not goes out as base64 under its own name.
nlohmann::json page_entry(const std::string& page, std::uint64_t requests) {
  nlohmann::json entry = {{"page", page}, {"requests", requests}};
  try {
    static_cast<void>(entry.dump());
  } catch (const nlohmann::json::type_error&) {
    entry = {{"page_base64", base64(page)}, {"requests", requests}};
  }
  return entry;
}

nlohmann::json report(const Totals& totals) {
  std::vector<std::pair<std::string, std::uint64_t>> pages(totals.pages.begin(),
                                                           totals.pages.end());
  std::sort(pages.begin(), pages.end(), [](const auto& left, const auto& right) {
    if (left.second != right.second) return left.second > right.second;
    return left.first < right.first;
  });
  nlohmann::json top = nlohmann::json::array();
  for (std::size_t rank = 0; rank < pages.size() && rank < kTopPages; ++rank) {
    top.push_back(page_entry(pages[rank].first, pages[rank].second));
  }
  nlohmann::json status = nlohmann::json::object();
  for (const auto& [name, count] : totals.status) status[name] = count;
  return {
      {"requests", totals.requests},  {"bytes", totals.bytes}, {"visitors", totals.visitors.size()},
      {"sessions", totals.sessions},  {"status", status},      {"top_pages", top},
      {"malformed", totals.malformed}};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: demo-reference FILE\n";
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  if (!file) {
    std::cerr << "demo-reference: cannot read " << argv[1] << ": " << std::strerror(errno) << '\n';
    return 1;
  }
  Totals totals;
  std::string line;
  while (std::getline(file, line)) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (!count_line(line, totals)) totals.malformed += 1;
  }
  std::cout << report(totals).dump() << '\n';
  return file.bad() ? 1 : 0;
}
