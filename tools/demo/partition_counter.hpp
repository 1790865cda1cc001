// Counts the lines of partitions into the block `visitors`, so that being killed at any instruction
// and started again changes nothing in the result. README.md gives the argument step by step.
//
// One worker slot uses it, from one thread. BlockType is sessionblocks::Block, or in tests a
// stand-in with the same functions that can die before and after each of them.
//
//   1. An entry is changed only by the slot that claimed its partition, and in file order.
//   2. A change names the version that it read; any other writer shows as `conflict`, an error.
//   3. Progress is saved after what it covers: it may be behind, never ahead.
#pragma once

#include <sessionblocks/error.hpp>
#include <sessionblocks/key.hpp>
#include <sessionblocks/value.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "entry_names.hpp"
#include "line_index.hpp"
#include "operation.hpp"
#include "visitor_state.hpp"

namespace demo {

using sessionblocks::Errc;
using sessionblocks::Result;

struct CountSettings {
  std::int64_t session_gap_s = 1'800;
  std::uint64_t lines_per_save = 64;
};

template <typename BlockType>
class PartitionCounter {
 public:
  // `owner` is the scope of the worker slot: the same after a restart, and nobody else's.
  PartitionCounter(BlockType& visitors, BlockType& progress, std::string_view owner,
                   CountSettings settings, OperationWatch& watch)
      : visitors_(visitors),
        progress_(progress),
        mine_(claimed_by(owner)),
        settings_(settings),
        watch_(watch) {}

  // Whether the partition is this slot's to count: claimed now, or before a restart.
  // not_found: nobody prepared the partition.
  [[nodiscard]] Result<bool> claim(std::size_t partition) {
    const std::string key = numbered(kPartitionPrefix, partition);
    watch_.before(Operation::claim, 0);
    const auto entry = visitors_.template get<std::string>(key);
    if (!entry) return tl::unexpected(entry.error());
    if (entry->value != kFree) return entry->value == mine_;
    const auto claimed = visitors_.compare_and_set(key, entry->version, mine_);
    if (!claimed && claimed.error() == Errc::conflict) return false;  // another slot was faster
    return committed(claimed).map([] { return true; });
  }

  // Counts what is left of a claimed partition and marks it done.
  // conflict, exists: somebody else writes to this partition, which the claim forbids.
  // corrupt: an entry is not what this program writes.
  [[nodiscard]] Result<void> count(std::size_t partition, std::span<const LogLine> lines) {
    const std::string saved_key = numbered("line:", partition);
    const auto saved = progress_.template get<std::int64_t>(saved_key);
    if (!saved && saved.error() != Errc::not_found) return tl::unexpected(saved.error());
    const auto done_line = saved ? static_cast<std::uint64_t>(saved->value) : 0;
    auto line = std::ranges::upper_bound(lines, done_line, {}, &LogLine::number);
    for (std::uint64_t since_save = 1; line != lines.end(); ++line, ++since_save) {
      if (auto counted = count_line(partition, *line); !counted) return counted;
      if (since_save % settings_.lines_per_save != 0) continue;
      watch_.before(Operation::save_progress, line->number);
      const auto written = progress_.put(saved_key, static_cast<std::int64_t>(line->number));
      if (auto done = committed(written); !done) return done;
    }
    return finish(partition, lines.empty() ? 0 : lines.back().number);
  }

 private:
  template <typename Version>
  Result<void> committed(const Result<Version>& written) {
    if (!written) return tl::unexpected(written.error());
    watch_.committed();
    return {};
  }

  Result<void> finish(std::size_t partition, std::uint64_t last_line) {
    const std::string key = numbered(kPartitionPrefix, partition);
    watch_.before(Operation::finish, last_line);
    const auto entry = visitors_.template get<std::string>(key);
    if (!entry) return tl::unexpected(entry.error());
    if (entry->value != mine_) return sessionblocks::fail(Errc::conflict, entry->value);
    return committed(visitors_.compare_and_set(key, entry->version, kDone));
  }

  Result<void> count_line(std::size_t partition, const LogLine& line) {
    const auto parsed = parse_access_line(line.text);
    const auto apply_count = [&line](LineCount& count) { return count.apply(line.number); };
    if (!parsed) {
      key_ = numbered(kMalformedPrefix, partition);
      return update<LineCount>(Operation::count_malformed, line.number, {}, apply_count).map(drop);
    }
    key_.assign(kVisitorPrefix).append(parsed->client);
    const auto visitor =
        update<VisitorState>(Operation::count_visitor, line.number, {}, [&](VisitorState& state) {
          return state.apply(*parsed, line.number, settings_.session_gap_s);
        });
    if (!visitor) return tl::unexpected(visitor.error());
    return count_page(partition, parsed->page, line.number, apply_count);
  }

  template <typename Apply>
  Result<void> count_page(std::size_t partition, std::string_view page, std::uint64_t number,
                          const Apply& apply) {
    key_.assign(numbered(kPagePrefix, partition)).append(":").append(page);
    if (key_.size() <= sessionblocks::kMaxKeyBytes) {
      return update<LineCount>(Operation::count_page, number, {}, apply).map(drop);
    }
    // Too long for a key: the value carries the name, and names with one hash take turns.
    const std::string base =
        numbered(kLongPagePrefix, partition) + ':' + std::to_string(stable_hash(page)) + ':';
    for (std::uint64_t turn = 0;; ++turn) {
      key_ = base + std::to_string(turn);
      const auto found = update<LineCount>(Operation::count_page, number, page, apply);
      if (!found) return tl::unexpected(found.error());
      if (*found) return {};
    }
  }

  // Applies a line to the entry at key_, whose value is a State and then `name`. False: the entry
  // is another name's. An entry that has the line already is left as it is.
  template <typename State, typename Apply>
  Result<bool> update(Operation operation, std::uint64_t number, std::string_view name,
                      const Apply& apply) {
    watch_.before(operation, number);
    const auto entry = visitors_.template get<sessionblocks::Bytes>(key_);
    if (!entry && entry.error() != Errc::not_found) return tl::unexpected(entry.error());
    State state;
    if (entry) {
      const auto stored = decode<State>(entry->value);
      if (!stored) return sessionblocks::fail(Errc::corrupt, key_);
      const auto stored_name = std::span(entry->value).subspan(sizeof(State));
      if (!std::ranges::equal(stored_name, std::as_bytes(std::span(name)))) return false;
      state = *stored;
    }
    if (!apply(state)) return true;
    const auto front = encode(state);
    value_.assign(front.begin(), front.end());
    const auto back = std::as_bytes(std::span(name));
    value_.insert(value_.end(), back.begin(), back.end());
    const auto written = entry ? visitors_.compare_and_set(key_, entry->version, value_)
                               : visitors_.add(key_, value_);
    return committed(written).map([] { return true; });
  }

  static void drop(bool /*found*/) {}

  BlockType& visitors_;
  BlockType& progress_;
  std::string mine_;
  CountSettings settings_;
  OperationWatch& watch_;
  std::string key_;             // reused, as the counting loop allocates nothing else per line
  sessionblocks::Bytes value_;  // reused
};

}  // namespace demo
