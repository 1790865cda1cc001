#include "flowguard/process_count.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "platform/proc_file.hpp"

namespace sessionblocks::flowguard {
namespace {

std::vector<std::int32_t> all_processes() {
  std::vector<std::int32_t> pids;
  std::error_code error;
  std::filesystem::directory_iterator at("/proc", error);
  for (; !error && at != std::filesystem::directory_iterator(); at.increment(error)) {
    const std::string name = at->path().filename().native();
    std::int32_t pid = 0;
    const auto [end, wrong] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (wrong == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

}  // namespace

void ProcessCount::look() {
  constexpr int kGroup = 5;
  if (left_.empty()) {
    counted_ = std::exchange(counting_, {});
    left_ = all_processes();
  }
  for (std::size_t i = 0; i < kAtOnce && !left_.empty(); ++i) {
    const auto line = platform::read_proc_file("/proc/" + std::to_string(left_.back()) + "/stat");
    left_.pop_back();
    const auto group = line ? platform::stat_field(*line, kGroup) : std::nullopt;
    if (group) ++counting_[static_cast<std::int32_t>(*group)];
  }
}

std::uint64_t ProcessCount::in_group(std::int32_t leader) const {
  const auto of = [leader](const std::map<std::int32_t, std::uint64_t>& counts) {
    const auto found = counts.find(leader);
    return found == counts.end() ? 0 : found->second;
  };
  return std::max(of(counting_), of(counted_));
}

}  // namespace sessionblocks::flowguard
