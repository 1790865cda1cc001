// BlockStates: the states of a block that somebody asks for. Control has the state first, then what
// was in flight is settled, then whoever could still do what is forbidden now is dealt with.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "director/registry_terms.hpp"

namespace sessionblocks::director {

class Registry;

class BlockStates {
 public:
  explicit BlockStates(Registry& registry) noexcept : registry_(registry) {}

  // After this nothing that began before can commit, and with enforce = kill no process lives that
  // holds more than the new state allows. A wiped block has no byte left of what it held.
  // invalid_argument: not from the state that it is in, or it has no memory of its own; corrupt:
  // release, and it is damaged. What settling says, and unsupported, timed_out for a holder that
  // could not be killed: the state stands, and the rest is done.
  // `by`: how it is enforced this time, whatever the block's policy says.
  [[nodiscard]] Result<void> change(StoredBlock& block, Transition what, std::string_view why,
                                    std::optional<Enforcement> by = {});
  // What a director that died on the way left to do. Again does nothing more.
  void finish();
  // Wipes once more.
  Result<void> discard(StoredBlock& block);
  // Returns when they are dead, and every worker of them recovered. unsupported: the director's own
  // process; timed_out: one does not end; the others have.
  Result<void> kill(const std::vector<platform::ProcessIdentity>& processes,
                    const std::string& block);

 private:
  [[nodiscard]] Result<void> check_sound(StoredBlock& block);
  Result<void> enforce(StoredBlock& block, sessionblocks::Rights most, Enforcement by);
  // Processes that may have more of it mapped, whether they have it open or not.
  [[nodiscard]] std::vector<platform::ProcessIdentity> holders(const StoredBlock& block,
                                                               sessionblocks::Rights most);
  Result<void> kill_holders(const StoredBlock& block, sessionblocks::Rights most);
  void bury(const platform::ProcessIdentity& process, const std::string& block);
  [[nodiscard]] std::vector<WorkerId> workers_of(const platform::ProcessIdentity& process) const;
  [[nodiscard]] std::string text_of(const platform::ProcessIdentity& process) const;

  Registry& registry_;
};

}  // namespace sessionblocks::director
