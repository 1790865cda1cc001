#include "oracle.hpp"

#include <sessionblocks/error.hpp>

#include <algorithm>
#include <cstring>

#include "platform/clock.hpp"
#include "roles.hpp"
#include "stamp.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::size_t kMostTold = 40;  // violations that are printed

[[nodiscard]] bool is_act(const JournalEntry& entry, Act act) noexcept {
  return entry.act == static_cast<std::uint8_t>(act);
}
// How the audit log names what an entry tells of.
[[nodiscard]] Op op_of(const JournalEntry& entry) noexcept {
  return is_act(entry, Act::scanned) ? Op::for_each : static_cast<Op>(entry.act);
}
[[nodiscard]] bool is_read(Op op) noexcept {
  return op == Op::get || op == Op::contains || op == Op::visit || op == Op::for_each;
}
[[nodiscard]] std::string outcome_name(std::uint16_t outcome) {
  if (outcome == kNeverEnded) return "nothing";
  return outcome == 0 ? "ok" : std::string(errc_name(static_cast<Errc>(outcome)));
}
// What a sound store may answer here.
[[nodiscard]] bool is_expected(Op op, Errc outcome) noexcept {
  if (outcome == Errc{}) return true;
  switch (outcome) {
    case Errc::not_found:
      return true;
    case Errc::conflict:
      return op == Op::compare_and_set || op == Op::visit;
    case Errc::exists:
      return op == Op::add;
    case Errc::out_of_memory:
      return !is_read(op);
    default:
      return false;
  }
}

}  // namespace

Oracle::Oracle(Board& board, const KeySet& keys, std::string log_folder, bool logs_reads)
    : board_(board),
      keys_(keys),
      log_folder_(std::move(log_folder)),
      logs_reads_(logs_reads),
      states_(keys.size()),
      history_(keys.size()) {}

void Oracle::complain(const std::string& what) {
  ++violations_;
  if (first_violations_.size() < kMostTold) first_violations_.push_back(what);
}

std::optional<std::set<std::uint32_t>> Oracle::living() const {
  std::set<std::uint32_t> workers;
  for (unsigned slot = 0; slot < kSlots; ++slot) {
    if (lives_[slot].empty() || lives_[slot].back().is_over || lives_[slot].back().worker == 0) {
      return std::nullopt;
    }
    workers.insert(lives_[slot].back().worker);
  }
  return workers;
}

void Oracle::take() {
  for (unsigned slot = 0; slot < kMostSlots; ++slot) take(slot);
}

void Oracle::take(unsigned slot) {
  Journal& journal = board_.slots[slot].journal;
  // J2 (acquire): pairs with J1.
  const std::uint64_t ended = journal.ended.load(std::memory_order_acquire);
  std::uint64_t at = journal.taken.load(std::memory_order_relaxed);
  taken_ += ended - at;
  for (; at < ended; ++at) {
    const JournalEntry& entry = journal.entries[at % kJournalEntries];
    if (is_act(entry, Act::life_begun)) {
      lives_[slot].emplace_back();
      lives_[slot].back().number = static_cast<std::uint32_t>(entry.argument);
    } else if (is_act(entry, Act::attached)) {
      lives_[slot].back().worker = static_cast<std::uint32_t>(entry.argument);
    } else if (is_act(entry, Act::life_ended)) {
      lives_[slot].back().is_over = true;
      if (entry.argument == static_cast<std::uint64_t>(LifeEnd::crashed)) {
        complain("slot " + std::to_string(slot) + " life " +
                 std::to_string(lives_[slot].back().number) + ": the worker crashed");
      }
    } else {
      lives_[slot].back().entries.push_back(entry);
    }
  }
  journal.taken.store(at, std::memory_order_release);
}

