// The public face of a block: arguments and results; the work is in BlockHandle.
#include "session/block_operation.hpp"
#include "session/entry_value.hpp"
#include "session/succession.hpp"

namespace sessionblocks {
namespace {

using layout::ValueType;
using segment::ExpiryRule;
using segment::Mutation;
using segment::Outcome;

constexpr std::chrono::milliseconds kLongestTtl = std::chrono::hours(24 * 366 * 100);

Errc expire_after(Mutation& mutation, std::chrono::milliseconds ttl) {
  if (ttl.count() <= 0 || ttl > kLongestTtl) return Errc::invalid_argument;
  mutation.expiry = ExpiryRule::at;
  mutation.expires_at_ms =
      platform::monotonic_coarse_ms() + static_cast<std::uint64_t>(ttl.count());
  return Errc{};
}

[[gnu::always_inline]] inline Errc set_expiry(Mutation& mutation, const Expiry& expiry) {
  if (expiry.kind == Expiry::Kind::after) [[unlikely]]
    return expire_after(mutation, expiry.ttl);
  mutation.expiry = expiry.kind == Expiry::Kind::keep ? ExpiryRule::keep : ExpiryRule::never;
  return Errc{};
}

// What came of a write that did not commit.
[[gnu::noinline]] Error refusal(const BlockHandle& block, const Key& key, const Mutation& mutation,
                                const Outcome& outcome) {
  if (outcome.code == Errc::conflict || outcome.code == Errc::exists) {
    return {outcome.code, outcome.version};
  }
  if (outcome.code == Errc::wrong_type) {
    return wrong_type(outcome.old_type, type_name(static_cast<Type>(mutation.type)), key, block);
  }
  const auto most = block.most_logged_bytes();
  if (outcome.code == Errc::value_too_large && most &&
      segment::Writer::logged_bytes(mutation) > *most) {
    return {outcome.code, describe(word(mutation.op), key, block) +
                              ": the block logs its values, up to " + std::to_string(*most) +
                              " bytes at once with rings of ring_records = " +
                              std::to_string(block.ring_records()) +
                              "; start the director with larger rings, or split the value"};
  }
  return error_of(outcome.code, word(mutation.op), key, block);
}

// Writes, and makes of the outcome what the operation returns.
template <typename Take>
[[gnu::always_inline]] inline auto write(const BlockLink& link, const Key& key, Mutation& mutation,
                                         const Expiry& expiry, Take&& take) {
  using Taken = decltype(take(std::declval<const Outcome&>()));
  return on_now(
      link, [&](BlockHandle & block) __attribute__((always_inline)) {
        return catching_bad_alloc([&]() __attribute__((always_inline))->Result<Taken> {
          if (set_expiry(mutation, expiry) != Errc{}) {
            return fail(Errc::invalid_argument, "an entry lives longer than 0 and up to 100 years");
          }
          Outcome outcome;
          block.write(key, mutation, outcome);
          if (likely(outcome.code == Errc{})) return take(outcome);
          return tl::unexpected(refusal(block, key, mutation, outcome));
        });
      });
}

inline Version new_version(const Outcome& outcome) {
  return static_cast<Version>(outcome.version);
}

template <typename Number>
inline Number new_number(const Outcome& outcome) {
  Number number{};
  std::memcpy(&number, outcome.number.data(), sizeof number);
  return number;
}

[[gnu::always_inline]] inline Result<Version> store(const BlockLink& block, Op op, const Key& key,
                                                    const ValueView& value, const Expiry& expiry,
                                                    Version expected = {}) {
  if (!value.fits()) return fail(Errc::overflow, "an integer above the greatest int64");
  Mutation mutation;
  mutation.op = op;
  mutation.type = static_cast<ValueType>(value.type());
  mutation.value = value.bytes();
  mutation.expected_version = raw_version(expected);
  return write(block, key, mutation, expiry, new_version);
}

template <typename T>
Result<Entry<T>> get_entry(BlockHandle& block, const Key& key) {
  return catching_bad_alloc([&]() -> Result<Entry<T>> {
    Entry<T> entry;
    const auto [code, seen] = block.read(Op::get, key, [&](const std::byte* bytes, const Seen& at) {
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
Result<Entry<T>> get_and_erase_entry(const BlockLink& link, const Key& key) {
  std::vector<std::byte> taken;
  Mutation mutation;
  mutation.op = Op::get_and_erase;
  mutation.taken = &taken;
  mutation.type = wanted_type<T>();
  mutation.takes_any_type = std::same_as<T, Value>;
  const auto outcome =
      write(link, key, mutation, Expiry::never(), [](const Outcome& written) { return written; });
  if (!outcome) return tl::unexpected(outcome.error());
  return catching_bad_alloc([&]() -> Result<Entry<T>> {
    Entry<T> entry;
    const std::size_t bytes = taken.size();
    taken.resize((bytes + 7) & ~std::size_t{7});  // copy_out reads whole words
    const Errc code = take_value(entry.value, outcome->old_type, taken.data(), bytes);
    if (code != Errc{}) return tl::unexpected(error_of(code, "get_and_erase", key, link.now()));
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

Block::Block(std::shared_ptr<BlockHandle> handle) noexcept : link_(std::move(handle)) {}
Block::Block(Block&&) noexcept = default;
Block& Block::operator=(Block&&) noexcept = default;
Block::~Block() = default;

const std::string& Block::name() const noexcept {
  return link_.now().name();
}
std::uint32_t Block::id() const noexcept {
  return link_.now().id();
}
bool Block::is_writable() const noexcept {
  return link_.now().is_writable();
}

template <EntryValue T>
Result<Entry<T>> Block::get(const Key& key) const {
  return on_now(link_, [&](BlockHandle& block) { return get_entry<T>(block, key); });
}
template <EntryValue T>
Result<Entry<T>> Block::get_and_erase(const Key& key) {
  return get_and_erase_entry<T>(link_, key);
}

#define SESSIONBLOCKS_INSTANTIATE(T)                             \
  template Result<Entry<T>> Block::get<T>(const Key& key) const; \
  template Result<Entry<T>> Block::get_and_erase<T>(const Key& key)
SESSIONBLOCKS_INSTANTIATE(std::string);
SESSIONBLOCKS_INSTANTIATE(Bytes);
SESSIONBLOCKS_INSTANTIATE(std::int64_t);
SESSIONBLOCKS_INSTANTIATE(double);
SESSIONBLOCKS_INSTANTIATE(bool);
SESSIONBLOCKS_INSTANTIATE(Value);
#undef SESSIONBLOCKS_INSTANTIATE

Result<std::size_t> Block::get_into(const Key& key, std::span<std::byte> buffer) const {
  return on_now(
      link_, [&](BlockHandle & block) __attribute__((always_inline)) {
        return catching_bad_alloc([&]() -> Result<std::size_t> {
          const auto [code, seen] =
              block.read(Op::get, key, [buffer](const std::byte* bytes, const Seen& at) {
                if (unlikely(at.value_bytes > buffer.size())) return Errc::buffer_too_small;
                copy_out(buffer.data(), bytes, at.value_bytes);
                return Errc{};
              });
          if (likely(code == Errc{})) return seen.value_bytes;
          if (code == Errc::buffer_too_small) return fail(code, seen.value_bytes);
          return tl::unexpected(error_of(code, "get_into", key, block));
        });
      });
}

Result<bool> Block::contains(const Key& key) const {
  return on_now(link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&]() -> Result<bool> {
      const auto look = [](const std::byte*, const Seen&) { return Errc{}; };
      const Errc code = block.read(Op::contains, key, look).code;
      if (code == Errc{} || code == Errc::not_found) return code == Errc{};
      return tl::unexpected(error_of(code, "contains", key, block));
    });
  });
}

Result<Version> Block::visit(
    const Key& key, const std::function<void(std::span<const std::byte>)>& callback) const {
  bool has_run = false;
  const auto noted = [&](std::span<const std::byte> value) {
    has_run = true;
    callback(value);
  };
  return on_now_unless(has_run, link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&]() -> Result<Version> {
      Seen seen;
      const Errc code = block.visit(key, noted, seen);
      if (code != Errc{}) return tl::unexpected(error_of(code, "visit", key, block));
      return static_cast<Version>(seen.version);
    });
  });
}

std::vector<Result<Entry<Value>>> Block::get_many(std::span<const Key> keys) const {
  std::vector<Result<Entry<Value>>> entries;
  entries.reserve(keys.size());
  constexpr std::size_t kAhead = 16;  // slots on their way from memory at once
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (i % kAhead == 0) link_.now().prefetch(keys.subspan(i, std::min(kAhead, keys.size() - i)));
    entries.push_back(get<Value>(keys[i]));
  }
  return entries;
}

Result<std::uint64_t> Block::for_each(std::string_view prefix,
                                      const std::function<bool(const EntryView&)>& callback) const {
  bool has_run = false;
  const auto noted = noting(callback, has_run);
  return on_now_unless(has_run, link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&] { return block.for_each(prefix, noted); });
  });
}

