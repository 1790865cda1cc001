// What verify found, as lines for people.
#include "flowlog/frame_text.hpp"
#include "flowlog/text.hpp"
#include "flowlog/verify.hpp"

namespace sessionblocks::flowlog {

namespace {

std::string count_text(std::uint64_t count, const std::string& thing) {
  return std::to_string(count) + " " + thing + (count == 1 ? "" : "s");
}

std::string place_text(const Place& place) {
  return place.file + " at byte " + std::to_string(place.offset);
}

std::string range_text(std::uint64_t first, std::uint64_t last) {
  return first == last ? std::to_string(first)
                       : std::to_string(first) + " to " + std::to_string(last);
}

std::string summary_text(const VerifyReport& report) {
  std::string line = report.is_whole()
                         ? std::string("whole: ")
                         : "NOT WHOLE: " + count_text(report.problems, "problem") +
                               ", the first in " + place_text(report.first_place) + ": " +
                               escaped(report.first_problem) + "; what can be read: ";
  line += count_text(report.operations, "operation") + " in " +
          count_text(report.records, "record") + " from " + count_text(report.lanes, "thread") +
          ", " + count_text(report.notes, "note");
  if (report.missing_cells != 0) {
    line += ", " + count_text(report.missing_cells, "ring cell") + " counted but not kept";
  }
  if (report.files == 0) return line;
  return line + ", in " + count_text(report.files, "file") + " from " + report.first_file + " on";
}

// How far back it reaches; nothing when nothing has gone.
std::string beginning_text(const VerifyReport& report) {
  if (report.first_number <= 1) return {};
  const std::uint64_t gone = report.first_number - 1;
  std::string line = "\nbegins with file " + std::to_string(report.first_number) + ", at " +
                     utc_text(report.begins_unix_ms) + ": ";
  if (report.removed_files != 0) {
    line += "of the files before it the disk budget took " + range_text(1, report.removed_files);
  }
  if (report.removed_files == gone) return line;
  return line + (report.removed_files == 0 ? "" : "; ") + "of files " +
         range_text(report.removed_files + 1, gone) + " nothing says where they are";
}

std::string signed_text(const VerifyReport& report) {
  const CheckpointReport& done = report.checkpoints;
  if (done.count == 0) return "\nnot signed: chained only";
  std::string line = "\nsigned: all before " + place_text(done.last_place) + ", by " +
                     count_text(done.count, "checkpoint") + ", the last is number " +
                     std::to_string(done.last_number) + " of " + utc_text(done.last_unix_ms);
  if (done.records_behind + done.notes_behind == 0) return line;
  return line + "; behind it " + count_text(done.records_behind, "record") + " and " +
         count_text(done.notes_behind, "note") + " are chained only";
}

std::string missing_text(const LaneReport& lane, bool is_stated) {
  std::string text;
  std::uint64_t listed = 0;
  for (const MissingCells& missing : lane.missing) {
    if (missing.is_stated != is_stated || missing.cells == 0) continue;
    text +=
        (text.empty() ? ": " : ", ") + range_text(missing.first, missing.first + missing.cells - 1);
    listed += missing.cells;
  }
  const std::uint64_t all = is_stated ? lane.stated_cells : lane.unstated_cells;
  return text + (listed < all ? ", and more" : "");
}

std::string range_line(const LaneReport& lane, bool names_system, bool says_signed) {
  std::string line = "\n" + lane_text(lane.lane);
  if (!lane.scope.empty()) line += " (" + escaped(lane.scope) + ")";
  if (names_system) line += ", session system " + std::to_string(lane.system);
  line += ": numbers " + range_text(lane.first, lane.next == 0 ? 0 : lane.next - 1);
  if (says_signed && lane.signed_next <= lane.first) line += ", none of them signed";
  if (says_signed && lane.signed_next > lane.first && lane.signed_next < lane.next) {
    line += ", signed up to " + std::to_string(lane.signed_next - 1);
  }
  if (lane.stated_cells != 0) {
    line +=
        "; counted but not kept " + std::to_string(lane.stated_cells) + missing_text(lane, true);
  }
  if (lane.unstated_cells != 0) {
    line += "; MISSING " + std::to_string(lane.unstated_cells) + missing_text(lane, false);
  }
  return line;
}

}  // namespace

std::string VerifyReport::text() const {
  std::string lines = summary_text(*this) + beginning_text(*this) + signed_text(*this);
  const bool names_system = !lane_reports.empty() && lane_reports.back().system > 1;
  for (const LaneReport& lane : lane_reports) {
    lines += range_line(lane, names_system, checkpoints.count != 0);
  }
  return lines;
}

}  // namespace sessionblocks::flowlog
