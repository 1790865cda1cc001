#include "history.hpp"

#include <sessionblocks/error.hpp>

#include <algorithm>
#include <limits>
#include <span>

#include "stamp.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

class KeyCheck {
 public:
  KeyCheck(const std::string& name, bool is_counter, const KeyState& before,
           const Complain& complain)
      : name_(name), is_counter_(is_counter), complain_(complain), states_{before} {}

  void run(std::vector<Done>& done) {
    const auto reads =
        std::partition(done.begin(), done.end(), [](const Done& one) { return one.changes(); });
    std::sort(done.begin(), reads,
              [](const Done& a, const Done& b) { return a.version < b.version; });
    for (auto change = done.begin(); change != reads; ++change) apply(*change);
    changes_ = {done.data(), static_cast<std::size_t>(reads - done.begin())};
    earliest_end_.assign(states_.size(), kNever);
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      // Nobody heard of the end of one that was cut off; that it was seen counts below.
      if (!changes_[i].was_cut_off) earliest_end_[i + 1] = changes_[i].end_ns;
    }
    for (auto read = reads; read != done.end(); ++read) {
      const std::size_t at = index_of(*read);
      if (at != kUnknown) earliest_end_[at] = std::min(earliest_end_[at], read->end_ns);
    }
    for (std::size_t i = earliest_end_.size() - 1; i-- > 0;) {
      earliest_end_[i] = std::min(earliest_end_[i], earliest_end_[i + 1]);
    }
    for (std::size_t i = 0; i < changes_.size(); ++i) in_time(changes_[i], i + 1);
    for (auto read = reads; read != done.end(); ++read) look(*read);
  }
  [[nodiscard]] const KeyState& last() const { return states_.back(); }

 private:
  static constexpr std::size_t kUnknown = ~std::size_t{0};

  void fault(const Done& done, const std::string& what) const {
    complain_(name_ + ": " + describe(done) + ": " + what);
  }

  // The index of the state that a read names by its version.
  [[nodiscard]] std::size_t index_of(const Done& read) const {
    if (read.version == 0 || says_nothing(read)) return kUnknown;
    const auto found = std::lower_bound(
        states_.begin(), states_.end(), read.version,
        [](const KeyState& state, std::uint64_t version) { return state.version < version; });
    if (found == states_.end() || found->version != read.version) return kUnknown;
    return static_cast<std::size_t>(found - states_.begin());
  }

  // Refused for want of memory: it did not look again whether what it had read still stood.
  [[nodiscard]] static bool says_nothing(const Done& done) {
    const auto outcome = static_cast<Errc>(done.outcome);
    return outcome == Errc::out_of_memory || outcome == Errc::value_too_large;
  }

  // Nothing that came later in the order of versions was over before this began.
  void in_time(const Done& done, std::size_t at) const {
    if (at + 1 < earliest_end_.size() && earliest_end_[at + 1] < done.start_ns) {
      fault(done, "began after a later version had been seen: versions go back");
    }
  }

  void apply(const Done& change) {
    const KeyState before = states_.back();
    if (change.version == before.version) {
      fault(change, "two changes have this version");
    } else if (follows_directly(change, before) ? change.version != before.version + 1
                                                : change.version < before.version) {
      fault(change, "does not follow on version " + std::to_string(before.version));
    }
    KeyState after = change.back != nullptr ? brought_back(change) : done_to(change, before);
    after.version = change.version;
    after.is_live = !change.takes_out();
    after.may_be_left_behind = before.may_be_left_behind;
    const bool was_heard = !change.was_cut_off || change.op == Op::evict;  // by the log
    if (was_heard && change.back == nullptr) heard(change, before, after);
    if (change.value_bytes != after.bytes) {
      fault(change, "the log says " + std::to_string(change.value_bytes) + " bytes, it made " +
                        std::to_string(after.bytes));
    }
    states_.push_back(after);
  }

  static bool follows_directly(const Done& change, const KeyState& before) {
    if (change.back != nullptr) return false;
    const bool may_have_gone = before.may_be_left_behind && before.may_be_gone(change.end_ms);
    return before.is_live && !may_have_gone;
  }
  [[nodiscard]] KeyState done_to(const Done& change, const KeyState& before) const {
    const bool there = before.may_be_there(change.start_ms) && finds_entry(change, before);
    return change.takes_out() ? KeyState{} : made(change, before, there);
  }
  [[nodiscard]] KeyState brought_back(const Done& change) const {
    const KeyState& back = *change.back;
    if (!change.takes_out() && !back.is_live) {
      fault(change, "the rollback brought back what was not there");
    }
    if (change.takes_out() && !back.may_be_gone(change.end_ms)) {
      fault(change, "the rollback took away what was there");
    }
    return change.takes_out() ? KeyState{} : back;
  }

  // Whether the operation found a live entry; what it must not have found is a fault.
  [[nodiscard]] bool finds_entry(const Done& change, const KeyState& before) const {
    switch (change.op) {
      case Op::add:
        if (!before.may_be_gone(change.end_ms)) fault(change, "added what was there");
        return false;
      case Op::append:
        if (change.value_bytes != change.bytes) return true;
        if (!before.may_be_gone(change.end_ms)) fault(change, "forgot what was there");
        return false;
      case Op::compare_and_set:
        if (change.argument != before.version) {
          fault(change, "won against version " + std::to_string(before.version) + ", expected " +
                            std::to_string(change.argument));
        }
        return true;
      default:
        return true;
    }
  }

  [[nodiscard]] KeyState made(const Done& change, const KeyState& before, bool there) const {
    KeyState after;
    if (there) {
      after.expires_first_ms = before.expires_first_ms;
      after.expires_last_ms = before.expires_last_ms;
    }
    switch (change.op) {
      case Op::increment:
        after.content = (there ? before.content : 0) + change.argument;
        after.bytes = 8;
        return after;
      case Op::append:
        after.content = content_with(there ? before.content : kNoContent, change.written);
        after.bytes = (there ? before.bytes : 0) + change.bytes;
        return after;
      case Op::touch:
        must_be_there(change, before);
        after.content = before.content;
        after.bytes = before.bytes;
        break;
      case Op::replace:
        must_be_there(change, before);
        [[fallthrough]];
      default:
        after.content = content_with(kNoContent, change.written);
        after.bytes = change.bytes;
        if (change.op == Op::compare_and_set) return after;  // keeps its expiry
    }
    after.expires_first_ms = after.expires_last_ms = 0;
    if (change.ttl_ms != 0) {
      after.expires_first_ms = change.start_ms + change.ttl_ms;
      after.expires_last_ms = change.end_ms + change.ttl_ms;
    }
    return after;
  }
  void must_be_there(const Done& change, const KeyState& before) const {
    if (!before.may_be_there(change.start_ms)) fault(change, "changed what was not there");
  }

  // What its caller was told.
  void heard(const Done& change, const KeyState& before, const KeyState& after) const {
    const auto expect = [&](std::uint64_t wanted, const char* what) {
      if (change.seen == wanted) return;
      fault(change, std::string("returned ") + what + " " + std::to_string(change.seen) + ", not " +
                        std::to_string(wanted));
    };
    if (change.op == Op::increment) expect(after.content, "the sum");
    if (change.op == Op::append) expect(after.bytes, "the size");
    if (change.op == Op::get_and_erase) expect(before.content, "the content");
    if (change.op == Op::evict) return may_go(change, before);
    if (change.takes_out()) must_be_there(change, before);
  }
  // What was erased keeps no entry, and is taken out without a word.
  void may_go(const Done& eviction, const KeyState& before) const {
    if (!before.is_live) fault(eviction, "evicted what was not there");
    if (eviction.needs_expired && !before.may_be_gone(eviction.end_ms)) {
      fault(eviction, "evicted what had not expired");
    }
  }

  void look(const Done& read) const {
    if (says_nothing(read)) return;
    const std::size_t at = index_of(read);
    if (at == kUnknown) {
      // A rollback gives what is not there a version that nothing of before it had.
      const bool is_raised = read.outcome == static_cast<std::uint16_t>(Errc::not_found) &&
                             states_.front().may_be_left_behind;
      if (read.version != 0 && !is_raised) return fault(read, "nobody wrote this version");
      if (read.outcome == 0) return fault(read, "a hit without a version");
      if (!is_gone_for(read)) fault(read, "not found, and it was there all the time");
      return;
    }
    if (at > 0 && changes_[at - 1].start_ns > read.end_ns) fault(read, "saw it before it began");
    in_time(read, at);
    const KeyState& state = states_[at];
    const auto outcome = static_cast<Errc>(read.outcome);
    const bool says_gone = outcome == Errc::not_found;
    if (says_gone) {
      if (!state.may_be_gone(read.end_ms)) fault(read, "not found, and this version is an entry");
      return;
    }
    if (!state.may_be_there(read.start_ms)) return fault(read, "saw what was erased or expired");
    if (outcome == Errc::conflict && read.op == Op::compare_and_set &&
        read.argument == state.version) {
      fault(read, "a conflict with the version that it expected");
    }
    if (!read.has_value) return;
    if (read.seen != state.content || (!is_counter_ && read.bytes != state.bytes)) {
      fault(read, "saw a value that nobody wrote: content " + std::to_string(read.seen) + " of " +
                      std::to_string(read.bytes) + " bytes, version " +
                      std::to_string(state.version) + " is " + std::to_string(state.content) +
                      " of " + std::to_string(state.bytes));
    }
  }

  // Whether at some moment of the read there was no entry.
  [[nodiscard]] bool is_gone_for(const Done& read) const {
    for (std::size_t at = 0; at < states_.size(); ++at) {
      if (at > 0 && changes_[at - 1].start_ns > read.end_ns) return false;
      const bool was_over = at + 1 < earliest_end_.size() && earliest_end_[at + 1] < read.start_ns;
      if (!was_over && states_[at].may_be_gone(read.end_ms)) return true;
    }
    return false;
  }

  const std::string& name_;
  bool is_counter_;
  const Complain& complain_;
  std::vector<KeyState> states_;  // [0] before all; [i + 1] after changes_[i]
  std::span<const Done> changes_;
  std::vector<std::uint64_t> earliest_end_;  // of whatever saw or made this version or a later one
};

}  // namespace

bool KeyState::may_be_there(std::uint64_t start_ms) const noexcept {
  return is_live && (expires_last_ms == 0 || expires_last_ms > start_ms);
}

bool KeyState::may_be_gone(std::uint64_t end_ms) const noexcept {
  return !is_live || (expires_last_ms != 0 && expires_first_ms <= end_ms);
}

void check_key(const std::string& name, bool is_counter, KeyState& state, std::vector<Done>& done,
               const Complain& complain) {
  KeyCheck check(name, is_counter, state, complain);
  check.run(done);
  state = check.last();
}

std::string describe(const Done& done) {
  std::string text = "slot " + std::to_string(done.slot) + " life " + std::to_string(done.life);
  if (done.back != nullptr) text = "rolled back";
  text.append(" ").append(word(done.op)).append(" version ").append(std::to_string(done.version));
  if (done.outcome != 0) {
    text.append(" (").append(errc_name(static_cast<Errc>(done.outcome))).append(")");
  }
  if (done.was_cut_off) text.append(" (killed in it)");
  return text;
}

}  // namespace sessionblocks::torture
