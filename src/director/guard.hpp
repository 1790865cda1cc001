// What watches a session system from inside its director, and acts on what it sees. FlowGuard
// implements it; the director says what happens and lends its hands.
//
// All calls come from the director's event loop, except those of the tap, which come from whatever
// thread drains the rings. None may wait.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"
#include "director/audit_tap.hpp"
#include "session/message.hpp"

namespace sessionblocks::director {

class Registry;
struct GuardSpec;

// Something that was done for a worker and that FlowGuard keeps count of.
enum class Act : std::uint8_t { create, fork, enter_scope, start_script, share, redeem };

// A request of an attached worker.
struct Asking {
  WorkerId worker{};
  ScopeId scope{};
  std::string_view op;    // as PROTOCOL.md has it
  std::string_view name;  // that it asks for; empty: none
};

// What a guard acts with.
struct GuardHands {
  Registry& registry;
  std::function<Result<void>(ScopeId, std::string_view why)> end_scope;
};

class Guard {
 public:
  virtual ~Guard() = default;

  // Before anything else. `hands` are good until the guard ends.
  virtual void begin(GuardHands hands) = 0;
  // Before the audit is made; it outlives the audit.
  [[nodiscard]] virtual AuditTap& tap() noexcept = 0;

  // Before a request of a worker is answered. denied: a rule forbids it; the message names it.
  [[nodiscard]] virtual Result<void> admit(const Asking& asking) = 0;
  // What it was answered. Errc{}: it was done.
  virtual void answered(const Asking& asking, Errc code) = 0;
  // `scope` is who it was done for; a redemption counts for the scope that shared.
  virtual void acted(Act act, ScopeId scope, BlockId block) = 0;
  // Recovery refused an intent of this worker: no honest one is like it.
  virtual void intent_forged(WorkerId worker) = 0;

  // One look at everything, a few milliseconds at most; when to look again.
  [[nodiscard]] virtual std::chrono::milliseconds pass() = 0;

  // For operators: rows of `sessionctl findings` and `sessionctl leaks`, as PROTOCOL.md has them.
  // Findings have a number, and those above `after` are given, the oldest first, `most` at most.
  [[nodiscard]] virtual Message findings(std::uint64_t after, std::size_t most) const = 0;
  [[nodiscard]] virtual Message leaks() const = 0;
};

// Milliseconds of a clock that never goes back; none: CLOCK_BOOTTIME. Tests have a faster one.
using GuardClock = std::function<std::uint64_t()>;
// `rules` are the suite file's; the built-in ones come besides.
using MakeGuard =
    std::function<std::unique_ptr<Guard>(const std::vector<GuardSpec>& rules, GuardClock clock)>;

// The real one: src/flowguard.
[[nodiscard]] std::unique_ptr<Guard> make_guard(const std::vector<GuardSpec>& rules,
                                                GuardClock clock = {});
// What is wrong with a rule's condition, or with its action for what that is about; empty: nothing.
[[nodiscard]] std::string wrong_with_guard(const GuardSpec& spec);

}  // namespace sessionblocks::director
