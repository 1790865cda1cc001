// Entries of the log on stdout: as a table, JSON lines, or a trace.
#pragma once

#include "flowlog/trace.hpp"
#include "output.hpp"

namespace sessionblocks::ctl {

class LogPrinter {
 public:
  explicit LogPrinter(Format format) : format_(format) {}

  // What stands before the first entry; once, however often it is called.
  void begin();
  // After begin(). `reader` is where the entry comes from.
  void add(const flowlog::Entry& entry, const flowlog::LogReader& reader);
  void end();
  // Whether an entry said that the log does not hold.
  [[nodiscard]] bool has_problem() const noexcept { return has_problem_; }

 private:
  [[nodiscard]] std::string line_of(const flowlog::Entry& entry,
                                    const flowlog::LogReader& reader) const;

  Format format_;
  bool has_begun_ = false;
  bool has_problem_ = false;
  flowlog::Trace trace_;
};

}  // namespace sessionblocks::ctl
