// Decides whether a history of one object is linearizable: whether its calls, each at one moment
// between its start and its end, could have been made one after the other with these results.
//
// The search is that of J. M. Wing and C. Gong, "Testing and Verifying Concurrent Objects" (Journal
// of Parallel and Distributed Computing 17, 1993), with the memoisation of G. Lowe, "Testing for
// Linearizability" (Concurrency and Computation: Practice and Experience 29, 2017): a set of calls
// that was tried and led to the same state before is not tried again. A set is remembered by the
// sum of 128-bit random numbers, one a call, instead of its bits: histories are long.
//
// Model: State (a value type), `std::optional<State> step(const State&, const Call&)` (nothing: the
// call cannot have this result in this state), `std::uint64_t hash(const State&)`.
// Call: `start_ns` and `end_ns`; a call that was cut off and took effect ends when its caller died.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <random>
#include <unordered_set>
#include <vector>

namespace sessionblocks::linearizability {

template <typename Model, typename Call>
class Checker {
 public:
  using State = typename Model::State;

  Checker(Model model, const std::vector<Call>& calls) : model_(std::move(model)), calls_(calls) {
    std::mt19937_64 random(1);
    for (std::size_t i = 0; i < calls.size(); ++i) marks_.push_back({random(), random()});
    make_list();
  }

  // The state behind all calls in the first order that is found; nothing: there is none.
  [[nodiscard]] std::optional<State> run(State state) {
    struct Tried {
      std::size_t event;
      State before;
    };
    std::vector<Tried> tried;
    Mark done{};
    std::size_t at = events_[kHead].next;
    while (events_[kHead].next != kEnd) {
      Event& event = events_[at];
      if (event.is_call) {
        const std::optional<State> after = model_.step(state, calls_[event.call]);
        if (after && is_new(done + marks_[event.call], *after)) {
          tried.push_back({at, state});
          state = *after;
          done = done + marks_[event.call];
          take_out(at);
          at = events_[kHead].next;
        } else {
          at = event.next;
        }
        continue;
      }
      // A call that is over was not made yet: something before it went wrong.
      if (tried.empty()) return std::nullopt;
      at = tried.back().event;
      state = tried.back().before;
      tried.pop_back();
      done = done - marks_[events_[at].call];
      put_back(at);
      at = events_[at].next;
    }
    return state;
  }

 private:
  // Events in the order of time, as a list; [0] stands before all.
  struct Event {
    std::size_t next = 0;
    std::size_t previous = 0;
    std::size_t end = 0;  // of a call: the event of its end
    std::size_t call = 0;
    bool is_call = false;
  };
  static constexpr std::size_t kHead = 0;
  static constexpr std::size_t kEnd = ~std::size_t{0};

  struct Mark {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    friend Mark operator+(Mark a, Mark b) { return {a.low + b.low, a.high + b.high}; }
    friend Mark operator-(Mark a, Mark b) { return {a.low - b.low, a.high - b.high}; }
    friend bool operator==(Mark, Mark) = default;
  };
  struct MarkHash {
    std::size_t operator()(Mark mark) const noexcept { return mark.low; }
  };

  [[nodiscard]] bool is_new(Mark done, const State& state) {
    const std::uint64_t hash = model_.hash(state);
    return seen_.insert({done.low ^ hash, done.high + hash * 0x9E37'79B9'7F4A'7C15U}).second;
  }

  void make_list() {
    struct Moment {
      std::uint64_t time;
      bool is_end;
      std::size_t call;
    };
    std::vector<Moment> moments;
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      moments.push_back({calls_[i].start_ns, false, i});
      moments.push_back({calls_[i].end_ns, true, i});
    }
    // At the same moment starts come first: such calls overlap.
    std::sort(moments.begin(), moments.end(), [](const Moment& a, const Moment& b) {
      return a.time != b.time ? a.time < b.time : a.is_end < b.is_end;
    });
    events_.resize(moments.size() + 1);
    std::vector<std::size_t> start_of(calls_.size());
    for (std::size_t i = 0; i < moments.size(); ++i) {
      Event& event = events_[i + 1];
      event.call = moments[i].call;
      event.is_call = !moments[i].is_end;
      event.previous = i;
      if (event.is_call) {
        start_of[event.call] = i + 1;
      } else {
        events_[start_of[event.call]].end = i + 1;
      }
    }
    for (std::size_t i = 0; i < events_.size(); ++i) {
      events_[i].next = i + 1 < events_.size() ? i + 1 : kEnd;
    }
  }

  void unlink(std::size_t at) {
    events_[events_[at].previous].next = events_[at].next;
    if (events_[at].next != kEnd) events_[events_[at].next].previous = events_[at].previous;
  }
  void relink(std::size_t at) {
    events_[events_[at].previous].next = at;
    if (events_[at].next != kEnd) events_[events_[at].next].previous = at;
  }
  void take_out(std::size_t call) {
    unlink(call);
    unlink(events_[call].end);
  }
  void put_back(std::size_t call) {
    relink(events_[call].end);
    relink(call);
  }

  Model model_;
  const std::vector<Call>& calls_;
  std::vector<Mark> marks_;
  std::vector<Event> events_;
  std::unordered_set<Mark, MarkHash> seen_;
};

}  // namespace sessionblocks::linearizability
