#include "log_output.hpp"

#include "flowlog/query.hpp"

namespace sessionblocks::ctl {

void LogPrinter::begin() {
  if (std::exchange(has_begun_, true)) return;
  if (format_ == Format::table) print(flowlog::table_head() + "\n");
  if (format_ == Format::trace) print(flowlog::Trace::begin());
}

void LogPrinter::add(const flowlog::Entry& entry, const flowlog::LogReader& reader) {
  has_problem_ = has_problem_ || entry.kind == flowlog::EntryKind::problem;
  if (format_ == Format::trace) return print(trace_.add(entry, reader.state()));
  print(line_of(entry, reader) + "\n");
}

void LogPrinter::end() {
  if (format_ == Format::trace) print(flowlog::Trace::end());
}

std::string LogPrinter::line_of(const flowlog::Entry& entry,
                                const flowlog::LogReader& reader) const {
  if (entry.kind == flowlog::EntryKind::problem) {
    const flowlog::Place place = reader.place();
    if (format_ == Format::json) {
      return Json{{"problem", entry.problem}, {"file", place.file}, {"offset", place.offset}}
          .dump();
    }
    return "PROBLEM in " + place.file + " at byte " + std::to_string(place.offset) + ": " +
           readable(entry.problem);
  }
  return format_ == Format::json ? flowlog::json_line(entry, reader.state())
                                 : flowlog::table_row(entry, reader.state());
}

}  // namespace sessionblocks::ctl
