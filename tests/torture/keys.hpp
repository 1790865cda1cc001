// The keys that the workers fight over, by number. Few enough to collide; the passing ones come and
// go, so that the index fills with tombstones and grows all the time.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace sessionblocks::torture {

enum class KeyClass : std::uint8_t {
  shared_text,      // every writer: every operation on text
  shared_counter,   // every writer: increments above all
  private_text,     // one writer's own
  private_counter,  // one writer's own
  expiring,         // every writer, with short lives
  passing,          // one writer's own, put and erased in turn
  crowd,            // every writer: more than a block that evicts has room for
};
inline constexpr unsigned kKeyClasses = 7;

class KeySet {
 public:
  struct Range {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  // Private keys are those of `writers` writers, the same number for each.
  explicit KeySet(unsigned writers, std::uint32_t few = 0, std::uint32_t crowd = 0) {
    const bool is_small = few != 0;
    add(KeyClass::shared_text, "text/", is_small ? few : 24);
    add(KeyClass::shared_counter, "count/", is_small ? few : 8);
    add(KeyClass::private_text, "own/", is_small ? 0 : 12 * writers);
    add(KeyClass::private_counter, "own-count/", is_small ? 0 : 4 * writers);
    add(KeyClass::expiring, "brief/", is_small ? 0 : 12);
    add(KeyClass::passing, "passing/", is_small ? 0 : 6'000 * writers);
    add(KeyClass::crowd, "crowd/", crowd);
    writers_ = writers;
    for (std::uint32_t key = 0; key < size(); ++key) numbers_.emplace(names_[key], key);
  }
  KeySet(const KeySet&) = delete;
  KeySet& operator=(const KeySet&) = delete;

  [[nodiscard]] std::uint32_t size() const noexcept {
    return static_cast<std::uint32_t>(names_.size());
  }
  static constexpr std::uint32_t kNone = ~std::uint32_t{0};
  [[nodiscard]] std::uint32_t find(std::string_view name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? kNone : found->second;
  }
  [[nodiscard]] const std::string& name(std::uint32_t key) const { return names_.at(key); }
  [[nodiscard]] KeyClass class_of(std::uint32_t key) const { return classes_.at(key); }
  [[nodiscard]] bool is_counter(std::uint32_t key) const {
    return class_of(key) == KeyClass::shared_counter || class_of(key) == KeyClass::private_counter;
  }
  [[nodiscard]] bool may_expire(std::uint32_t key) const {
    return class_of(key) == KeyClass::expiring || class_of(key) == KeyClass::crowd;
  }
  // Of how many keys of its class one is looked at by who cannot look at all of them: 1, of most.
  [[nodiscard]] std::uint32_t sampling(std::uint32_t key) const {
    constexpr std::uint32_t kMostWatched = 400;
    const KeyClass of = class_of(key);
    if (of != KeyClass::passing && of != KeyClass::crowd) return 1;
    return all(of).count / kMostWatched + 1;
  }
  [[nodiscard]] Range all(KeyClass of) const { return ranges_[static_cast<unsigned>(of)]; }
  // The part of a private class that belongs to a writer.
  [[nodiscard]] Range own(KeyClass of, unsigned writer) const {
    const Range range = all(of);
    const std::uint32_t share = range.count / writers_;
    return {range.first + writer * share, share};
  }

 private:
  void add(KeyClass of, std::string_view prefix, std::uint32_t count) {
    ranges_[static_cast<unsigned>(of)] = {size(), count};
    for (std::uint32_t i = 0; i < count; ++i) {
      names_.push_back(std::string(prefix) + std::to_string(i));
      classes_.push_back(of);
    }
  }

  unsigned writers_ = 1;
  Range ranges_[kKeyClasses];
  std::vector<std::string> names_;
  std::vector<KeyClass> classes_;
  std::unordered_map<std::string_view, std::uint32_t> numbers_;  // views of names_
};

}  // namespace sessionblocks::torture
