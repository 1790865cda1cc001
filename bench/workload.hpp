// One operation, repeated: the same code in the measured process and in its neighbour.
#pragma once

#include <sessionblocks/sessionblocks.hpp>

#include <array>
#include <cstdlib>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace sessionblocks::bench {

inline constexpr std::size_t kRandomKeys = 100'000;
inline constexpr std::size_t kValueBytes = 64;

class Workload {
 public:
  // `prefix` keeps the processes on different keys. operation: get, put or increment.
  Workload(Session& session, Block& block, std::string_view operation, std::string_view prefix,
           std::size_t keys)
      : block_(&block), operation_(operation), value_(kValueBytes, 'v') {
    texts_.reserve(keys);
    for (std::size_t i = 0; i < keys; ++i) {
      texts_.push_back(std::string(prefix) + "/visitor/" + std::to_string(i * 7'919));
    }
    for (const auto& text : texts_) {
      keys_.push_back(session.hashed(text));
      const auto loaded = operation == "increment" ? block.put(text, 0) : block.put(text, value_);
      if (!loaded) die(loaded.error());
    }
    std::mt19937 random(1);  // fixed: every run walks the same way
    order_.resize(keys == 1 ? 1 : 1U << 20U);
    for (auto& at : order_) at = static_cast<std::uint32_t>(random() % keys);
  }

  void run_once() {
    const Key& key = keys_[order_[next_++ & (order_.size() - 1)]];
    if (operation_ == "get") {
      const auto bytes = block_->get_into(key, buffer_);
      if (!bytes) die(bytes.error());
    } else if (operation_ == "put") {
      const auto version = block_->put(key, value_);
      if (!version) die(version.error());
    } else {
      const auto sum = block_->increment(key);
      if (!sum) die(sum.error());
    }
  }

  [[noreturn]] static void die(const Error& error) {
    std::fprintf(stderr, "sessionbench: %s\n", error.message().c_str());
    std::exit(1);
  }

 private:
  Block* block_;
  std::string_view operation_;
  std::string value_;
  std::vector<std::string> texts_;
  std::vector<Key> keys_;
  std::vector<std::uint32_t> order_;
  std::size_t next_ = 0;
  std::array<std::byte, kValueBytes> buffer_{};
};

}  // namespace sessionblocks::bench
