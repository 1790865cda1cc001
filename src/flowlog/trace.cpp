#include "flowlog/trace.hpp"

#include "flowlog/entry_fields.hpp"
#include "flowlog/json_object.hpp"
#include "flowlog/query.hpp"

namespace sessionblocks::flowlog {

namespace {

// A trace that is followed for months sees any number of workers. Beyond this many names it begins
// anew: a scope that comes again is another process of the same name.
constexpr std::size_t kMaxNamed = 65'536;
constexpr std::string_view kDirector = "the director";  // no scope has a space in its name

std::string_view category_of(Op op) noexcept {
  if ((kReads & bit_of(op)) != 0) return "read";
  return (kWrites & bit_of(op)) != 0 ? "write" : "other";
}

}  // namespace

void Trace::put_event(std::string_view event) {
  out_.append(std::exchange(is_first_, false) ? "\n" : ",\n").append(event);
}

void Trace::put_name(std::string_view kind, Place place, std::string_view name) {
  JsonObject args;
  args.text("name", name);
  JsonObject event;
  event.text("name", kind);
  event.text("ph", "M");
  event.number("pid", place.process);
  event.number("tid", place.thread);
  event.json("args", args.end());
  put_event(event.end());
}

// Worker 0 is the director, in a process of its own.
Trace::Place Trace::place_of(std::uint32_t worker, const LogState& state) {
  if (named_.size() >= kMaxNamed) {
    processes_.clear();
    named_.clear();
  }
  std::string_view scope = worker == 0 ? kDirector : state.scope_of(worker);
  if (scope.empty()) scope = "scope not known";
  auto at = processes_.find(scope);
  const bool is_new = at == processes_.end();
  if (is_new) at = processes_.emplace(scope, next_process_++).first;
  const Place place{at->second, worker};
  if (is_new) put_name("process_name", place, scope);
  if (named_.emplace(place.process, place.thread).second) {
    put_name("thread_name", place,
             worker == 0 ? std::string(kDirector) : "worker " + std::to_string(worker));
  }
  return place;
}

std::string Trace::add(const Entry& entry, const LogState& state) {
  out_.clear();
  const bool is_record = entry.kind == EntryKind::record;
  // A problem has no time: it was met behind the entry before it.
  if (entry.kind != EntryKind::problem) last_unix_ms_ = entry.record.unix_ms;
  const Place place = place_of(is_record ? worker_of(entry) : 0, state);
  JsonObject event;
  if (is_record) {
    event.text("name", word(entry.record.op));
    event.text("cat", category_of(entry.record.op));
  } else if (entry.kind == EntryKind::note) {
    const Note& note = entry.note;
    event.text("name", is_transition(note.kind) ? note.what : word(note.kind));
    event.text("cat", "note");
  } else {
    event.text("name", entry.kind == EntryKind::gap ? "missing" : "problem");
    event.text("cat", "note");
  }
  event.text("ph", "i");
  event.text("s", is_record ? "t" : "g");
  // Unsigned: a log that somebody made up may wrap, and no more.
  event.number("ts", static_cast<std::int64_t>(static_cast<std::uint64_t>(last_unix_ms_) * 1'000));
  event.number("pid", place.process);
  event.number("tid", place.thread);
  event.json("args", json_line(entry, state));
  put_event(event.end());
  return std::move(out_);
}

}  // namespace sessionblocks::flowlog
