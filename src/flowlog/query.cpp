#include "flowlog/query.hpp"

#include "flowlog/entry_fields.hpp"
#include "flowlog/json_object.hpp"

namespace sessionblocks::flowlog {

namespace {

bool asks_for_definitions(const Query& query) {
  return (query.ops & bit_of(Op::define_key)) != 0 ||
         (query.expression && query.expression->asks_for_definitions());
}

bool record_matches(const Query& query, const LogRecord& record) {
  if (record.op == Op::define_key && !asks_for_definitions(query)) return false;
  if (query.ops != 0 && (query.ops & bit_of(record.op)) == 0) return false;
  if (query.outcome && record.outcome != *query.outcome) return false;
  if (query.key && !(record.has_key && record.key == *query.key)) return false;
  return !query.key_prefix || (record.has_key && record.key.starts_with(*query.key_prefix));
}

void put_who(JsonObject& json, std::uint32_t worker, const LogState& state) {
  if (worker == 0) return;
  json.number("worker", worker);
  const std::string_view scope = state.scope_of(worker);
  if (!scope.empty()) json.text("scope", scope);
}

void put_block(JsonObject& json, BlockRef block, const LogState& state) {
  if (block.word == 0) return;
  json.text("block", block_text(block.block(), state));
  json.number("block_id", raw(block.block()));
  json.number("generation", raw(block.generation()));
}

void put_record(JsonObject& json, const LogRecord& record, const LogState& state) {
  put_who(json, record.lane.worker, state);
  json.number("lane", record.lane.lane);
  json.number("sequence", record.sequence);
  put_block(json, record.block, state);
  json.text("op", word(record.op));
  json.text("outcome", outcome_text(record.outcome));
  if (record.has_key) {
    const bool is_text = is_utf8(record.key);
    json.text(is_text ? "key" : "key_base64", is_text ? record.key : base64(record.key));
  }
  if (record.key_id != 0) json.number("key_id", record.key_id);
  json.number("version", record.version);
  if (!record.key_inline) json.number("size", record.value_bytes);
  if (record.count != 1) json.number("count", record.count);
}

void put_gap(JsonObject& json, const Entry& entry, const LogState& state) {
  if (entry.files != 0) {
    json.number("missing_files", entry.files);
    json.number("missing_at_least", entry.cells);
    return;
  }
  put_who(json, entry.record.lane.worker, state);
  json.number("lane", entry.record.lane.lane);
  json.number("sequence", entry.record.sequence);
  json.number("missing", entry.cells);
}

// One column after the other, each as wide as what it usually holds: rows are shown as they come,
// so the widest cell is not known.
class Row {
 public:
  Row& left(std::string_view cell, std::size_t width) {
    line_.append(cell).append(cell.size() < width ? width - cell.size() : 0, ' ').append(2, ' ');
    return *this;
  }
  Row& right(std::string_view cell, std::size_t width) {
    line_.append(cell.size() < width ? width - cell.size() : 0, ' ').append(cell).append(2, ' ');
    return *this;
  }
  [[nodiscard]] std::string end() {
    line_.erase(line_.find_last_not_of(' ') + 1);
    return std::move(line_);
  }