Result<std::uint64_t> Block::size() const {
  return on_now(link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&] { return block.for_each({}, nullptr); });
  });
}

Result<Version> Block::put(const Key& key, const ValueView& value, Expiry expiry) {
  return store(link_, Op::put, key, value, expiry);
}
Result<Version> Block::add(const Key& key, const ValueView& value, Expiry expiry) {
  return store(link_, Op::add, key, value, expiry);
}
Result<Version> Block::replace(const Key& key, const ValueView& value, Expiry expiry) {
  return store(link_, Op::replace, key, value, expiry);
}
Result<Version> Block::compare_and_set(const Key& key, Version expected, const ValueView& value,
                                       Expiry expiry) {
  return store(link_, Op::compare_and_set, key, value, expiry, expected);
}

Result<std::int64_t> Block::increment(const Key& key, std::int64_t by, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::increment;
  mutation.type = ValueType::integer;
  mutation.add_integer = by;
  return write(link_, key, mutation, expiry, new_number<std::int64_t>);
}

Result<double> Block::increment_real(const Key& key, double by, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::increment;
  mutation.type = ValueType::real;
  mutation.add_real = by;
  return write(link_, key, mutation, expiry, new_number<double>);
}

Result<std::size_t> Block::append(const Key& key, const ValueView& suffix, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::append;
  mutation.type = static_cast<ValueType>(suffix.type());
  mutation.value = suffix.bytes();
  return write(link_, key, mutation, expiry,
               [](const Outcome& outcome) -> std::size_t { return outcome.value_bytes; });
}

Result<Version> Block::erase(const Key& key) {
  Mutation mutation;
  mutation.op = Op::erase;
  return write(link_, key, mutation, Expiry::never(), new_version);
}

Result<Version> Block::touch(const Key& key, Expiry expiry) {
  Mutation mutation;
  mutation.op = Op::touch;
  return write(link_, key, mutation, expiry, new_version);
}

Result<Version> Block::wait(const Key& key, Version known, std::chrono::milliseconds limit,
                            std::stop_token stop) const {
  const auto until = std::chrono::steady_clock::now() + limit;
  return on_now(link_, [&](BlockHandle& block) {
    return catching_bad_alloc([&] {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
      return block.wait(key, known, std::max(left, std::chrono::milliseconds(0)), stop);
    });
  });
}

}  // namespace sessionblocks
