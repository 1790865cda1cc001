#include "flowlog/verify.hpp"

#include <set>

namespace sessionblocks::flowlog {

namespace {

void add_problem(VerifyReport& report, const LogReader& reader, std::string what) {
  if (report.problems++ != 0) return;
  report.first_problem = std::move(what);
  report.first_place = reader.place();
}

}  // namespace

Result<VerifyReport> verify(const std::string& folder) {
  auto reader = LogReader::open(folder);
  if (!reader) return tl::unexpected(std::move(reader).error());
  VerifyReport report;
  std::set<LaneRef> lanes;
  Entry entry;
  while (true) {
    auto more = reader->next(entry);
    if (!more) return tl::unexpected(std::move(more).error());
    if (!*more) break;
    switch (entry.kind) {
      case EntryKind::record:
        ++report.records;
        report.operations += entry.record.count;
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
  report.has_torn_tail = reader->has_torn_tail();
  if (report.has_torn_tail) {
    add_problem(report, *reader, "the last frame is cut short: a crash, or a write under way");
  }
  return report;
}

std::string VerifyReport::text() const {
  std::string line = std::to_string(records) + " records, " + std::to_string(notes) + " notes, " +
                     std::to_string(lanes) + " lanes";
  if (missing_cells != 0) line += ", " + std::to_string(missing_cells) + " counted but not kept";
  if (is_whole()) return line + ": whole";
  return line + ": " + std::to_string(problems) + " problems, the first in " + first_place.file +
         " at byte " + std::to_string(first_place.offset) + ": " + first_problem;
}

}  // namespace sessionblocks::flowlog