void Oracle::judge(const std::vector<FoundEntry>& entries) {
  take();
  read_log();
  for (unsigned slot = 0; slot < kMostSlots; ++slot) {
    for (Life& life : lives_[slot]) match(slot, life);
    std::erase_if(lives_[slot], [](const Life& life) { return life.is_over; });
  }
  match_director();
  for (const auto& [worker, records] : log_records_) {
    for (const Record& record : records) {
      complain("the log has a record that nobody knows of: worker " + std::to_string(worker) + " " +
               std::string(word(record.op)) + " " + keys_.name(record.key) + " version " +
               std::to_string(record.version));
    }
  }
  log_records_.clear();
  const Complain complain_here = [this](const std::string& what) { complain(what); };
  std::vector<InstantCheck> instants(instants_.begin(), instants_.end());
  for (std::uint32_t key = 0; key < keys_.size(); ++key) {
    std::vector<Done>& done = history_[key];
    KeyState& state = states_[key];
    if (rolled_back_ && !named_.contains(key)) {
      check_untouched(keys_.name(key), *rolled_back_, key, state, done, complain_here);
    }
    state.may_be_left_behind = ever_rolled_back_;
    for (InstantCheck& instant : instants) {
      instant.look(key, keys_.name(key), state, done, complain_here);
    }
    if (done.empty()) continue;
    if (on_history) on_history(key, done);
    check_key(keys_.name(key), keys_.is_counter(key), state, done, complain_here);
    done.clear();
  }
  for (const InstantCheck& instant : instants) instant.end(complain_here);
  instants_.clear();
  withheld_.clear();
  rolled_back_.reset();
  named_.clear();
  compare(entries);
}

void Oracle::know_director(std::uint32_t worker, std::uint32_t block) {
  director_ = worker;
  block_ = block;
}

void Oracle::rolled_back(const RolledBack& event) {
  rolled_back_ = event;
  ever_rolled_back_ = true;
}

void Oracle::showed(Instant instant) {
  instants_.push_back(std::move(instant));
}

// By a seal or a quarantine, which a record does not tell of.
bool Oracle::was_refused_by_state(const JournalEntry& entry) const {
  const auto outcome = static_cast<Errc>(entry.outcome);
  if (outcome != Errc::sealed && outcome != Errc::quarantined) return false;
  if (outcome == Errc::sealed && is_read(op_of(entry))) return false;
  return std::any_of(withheld_.begin(), withheld_.end(), [&](const Withheld& withheld) {
    return withheld.from_readers == (outcome == Errc::quarantined) &&
           entry.start_ns <= withheld.end_ns && entry.end_ns >= withheld.start_ns;
  });
}

bool Oracle::must_be_refused(const JournalEntry& entry) const {
  return std::any_of(withheld_.begin(), withheld_.end(), [&](const Withheld& withheld) {
    return (withheld.from_readers || !is_read(op_of(entry))) && entry.start_ns > withheld.from_ns &&
           entry.end_ns < withheld.until_ns;
  });
}

// The director's own records are those of its rollback.
void Oracle::match_director() {
  const auto records = log_records_.find(director_);
  if (records == log_records_.end()) return;
  for (const Record& record : records->second) {
    const bool is_erase = record.op == Op::erase;
    if (!rolled_back_ || (!is_erase && record.op != Op::put) || record.outcome != 0) {
      complain(keys_.name(record.key) + ": the director says that it did " +
               std::string(word(record.op)) + ", and was not asked to");
      continue;
    }
    if (!named_.insert(record.key).second) {
      complain(keys_.name(record.key) + ": rolled back twice at once");
    }
    ++brought_back_;
    history_[record.key].push_back(
        change_of(*rolled_back_, record.key, is_erase, record.version, record.value_bytes));
  }
  log_records_.erase(records);
}

// Those that tell of the operation itself and were no end of it.
void Oracle::take_side_records(unsigned slot, const Life& life, const JournalEntry& entry,
                               std::deque<Record>& records) {
  for (bool more = true; more;) {
    const std::size_t before = records.size();
    forget_refused(records, entry, Errc::gone);
    take_evictions(slot, life, entry, records);
    more = records.size() != before;
  }
}

