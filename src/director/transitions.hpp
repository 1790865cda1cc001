// Everything that the director does is said here, and nowhere else: once to who listens to events,
// and once to the audit log, in the same words.
//
// What others can see before it is said is begun first. A director that dies in between leaves that
// to the log of the next one, which says that it was under way (flowlog/transition_journal.hpp).
//
// Refused requests are the one thing that a client makes as many of as it likes: of these the log
// has the first in each second, and how many more there were.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "director/audit_sink.hpp"
#include "director/block_store.hpp"
#include "director/events.hpp"

namespace sessionblocks::director {

// What something happened to: as people read it, and the block or worker that it is.
struct Subject {
  Subject(std::string called) : text(std::move(called)) {}  // NOLINT: what is said names it so
  Subject(const char* called) : text(called) {}             // NOLINT
  Subject(const StoredBlock& of)                            // NOLINT
      : text(of.text()), block(of.id), generation(of.generation) {}
  Subject(std::string called, WorkerId who) : text(std::move(called)), worker(who) {}

  std::string text;
  BlockId block{};
  Generation generation{};
  WorkerId worker{};
};

class Transitions {
 public:
  static constexpr std::uint64_t kNotedDenials = 32;  // a second

  // Both must be there when something is said.
  Transitions(const std::shared_ptr<EventSink>& events,
              const std::shared_ptr<AuditSink>& audit) noexcept
      : events_(events), audit_(audit) {}
  Transitions(const Transitions&) = delete;
  Transitions& operator=(const Transitions&) = delete;

  // Under way. Ends with the first say() of its kind; without one it was not done.
  class Begun {
   public:
    Begun(Transitions& of, std::uint64_t place) noexcept : of_(&of), place_(place) {}
    ~Begun() {
      if (of_ != nullptr) of_->end(place_);
    }
    Begun(Begun&& other) noexcept : of_(std::exchange(other.of_, nullptr)), place_(other.place_) {}
    Begun& operator=(Begun&&) = delete;

   private:
    Transitions* of_;
    std::uint64_t place_;
  };
  [[nodiscard]] Begun begin(EventKind kind, Subject subject, std::string detail = {});
  void say(EventKind kind, Subject subject, std::string detail = {});
  // What was refused and has no note yet, when a second has passed; `at_once`: before.
  void note_left_out(bool at_once = false);

  // Who asks for what is done while this lives.
  class Asking {
   public:
    Asking(Transitions& of, std::string who, WorkerId worker) : of_(of) {
      of_.asked_by_ = std::move(who);
      of_.asker_ = worker;
    }
    ~Asking() {
      of_.asked_by_.clear();
      of_.asker_ = {};
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;

   private:
    Transitions& of_;
  };

 private:
  struct Open {
    std::uint64_t place;
    EventKind kind;
    std::uint64_t begun;  // 0: it was said
  };
  [[nodiscard]] Event event_of(EventKind kind, Subject subject, std::string detail) const;
  void note_denial(const Event& event);
  void end(std::uint64_t place);

  const std::shared_ptr<EventSink>& events_;
  const std::shared_ptr<AuditSink>& audit_;
  std::string asked_by_;
  WorkerId asker_{};
  std::vector<Open> open_;  // the innermost last
  std::uint64_t places_ = 0;
  std::uint64_t second_began_ms_ = 0;
  std::uint64_t denials_ = 0;  // since then
};

}  // namespace sessionblocks::director
