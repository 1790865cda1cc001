#include "flowlog/verify.hpp"

#include <chrono>
#include <set>
#include <thread>

namespace sessionblocks::flowlog {

namespace {

constexpr unsigned kLooks = 20;
constexpr std::chrono::milliseconds kBetweenLooks{5};

void add_problem(VerifyReport& report, const LogReader& reader, std::string what) {
  if (report.problems++ != 0) return;
  report.first_problem = std::move(what);
  report.first_place = reader.place();
}

}  // namespace

Result<VerifyReport> verify(const std::string& folder) {
  auto reader = LogReader::open(folder);
  if (!reader) return tl::unexpected(std::move(reader).error());
  if (auto ended = reader->end_here(); !ended) return tl::unexpected(std::move(ended).error());
  VerifyReport report;
  std::set<LaneRef> lanes;
  std::set<std::string> files;
  Entry entry;
  for (unsigned looks = 0; looks < kLooks;) {
    auto more = reader->next(entry);
    if (!more) return tl::unexpected(std::move(more).error());
    if (!*more) {
      // What is being written now is whole in a moment; what a crash tore stays torn.
      if (!reader->has_torn_tail()) break;
      ++looks;
      std::this_thread::sleep_for(kBetweenLooks);
      continue;
    }
    files.insert(reader->place().file);
    switch (entry.kind) {
      case EntryKind::record:
        ++report.records;
        if (entry.record.op != Op::define_key) report.operations += entry.record.count;
        lanes.insert(entry.record.lane);
        break;
      case EntryKind::note:
        ++report.notes;
        if (entry.note.kind == NoteKind::damage) add_problem(report, *reader, entry.note.text);
        break;
      case EntryKind::gap:
        report.missing_cells += entry.cells;
        break;
      case EntryKind::problem:
        add_problem(report, *reader, entry.problem);
        break;
    }
  }
  report.lanes = lanes.size();
  report.files = files.size();
  if (!files.empty()) report.first_file = *files.begin();
  report.has_torn_tail = reader->has_torn_tail();
  if (report.has_torn_tail) {
    add_problem(report, *reader, "the last frame is cut short: a crash or somebody cut it");
  }
  return report;
}

namespace {
std::string count_text(std::uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}
}  // namespace

std::string VerifyReport::text() const {
  std::string line = is_whole()
                         ? std::string("whole: ")
                         : "NOT WHOLE: " + count_text(problems, "problem") + ", the first in " +
                               first_place.file + " at byte " + std::to_string(first_place.offset) +
                               ": " + first_problem + "; what can be read: ";
  line += count_text(operations, "operation") + " in " + count_text(records, "record") + " from " +
          count_text(lanes, "thread") + ", " + count_text(notes, "note");
  if (missing_cells != 0) {
    line += ", " + count_text(missing_cells, "ring cell") + " counted but not kept";
  }
  if (files == 0) return line;
  return line + ", in " + count_text(files, "file") + " from " + first_file + " on";
}

}  // namespace sessionblocks::flowlog
