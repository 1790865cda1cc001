// Values: boolean, integer (int64), real (double), text, or bytes.
//
// ValueView is what an operation takes: a view, chosen so that put("k", "text") is text,
// put("items", 3) an integer and put("on", true) a boolean. Pointers other than C strings do not
// compile. Value is what get<Value>() returns: it owns its bytes.
#pragma once

#include <array>
#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

namespace sessionblocks {

// Numbers are stored in the block and in logs: append-only.
enum class Type : std::uint8_t { bytes = 1, text = 2, integer = 3, real = 4, boolean = 5 };

// "bytes", "text", "integer", "real", "boolean".
[[nodiscard]] std::string_view type_name(Type type) noexcept;

class ValueView {
 public:
  // NOLINTBEGIN(google-explicit-constructor): a value is what the caller has at hand
  ValueView(std::string_view text) noexcept
      : data_(text.data()), size_(text.size()), type_(Type::text) {}
  ValueView(const std::string& text) noexcept : ValueView(std::string_view(text)) {}
  ValueView(const char* text) noexcept : ValueView(std::string_view(text)) {}
  ValueView(std::span<const std::byte> bytes) noexcept
      : data_(reinterpret_cast<const char*>(bytes.data())), size_(bytes.size()) {}
  ValueView(const std::vector<std::byte>& bytes) noexcept : ValueView(std::span(bytes)) {}

  template <std::same_as<bool> Boolean>
  ValueView(Boolean value) noexcept : size_(1), type_(Type::boolean), is_inline_(true) {
    inline_[0] = static_cast<char>(value ? 1 : 0);
  }
  // An unsigned value above INT64_MAX makes the operation fail with Errc::overflow.
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool> && !std::same_as<Integer, char> &&
           !std::same_as<Integer, char8_t> && !std::same_as<Integer, char16_t> &&
           !std::same_as<Integer, char32_t> && !std::same_as<Integer, wchar_t>)
      ValueView(Integer value)
  noexcept : size_(8), type_(Type::integer), is_inline_(true) {
    if constexpr (std::unsigned_integral<Integer> && sizeof(Integer) == 8) {
      fits_ = value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    }
    const auto wide = static_cast<std::int64_t>(value);
    std::memcpy(inline_.data(), &wide, 8);
  }
  template <std::floating_point Real>
  requires(sizeof(Real) <= 8) ValueView(Real value)
  noexcept : size_(8), type_(Type::real), is_inline_(true) {
    const auto wide = static_cast<double>(value);
    std::memcpy(inline_.data(), &wide, 8);
  }
  template <typename T>
  requires(std::is_pointer_v<T> && !std::same_as<std::remove_cv_t<std::remove_pointer_t<T>>, char>)
      ValueView(T)
  = delete;
  // NOLINTEND(google-explicit-constructor)

  // Bytes with the type that they have elsewhere, e.g. when copying an entry.
  [[nodiscard]] static ValueView typed(Type type, std::span<const std::byte> bytes) noexcept {
    ValueView view(bytes);
    view.type_ = type;
    return view;
  }

  [[nodiscard]] Type type() const noexcept { return type_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept {
    return {reinterpret_cast<const std::byte*>(is_inline_ ? inline_.data() : data_), size_};
  }
  [[nodiscard]] bool fits() const noexcept { return fits_; }

 private:
  const char* data_ = nullptr;
  std::size_t size_ = 0;
  Type type_ = Type::bytes;
  std::array<char, 8> inline_{};
  bool is_inline_ = false;
  bool fits_ = true;
};

using Bytes = std::vector<std::byte>;
// In the order of Type.
using Value = std::variant<Bytes, std::string, std::int64_t, double, bool>;

[[nodiscard]] inline Type type_of(const Value& value) noexcept {
  return static_cast<Type>(value.index() + 1);
}

// Grows by one with each change of its key; a key that was erased and put again goes on above.
enum class Version : std::uint64_t {};
[[nodiscard]] constexpr std::uint64_t raw_version(Version version) noexcept {
  return static_cast<std::uint64_t>(version);
}

template <typename T>
struct Entry {
  T value;
  Version version{};
  std::optional<std::chrono::milliseconds> expires_in;  // none: it does not expire
};

// What get<T>() can be asked for.
template <typename T>
concept EntryValue =
    std::same_as<T, std::string> || std::same_as<T, Bytes> || std::same_as<T, std::int64_t> ||
    std::same_as<T, double> || std::same_as<T, bool> || std::same_as<T, Value>;

}  // namespace sessionblocks
