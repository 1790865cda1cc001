// A segment that the director made and passes on: its own mapping, and descriptors for workers.
//
// A named segment is opened anew for each worker, by the opener thread, which cannot truncate. A
// nameless one (of an embedded system) is opened once for each kind of access before its name goes,
// and every worker gets a copy of that.
//
// The end of a SegmentFile unmaps and closes; the name stays until unlink().
// What a crash leaves: a name, or nothing if the segment is nameless.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <sessionblocks/error.hpp>
#include <span>
#include <string>

#include "platform/bus_guard.hpp"
#include "platform/mapping.hpp"
#include "platform/opener_thread.hpp"
#include "platform/shared_segment.hpp"

namespace sessionblocks::director {

enum class Naming : std::uint8_t { named, nameless };

class SegmentFile {
 public:
  // Errors leave no name. exists: a sweep has not been here; out_of_memory: no address space;
  // too_many: this process has only its spare descriptors left.
  [[nodiscard]] static Result<SegmentFile> create(const std::string& name, std::uint64_t bytes,
                                                  Naming naming, platform::OpenerThread& opener);
  // One of an earlier director.
  [[nodiscard]] static Result<SegmentFile> adopt(const std::string& name);

  // For a worker; close-on-exec. gone: the name was removed meanwhile.
  [[nodiscard]] Result<platform::UniqueFd> descriptor(platform::Access access,
                                                      platform::OpenerThread& opener) const;
  [[nodiscard]] Result<void> reserve(std::uint64_t offset, std::uint64_t bytes) const {
    return segment_.reserve(offset, bytes);
  }
  // See SharedSegment.
  [[nodiscard]] Result<void> discard() const { return segment_.discard(); }
  [[nodiscard]] std::uint64_t cut_back() const noexcept { return segment_.cut_back(); }
  [[nodiscard]] bool has_own_mode() const noexcept { return segment_.has_own_mode(); }
  [[nodiscard]] bool restore_mode() const noexcept { return segment_.restore_mode(); }
  [[nodiscard]] std::span<std::byte> memory() const noexcept {
    return {mapping_.data(), static_cast<std::size_t>(mapping_.bytes())};
  }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return segment_.bytes(); }
  // We touched a page that somebody had taken away, and got a zeroed one of our own instead.
  [[nodiscard]] bool has_lost_memory() const noexcept {
    return lost_memory_ && lost_memory_->load(std::memory_order_acquire);
  }
  // Removes the name if it is there. Again does nothing.
  void unlink() noexcept;

 private:
  SegmentFile(platform::SharedSegment segment, platform::Mapping mapping) noexcept
      : segment_(std::move(segment)), mapping_(std::move(mapping)) {}
  [[nodiscard]] static Result<SegmentFile> guarded(platform::SharedSegment segment);

  platform::SharedSegment segment_;
  platform::Mapping mapping_;
  std::unique_ptr<std::atomic<bool>> lost_memory_;  // where the guard finds it when we have moved
  platform::BusGuard guard_;                        // ends before the two that it needs
  bool has_name_ = true;
  platform::UniqueFd read_only_;   // nameless segments only
  platform::UniqueFd read_write_;  // nameless segments only
};

}  // namespace sessionblocks::director
