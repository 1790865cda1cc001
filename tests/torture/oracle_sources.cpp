// What the oracle reads besides the journals: the audit log, and the block itself.
#include <cstring>

#include "oracle.hpp"
#include "platform/clock.hpp"
#include "stamp.hpp"

namespace sessionblocks::torture {

void Oracle::read_log() {
  if (!log_) {
    auto reader = flowlog::LogReader::open(log_folder_);
    if (!reader) return complain("the log cannot be read: " + reader.error().message());
    log_.emplace(std::move(*reader));
  }
  flowlog::Entry entry;
  for (;;) {
    const auto more = log_->next(entry);
    if (!more) return complain("the log cannot be read: " + more.error().message());
    if (!*more) return;
    if (entry.kind == flowlog::EntryKind::problem) complain("the log is damaged: " + entry.problem);
    if (entry.kind == flowlog::EntryKind::gap) complain("the log has a gap");
    if (entry.kind != flowlog::EntryKind::record) continue;
    const flowlog::LogRecord& from = entry.record;
    if (from.op == Op::define_key || from.op == Op::drop) continue;
    if (raw(from.block.block()) != block_) continue;  // a fork's
    const std::uint32_t key = from.has_key ? keys_.find(from.key) : KeySet::kNone;
    if (key == KeySet::kNone) {
      complain("the log has a record without one of our keys: \"" + from.key + "\" id " +
               std::to_string(from.key_id) + ", worker " + std::to_string(from.lane.worker) + " " +
               std::string(word(from.op)) + " version " + std::to_string(from.version));
      continue;
    }
    Record record;
    record.version = from.version;
    record.key = key;
    record.value_bytes = from.key_inline ? 0 : from.value_bytes;  // those of the key
    record.outcome = from.outcome;
    record.op = from.op;
    records_ += from.count;
    for (unsigned i = 0; i < from.count; ++i) {
      log_records_[from.lane.worker].push_back(record);
    }
  }
}

void Oracle::compare(const std::vector<FoundEntry>& entries) {
  std::vector<bool> found(keys_.size());
  for (const FoundEntry& entry : entries) {
    const std::uint32_t key = keys_.find(entry.key);
    if (key == KeySet::kNone) {
      complain("the block has an entry that nobody made: \"" + entry.key + "\"");
      continue;
    }
    if (found[key]) complain(entry.key + ": two entries");
    found[key] = true;
    const KeyState& state = states_[key];
    std::uint64_t content = 0;
    bool is_whole = entry.is_integer == keys_.is_counter(key);
    if (entry.is_integer && entry.bytes.size() == 8) {
      std::memcpy(&content, entry.bytes.data(), 8);
    } else {
      const auto read = content_of(std::as_bytes(std::span(entry.bytes)));
      is_whole = is_whole && read.has_value();
      content = read.value_or(0);
    }
    if (!is_whole) complain(entry.key + ": its bytes are no value that anybody writes");
    if (!state.is_live || state.version != entry.version || state.content != content) {
      complain(entry.key + ": the block has version " + std::to_string(entry.version) +
               " content " + std::to_string(content) + ", it must be " +
               (state.is_live ? "version " + std::to_string(state.version) + " content " +
                                    std::to_string(state.content)
                              : "erased since version " + std::to_string(state.version)));
    }
  }
  for (std::uint32_t key = 0; key < keys_.size(); ++key) {
    const KeyState& state = states_[key];
    const bool may_be_left_behind =
        state.may_be_left_behind && state.may_be_gone(platform::monotonic_coarse_ms());
    if (state.is_live && !found[key] && !may_be_left_behind) {
      complain(keys_.name(key) + ": version " + std::to_string(states_[key].version) +
               " was acknowledged or logged, and the block has no entry: lost");
    }
  }
}

}  // namespace sessionblocks::torture
