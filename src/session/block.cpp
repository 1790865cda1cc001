// The public face of a block: arguments and results; the work is in BlockHandle.
#include "session/block_handle.hpp"

#include <new>

namespace sessionblocks {
namespace {

using layout::ValueType;
using segment::ExpiryRule;
using segment::Mutation;
using segment::Outcome;

// No exception of ours crosses the API; a callback's own goes through.
template <typename Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no memory in this process");
  }
}

std::string describe(std::string_view tried, const Key& key, const BlockHandle& block) {
  std::string text(tried);
  text.append(" \"").append(key.text().substr(0, 64)).append("\" in block ").append(block.name());
  return text;
}

Error wrong_type(ValueType has, std::string_view wanted, const Key& key, const BlockHandle& block) {
  std::string text = describe("asked for ", key, block);
  text.append(" as ").append(wanted).append(", it is ").append(type_name(static_cast<Type>(has)));
  return {Errc::wrong_type, std::move(text)};
}

// Frequent outcomes carry no text: they must not allocate.
Error error_of(Errc code, std::string_view tried, const Key& key, const BlockHandle& block) {
  const bool frequent = code == Errc::not_found || code == Errc::conflict || code == Errc::exists;
  return frequent ? Error(code) : Error(code, describe(tried, key, block));
}

constexpr std::chrono::milliseconds kLongestTtl = std::chrono::hours(24 * 366 * 100);

Errc set_expiry(Mutation& mutation, const Expiry& expiry) {
  switch (expiry.kind) {
    case Expiry::Kind::never:
      mutation.expiry = ExpiryRule::never;
      return Errc{};
    case Expiry::Kind::keep:
      mutation.expiry = ExpiryRule::keep;
      return Errc{};
    case Expiry::Kind::after:
      break;
  }
  if (expiry.ttl.count() <= 0 || expiry.ttl > kLongestTtl) return Errc::invalid_argument;
  mutation.expiry = ExpiryRule::at;
  mutation.expires_at_ms =
      platform::monotonic_coarse_ms() + static_cast<std::uint64_t>(expiry.ttl.count());
  return Errc{};
}

Result<Outcome> write(BlockHandle& block, const Key& key, Mutation& mutation,
                      const Expiry& expiry) {
  return guarded([&]() -> Result<Outcome> {
    if (set_expiry(mutation, expiry) != Errc{}) {
      return fail(Errc::invalid_argument, "an entry lives longer than 0 and up to 100 years");
    }
    const Outcome outcome = block.write(key, mutation);
    if (outcome.code == Errc{}) return outcome;
    if (outcome.code == Errc::conflict || outcome.code == Errc::exists) {
      return fail(outcome.code, outcome.version);
    }
    if (outcome.code == Errc::wrong_type) {
      return tl::unexpected(
          wrong_type(outcome.old_type, type_name(static_cast<Type>(mutation.type)), key, block));
    }
    return tl::unexpected(error_of(outcome.code, word(mutation.op), key, block));
  });
}

Result<Version> store(BlockHandle& block, Op op, const Key& key, const ValueView& value,
                      const Expiry& expiry, Version expected = {}) {
  if (!value.fits()) return fail(Errc::overflow, "an integer above the greatest int64");
  Mutation mutation;
  mutation.op = op;
  mutation.type = static_cast<ValueType>(value.type());
  mutation.value = value.bytes();
  mutation.expected_version = raw_version(expected);
  const auto outcome = write(block, key, mutation, expiry);
  if (!outcome) return tl::unexpected(outcome.error());
  return static_cast<Version>(outcome->version);
}

// The owned value of the bytes [data, data + size) of this type.
template <typename T>
Errc take_value(T& value, ValueType type, const std::byte* bytes, std::uint64_t size) {
  if constexpr (std::same_as<T, Value>) {
    switch (type) {
      case ValueType::bytes:
        return take_value(value.template emplace<Bytes>(), type, bytes, size);
      case ValueType::text:
        return take_value(value.template emplace<std::string>(), type, bytes, size);
      case ValueType::integer:
        return take_value(value.template emplace<std::int64_t>(), type, bytes, size);
      case ValueType::real:
        return take_value(value.template emplace<double>(), type, bytes, size);
      case ValueType::boolean:
        return take_value(value.template emplace<bool>(), type, bytes, size);
      default:
        return Errc::corrupt;
    }
  } else if constexpr (std::same_as<T, std::string> || std::same_as<T, Bytes>) {
    constexpr auto kType = std::same_as<T, Bytes> ? ValueType::bytes : ValueType::text;
    if (type != kType) return Errc::wrong_type;
    value.resize(size);
    copy_out(reinterpret_cast<std::byte*>(value.data()), bytes, size);
    return Errc{};
  } else {
    constexpr auto kType = std::same_as<T, bool>     ? ValueType::boolean
                           : std::same_as<T, double> ? ValueType::real
                                                     : ValueType::integer;
    if (type != kType) return Errc::wrong_type;
    if (size != sizeof(T)) return Errc::corrupt;
    std::byte copy[8];
    copy_out(copy, bytes, sizeof(T));
    if constexpr (std::same_as<T, bool>) {
      value = copy[0] != std::byte{0};
    } else {
      std::memcpy(&value, copy, sizeof(T));
    }
    return Errc{};
  }
}

