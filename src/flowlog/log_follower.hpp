// Reads a log as it is written, from one director's files to the next one's: what `tail -F` does.
//
// Reads files only, so no worker waits for it, and keeps one file open: one that the disk budget
// removes meanwhile is read to its end. Files that were removed before it came to them are a gap
// that says how many. A log that is not there yet is waited for; one that was taken away too, and
// the one in its place is read from its start. One thread; it never sleeps, callers do.
#pragma once

#include <optional>
#include <string>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

class LogFollower {
 public:
  enum class From : std::uint8_t {
    now,     // what is not yet in the files; all of a log that begins later
    oldest,  // all that is there
  };
  enum class State : std::uint8_t { missing, present, taken_away };

  LogFollower(std::string folder, From from) : folder_(std::move(folder)), from_(from) {}

  // False: nothing more for now. denied, io_error: the log cannot be read; out_of_memory.
  [[nodiscard]] Result<bool> next(Entry& entry);
  // As of the last next().
  [[nodiscard]] State state() const noexcept { return state_; }
  // Of the last entry; there was one.
  [[nodiscard]] const LogReader& reader() const noexcept { return *reader_; }

 private:
  [[nodiscard]] Result<bool> open();

  std::string folder_;
  From from_;
  State state_ = State::missing;
  std::optional<LogReader> reader_;
};

}  // namespace sessionblocks::flowlog