// What another generation took over under says that it was refused (gone), and was repeated there.
// What was refused by a state in its middle may say so.
void Oracle::forget_refused(std::deque<Record>& records, const JournalEntry& entry, Errc why) {
  while (!records.empty() && static_cast<Errc>(records.front().outcome) == why &&
         records.front().op == op_of(entry) && records.front().key == entry.key) {
    records.pop_front();
  }
}

void Oracle::forget_refused(std::deque<Record>& records, const JournalEntry& entry) {
  forget_refused(records, entry, Errc::gone);
  forget_refused(records, entry, static_cast<Errc>(entry.outcome));
}

// What was refused just before `entry` and had evicted: first that, then the refusal, if it is
// told.
void Oracle::take_refused(unsigned slot, const Life& life,
                          std::vector<const JournalEntry*>& refused, const JournalEntry& entry,
                          std::deque<Record>& records) {
  const JournalEntry all = spanning(refused.empty() ? nullptr : refused.front(), entry);
  take_side_records(slot, life, all, records);
  for (const JournalEntry* one : refused) {
    forget_refused(records, *one);
    take_side_records(slot, life, all, records);
  }
  refused.clear();
}

// From the begin of the one, if there is any, to the end of the other.
JournalEntry Oracle::spanning(const JournalEntry* first, const JournalEntry& last) {
  if (first == nullptr) return last;
  JournalEntry both = *first;
  both.end_ns = last.end_ns;
  both.end_ms = last.end_ms;
  if (!is_read(op_of(last))) {
    both.act = last.act;
    both.key = last.key;
  }
  return both;
}

void Oracle::match(unsigned slot, Life& life) {
  auto& records = log_records_[life.worker];
  std::vector<const JournalEntry*> refused;  // just before, from the first write on
  for (const JournalEntry& entry : life.entries) {
    if (was_refused_by_state(entry)) {
      // What it evicted before is told from what the next one evicts by nothing.
      if (!refused.empty() || !is_read(op_of(entry))) refused.push_back(&entry);
      forget_refused(records, entry);
      ++refused_by_state_;
      continue;
    }
    if (is_act(entry, Act::scanned) && entry.outcome != 0) {
      // Another generation took over after it had shown some.
      if (static_cast<Errc>(entry.outcome) == Errc::conflict) continue;
      complain("slot " + std::to_string(slot) +
               ": for_each failed: " + std::string(errc_name(static_cast<Errc>(entry.outcome))));
      continue;
    }
    if (!logs_reads_ && is_read(op_of(entry))) {
      unrecorded(slot, life, entry);
      continue;
    }
    take_refused(slot, life, refused, entry, records);
    forget_refused(records, entry, Errc::gone);
    const Record* record = records.empty() ? nullptr : &records.front();
    match_one(slot, life, entry, record);
    if (record != nullptr) records.pop_front();
  }
  if (!refused.empty()) take_refused(slot, life, refused, *refused.back(), records);
  life.entries.clear();
  // Killed between a scan's record and the callback that would have told of it.
  if (life.is_over && records.size() == 1 && records.front().op == Op::for_each) {
    records.pop_front();
  }
  if (records.empty()) log_records_.erase(life.worker);
}

// What an operation took out to have room; it may have found none in the end, or died.
void Oracle::take_evictions(unsigned slot, const Life& life, const JournalEntry& entry,
                            std::deque<Record>& records) {
  if (board_.at_limit == AtLimit::refuse || is_read(op_of(entry))) return;
  while (!records.empty() && records.front().op == Op::evict) {
    Done done = done_of(slot, life, entry, records.front());
    done.op = Op::evict;
    done.needs_expired = board_.at_limit == AtLimit::evict_expired;
    history_[records.front().key].push_back(done);
    ++evictions_;
    if (done.was_cut_off) ++evictions_cut_off_;
    records.pop_front();
  }
}

