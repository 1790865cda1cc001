// The payload of a records frame: ring records of one lane, packed to a few bytes each.
//
// A record is a byte that says what differs from what is expected, then only that:
//
//   bit | when set                                 | then follows
//   0   | another meaning than the record before   | its number in the frame's table, or a new row:
//       |                                          | block, generation, op, outcome; 1 << 7 in op:
//       |                                          | such records carried values
//   1   | another key than the record before       | place in the key table, or a new key
//   2   | the key's bytes are in the record        | their count and they themselves; before it
//   1,024
//       |                                          | and the ring cells of the key, if these are
//       not |                                          | those of the bytes: a key that is masked
//   3   | another version than expected            | signed difference
//   4   | another size than expected               | size
//   5   | another time than the record before      | signed difference in ms
//   6   | more than one operation                  | count
//   7   | the record is repeated                   | how many times more; each has its own number
//
// Of a record that carried a value the count of its bytes comes last; they are in a values frame.
//
// The key table holds the last version and size of each key lately seen in this frame; a change
// is expected to raise the version by one, a read to find it as it was. Tables start empty in each
// frame, so frames can be read alone. A hot get is below one byte, a get of a key not lately seen
// about six (test: the sizes are printed).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/bytes.hpp"
#include "flowlog/log_record.hpp"
#include "layout/node.hpp"
#include "lockfree/audit_ring.hpp"

namespace sessionblocks::flowlog {

namespace detail {

inline constexpr std::size_t kKeyPlaces = 4'096;
inline constexpr std::size_t kThreadPlaces = 16;
inline constexpr std::size_t kMaxMeanings = 256;
inline constexpr std::size_t kMaxRecordBytes = 128;  // encoded, without the bytes of a key

struct Meaning {
  BlockRef block;
  Op op = Op::get;
  std::uint16_t outcome = 0;
  bool has_value = false;
  friend bool operator==(const Meaning&, const Meaning&) = default;
};

// What both ends remember inside a frame; both change it in the same order.
class CodecTables {
 public:
  struct Key {
    std::uint64_t id = 0;
    BlockRef block;
    std::uint64_t version = 0;
    std::uint32_t bytes = 0;
    std::uint32_t frame = 0;  // which frame filled it; anything else is empty
  };

  CodecTables();
  void begin();  // of a frame: everything is forgotten

  [[nodiscard]] static std::size_t place_of(std::uint64_t key_id) noexcept {
    return static_cast<std::size_t>((key_id * 0x9E37'79B9'7F4A'7C15U) >> 52U);
  }
  [[nodiscard]] Key& key_at(std::size_t place) noexcept { return keys_[place]; }
  [[nodiscard]] bool is_filled(const Key& key) const noexcept { return key.frame == frame_; }
  // Makes the place belong to a key whose version and size are expected like the last record's.
  void fill(Key& key, std::uint64_t id, BlockRef block) const noexcept {
    key = {id, block, version, bytes, frame_};
  }
  [[nodiscard]] static bool changes(Op op) noexcept { return op >= Op::put && op != Op::for_each; }
  // What a record of this meaning is expected to say, before it is remembered.
  [[nodiscard]] static std::uint64_t expected_version(const Key& key,
                                                      const Meaning& meaning) noexcept;
  void remember(Key& key, const Meaning& meaning, std::uint64_t record_version,
                std::uint32_t record_bytes) noexcept;

  std::vector<Meaning> meanings;
  struct Thread {
    std::uint32_t number = 0;
    std::uint32_t counter = 0;
  };
  Thread threads[kThreadPlaces];
  // The record before.
  std::uint32_t meaning = 0;
  std::uint64_t key_id = 0;
  std::uint64_t version = 0;
  std::uint32_t bytes = 0;

 private:
  std::unique_ptr<Key[]> keys_;
  std::uint32_t frame_ = 0;
};

}  // namespace detail

// Hears of the keys that records name: at least at each key's first record in a frame.
class KeyNamed {
 public:
  virtual void key_named(KeyRef key) = 0;
  virtual void key_defined(KeyRef key, std::span<const std::byte> bytes) = 0;

 protected:
  ~KeyNamed() = default;
};

class RecordEncoder {
 public:
  // Starts a payload that is appended to `out`; `named` hears of the keys in it.
  void begin(ByteBuffer& out, std::uint32_t first_time_ms, KeyNamed& named);
  // One valid record (check_cells has seen it), whose inline key is `key`, and which carried so
  // many bytes of a value if it has kInlineValue.
  void add(const RingCell& record, BlockRef block, std::span<const std::byte> key,
           std::uint64_t logged_bytes = 0);
  void end() { flush_repeats(); }

  [[nodiscard]] std::uint32_t records() const noexcept { return records_; }

 private:
  [[nodiscard]] std::byte* put_meaning(std::byte* to, const detail::Meaning& meaning,
                                       std::uint8_t& tag);
  [[nodiscard]] std::byte* put_key(std::byte* to, std::uint64_t key_id, BlockRef block,
                                   std::uint8_t& tag);
  [[nodiscard]] std::byte* put_numbers(std::byte* to, const RingCell& record, std::uint8_t& tag);
  void flush_repeats();

  detail::CodecTables tables_;
  ByteBuffer* out_ = nullptr;
  KeyNamed* named_ = nullptr;
  std::uint32_t time_ms_ = 0;
  std::uint32_t records_ = 0;
  std::uint64_t repeats_ = 0;
  std::size_t last_at_ = 0;  // where the last record begins in out_
  RingCell last_{};
  BlockRef last_block_;
  bool has_last_ = false;
};

// Gives the records of one payload back. Any bytes give an end or failed(), never more than the
// frame states.
class RecordDecoder {
 public:
  // lane, sequence and times of the records that come start with those of `start`.
  void begin(std::span<const std::byte> payload, const LogRecord& start, std::uint32_t records);
  // False at the end or when the payload is malformed (failed()). `record` keeps its string's
  // memory. has_key is set for inline keys only.
  [[nodiscard]] bool next(LogRecord& record);
  // Passes over the repeats of the record that next() gave last; returns how many there were.
  std::uint64_t skip_repeats() noexcept;
  [[nodiscard]] bool failed() const noexcept { return failed_; }
  // The index of the cell behind the last record.
  [[nodiscard]] std::uint64_t next_sequence() const noexcept { return sequence_; }

 private:
  [[nodiscard]] bool decode();
  [[nodiscard]] bool take_meaning();
  [[nodiscard]] bool take_key();
  void take_inline_key();
  void take_numbers(std::uint8_t tag);
  void hand_out(LogRecord& record);

  detail::CodecTables tables_;
  ByteReader in_{{}};
  LogRecord last_;
  detail::CodecTables::Key* key_ = nullptr;
  std::uint64_t sequence_ = 0;
  std::uint64_t repeats_ = 0;
  std::uint32_t left_ = 0;
  bool failed_ = false;
};

}  // namespace sessionblocks::flowlog
