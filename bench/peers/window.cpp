#include "window.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "failure.hpp"
#include "values.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::size_t kCopiesBytes = 16 * 1'024;
constexpr std::uint64_t kNoKey = ~std::uint64_t{0};

}  // namespace

std::size_t Window::steps_for(std::uint64_t value_bytes) noexcept {
  return std::clamp<std::size_t>(kCopiesBytes / value_bytes, 8, kMostSteps);
}

Window::Window(const Case& one, unsigned process, std::vector<Step> steps)
    : case_(one), process_(process), steps_(std::move(steps)) {
  const std::size_t most = 2 * steps_for(one.data.value_bytes);
  operations_.resize(most);
  keys_.assign(most, kNoKey);
  key_bytes_.resize(most * one.data.key_bytes);
  value_bytes_.resize(most * one.data.value_bytes);
}

std::uint64_t Window::key_of(const Step& step) {
  const std::uint64_t loaded = case_.data.entries;
  if (case_.spread != Spread::latest) return step.key;
  // Each process inserts keys of its own, above those that were loaded; after as many again, it
  // comes back to its first.
  const auto own_key = [&](std::uint64_t number) {
    return loaded + (number % loaded) * case_.processes + process_;
  };
  if (step.kind == StepKind::insert) return own_key(inserted_++);
  if (step.key < inserted_) return own_key(inserted_ - 1 - step.key);
  return loaded - 1 - (step.key - inserted_) % loaded;
}

void Window::set(std::size_t at, OpKind kind, std::uint64_t key, Spoil spoil) {
  Operation& operation = operations_[at];
  const std::span<char> key_bytes(key_bytes_.data() + at * case_.data.key_bytes,
                                  case_.data.key_bytes);
  const std::span<std::byte> value(value_bytes_.data() + at * case_.data.value_bytes,
                                   case_.data.value_bytes);
  const bool is_same = keys_[at] == key && operation.kind == kind;
  if (keys_[at] != key) write_key(key_bytes, key);
  keys_[at] = key;
  operation.kind = kind;
  operation.outcome = Outcome::none;
  operation.key = {key_bytes.data(), key_bytes.size()};
  operation.bytes = value;
  operation.copied_bytes = 0;
  if (kind == OpKind::put && !is_same) write_value(value, key, ++version_);
  if (kind == OpKind::get) {
    if (spoil == Spoil::all) std::memset(value.data(), 0xA5, value.size());
    const std::size_t word = std::min<std::size_t>(value.size(), 8);
    std::memset(value.data(), 0xA5, word);
    std::memset(value.data() + value.size() - word, 0xA5, word);
  }
}

std::span<Operation> Window::fill(std::size_t count, Spoil spoil) {
  filled_ = 0;
  steps_filled_ = 0;
  for (; steps_filled_ < count && filled_ + 2 <= operations_.size(); ++steps_filled_) {
    const Step& step = steps_[next_];
    if (++next_ == steps_.size()) next_ = 0;
    const std::uint64_t key = key_of(step);
    switch (step.kind) {
      case StepKind::read:
        set(filled_++, OpKind::get, key, spoil);
        break;
      case StepKind::update:
      case StepKind::insert:
        set(filled_++, OpKind::put, key, spoil);
        break;
      case StepKind::modify:
        set(filled_++, OpKind::get, key, spoil);
        set(filled_++, OpKind::put, key, spoil);
        break;
      case StepKind::increment:
        set(filled_++, OpKind::increment, key, spoil);
        break;
    }
  }
  return {operations_.data(), filled_};
}

void Window::check(unsigned runs) const {
  std::uint64_t missed = (runs - 1) * filled_;  // sums that later runs have written over
  for (std::size_t at = 0; at < filled_; ++at) {
    const Operation& operation = operations_[at];
    if (operation.outcome == Outcome::absent) {
      give_up("an entry that was put is absent: key " + std::to_string(keys_[at]));
    }
    if (operation.outcome != Outcome::done) {
      give_up(std::string(name_of(operation.kind)) + " failed: key " + std::to_string(keys_[at]));
    }
    if (operation.kind == OpKind::get) {
      if (operation.copied_bytes != operation.bytes.size() ||
          !is_value_of(operation.bytes, keys_[at])) {
        give_up("get copied wrong bytes: key " + std::to_string(keys_[at]) + ", " +
                std::to_string(operation.copied_bytes) + " bytes");
      }
    }
    if (operation.kind != OpKind::increment) continue;
    increments_ += runs;
    const bool is_alone = case_.spread == Spread::own || case_.processes == 1;
    const std::int64_t last = std::exchange(last_sum_, operation.sum);
    const auto expected = last + 1 + static_cast<std::int64_t>(std::exchange(missed, 0));
    if (case_.spread == Spread::uniform || last == 0) continue;
    if (is_alone ? operation.sum != expected : operation.sum < expected) {
      give_up("a counter went from " + std::to_string(last) + " to " +
              std::to_string(operation.sum));
    }
  }
}

}  // namespace sessionblocks::bench
