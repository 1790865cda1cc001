// What the director does, from before it shows until it is in the log's files.
//
// Notes wait for the log's thread in the director's memory, which dies with it. So each is also
// appended, by one write(), to the file `transitions` beside the log's. Rows of that file: one
// when something is begun, one when it is done and has its number, one when it was not done. The
// next director takes from it what the log's files lack, and notes as interrupted what was begun
// and neither done nor withdrawn. The file is emptied when the log has all of it.
//
// A row is { bytes of the payload 4, checksum 4 } and the payload; a torn one ends the file.
// A file that cannot be written costs only this: what a director did last is not in the log when it
// is killed. Nothing here reports that; a disk that refuses the log says so itself.
//
// One thread at a time.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flowlog/log_state.hpp"
#include "platform/disk_file.hpp"

namespace sessionblocks::flowlog {

class TransitionJournal {
 public:
  // What the log lacks: those from number `next` on that were done, in their order, then those that
  // were begun. All have their numbers, and stay in the file until forget().
  [[nodiscard]] std::vector<Note> open(const std::string& path, std::uint64_t next);

  [[nodiscard]] std::uint64_t begin(const Note& note);
  // The note with its number.
  [[nodiscard]] Note tell(Note note, std::uint64_t begun);
  void withdraw(std::uint64_t begun);
  // All before `next` is in the log: nothing is kept when that is all and nothing is under way,
  // from a size on or at once.
  enum class When : std::uint8_t { grown, at_once };
  void forget(std::uint64_t next, When when = When::grown);

 private:
  enum class Row : std::uint8_t { begun = 1, done = 2, withdrawn = 3 };

  void append(Row kind, std::uint64_t begun, const Note& note);
  [[nodiscard]] std::vector<Note> read(std::uint64_t next);

  platform::DiskFile file_;
  std::uint64_t file_bytes_ = 0;
  std::map<std::uint64_t, Note> begun_;
  std::uint64_t next_begun_ = 1;
  std::uint64_t next_ = 1;  // number of the next transition
};

}  // namespace sessionblocks::flowlog