template <typename T>
constexpr std::string_view wanted_name() {
  if constexpr (std::same_as<T, std::string>) return "text";
  if constexpr (std::same_as<T, Bytes>) return "bytes";
  if constexpr (std::same_as<T, std::int64_t>) return "integer";
  if constexpr (std::same_as<T, double>) return "real";
  if constexpr (std::same_as<T, bool>) return "boolean";
  return "any value";
}

template <typename T>
constexpr ValueType wanted_type() {
  if constexpr (std::same_as<T, std::string>) return ValueType::text;
  if constexpr (std::same_as<T, Bytes>) return ValueType::bytes;
  if constexpr (std::same_as<T, std::int64_t>) return ValueType::integer;
  if constexpr (std::same_as<T, double>) return ValueType::real;
  if constexpr (std::same_as<T, bool>) return ValueType::boolean;
  return ValueType::tombstone;
}

std::optional<std::chrono::milliseconds> expires_in(std::uint64_t expiry_ms) {
  if (expiry_ms == 0) return std::nullopt;
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  return std::chrono::milliseconds(expiry_ms > now_ms ? expiry_ms - now_ms : 0);
}

template <typename T>
Result<Entry<T>> get_entry(BlockHandle& block, const Key& key) {
  return guarded([&]() -> Result<Entry<T>> {
    Entry<T> entry;
    Seen seen;
    const Errc code = block.read(Op::get, key, seen, [&](const std::byte* bytes, const Seen& at) {
      return take_value(entry.value, at.type, bytes, at.value_bytes);
    });
    if (code == Errc::wrong_type) {
      return tl::unexpected(wrong_type(seen.type, wanted_name<T>(), key, block));
    }
    if (code != Errc{}) return tl::unexpected(error_of(code, "get", key, block));
    entry.version = static_cast<Version>(seen.version);
    entry.expires_in = expires_in(seen.expiry_ms);
    return entry;
  });
}

template <typename T>
Result<Entry<T>> get_and_erase_entry(BlockHandle& block, const Key& key) {
  std::vector<std::byte> taken;
  Mutation mutation;
  mutation.op = Op::get_and_erase;
  mutation.taken = &taken;
  mutation.type = wanted_type<T>();
  mutation.takes_any_type = std::same_as<T, Value>;
  const auto outcome = write(block, key, mutation, Expiry::never());
  if (!outcome) return tl::unexpected(outcome.error());
  return guarded([&]() -> Result<Entry<T>> {
    Entry<T> entry;
    const std::size_t bytes = taken.size();
    taken.resize((bytes + 7) & ~std::size_t{7});  // copy_out reads whole words
    const Errc code = take_value(entry.value, outcome->old_type, taken.data(), bytes);
    if (code != Errc{}) return tl::unexpected(error_of(code, "get_and_erase", key, block));
    entry.version = static_cast<Version>(outcome->version);
    return entry;
  });
}

}  // namespace

std::string_view type_name(Type type) noexcept {
  switch (type) {
    case Type::bytes:
      return "bytes";
    case Type::text:
      return "text";
    case Type::integer:
      return "integer";
    case Type::real:
      return "real";
    case Type::boolean:
      return "boolean";
  }
  return "erased";
}

Block::Block(std::shared_ptr<BlockHandle> handle) noexcept : handle_(std::move(handle)) {}
Block::Block(Block&&) noexcept = default;
Block& Block::operator=(Block&&) noexcept = default;
Block::~Block() = default;

const std::string& Block::name() const noexcept {
  return handle_->name();
}
std::uint32_t Block::id() const noexcept {
  return handle_->id();
}
bool Block::is_writable() const noexcept {
  return handle_->is_writable();
}

template <EntryValue T>
Result<Entry<T>> Block::get(Key key) const {
  return get_entry<T>(*handle_, key);
}
template <EntryValue T>
Result<Entry<T>> Block::get_and_erase(Key key) {
  return get_and_erase_entry<T>(*handle_, key);
}

#define SESSIONBLOCKS_INSTANTIATE(T)                      \
  template Result<Entry<T>> Block::get<T>(Key key) const; \
  template Result<Entry<T>> Block::get_and_erase<T>(Key key)
SESSIONBLOCKS_INSTANTIATE(std::string);
SESSIONBLOCKS_INSTANTIATE(Bytes);
SESSIONBLOCKS_INSTANTIATE(std::int64_t);
SESSIONBLOCKS_INSTANTIATE(double);
SESSIONBLOCKS_INSTANTIATE(bool);
SESSIONBLOCKS_INSTANTIATE(Value);
#undef SESSIONBLOCKS_INSTANTIATE

