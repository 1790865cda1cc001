// Entries of a log in Chrome's Trace Event Format, as a JSON array: what ui.perfetto.dev and
// chrome://tracing open.
//
// A scope is a process, a worker a thread, an operation an instant on its thread: the log knows
// when it was done, not how long it took. Notes of the director, and what is missing, are global
// instants. `args` is the entry as `-o json` shows it. Times are in us since 1970, in the log's
// steps of a few ms.
// Invariant: begin(), any number of add(), end(), one after the other, are a JSON document.
#pragma once

#include <map>
#include <set>
#include <string>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

class Trace {
 public:
  [[nodiscard]] static std::string begin() { return "["; }
  // The entry's event, behind those that name its process and thread when these are new.
  [[nodiscard]] std::string add(const Entry& entry, const LogState& state);
  [[nodiscard]] static std::string end() { return "\n]\n"; }

 private:
  struct Place {
    std::uint64_t process = 0;
    std::uint32_t thread = 0;
  };
  [[nodiscard]] Place place_of(std::uint32_t worker, const LogState& state);
  void put_name(std::string_view kind, Place place, std::string_view name);
  void put_event(std::string_view event);

  std::string out_;  // of the add() under way
  bool is_first_ = true;
  std::int64_t last_unix_ms_ = 0;
  std::uint64_t next_process_ = 1;
  std::map<std::string, std::uint64_t, std::less<>> processes_;  // by scope
  std::set<std::pair<std::uint64_t, std::uint32_t>> named_;      // threads that have a name
};

}  // namespace sessionblocks::flowlog
