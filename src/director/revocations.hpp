// Revocations: rights on a block that are taken away from a scope, from all scopes below it, and
// from whoever has them through one of these: by inheritance, by a reference that it issued or
// redeemed. By path, so that a script which ends and is started again gets nothing back.
//
// Control has the revocation first: from then on nobody is given more. Then whoever holds more than
// is left is dealt with. The libraries of those learn it by the next generation of the block, which
// everybody's library asks the director for; those who keep their rights go on in it.
#pragma once

#include <string>
#include <string_view>

#include "director/registry_terms.hpp"

namespace sessionblocks::director {

class Registry;
struct Holding;

inline constexpr std::size_t kMostRevocationsOfBlock = 64;
// Of all rows this many are for operators, so that no worker can take the last one.
inline constexpr std::size_t kRevocationsForOperators = 128;

struct Revoking {
  std::string from;  // a scope's path; it must be there now
  sessionblocks::Rights left = sessionblocks::Rights::none;
  Enforcement by;
  bool is_by_operator = false;
};

class Revocations {
 public:
  explicit Revocations(Registry& registry) noexcept : registry_(registry) {}

  // After it nobody who lost rights can use them through a library, and with swap or kill through
  // an old mapping neither. The same again repeats what is not done yet.
  // invalid_argument: no memory of its own, or less than this is left already; no_such_scope;
  // too_many. out_of_memory, corrupt: no next generation could be made: the revocation stands, and
  // what was open before goes on until it is closed. What killing says: the same.
  [[nodiscard]] Result<void> revoke(StoredBlock& block, const Revoking& what, std::string_view why);
  // What was revoked from this very scope. invalid_argument: nothing was.
  [[nodiscard]] Result<void> grant_back(StoredBlock& block, std::string_view path,
                                        std::string_view why);
  // Against who was given more of it, in the scope at `path` or below, than it may have now. Nothing
  // happens when nobody was. What revoke() says.
  [[nodiscard]] Result<void> enforce(StoredBlock& block, const std::string& path, Enforcement by);
  // The rows of an earlier director; once its blocks are there.
  void adopt();
  // What a director that died on the way left to do. Again does nothing more.
  void finish();
  // The block has ended.
  void forget(StoredBlock& block) noexcept;

 private:
  [[nodiscard]] Result<Revocation*> write_down(StoredBlock& block, const Revoking& what);
  [[nodiscard]] std::vector<platform::ProcessIdentity> losers(const StoredBlock& block,
                                                              std::string_view path);
  [[nodiscard]] bool concerns(std::string_view path, ScopeId given_for) const;

  Registry& registry_;
  std::size_t rows_ = 0;
};

}  // namespace sessionblocks::director