 private:
  std::string line_;
};

struct Cells {
  std::string time, worker, scope, block, operation, outcome, version, bytes, key;
};

std::string row_of(const Cells& cells) {
  return Row()
      .left(cells.time, 24)
      .right(cells.worker, 6)
      .left(cells.scope, 20)
      .left(cells.block, 12)
      .left(cells.operation, 15)
      .left(cells.outcome, 10)
      .right(cells.version, 8)
      .right(cells.bytes, 8)
      .left(cells.key, 0)
      .end();
}

void put_worker(Cells& cells, std::uint32_t worker, const LogState& state) {
  if (worker == 0) return;
  cells.worker = std::to_string(worker);
  cells.scope = escaped(state.scope_of(worker));
}

std::string transition_text(const Note& note) {
  std::string text = escaped(note.subject);
  if (!note.text.empty()) text += ": " + escaped(note.text);
  if (!note.by.empty()) text += "; asked for by " + escaped(note.by);
  if (note.kind == NoteKind::interrupted) {
    text += "; its director died while it did this: what holds now is what came of it";
  }
  return text;
}

void put_transition(JsonObject& json, const Note& note) {
  json.text("what", note.what);
  json.text("subject", note.subject);
  json.number("number", note.number);
  if (note.second != 0) json.number("left_out", note.second);
  if (!note.by.empty()) json.text("by", note.by);
}

// Words that a worker's record has too would mislead; these are the director's.
std::string note_text(const Note& note) {
  if (is_transition(note.kind)) return transition_text(note);
  if (note.kind == NoteKind::worker_added || note.kind == NoteKind::opened) return {};
  std::string text = escaped(note.text);
  if (note.kind == NoteKind::counted) {
    text = note.block.word == 0 ? std::to_string(note.number) + " operations lost to full rings"
                                : std::to_string(note.number) + " reads and " +
                                      std::to_string(note.second) + " writes without records";
  } else if (note.kind == NoteKind::undrained) {
    text = std::to_string(note.number) + " ring cells that the disk did not take";
  }
  return text;
}

std::string gap_text(const Entry& entry) {
  const std::string cells = std::to_string(entry.cells) + " ring cells";
  if (entry.files == 0) return cells + ", counted but not kept";
  return std::to_string(entry.files) + (entry.files == 1 ? " file" : " files") +
         " of the log, removed before they were read, with at least " + cells;
}

}  // namespace

bool matches(const Query& query, const Entry& entry, const LogState& state) {
  if (entry.kind == EntryKind::problem || entry.files != 0) return true;
  const std::uint32_t worker = worker_of(entry);
  if (query.worker && worker != *query.worker) return false;
  if (query.from_unix_ms && entry.record.unix_ms < *query.from_unix_ms) return false;
  if (query.to_unix_ms && entry.record.unix_ms >= *query.to_unix_ms) return false;
  if (!query.scope.empty() && !is_in_scope(state.scope_of(worker), query.scope)) return false;
  const BlockRef block = block_of(entry);
  if (!query.block.empty() && (block.word == 0 || !is_block(block.block(), query.block, state))) {
    return false;
  }
  const bool is_record = entry.kind == EntryKind::record;
  const bool has_other = is_record
                             ? record_matches(query, entry.record)
                             : !query.key && !query.key_prefix && !query.outcome && query.ops == 0;
  return has_other && (!query.expression || query.expression->matches(entry, state));
}

Result<bool> next_match(LogReader& reader, const Query& query, Entry& entry) {
  while (true) {
    auto more = reader.next(entry);
    if (!more || !*more || matches(query, entry, reader.state())) return more;
  }
}

std::string json_line(const Entry& entry, const LogState& state) {
  JsonObject json;
  if (entry.kind == EntryKind::problem) {
    json.text("problem", entry.problem);
    return json.end();
  }
  json.text("time", utc_text(entry.record.unix_ms));
  if (entry.kind == EntryKind::record) {
    put_record(json, entry.record, state);
  } else if (entry.kind == EntryKind::gap) {
    put_gap(json, entry, state);
  } else {
    put_who(json, entry.note.worker, state);
    json.text("note", word(entry.note.kind));
    put_block(json, entry.note.block, state);
    if (is_transition(entry.note.kind)) {
      put_transition(json, entry.note);
    } else if (entry.note.kind == NoteKind::counted) {
      json.number(entry.note.block.word == 0 ? "lost" : "reads", entry.note.number);
      json.number("writes", entry.note.second);
    } else if (entry.note.number != 0) {
      json.number("number", entry.note.number);
    }
    if (!entry.note.text.empty()) json.text("text", entry.note.text);
  }
  return json.end();
}

std::string table_head() {
  return row_of({"TIME (UTC)", "WORKER", "SCOPE", "BLOCK", "OPERATION", "OUTCOME", "VERSION",
                 "BYTES", "KEY OR NOTE"});
}

std::string table_row(const Entry& entry, const LogState& state) {
  const LogRecord& record = entry.record;
  if (entry.kind == EntryKind::problem) return "PROBLEM " + escaped(entry.problem);
  Cells cells;
  cells.time = utc_text(record.unix_ms);
  if (entry.kind == EntryKind::gap) {
    put_worker(cells, record.lane.worker, state);
    cells.operation = "missing";
    cells.key = gap_text(entry);
    return row_of(cells);
  }
  if (entry.kind == EntryKind::note) {
    put_worker(cells, entry.note.worker, state);
    if (entry.note.block.word != 0) {
      cells.block = escaped(block_text(entry.note.block.block(), state));
    }
    cells.operation = is_transition(entry.note.kind) ? entry.note.what : word(entry.note.kind);
    cells.key = note_text(entry.note);
    return row_of(cells);
  }
  put_worker(cells, record.lane.worker, state);
  cells.block = escaped(block_text(record.block.block(), state));
  cells.operation = word(record.op);
  if (record.count != 1) cells.operation += " x" + std::to_string(record.count);
  cells.outcome = outcome_text(record.outcome);
  cells.version = std::to_string(record.version);
  if (!record.key_inline) cells.bytes = std::to_string(record.value_bytes);
  cells.key = escaped(record.key);
  if (!record.has_key && record.key_id != 0)
    cells.key = "(id " + std::to_string(record.key_id) + ")";
  return row_of(cells);
}

}  // namespace sessionblocks::flowlog
