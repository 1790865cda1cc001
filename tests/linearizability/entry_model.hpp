// One entry of a block as its promise has it, for histories in which nothing expires and the index
// does not grow: each change adds one to the version, also when it erases.
#pragma once

#include <sessionblocks/error.hpp>

#include <cstdint>
#include <optional>

#include "../torture/history.hpp"
#include "../torture/stamp.hpp"

namespace sessionblocks::linearizability {

using torture::Done;

struct EntryModel {
  struct State {
    std::uint64_t version = 0;
    bool is_there = false;
    std::uint64_t content = 0;  // of a text; a counter's value
    std::uint64_t bytes = 0;
  };
  bool is_counter = false;

  [[nodiscard]] static std::uint64_t hash(const State& state) {
    return torture::mixed(torture::mixed(state.version + (state.is_there ? 1U : 0U)) ^
                          state.content);
  }

  [[nodiscard]] std::optional<State> step(const State& state, const Done& call) const {
    return call.outcome == 0 ? succeeds(state, call) : refused(state, call);
  }

 private:
  [[nodiscard]] std::optional<State> succeeds(const State& state, const Done& call) const {
    if (!call.changes()) return seen(state, call);
    State after = state;
    ++after.version;
    after.is_there = true;
    // Of a call that was cut off the log told the version.
    if (call.version != 0 && call.version != after.version) return std::nullopt;
    const bool answers = !call.was_cut_off;
    switch (call.op) {
      case Op::increment:
        after.content = (state.is_there ? state.content : 0) + call.argument;
        if (answers && call.seen != after.content) return std::nullopt;
        return after;
      case Op::append:
        after.content = torture::content_with(state.is_there ? state.content : 0, call.written);
        after.bytes = (state.is_there ? state.bytes : 0) + call.bytes;
        if (answers && call.seen != after.bytes) return std::nullopt;
        return after;
      case Op::erase:
      case Op::get_and_erase:
        if (!state.is_there) return std::nullopt;
        if (answers && call.op == Op::get_and_erase && call.seen != state.content) {
          return std::nullopt;
        }
        return State{after.version, false, 0, 0};
      case Op::touch:
        if (!state.is_there) return std::nullopt;
        return after;
      default:
        break;
    }
    if (call.op == Op::add && state.is_there) return std::nullopt;
    if (call.op == Op::replace && !state.is_there) return std::nullopt;
    if (call.op == Op::compare_and_set && (!state.is_there || state.version != call.argument)) {
      return std::nullopt;
    }
    after.content = torture::content_with(torture::kNoContent, call.written);
    after.bytes = call.bytes;
    return after;
  }

  [[nodiscard]] std::optional<State> seen(const State& state, const Done& call) const {
    if (!state.is_there) return std::nullopt;
    if (call.version != 0 && call.version != state.version) return std::nullopt;
    if (!call.has_value) return state;
    const bool same = call.seen == state.content && (is_counter || call.bytes == state.bytes);
    return same ? std::optional(state) : std::nullopt;
  }

  [[nodiscard]] static std::optional<State> refused(const State& state, const Done& call) {
    switch (static_cast<Errc>(call.outcome)) {
      case Errc::not_found:
        if (state.is_there) return std::nullopt;
        return state;
      case Errc::exists:
        if (!state.is_there || call.version != state.version) return std::nullopt;
        return state;
      case Errc::conflict:
        if (!state.is_there || call.version != state.version || call.argument == state.version) {
          return std::nullopt;
        }
        return state;
      default:
        return state;  // refused for memory: it says nothing of the entry
    }
  }
};

}  // namespace sessionblocks::linearizability
