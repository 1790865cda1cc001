// web-sessions-worker: what the scripts of web-sessions.toml run. The role is its first argument.
//
//   prepare  fills in the settings and the list of partitions
//   count    claims partitions and counts their lines, until none is left
//   report   waits until all partitions are done, adds the entries up, writes out/report.json
//
// Files are found beside the program, where the driver put them. Any role may be killed at any
// instruction and run again.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <sessionblocks/sessionblocks.hpp>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "chaos_board.hpp"
#include "entry_names.hpp"
#include "line_index.hpp"
#include "partition_counter.hpp"
#include "totals.hpp"

namespace {

using demo::numbered;
using sessionblocks::Block;
using sessionblocks::Errc;
using sessionblocks::Result;
using sessionblocks::Session;
using sessionblocks::Version;

constexpr std::int64_t kPartitions = 16;
constexpr std::chrono::seconds kPatience{30};

std::filesystem::path run_folder() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path();
}

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch().count();
}

Result<void> prepare(Session& session) {
  auto settings = session.open("defaults");
  if (!settings) return tl::unexpected(settings.error());
  auto visitors = session.open("visitors");
  if (!visitors) return tl::unexpected(visitors.error());
  for (std::size_t partition = 0; partition < kPartitions; ++partition) {
    const auto added = visitors->add(numbered(demo::kPartitionPrefix, partition), demo::kFree);
    if (!added && added.error() != Errc::exists) return tl::unexpected(added.error());
  }
  return settings->put("session_gap_s", 1'800)
      .and_then([&](Version) { return settings->put("lines_per_save", 64); })
      .and_then([&](Version) { return settings->put("started_ns", now_ns()); })
      .and_then([&](Version) { return settings->put("partitions", kPartitions); })  // the last one
      .map([](Version) {});
}

// Waits for a setting: the script that fills them in starts at the same time as its readers.
Result<std::int64_t> setting(const Block& settings, std::string_view name) {
  const auto present = settings.wait(name, Version{0}, kPatience);
  if (!present) return tl::unexpected(present.error());
  return settings.get<std::int64_t>(name).map([](const auto& entry) { return entry.value; });
}

// The file's text for as long as the process lives.
std::optional<std::string_view> map_file(const std::filesystem::path& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  struct stat info {};
  std::optional<std::string_view> text;
  if (fstat(fd, &info) == 0 && info.st_size == 0) text.emplace();
  if (info.st_size > 0) {
    const auto size = static_cast<std::size_t>(info.st_size);
    void* const mapped = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped != MAP_FAILED) text.emplace(static_cast<const char*>(mapped), size);
  }
  close(fd);
  return text;
}

Result<void> count(Session& session) {
  const auto settings = session.open("settings");
  if (!settings) return tl::unexpected(settings.error());
  auto visitors = session.open("visitors");
  if (!visitors) return tl::unexpected(visitors.error());
  auto progress = session.open("progress");
  if (!progress) return tl::unexpected(progress.error());
  const auto partitions = setting(*settings, "partitions");  // once it is there, all are
  if (!partitions) return tl::unexpected(partitions.error());
  const auto gap_s = setting(*settings, "session_gap_s");
  if (!gap_s) return tl::unexpected(gap_s.error());
  const auto lines_per_save = setting(*settings, "lines_per_save");
  if (!lines_per_save) return tl::unexpected(lines_per_save.error());

  const auto text = map_file(run_folder() / "input.log");
  if (!text) return sessionblocks::fail(Errc::io_error, "cannot read input.log");
  const demo::LineIndex index(*text, static_cast<std::size_t>(*partitions));
  const auto board = demo::open_chaos_board(run_folder() / "out" / "chaos.board");
  if (!board) return sessionblocks::fail(Errc::io_error, "cannot map out/chaos.board");
  demo::ChaosWatch watch(*board, session.worker_slot());
  const demo::CountSettings count_settings{
      .session_gap_s = *gap_s, .lines_per_save = static_cast<std::uint64_t>(*lines_per_save)};
  demo::PartitionCounter<Block> counter(*visitors, *progress, session.scope(), count_settings,
                                        watch);
  for (std::size_t step = 0; step < index.partitions(); ++step) {
    // Slots begin at different places, so that they seldom want the same partition.
    const std::size_t partition = (step + session.worker_slot() * 4) % index.partitions();
    const auto claimed = counter.claim(partition);
    if (!claimed) return tl::unexpected(claimed.error());
    if (!*claimed) continue;
    if (auto counted = counter.count(partition, index.lines(partition)); !counted) return counted;
  }
  watch.finished();
  return {};
}

// Each change of a partition's entry wakes the wait; its time limit only bounds one look.
Result<void> wait_until_done(const Block& visitors, std::size_t partition) {
  const std::string key = numbered(demo::kPartitionPrefix, partition);
  for (;;) {
    const auto entry = visitors.get<std::string>(key);
    if (!entry) return tl::unexpected(entry.error());
    if (entry->value == demo::kDone) return {};
    const auto changed = visitors.wait(key, entry->version, kPatience);
    if (!changed && changed.error() != Errc::timed_out) return tl::unexpected(changed.error());
  }
}

Result<void> write_report(const nlohmann::json& report) {
  const std::filesystem::path path = run_folder() / "out" / "report.json";
  const std::filesystem::path unfinished = run_folder() / "out" / "report.json.part";
  std::ofstream file(unfinished);
  file << report.dump() << '\n';
  file.close();
  std::error_code problem;
  if (file) std::filesystem::rename(unfinished, path, problem);
  if (!file || problem) return sessionblocks::fail(Errc::io_error, "cannot write " + path.string());
  return {};
}

Result<void> report(Session& session) {
  const auto settings = session.open("settings");
  if (!settings) return tl::unexpected(settings.error());
  const auto visitors = session.open("visitors");
  if (!visitors) return tl::unexpected(visitors.error());
  const auto partitions = setting(*settings, "partitions");
  if (!partitions) return tl::unexpected(partitions.error());
  const auto started_ns = setting(*settings, "started_ns");
  if (!started_ns) return tl::unexpected(started_ns.error());
  for (std::size_t partition = 0; partition < static_cast<std::size_t>(*partitions); ++partition) {
    if (auto done = wait_until_done(*visitors, partition); !done) return done;
  }
  const std::int64_t elapsed_ns = now_ns() - *started_ns;

  demo::Totals totals;
  std::string strange;
  const auto shown = visitors->for_each("", [&](const sessionblocks::EntryView& entry) {
    if (!totals.add(entry.key, entry.value)) strange = entry.key;
    return strange.empty();
  });
  if (!shown) return tl::unexpected(shown.error());
  if (!strange.empty() || !totals.is_consistent())
    return sessionblocks::fail(Errc::corrupt, strange);
  nlohmann::json result = totals.report();
  result["elapsed_ns"] = elapsed_ns;
  return write_report(result);
}

Result<void> run(std::string_view role) {
  auto session = Session::attach();
  if (!session) return tl::unexpected(session.error());
  if (role == "prepare") return prepare(*session);
  if (role == "count") return count(*session);
  if (role == "report") return report(*session);
  return sessionblocks::fail(Errc::invalid_argument, "the roles are prepare, count, report");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view role = argc == 2 ? argv[1] : "";
  const auto done = run(role);
  if (done) return 0;
  std::cerr << "web-sessions-worker " << role << ": " << done.error().message() << '\n';
  return done.error() == Errc::invalid_argument ? 2 : 1;
}
