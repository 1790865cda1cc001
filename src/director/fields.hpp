// The fields of a request, read without trusting one: a wrong type, a missing or an absurd value
// is an error that names the field. Unknown fields are ignored, so that requests can grow.
#pragma once

#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "session/message.hpp"

namespace sessionblocks::director {

class Fields {
 public:
  explicit Fields(const Message& message) noexcept : message_(&message) {}

  [[nodiscard]] bool has(std::string_view key) const { return find(key) != nullptr; }

  // malformed: missing, not text, or longer than `most` bytes.
  [[nodiscard]] Result<std::string> text(std::string_view key, std::size_t most) const {
    const Message* field = find(key);
    if (field == nullptr || !field->is_string()) return wrong<std::string>(key, "text");
    const auto& value = field->get_ref<const std::string&>();
    if (value.size() > most) return wrong<std::string>(key, "shorter text");
    return value;
  }
  [[nodiscard]] Result<std::string> text_or(std::string_view key, std::size_t most,
                                            std::string_view otherwise) const {
    return has(key) ? text(key, most) : Result<std::string>(std::string(otherwise));
  }
  // malformed: missing, not a whole number from 0 to `most`.
  [[nodiscard]] Result<std::uint64_t> number(std::string_view key, std::uint64_t most) const {
    const Message* field = find(key);
    if (field == nullptr || !field->is_number_unsigned()) {
      return wrong<std::uint64_t>(key, "a number");
    }
    const auto value = field->get<std::uint64_t>();
    if (value > most) return wrong<std::uint64_t>(key, "a smaller number");
    return value;
  }
  [[nodiscard]] Result<std::uint64_t> number_or(std::string_view key, std::uint64_t most,
                                                std::uint64_t otherwise) const {
    return has(key) ? number(key, most) : Result<std::uint64_t>(otherwise);
  }
  // None when it is missing. malformed: not a list of texts; invalid_argument: more than `most`, or
  // more than `most_bytes` in all.
  [[nodiscard]] Result<std::vector<std::string>> texts(
      std::string_view key, std::size_t most, std::size_t most_bytes = kMaxMessageBytes) const {
    std::vector<std::string> values;
    const Message* field = find(key);
    if (field == nullptr) return values;
    if (!field->is_array()) return wrong<std::vector<std::string>>(key, "a list of texts");
    std::size_t bytes = 0;
    for (const Message& value : *field) {
      if (!value.is_string()) return wrong<std::vector<std::string>>(key, "a list of texts");
      values.push_back(value.get<std::string>());
      bytes += values.back().size();
    }
    if (values.size() <= most && bytes <= most_bytes) return values;
    return fail(Errc::invalid_argument, std::string(key) + ": at most " + std::to_string(most) +
                                            ", of " + std::to_string(most_bytes) + " bytes in all");
  }
  [[nodiscard]] Result<std::span<const std::uint8_t>> bytes(std::string_view key) const {
    const Message* field = find(key);
    if (field == nullptr || !field->is_binary()) {
      return wrong<std::span<const std::uint8_t>>(key, "bytes");
    }
    return std::span<const std::uint8_t>(field->get_binary());
  }

 private:
  [[nodiscard]] const Message* find(std::string_view key) const {
    const auto found = message_->find(std::string(key));
    return found == message_->end() ? nullptr : &*found;
  }
  template <typename T>
  [[nodiscard]] static Result<T> wrong(std::string_view key, std::string_view expected) {
    return fail(Errc::malformed, "field " + std::string(key) + " must be " + std::string(expected));
  }

  const Message* message_;
};

}  // namespace sessionblocks::director
