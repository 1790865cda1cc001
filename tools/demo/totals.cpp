#include "totals.hpp"

#include <sodium.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "entry_names.hpp"
#include "visitor_state.hpp"

namespace demo {
namespace {

constexpr std::size_t kTopPages = 10;

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// JSON text is UTF-8; a name that is not goes out as base64 under its own key.
nlohmann::json page_row(const std::string& name, std::uint64_t requests) {
  nlohmann::json row = {{"page", name}, {"requests", requests}};
  try {
    static_cast<void>(row.dump());
    return row;
  } catch (const nlohmann::json::type_error&) {
    constexpr int kVariant = sodium_base64_VARIANT_ORIGINAL;
    std::string encoded(sodium_base64_ENCODED_LEN(name.size(), kVariant), '\0');
    sodium_bin2base64(encoded.data(), encoded.size(),
                      reinterpret_cast<const unsigned char*>(name.data()), name.size(), kVariant);
    encoded.pop_back();  // sodium ends it with a zero
    return {{"page_base64", encoded}, {"requests", requests}};
  }
}

}  // namespace

bool Totals::add(std::string_view key, std::span<const std::byte> value) {
  if (key.starts_with(kVisitorPrefix)) return add_visitor(value);
  if (key.starts_with(kPagePrefix)) {
    const std::size_t colon = key.find(':', kPagePrefix.size());
    if (colon == std::string_view::npos) return false;
    return add_page(std::string(key.substr(colon + 1)), value);
  }
  if (key.starts_with(kLongPagePrefix)) {
    if (value.size() < sizeof(LineCount)) return false;
    return add_page(std::string(text_of(value.subspan(sizeof(LineCount)))), value);
  }
  if (key.starts_with(kMalformedPrefix)) {
    const auto count = decode<LineCount>(value);
    if (count) malformed_ += count->lines;
    return count.has_value();
  }
  if (key.starts_with(kPartitionPrefix)) {
    if (text_of(value) == kDone) ++finished_partitions_;
    return true;
  }
  return false;
}

bool Totals::add_visitor(std::span<const std::byte> value) {
  const auto visitor = decode<VisitorState>(value);
  if (!visitor) return false;
  requests_ += visitor->requests;
  bytes_ += visitor->bytes;
  sessions_ += visitor->sessions;
  visitors_ += 1;
  for (std::size_t index = 0; index < kStatusClasses; ++index) {
    if (visitor->status[index] == 0) continue;
    status_[std::to_string(index + 1) + "xx"] += visitor->status[index];
  }
  return true;
}

bool Totals::add_page(std::string name, std::span<const std::byte> value) {
  const auto count = decode<LineCount>(value);
  if (!count) return false;
  pages_[std::move(name)] += count->lines;
  return true;
}

bool Totals::is_consistent() const {
  std::uint64_t by_page = 0;
  for (const auto& [name, requests] : pages_) by_page += requests;
  return by_page == requests_;
}

nlohmann::json Totals::report() const {
  std::vector<std::pair<std::string_view, std::uint64_t>> pages(pages_.begin(), pages_.end());
  const std::size_t shown = std::min(kTopPages, pages.size());
  std::partial_sort(pages.begin(), pages.begin() + static_cast<std::ptrdiff_t>(shown), pages.end(),
                    [](const auto& left, const auto& right) {
                      return left.second != right.second ? left.second > right.second
                                                         : left.first < right.first;
                    });
  nlohmann::json top = nlohmann::json::array();
  for (std::size_t rank = 0; rank < shown; ++rank) {
    top.push_back(page_row(std::string(pages[rank].first), pages[rank].second));
  }
  nlohmann::json status = nlohmann::json::object();
  for (const auto& [name, requests] : status_) status[name] = requests;
  return {{"requests", requests_},  {"bytes", bytes_},  {"visitors", visitors_},
          {"sessions", sessions_},  {"status", status}, {"top_pages", top},
          {"malformed", malformed_}};
}

}  // namespace demo
