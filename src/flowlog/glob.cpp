#include "flowlog/glob.hpp"

#include <algorithm>

#include "flowlog/text.hpp"

namespace sessionblocks::flowlog {

void Glob::add(std::string_view text) {
  for (const char c : text) {
    if (c == '?') {
      items_.push_back(kAnyOne);
    } else if (c == '*') {
      // Two in a row say what one says, and would take longer.
      if (items_.empty() || items_.back() != kAnyRun) items_.push_back(kAnyRun);
    } else {
      add_literal(c);
    }
  }
}

// Goes back to the last * only: what an earlier one took can stay as it is.
bool Glob::matches(std::string_view text) const noexcept {
  std::size_t item = 0;
  std::size_t at = 0;
  std::size_t retry_item = 0;  // behind the last *; 0: there was none
  std::size_t retry_at = 0;
  while (at < text.size() || item < items_.size()) {
    if (item < items_.size()) {
      const std::uint16_t wanted = items_[item];
      if (wanted == kAnyRun) {
        retry_item = ++item;
        retry_at = at;
        continue;
      }
      if (at < text.size() &&
          (wanted == kAnyOne || wanted == static_cast<unsigned char>(text[at]))) {
        at += wanted == kAnyOne ? std::max<std::size_t>(1, utf8_size(text.substr(at))) : 1;
        ++item;
        continue;
      }
    }
    if (retry_item == 0 || retry_at >= text.size()) return false;
    item = retry_item;
    at = ++retry_at;
  }
  return true;
}

}  // namespace sessionblocks::flowlog
