// A sound block made by the library, with its readers segment, a worker that uses it and one that
// is about to be recovered; and the ways in which a fuzzer changes their bytes.
//
// A fuzzer that must find out by itself what a block looks like never gets past its header. So an
// input is a program: change one word here, where most places are words that something depends on
// and most values are such as other words have; look a key up; write; and so on.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guarded.hpp"
#include "input.hpp"
#include "segment/recovery.hpp"
#include "segment/writer.hpp"

namespace sessionblocks::fuzz {

inline constexpr std::uint64_t kBlockBytes = layout::kMinBlockBytes;
inline constexpr std::uint64_t kRingRecords = layout::kMinRingRecords;
inline constexpr std::uint64_t kSeed = 42;
inline constexpr std::uint16_t kOpen = 3;
inline constexpr unsigned kUsedLanes = 3;

// How a block stands before anybody changes a byte of it.
enum class Image : std::uint8_t { at_rest, growing, with_checkpoint, half_full };
inline constexpr unsigned kImages = 4;

class Scene {
 public:
  Scene();

  // All segments as they were, in one of the images; nothing private is left of the run before.
  void restore(Image image);

  // Reads one change from the input and makes it.
  void change(Input& input);
  // Every byte of the block from the input, repeated.
  void fill_block(Input& input);

  // One write by a thread of the living worker, or a step of growth; what it answers is its own.
  void write(Input& input);
  void leave() { writer_.reset(); }  // that thread ends

  [[nodiscard]] segment::BlockMemory& memory() noexcept { return *memory_; }
  [[nodiscard]] layout::ReadersSegment& readers() const noexcept;
  [[nodiscard]] segment::WorkerMemory worker() const noexcept { return worker_memory(worker_); }
  [[nodiscard]] segment::WorkerMemory dead() const noexcept { return worker_memory(dead_); }
  [[nodiscard]] OwnerId owner() const noexcept { return owner_of(kWorker, 0); }
  [[nodiscard]] static std::string key_text(std::uint8_t number);
  [[nodiscard]] static segment::KeyView key_of(std::string_view text) noexcept;
  [[nodiscard]] std::uint64_t offset_from(Input& input) const;

  static constexpr WorkerId kWorker{9};
  static constexpr WorkerId kDead{10};

 private:
  struct Saved {
    std::vector<std::byte> block;
    std::vector<std::byte> readers;
    std::vector<std::byte> worker;
    std::vector<std::byte> dead;
    std::vector<std::uint64_t> nodes;  // offsets
    std::vector<std::uint64_t> slots;  // offsets of those that are not empty
  };
  [[nodiscard]] static segment::WorkerMemory worker_memory(const Guarded& bytes) noexcept {
    return {bytes.data(), kRingRecords};
  }
  [[nodiscard]] static std::size_t lane_at(std::uint64_t number);
  void make(Image image);
  void make_entries(Image image);
  void leave_in_flight();
  void save(Saved& saved);
  void open_writer(const Guarded& worker, WorkerId id, unsigned lane);
  segment::Outcome apply(std::string_view key, const segment::Mutation& mutation);
  segment::Outcome put(std::string_view key, std::string_view value, Op op = Op::put);
  [[nodiscard]] std::byte* place(Input& input, std::uint64_t& bytes) const;
  [[nodiscard]] std::uint64_t value(Input& input, std::uint64_t now) const;
  [[nodiscard]] std::uint64_t word_in_block(std::uint64_t offset) const noexcept;

  Guarded block_{kBlockBytes};
  Guarded readers_{104 * 1024};
  Guarded control_{4'096};
  Guarded worker_{(layout::worker_bytes(kRingRecords) + 4'095) / 4'096 * 4'096};
  Guarded dead_{(layout::worker_bytes(kRingRecords) + 4'095) / 4'096 * 4'096};
  std::optional<segment::BlockMemory> memory_;
  std::optional<AuditRingWriter> ring_;
  std::optional<segment::Writer> writer_;
  Saved saved_[kImages];
  const Saved* now_ = nullptr;
};

}  // namespace sessionblocks::fuzz
