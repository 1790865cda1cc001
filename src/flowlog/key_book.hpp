// Which bytes stand behind which key id, as far as the log's writer has learned it.
//
// One thread. Bounded: beyond its limit the entries go that nobody looked up for longest, so a key
// that is in use keeps its name however many come and go. A record that names one of those that
// went is counted. (A second chance for each would not do: when all have been looked up since their
// last turn, the oldest go first, and those are the ones in use.)
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flowlog/key_masks.hpp"

namespace sessionblocks::flowlog {

struct KeyRefHash {
  std::size_t operator()(const KeyRef& key) const noexcept {
    std::uint64_t word = (key.id ^ (key.block.word * 0x9E37'79B9'7F4A'7C15U));
    word *= 0xD6E8'FEB8'6659'FD93U;
    return static_cast<std::size_t>(word ^ (word >> 32U));
  }
};

class KeyBook {
 public:
  struct Entry {
    std::string bytes;
    std::uint64_t written_in = 0;  // stamp of the file that defines it; 0: none that is open
    std::list<KeyRef>::iterator turn;
  };

  explicit KeyBook(std::uint64_t limit_bytes)
      : limit_bytes_(limit_bytes), masks_(std::make_shared<KeyMasks>()) {}

  // Which keys the log names otherwise; whoever holds it may tell.
  [[nodiscard]] const std::shared_ptr<KeyMasks>& masks() const noexcept { return masks_; }
  // The same of a key as a worker's record has it.
  Entry& define_masked(KeyRef key, std::string_view bytes) {
    const auto masked = masks_->mask(key.block, bytes);
    return define(key, masked ? std::string_view(*masked) : bytes);
  }

  // The first definition stands; conflicts() counts those that disagreed with it: ids are unique
  // in a block's generation, so only a lying worker defines one twice.
  Entry& define(KeyRef key, std::string_view bytes) {
    if (Entry* const known = find(key)) {
      if (known->bytes != bytes) ++conflicts_;
      return *known;
    }
    std::list<KeyRef> turn{key};  // first all that can throw
    Entry& entry =
        entries_.try_emplace(key, Entry{std::string(bytes), 0, turn.begin()}).first->second;
    order_.splice(order_.end(), turn);
    used_bytes_ += cost(bytes.size());
    while (used_bytes_ > limit_bytes_ && order_.size() > 1) drop_oldest();
    return entry;
  }
  [[nodiscard]] Entry* find(KeyRef key) noexcept {
    const auto at = entries_.find(key);
    if (at == entries_.end()) return nullptr;
    order_.splice(order_.end(), order_, at->second.turn);
    return &at->second;
  }
  void clear() {
    entries_.clear();
    order_.clear();
    used_bytes_ = 0;
  }
  [[nodiscard]] std::uint64_t conflicts() const noexcept { return conflicts_; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }

 private:
  // With what the table and the order take, as measured for short keys.
  static constexpr std::uint64_t cost(std::size_t bytes) noexcept { return bytes + 150; }
  void drop_oldest() {
    const auto at = entries_.find(order_.front());
    order_.pop_front();
    used_bytes_ -= cost(at->second.bytes.size());
    entries_.erase(at);
  }

  std::unordered_map<KeyRef, Entry, KeyRefHash> entries_;
  std::list<KeyRef> order_;  // who goes next; the last one was looked up last
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t conflicts_ = 0;
  std::shared_ptr<KeyMasks> masks_;
};

}  // namespace sessionblocks::flowlog
