// What the driver tells the oracle of rollbacks and of instants, and how they are held against the
// histories of the keys.
//
// A rollback is a change of each key that the director's records name: to what it was at the
// checkpoint, with a version that comes after all that was there. Which keys it has to change is
// known from what was acknowledged before it was asked for; what was under way may be in it or not.
//
// An instant is a moment between two calls: no change that it shows may have begun after one that
// it does not show had ended.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "history.hpp"

namespace sessionblocks::torture {

// Of all keys, by number.
using States = std::shared_ptr<const std::vector<KeyState>>;

struct RolledBack {
  States then;
  std::uint64_t start_ns = 0;
  std::uint64_t end_ns = 0;
  std::uint64_t start_ms = 0;  // the same by the coarse clock
  std::uint64_t end_ms = 0;
};

struct Instant {
  std::uint64_t start_ns = 0;  // of the call that made it
  std::uint64_t end_ns = 0;
  std::map<std::uint32_t, std::uint64_t> versions;  // that it shows, by key; 0: none
};

// What one record of the director says of a key, as a change of it.
[[nodiscard]] Done change_of(const RolledBack& event, std::uint32_t key, bool is_erase,
                             std::uint64_t version, std::uint64_t value_bytes);

// A key that no record of the director names: nothing that had to be changed back.
void check_untouched(const std::string& name, const RolledBack& event, std::uint32_t key,
                     const KeyState& before, const std::vector<Done>& done,
                     const Complain& complain);

// The bounds that the histories leave for an instant.
class InstantCheck {
 public:
  explicit InstantCheck(const Instant& instant) : instant_(instant) {}
  // `before` and `done` as for check_key, sorted by it.
  void look(std::uint32_t key, const std::string& name, const KeyState& before,
            const std::vector<Done>& done, const Complain& complain);
  void end(const Complain& complain) const;

 private:
  const Instant& instant_;
  std::uint64_t earliest_ns_ = 0;                // the latest start of a change that it shows
  std::uint64_t latest_ns_ = ~std::uint64_t{0};  // the earliest end of one that it does not show
};

}  // namespace sessionblocks::torture
