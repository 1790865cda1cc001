// One JSON object, written from front to back as text.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "flowlog/text.hpp"

namespace sessionblocks::flowlog {

class JsonObject {
 public:
  void text(std::string_view name, std::string_view value) {
    // A name that is not UTF-8 cannot stand in JSON: escaped it still says what it was.
    json(name, json_text(is_utf8(value) ? std::string(value) : escaped(value)));
  }
  template <typename Number>
  void number(std::string_view name, Number value) {
    json(name, std::to_string(value));
  }
  // `value` is JSON already.
  void json(std::string_view name, std::string_view value) {
    if (text_.size() > 1) text_ += ',';
    text_.append("\"").append(name).append("\":").append(value);
  }
  [[nodiscard]] std::string end() { return std::move(text_ += '}'); }

 private:
  std::string text_ = "{";
};

}  // namespace sessionblocks::flowlog
