// The report: every total is a sum over the entries of `visitors`, kept nowhere else.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

namespace demo {

class Totals {
 public:
  // Adds one entry of the block. False when the entry is not what the counting writes.
  [[nodiscard]] bool add(std::string_view key, std::span<const std::byte> value);

  [[nodiscard]] std::size_t finished_partitions() const { return finished_partitions_; }
  // Every request is counted under its visitor and under its page; whether those sums agree.
  [[nodiscard]] bool is_consistent() const;
  // requests, bytes, visitors, sessions, status, top_pages, malformed.
  [[nodiscard]] nlohmann::json report() const;

 private:
  bool add_visitor(std::span<const std::byte> value);
  bool add_page(std::string name, std::span<const std::byte> value);

  std::uint64_t requests_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t visitors_ = 0;
  std::uint64_t sessions_ = 0;
  std::uint64_t malformed_ = 0;
  std::size_t finished_partitions_ = 0;
  std::map<std::string, std::uint64_t> status_;
  std::unordered_map<std::string, std::uint64_t> pages_;
};

}  // namespace demo
