#include "flowlog/condition.hpp"

#include <charconv>

#include "core/units.hpp"
#include "director/events.hpp"
#include "flowlog/entry_fields.hpp"

namespace sessionblocks::flowlog {

namespace {

constexpr std::array<std::string_view, 10> kFields = {
    "block", "scope", "worker", "key", "op", "outcome", "size", "version", "time", "what"};

// Times before 1970 are below those after it.
std::uint64_t rank_of(std::int64_t unix_ms) noexcept {
  return static_cast<std::uint64_t>(unix_ms) ^ (std::uint64_t{1} << 63U);
}

std::optional<std::uint64_t> number_of(std::string_view text) noexcept {
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end) return std::nullopt;
  return number;
}

std::optional<std::uint64_t> size_of(std::string_view text) {
  if (const auto bytes = number_of(text)) return bytes;
  const auto bytes = units::parse_size(text);
  return bytes ? std::optional<std::uint64_t>(*bytes) : std::nullopt;
}

bool is_event_word(std::string_view text) noexcept {
  for (unsigned kind = 0; kind < director::kEventKinds; ++kind) {
    if (director::word(static_cast<director::EventKind>(kind)) == text) return true;
  }
  return false;
}

bool is_ordered_field(Field field) noexcept {
  return field == Field::worker || field == Field::size || field == Field::version ||
         field == Field::time;
}

bool has_field(Field field, const Entry& entry, const LogState& state) {
  const bool is_record = entry.kind == EntryKind::record;
  switch (field) {
    case Field::block:
      return block_of(entry).word != 0;
    case Field::scope:
      return !state.scope_of(worker_of(entry)).empty();
    case Field::worker:
      return worker_of(entry) != 0;
    case Field::key:
      return is_record && entry.record.has_key;
    case Field::size:
      return is_record && !entry.record.key_inline;
    case Field::op:
    case Field::outcome:
    case Field::version:
      return is_record;
    case Field::time:
      return true;
    case Field::what:
      return entry.kind == EntryKind::note && is_transition(entry.note.kind);
  }
  return false;
}

std::uint64_t rank_of(Field field, const Entry& entry) noexcept {
  switch (field) {
    case Field::worker:
      return worker_of(entry);
    case Field::size:
      return entry.record.value_bytes;
    case Field::version:
      return entry.record.version;
    default:
      return rank_of(entry.record.unix_ms);
  }
}

std::optional<std::uint64_t> parse_rank(Field field, std::string_view text, std::int64_t now) {
  if (field == Field::size) return size_of(text);
  if (field == Field::outcome) return outcome_of(text);
  if (field != Field::time) return number_of(text);
  const auto time = time_of(text, now);
  return time ? std::optional<std::uint64_t>(rank_of(*time)) : std::nullopt;
}

std::string_view expected_of(Field field) noexcept {
  switch (field) {
    case Field::op:
      return "read, write, or an operation such as get, put, erase";
    case Field::outcome:
      return "ok, or an error such as not_found";
    case Field::what:
      return "what the director does, such as created, sealed or revoked";
    case Field::size:
      return "a number of bytes such as 4096 or 4KiB";
    case Field::time:
      return "a duration ago such as 10m, or a UTC time such as 2026-11-22T09:05:28Z";
    default:
      return "a whole number";
  }
}

}  // namespace

std::optional<Field> field_of(std::string_view name) noexcept {
  for (std::size_t at = 0; at < kFields.size(); ++at) {
    if (kFields[at] == name) return static_cast<Field>(at);
  }
  return std::nullopt;
}

bool takes(Field field, Comparison comparison) noexcept {
  if (comparison == Comparison::equal || comparison == Comparison::unequal) return true;
  return (comparison == Comparison::like) != is_ordered_field(field);
}

std::string_view operators_of(Field field) noexcept {
  return is_ordered_field(field) ? "=, !=, <, <=, > or >=" : "=, != or ~";
}

Result<Condition> Condition::make(Field field, Comparison comparison, TypedValue value,
                                  std::int64_t now_unix_ms) {
  Condition made;
  made.field_ = field;
  made.comparison_ = comparison;
  if (comparison == Comparison::like) {
    made.glob_ = std::move(value.glob);
    return made;
  }
  const bool is_text = field == Field::block || field == Field::scope || field == Field::key;
  if (field == Field::op) {
    const auto ops = ops_of(value.text);
    if (!ops) return fail(Errc::invalid_argument, std::string(expected_of(field)));
    made.ops_ = *ops;
  } else if (field == Field::what) {
    if (!is_event_word(value.text)) {
      return fail(Errc::invalid_argument, std::string(expected_of(field)));
    }
  } else if (!is_text) {
    const auto rank = parse_rank(field, value.text, now_unix_ms);
    if (!rank) return fail(Errc::invalid_argument, std::string(expected_of(field)));
    made.rank_ = *rank;
  }
  made.text_ = std::move(value.text);
  return made;
}

Truth Condition::holds(const Entry& entry, const LogState& state) const {
  if (!has_field(field_, entry, state)) return Truth::unknown;
  bool is_held = false;
  if (is_ordered_field(field_)) {
    is_held = is_ordered(rank_of(field_, entry));
  } else {
    is_held = is_equal(entry, state) == (comparison_ != Comparison::unequal);
  }
  return is_held ? Truth::yes : Truth::no;
}

// Of names: by =, or by the pattern of ~.
bool Condition::is_equal(const Entry& entry, const LogState& state) const {
  const bool is_like = comparison_ == Comparison::like;
  switch (field_) {
    case Field::block: {
      const BlockId block = block_of(entry).block();
      if (!is_like) return is_block(block, text_, state);
      return glob_.matches(state.name_of(block)) || glob_.matches(id_text(block));
    }
    case Field::scope: {
      const std::string_view path = state.scope_of(worker_of(entry));
      return is_like ? glob_.matches(path) : is_in_scope(path, text_);
    }
    case Field::key:
      return is_like ? glob_.matches(entry.record.key) : entry.record.key == text_;
    case Field::what:
      return is_like ? glob_.matches(entry.note.what) : entry.note.what == text_;
    case Field::op:
      return is_like ? glob_.matches(word(entry.record.op)) : (ops_ & bit_of(entry.record.op)) != 0;
    default:
      return is_like ? glob_.matches(outcome_text(entry.record.outcome))
                     : entry.record.outcome == rank_;
  }
}

bool Condition::is_ordered(std::uint64_t rank) const noexcept {
  switch (comparison_) {
    case Comparison::unequal:
      return rank != rank_;
    case Comparison::below:
      return rank < rank_;
    case Comparison::at_most:
      return rank <= rank_;
    case Comparison::above:
      return rank > rank_;
    case Comparison::at_least:
      return rank >= rank_;
    default:
      return rank == rank_;
  }
}

bool Condition::asks_for_definitions() const noexcept {
  if (field_ != Field::op || comparison_ == Comparison::unequal) return false;
  if (comparison_ == Comparison::like) return glob_.matches(word(Op::define_key));
  return (ops_ & bit_of(Op::define_key)) != 0;
}

}  // namespace sessionblocks::flowlog
