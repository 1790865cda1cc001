// What the tests of FlowLog share: a folder that goes away, a worker's segment in private memory,
// and records to put into it.
#pragma once

#include <sys/mman.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "flowlog/flow_log.hpp"
#include "flowlog/log_reader.hpp"
#include "flowlog/verify.hpp"
#include "lockfree/audit_ring.hpp"

namespace sessionblocks::flowlog::testing {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "flowlog-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) std::abort();
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string path() const { return path_; }

 private:
  std::string path_;
};

// As a thread that takes a lane does.
inline void use_lane(std::span<std::byte> segment, unsigned lane) {
  reinterpret_cast<layout::WorkerHeader*>(segment.data())->lanes_used |= 1U << lane;
}

// A worker segment, zeroed as a fresh one is. Whoever asks for a lane uses it.
class FakeWorker {
 public:
  explicit FakeWorker(std::uint64_t ring_records)
      : ring_records_(ring_records),
        bytes_(layout::worker_bytes(ring_records)),
        memory_(::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) std::abort();
  }
  ~FakeWorker() { ::munmap(memory_, bytes_); }
  FakeWorker(const FakeWorker&) = delete;
  FakeWorker& operator=(const FakeWorker&) = delete;
  [[nodiscard]] std::byte* memory() const { return static_cast<std::byte*>(memory_); }
  [[nodiscard]] std::span<std::byte> segment() const { return {memory(), bytes_}; }
  [[nodiscard]] std::uint64_t ring_records() const { return ring_records_; }
  [[nodiscard]] layout::LaneHead& head(unsigned lane) const {
    use_lane(segment(), lane);
    return *reinterpret_cast<layout::LaneHead*>(memory() + layout::lane_at(lane, ring_records_));
  }
  [[nodiscard]] RingCell* cells(unsigned lane) const {
    return reinterpret_cast<RingCell*>(memory() + layout::lane_at(lane, ring_records_) +
                                       layout::kLaneHeadBytes + layout::kLaneCounterBytes);
  }
  [[nodiscard]] AuditRingWriter writer(unsigned lane) const {
    return {head(lane), cells(lane), ring_records_};
  }

 private:
  std::uint64_t ring_records_;
  std::size_t bytes_;
  void* memory_;
};

inline RingCell cell(Op op, std::uint64_t key_id, std::uint64_t version, std::uint32_t bytes = 8,
                     std::uint32_t time_ms = 1'000) {
  RingCell record{};
  record.op = static_cast<std::uint8_t>(op);
  record.key_id = key_id;
  record.version = version;
  record.value_bytes = bytes;
  record.time_ms = time_ms;
  record.count = 1;
  record.open = 1;
  return record;
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline const BlockRef kBlock = BlockRef::make(BlockId{7}, Generation{1});

inline LogConfig config_in(const TemporaryFolder& folder) {
  LogConfig config;
  config.folder = folder.path();
  config.system = "test";
  config.instance = {1, 2, 3};
  return config;
}

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
inline void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

inline BlockRef open_one(std::uint16_t) {
  return kBlock;
}

inline void name_worker(LogFile& log) {
  Note note;
  note.kind = NoteKind::worker_added;
  note.worker = 3;
  note.text = "shop/checkout#1";
  log.add_note(note);
}

// Adds `count` gets to a lane, from where the log stands.
inline void add_gets(LogFile& log, std::uint16_t lane, std::size_t count,
                     std::uint64_t key_id = 42) {
  const LaneRef ref{3, lane};
  const auto at = log.state().next.find(ref);
  const std::uint64_t first = at == log.state().next.end() ? 0 : at->second;
  std::vector<RingCell> cells;
  for (std::size_t i = 0; i < count; ++i) cells.push_back(cell(Op::get, key_id, first + i));
  log.add_records({ref, first, 1'000, cells}, open_one);
}

inline LogFile open_log(const LogConfig& config) {
  auto log = LogFile::open(config);
  if (!log) throw std::runtime_error(log.error().message());
  return std::move(*log);
}

// All entries of a log; notes of worker names included.
inline std::vector<Entry> read_all(const std::string& folder) {
  std::vector<Entry> entries;
  auto reader = LogReader::open(folder);
  if (!reader) return entries;
  Entry entry;
  while (reader->next(entry).value_or(false)) entries.push_back(entry);
  return entries;
}
inline std::vector<LogRecord> read_records(const std::string& folder) {
  std::vector<LogRecord> records;
  auto reader = LogReader::open(folder);
  if (!reader) return records;
  Entry entry;
  while (reader->next(entry).value_or(false)) {
    if (entry.kind == EntryKind::record) records.push_back(entry.record);
  }
  return records;
}

}  // namespace sessionblocks::flowlog::testing
