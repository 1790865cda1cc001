// Which bytes stand behind which key id, as far as the log's writer has learned it.
//
// One thread. Bounded: beyond its limit the oldest entries go; a record that names one of those
// later is looked up in the files, and counted when it is not there either.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "flowlog/log_record.hpp"

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
  };

  explicit KeyBook(std::uint64_t limit_bytes) noexcept : limit_bytes_(limit_bytes) {}

  // The first definition stands; conflicts() counts those that disagreed with it: ids are unique
  // in a block's generation, so only a lying worker defines one twice.
  Entry& define(KeyRef key, std::string_view bytes) {
    const auto [at, is_new] = entries_.try_emplace(key);
    if (!is_new) {
      if (at->second.bytes != bytes) ++conflicts_;
      return at->second;
    }
    at->second.bytes = bytes;
    order_.push_back(key);
    used_bytes_ += cost(bytes.size());
    while (used_bytes_ > limit_bytes_ && order_.size() > 1) drop_oldest();
    return at->second;
  }
  [[nodiscard]] Entry* find(KeyRef key) noexcept {
    const auto at = entries_.find(key);
    return at == entries_.end() ? nullptr : &at->second;
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
  static constexpr std::uint64_t cost(std::size_t bytes) noexcept { return bytes + 120; }
  void drop_oldest() {
    const auto at = entries_.find(order_.front());
    order_.pop_front();
    used_bytes_ -= cost(at->second.bytes.size());
    entries_.erase(at);
  }

  std::unordered_map<KeyRef, Entry, KeyRefHash> entries_;
  std::deque<KeyRef> order_;
  std::uint64_t limit_bytes_;
  std::uint64_t used_bytes_ = 0;
  std::uint64_t conflicts_ = 0;
};

}  // namespace sessionblocks::flowlog
