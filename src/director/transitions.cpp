#include "director/transitions.hpp"

#include <algorithm>

#include "platform/clock.hpp"

namespace sessionblocks::director {

namespace {
constexpr std::uint64_t kSecondMs = 1'000;
}

// For logs that have lines only.
void AuditSink::transition(const Event& event, std::uint64_t /*begun*/) {
  std::string line = std::string(word(event.kind)) + " " + event.subject;
  if (!event.detail.empty()) line += ": " + event.detail;
  note(line);
}

Event Transitions::event_of(EventKind kind, Subject subject, std::string detail) const {
  Event event;
  event.kind = kind;
  event.subject = std::move(subject.text);
  event.detail = std::move(detail);
  event.block = subject.block;
  event.generation = subject.generation;
  event.worker = subject.worker == WorkerId{} ? asker_ : subject.worker;
  event.asked_by = asked_by_;
  return event;
}

Transitions::Begun Transitions::begin(EventKind kind, Subject subject, std::string detail) {
  const Event event = event_of(kind, std::move(subject), std::move(detail));
  open_.push_back({++places_, kind, audit_->begin(event)});
  return {*this, places_};
}

void Transitions::end(std::uint64_t place) {
  const auto at = std::find_if(open_.rbegin(), open_.rend(),
                               [place](const Open& open) { return open.place == place; });
  if (at == open_.rend()) return;
  if (at->begun != 0) audit_->withdraw(at->begun);
  open_.erase(std::next(at).base());
}

// The log first: what was heard of is in it.
void Transitions::say(EventKind kind, Subject subject, std::string detail) {
  const Event event = event_of(kind, std::move(subject), std::move(detail));
  if (kind == EventKind::denied) {
    note_denial(event);
  } else {
    const auto under_way = [kind](const Open& open) { return open.kind == kind && open.begun; };
    const auto at = std::find_if(open_.rbegin(), open_.rend(), under_way);
    audit_->transition(event, at == open_.rend() ? 0 : std::exchange(at->begun, 0));
  }
  events_->on_event(event);
}

void Transitions::note_denial(const Event& event) {
  note_left_out();
  if (++denials_ <= kNotedDenials) audit_->transition(event, 0);
}

void Transitions::note_left_out(bool at_once) {
  const std::uint64_t now_ms = platform::monotonic_coarse_ms();
  if (!at_once && now_ms - second_began_ms_ < kSecondMs) return;
  second_began_ms_ = now_ms;
  const std::uint64_t noted = std::min(denials_, kNotedDenials);
  const std::uint64_t left_out = std::exchange(denials_, 0) - noted;
  if (left_out == 0) return;
  Event event;
  event.kind = EventKind::denied;
  event.subject = "requests";
  event.detail = std::to_string(left_out) + " more were refused within a second";
  event.left_out = left_out;
  audit_->transition(event, 0);
}

}  // namespace sessionblocks::director
