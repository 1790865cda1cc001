#include "session/message.hpp"

#include <array>
#include <optional>
#include <string>

#include "core/bounds.hpp"

namespace sessionblocks {
namespace {

// The head of one CBOR item: major type 3 bits | additional information 5 bits, then the argument.
struct Head {
  unsigned major = 0;
  unsigned info = 0;
  std::uint64_t argument = 0;
};

// CBOR's major types, RFC 8949 section 3.1.
enum Major : unsigned { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };

class Cursor {
 public:
  explicit Cursor(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool at_end() const noexcept { return at_ == bytes_.size(); }
  [[nodiscard]] std::uint64_t left() const noexcept { return bytes_.size() - at_; }

  [[nodiscard]] bool skip(std::uint64_t count) noexcept {
    if (!fits(at_, count, bytes_.size())) return false;
    at_ += static_cast<std::size_t>(count);
    return true;
  }

  // Nothing for a cut head, for reserved forms and for indefinite lengths, which nobody here sends.
  [[nodiscard]] std::optional<Head> head() noexcept {
    if (at_end()) return std::nullopt;
    const unsigned first = bytes_[at_++];
    Head head{first >> 5U, first & 31U, first & 31U};
    if (head.info < 24) return head;
    if (head.info > 27) return std::nullopt;
    const std::size_t count = std::size_t{1} << (head.info - 24U);
    if (left() < count) return std::nullopt;
    head.argument = 0;
    for (std::size_t i = 0; i < count; ++i) head.argument = (head.argument << 8U) | bytes_[at_++];
    return head;
  }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

// What is still to come of the containers that are open, outermost first. A fixed array instead of
// recursion: the depth is the sender's choice, our stack is not.
struct Level {
  std::uint64_t items_left = 0;
  bool is_map = false;
  bool key_next = false;
};

class Scanner {
 public:
  explicit Scanner(std::span<const std::uint8_t> bytes) noexcept : cursor_(bytes) {}

  // The first thing that is wrong, or null.
  [[nodiscard]] const char* scan() noexcept {
    do {
      if (const char* wrong = item(); wrong != nullptr) return wrong;
      while (depth_ > 0 && levels_[depth_ - 1].items_left == 0) --depth_;
    } while (depth_ > 0);
    return cursor_.at_end() ? nullptr : "bytes follow the message";
  }

 private:
  [[nodiscard]] const char* item() noexcept {
    const std::optional<Head> head = cursor_.head();
    if (!head) return "an item is cut short or of a form that is not used here";
    if (depth_ == 0 && head->major != kMap) return "a message is one map";
    if (depth_ > 0) {
      Level& level = levels_[depth_ - 1];
      --level.items_left;
      if (level.is_map && level.key_next && head->major != kText) return "a key of a map is text";
      level.key_next = !level.key_next;
    }
    switch (head->major) {
      case kUnsigned:
      case kNegative:
        return nullptr;
      case kBytes:
      case kText:
        return cursor_.skip(head->argument) ? nullptr : "a string is longer than the message";
      case kArray:
      case kMap:
        return open(*head);
      case kTag:
        return "tags are not used here";
      default:
        return simple(*head);
    }
  }

  [[nodiscard]] const char* open(const Head& head) noexcept {
    if (depth_ == kMaxMessageDepth) return "nested deeper than 8 levels";
    const bool is_map = head.major == kMap;
    // Each item takes a byte at least; said here so that twice the count cannot wrap.
    if (head.argument > cursor_.left()) return "a container is longer than the message";
    levels_[depth_++] = {is_map ? 2 * head.argument : head.argument, is_map, true};
    return nullptr;
  }

  // false, true, null, and the three sizes of real numbers, whose bytes the head has taken.
  [[nodiscard]] static const char* simple(const Head& head) noexcept {
    const bool known = (head.info >= 20 && head.info <= 22) || head.info >= 25;
    return known ? nullptr : "a simple value that is not used here";
  }

  Cursor cursor_;
  std::array<Level, kMaxMessageDepth> levels_{};
  std::size_t depth_ = 0;
};

}  // namespace

Result<std::vector<std::uint8_t>> encode_message(const Message& message) {
  std::vector<std::uint8_t> bytes = Message::to_cbor(message);
  if (bytes.size() > kMaxMessageBytes) {
    return fail(Errc::invalid_argument, "a message of " + std::to_string(bytes.size()) +
                                            " bytes; the most is " +
                                            std::to_string(kMaxMessageBytes));
  }
  return bytes;
}

Result<Message> decode_message(std::span<const std::uint8_t> bytes) {
  if (bytes.size() > kMaxMessageBytes) {
    return fail(Errc::malformed, "message: longer than 64 KiB");
  }
  if (const char* wrong = Scanner(bytes).scan(); wrong != nullptr) {
    return fail(Errc::malformed, std::string("message: ") + wrong);
  }
  Message message = Message::from_cbor(bytes.begin(), bytes.end(), true, false);
  if (!message.is_object()) return fail(Errc::malformed, "message: not CBOR as it is used here");
  return message;
}

Message error_reply(std::uint64_t id, const Error& error) {
  return {{"id", id},
          {"error", static_cast<std::uint16_t>(error.code())},
          {"context", error.context()},
          {"number", error.version()}};
}

Error error_of(const Message& reply) {
  const auto number = [&reply](const char* key) -> std::uint64_t {
    const auto found = reply.find(key);
    return found != reply.end() && found->is_number_unsigned() ? found->get<std::uint64_t>() : 0;
  };
  const std::uint64_t code = number("error");
  if (code > UINT16_MAX || errc_name(static_cast<Errc>(code)) == "unknown") {
    return Error(Errc::malformed, "reply: no known error code");
  }
  if (const std::uint64_t value = number("number"); value != 0) {
    return Error(static_cast<Errc>(code), value);
  }
  const auto context = reply.find("context");
  const bool has_text = context != reply.end() && context->is_string();
  return Error(static_cast<Errc>(code), has_text ? context->get<std::string>() : std::string());
}

}  // namespace sessionblocks
