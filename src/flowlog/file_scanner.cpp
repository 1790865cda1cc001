#include "flowlog/file_scanner.hpp"

#include <charconv>
#include <cstdio>
#include <cstring>

namespace sessionblocks::flowlog {

namespace {
constexpr std::size_t kWindowBytes = 1U << 20U;
constexpr std::string_view kPrefix = "flow-";
constexpr std::string_view kSuffix = ".sblog";
}  // namespace

// What the file has of [at, at + bytes); more than asked for when it is at hand.
Result<std::span<const std::byte>> FileScanner::window(std::uint64_t at, std::size_t bytes) {
  const bool is_inside = at >= window_at_ && at - window_at_ + bytes <= window_.size();
  if (!is_inside) {
    window_.resize(std::max(bytes, kWindowBytes));
    auto count = file_.read_at(at, window_);
    if (!count) return tl::unexpected(std::move(count).error());
    window_.resize(*count);
    window_at_ = at;
  }
  return std::span<const std::byte>(window_).subspan(static_cast<std::size_t>(at - window_at_));
}

Result<Step> FileScanner::look(std::uint64_t at, Frame& frame) {
  auto bytes = window(at, sizeof(FrameHeader));
  if (!bytes) return tl::unexpected(std::move(bytes).error());
  if (bytes->empty()) return Step::end;
  FrameState state = read_frame(*bytes, frame);
  if (state == FrameState::torn && bytes->size() >= sizeof(FrameHeader)) {
    bytes = window(at, sizeof(FrameHeader) + frame.header.payload_bytes);
    if (!bytes) return tl::unexpected(std::move(bytes).error());
    state = read_frame(*bytes, frame);
  }
  if (state == FrameState::whole) return Step::frame;
  return state == FrameState::torn ? Step::torn : Step::malformed;
}

Result<Step> FileScanner::next(Frame& frame) {
  auto step = look(next_at_, frame);
  if (step && *step == Step::frame) {
    frame_at_ = next_at_;
    next_at_ += sizeof(FrameHeader) + frame.header.payload_bytes;
  }
  return step;
}

Result<bool> FileScanner::resync() {
  for (std::uint64_t at = next_at_ + 1;; ++at) {
    auto bytes = window(at, sizeof(FrameHeader));
    if (!bytes) return tl::unexpected(std::move(bytes).error());
    if (bytes->size() < sizeof(FrameHeader)) return false;
    std::uint32_t magic = 0;
    std::memcpy(&magic, bytes->data(), sizeof magic);
    if (magic != kFrameMagic) continue;
    Frame frame;
    auto step = look(at, frame);
    if (!step) return tl::unexpected(std::move(step).error());
    if (*step != Step::frame) continue;
    // What was being written when it was looked at is whole by now, if what comes behind it is.
    auto again = look(next_at_, frame);
    if (!again) return tl::unexpected(std::move(again).error());
    if (*again != Step::frame) next_at_ = at;
    return true;
  }
}

std::string log_file_name(std::uint64_t number) {
  std::string digits = std::to_string(number);
  if (digits.size() < 10) digits.insert(0, 10 - digits.size(), '0');
  return std::string(kPrefix) + digits + std::string(kSuffix);
}

Result<std::vector<std::uint64_t>> log_files(const std::string& folder) {
  auto names = platform::list_folder(folder);
  if (!names) return tl::unexpected(std::move(names).error());
  std::vector<std::uint64_t> numbers;
  for (const std::string& name : *names) {
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size() - kSuffix.size();
    const auto parsed = std::from_chars(name.data() + kPrefix.size(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) numbers.push_back(number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

}  // namespace sessionblocks::flowlog