void Oracle::unrecorded(unsigned slot, const Life& life, const JournalEntry& entry) {
  ++operations_;
  const auto outcome = static_cast<Errc>(entry.outcome);
  if (entry.outcome == kNeverEnded) {
    ++cut_off_;
  } else if (entry.torn != 0 || !is_expected(op_of(entry), outcome)) {
    complain(keys_.name(entry.key) + ": slot " + std::to_string(slot) + " life " +
             std::to_string(life.number) + " " + std::string(word(op_of(entry))) + ": answered " +
             std::string(errc_name(outcome)) + (entry.torn != 0 ? ", torn" : ""));
  } else if (entry.version != 0 && outcome == Errc{}) {
    Record record;
    record.version = entry.version;
    add(slot, life, entry, record);
  }
}

void Oracle::match_one(unsigned slot, const Life& life, const JournalEntry& entry,
                       const Record* record) {
  const Op op = op_of(entry);
  const bool was_cut_off = entry.outcome == kNeverEnded;
  const auto fault = [&](const std::string& what) {
    complain(keys_.name(entry.key) + ": slot " + std::to_string(slot) + " life " +
             std::to_string(life.number) + " worker " + std::to_string(life.worker) + " " +
             std::string(word(op)) + " version " + std::to_string(entry.version) + ": " + what);
  };
  ++operations_;
  if (was_cut_off) {
    ++cut_off_;
    if (record == nullptr) return;
    ++cut_off_done_;
  }
  if (must_be_refused(entry)) {
    return fault("answered " + outcome_name(entry.outcome) + ", recorded as " +
                 outcome_name(record == nullptr ? 0 : record->outcome) +
                 ", while the block was sealed or quarantined");
  }
  if (record == nullptr) return fault("acknowledged, and the log has no record of it");
  if (record->op != op || record->key != entry.key) {
    return fault("answered " + outcome_name(entry.outcome) +
                 ", its record is of another operation: " + std::string(word(record->op)) + " " +
                 keys_.name(record->key));
  }
  const auto outcome = static_cast<Errc>(was_cut_off ? record->outcome : entry.outcome);
  if (!is_expected(op, outcome)) return fault("answered " + std::string(errc_name(outcome)));
  if (outcome == Errc::out_of_memory) ++refused_for_memory_;
  // What visit showed was recorded before it was found to have changed.
  const bool same = entry.outcome == record->outcome ||
                    (op == Op::visit && outcome == Errc::conflict && record->outcome == 0);
  if (!was_cut_off && !same) fault("its record has another outcome");
  if (!was_cut_off && entry.version != 0 && entry.version != record->version) {
    fault("its record has version " + std::to_string(record->version));
  }
  // A page that was emptied under a visitor tells it so: what it was shown does not count.
  const bool does_not_count = op == Op::visit && outcome == Errc::conflict;
  if (entry.torn != 0 && !does_not_count)
    return fault("the bytes that it saw are no value that anybody writes");
  add(slot, life, entry, *record);
}

Done Oracle::done_of(unsigned slot, const Life& life, const JournalEntry& entry,
                     const Record& record) {
  Done done;
  done.op = op_of(entry);
  done.start_ns = entry.start_ns;
  done.end_ns = entry.end_ns;
  done.start_ms = entry.start_ms;
  done.end_ms = entry.end_ms;
  done.version = record.version;
  done.written = entry.written;
  done.seen = entry.seen;
  done.argument = entry.argument;
  done.bytes = entry.bytes;
  done.value_bytes = record.value_bytes;
  done.ttl_ms = entry.ttl_ms;
  done.outcome = record.outcome;
  done.was_cut_off = entry.outcome == kNeverEnded;
  done.has_value =
      !done.was_cut_off && is_read(done.op) && done.op != Op::contains && entry.outcome == 0;
  done.slot = slot;
  done.life = life.number;
  return done;
}

void Oracle::add(unsigned slot, const Life& life, const JournalEntry& entry, const Record& record) {
  history_[entry.key].push_back(done_of(slot, life, entry, record));
}

}  // namespace sessionblocks::torture