Result<std::size_t> Block::get_into(Key key, std::span<std::byte> buffer) const {
  return guarded([&]() -> Result<std::size_t> {
    Seen seen;
    const Errc code =
        handle_->read(Op::get, key, seen, [&](const std::byte* bytes, const Seen& at) {
          if (at.value_bytes > buffer.size()) return Errc::buffer_too_small;
          copy_out(buffer.data(), bytes, at.value_bytes);
          return Errc{};
        });
    if (code == Errc{}) return seen.value_bytes;
    if (code == Errc::buffer_too_small) return fail(code, seen.value_bytes);
    return tl::unexpected(error_of(code, "get_into", key, *handle_));
  });
}

Result<bool> Block::contains(Key key) const {
  return guarded([&]() -> Result<bool> {
    Seen seen;
    const Errc code = handle_->read(Op::contains, key, seen,
                                    [](const std::byte*, const Seen&) { return Errc{}; });
    if (code == Errc{} || code == Errc::not_found) return code == Errc{};
    return tl::unexpected(error_of(code, "contains", key, *handle_));
  });
}

Result<Version> Block::visit(
    Key key, const std::function<void(std::span<const std::byte>)>& callback) const {
  return guarded([&]() -> Result<Version> {
    Seen seen;
    const Errc code = handle_->visit(key, callback, seen);
    if (code != Errc{}) return tl::unexpected(error_of(code, "visit", key, *handle_));
    return static_cast<Version>(seen.version);
  });
}

std::vector<Result<Entry<Value>>> Block::get_many(std::span<const Key> keys) const {
  std::vector<Result<Entry<Value>>> entries;
  entries.reserve(keys.size());
  constexpr std::size_t kAhead = 16;  // slots on their way from memory at once
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % kAhead == 0) handle_->prefetch(keys.subspan(i, std::min(kAhead, keys.size() - i)));
    entries.push_back(get_entry<Value>(*handle_, keys[i]));
  }
  return entries;
}

Result<std::uint64_t> Block::for_each(std::string_view prefix,
                                      const std::function<bool(const EntryView&)>& callback) const {
  return guarded([&] { return handle_->for_each(prefix, callback); });
}

Result<std::uint64_t> Block::size() const {
  return guarded([&] { return handle_->for_each({}, nullptr); });
}

Result<Version> Block::put(Key key, ValueView value, Expiry expiry) {
  return store(*handle_, Op::put, key, value, expiry);
}
Result<Version> Block::add(Key key, ValueView value, Expiry expiry) {
  return store(*handle_, Op::add, key, value, expiry);
}
Result<Version> Block::replace(Key key, ValueView value, Expiry expiry) {
  return store(*handle_, Op::replace, key, value, expiry);
}
Result<Version> Block::compare_and_set(Key key, Version expected, ValueView value, Expiry expiry) {
  return store(*handle_, Op::compare_and_set, key, value, expiry, expected);
}

Result<std::int64_t> Block::increment(Key key, std::int64_t by, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::increment;
  mutation.type = ValueType::integer;
  mutation.add_integer = by;
  const auto outcome = write(*handle_, key, mutation, expiry);
  if (!outcome) return tl::unexpected(outcome.error());
  std::int64_t sum = 0;
  std::memcpy(&sum, outcome->number.data(), 8);
  return sum;
}

Result<double> Block::increment_real(Key key, double by, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::increment;
  mutation.type = ValueType::real;
  mutation.add_real = by;
  const auto outcome = write(*handle_, key, mutation, expiry);
  if (!outcome) return tl::unexpected(outcome.error());
  double sum = 0;
  std::memcpy(&sum, outcome->number.data(), 8);
  return sum;
}

Result<std::size_t> Block::append(Key key, ValueView suffix, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::append;
  mutation.type = static_cast<ValueType>(suffix.type());
  mutation.value = suffix.bytes();
  const auto outcome = write(*handle_, key, mutation, expiry);
  if (!outcome) return tl::unexpected(outcome.error());
  return outcome->value_bytes;
}

Result<Version> Block::erase(Key key) {
  Mutation mutation;
  mutation.op = Op::erase;
  const auto outcome = write(*handle_, key, mutation, Expiry::never());
  if (!outcome) return tl::unexpected(outcome.error());
  return static_cast<Version>(outcome->version);
}

Result<Version> Block::touch(Key key, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::touch;
  const auto outcome = write(*handle_, key, mutation, expiry);
  if (!outcome) return tl::unexpected(outcome.error());
  return static_cast<Version>(outcome->version);
}

Result<Version> Block::wait(Key key, Version known, std::chrono::milliseconds limit,
                            std::stop_token stop) const {
  return guarded([&] { return handle_->wait(key, known, limit, std::move(stop)); });
}

}  // namespace sessionblocks
