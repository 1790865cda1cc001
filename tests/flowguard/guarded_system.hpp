// A session system inside the test, with a guard whose clock the test moves, and its findings.
#pragma once

#include <catch2/catch.hpp>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <sessionblocks/sessionblocks.hpp>
#include <string>
#include <vector>

#include "../support/stepped_guard.hpp"
#include "director/embedded.hpp"
#include "director/guard.hpp"
#include "director/suite.hpp"

namespace sessionblocks::flowguard::testing {

using test_support::SteppedGuard;

class Heard final : public director::EventSink {
 public:
  void on_event(const director::Event& event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  [[nodiscard]] std::vector<director::Event> of(director::EventKind kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<director::Event> found;
    for (const auto& event : events_) {
      if (event.kind == kind) found.push_back(event);
    }
    return found;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<director::Event> events_;
};

class GuardedSystem {
 public:
  explicit GuardedSystem(std::vector<director::GuardSpec> rules = {}) {
    director::EmbeddedSetup setup;
    setup.events = heard;
    setup.guard_clock = [this] { return now_ms_.load(); };
    setup.make_guard = [this, rules = std::move(rules)](const auto& /*of the suite*/, auto clock) {
      auto made = std::make_unique<SteppedGuard>(director::make_guard(rules, std::move(clock)));
      guard_ = made.get();
      return made;
    };
    auto started = director::EmbeddedDirector::start(std::move(setup));
    REQUIRE(started);
    embedded_ = std::move(*started);
    step(0);
  }

  [[nodiscard]] director::Director& director() { return embedded_->director(); }
  [[nodiscard]] Session attach(const std::string& scope) {
    const std::string path = "embedded/" + scope;
    const auto token = director().token_for_scope(path);
    REQUIRE(token);
    AttachOptions options;
    options.socket = director().socket();
    options.scope = path;
    options.token = *token;
    auto session = Session::attach(std::move(options));
    REQUIRE(session);
    return std::move(*session);
  }
  // The clock goes on, all records are drained, and the guard looks.
  void step(std::uint64_t ms) {
    now_ms_ += ms;
    director().call([this](director::Registry& registry) {
      for (const auto& [id, worker] : registry.workers.all()) {
        if (worker.segment) registry.options.audit->drain_fully(id);
      }
      guard_->look();
    });
  }
  // The clock goes on, and nobody looks.
  void wait(std::uint64_t ms) { now_ms_ += ms; }
  // Many steps, each after `work`.
  void run(std::uint64_t ms, std::uint64_t step_ms, const std::function<void()>& work) {
    for (std::uint64_t passed = 0; passed < ms; passed += step_ms) {
      work();
      step(step_ms);
    }
  }
  [[nodiscard]] Message findings() {
    Message rows;
    director().call([&](director::Registry&) { rows = guard_->findings(0, 1'000); });
    return rows;
  }
  [[nodiscard]] bool found(const std::string& rule) {
    for (const Message& row : findings()) {
      if (row["rule"] == rule) return true;
    }
    return false;
  }
  [[nodiscard]] Message leaks() {
    Message rows;
    director().call([&](director::Registry&) { rows = guard_->leaks(); });
    return rows;
  }

  std::shared_ptr<Heard> heard = std::make_shared<Heard>();

 private:
  std::atomic<std::uint64_t> now_ms_{1'000'000};
  SteppedGuard* guard_ = nullptr;
  std::unique_ptr<director::EmbeddedDirector> embedded_;
};

}  // namespace sessionblocks::flowguard::testing
