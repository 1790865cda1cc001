// Tries the known attacks in a child under the workers' sandbox and says which were refused.
//
// The director runs it at start and prints what the kernel lacks; sessionctl doctor shows all of
// it. It makes its own targets (a segment, a file, a victim process) and removes them; a crash
// leaves the segment's name, which the next sweep removes, and one file in the runtime folder.
// Takes some milliseconds. May be called from any thread.
#pragma once

#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <vector>

#include "platform/opener_thread.hpp"
#include "platform/sandbox.hpp"
#include "platform/user.hpp"

namespace sessionblocks::platform {

struct AttackResult {
  std::string attack;
  bool refused = false;
  std::string detail;  // what the system answered
};

struct SelftestReport {
  std::vector<AttackResult> attacks;
  std::vector<std::string> gaps;      // what this kernel lacks (sandbox_gaps)
  std::vector<std::string> left_out;  // what of the sandbox could not be applied
  [[nodiscard]] bool all_refused() const noexcept;
};

// `none` shows that the attacks are real; only the tests use it.
enum class Confinement { sandbox, none };

struct SelftestSetup {
  std::string segment_name;     // of a segment to make; with the system's prefix, for the sweep
  std::string runtime_folder;   // must exist; never open to the child
  std::optional<UserIds> user;  // run the attacks as this user
  ShmChoice shm = ShmChoice::automatic;
  Confinement confinement = Confinement::sandbox;
};

// An error means that the test could not be made, not that an attack succeeded.
[[nodiscard]] Result<SelftestReport> run_sandbox_selftest(OpenerThread& opener,
                                                          const SelftestSetup& setup);

}  // namespace sessionblocks::platform
