// References: signed permissions to open one block, which a scope hands to another.
//
//   sbref1. + base64 (URL-safe, no padding) of
//   | version 1 | rights 1 | single use 1 | 0 | block 4 | generation 4 | issuer 4 | audience 4 |
//   | ends at 8 | nonce 8 | keyed hash 24 |
//
// The hash is keyed BLAKE2b, no signature that others could check: only the director redeems, so
// nobody else needs to tell a true reference from a forged one, and a secret that never leaves the
// director has no public half that workers must be given. Its key is made from operator.key and the
// system's instance: a reference survives its director, and counts in no other system.
//
// Time is CLOCK_BOOTTIME: setting the wall clock prolongs nothing, suspending the machine does not
// stop it, and no block outlives the boot. Scopes go by id: one that ended, and came back under its
// old path, is another.
//
// What a reference holds can be read by whoever has it, and it opens the block for whoever belongs
// to its audience: it must not be written into logs. reference_name() is for those.
#pragma once

#include <array>
#include <cstdint>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>

#include "core/ids.hpp"
#include "core/words.hpp"
#include "director/audit_sink.hpp"
#include "director/operator_key.hpp"

namespace sessionblocks::director {

inline constexpr std::string_view kReferencePrefix = "sbref1.";
inline constexpr std::string_view kAnyScope = "*";  // as an audience
// A reference passes a block on for a while. What is to last is a grant of the suite file.
inline constexpr std::uint64_t kMaxReferenceMs = std::uint64_t{24} * 3'600 * 1'000;

struct Reference {
  BlockId block{};
  Generation generation{};
  ScopeId issuer{};
  ScopeId audience{};  // 0: any scope of the system
  sessionblocks::Rights rights = sessionblocks::Rights::none;
  bool is_single_use = false;
  std::uint64_t ends_at_ms = 0;  // CLOCK_BOOTTIME
  std::uint64_t nonce = 0;       // tells references apart; never 0
  friend bool operator==(const Reference&, const Reference&) = default;
};

// What logs and messages call it: enough to find the same one again, and no use to anybody.
[[nodiscard]] std::string reference_name(const Reference& reference);

class ReferenceKey {
 public:
  ReferenceKey(const OperatorKey& key, const SystemInstance& instance);

  [[nodiscard]] std::string text_of(const Reference& reference) const;
  // reference_forged: this system did not make it, or somebody changed it. Whether it still counts
  // is for Registry::redeem to say.
  [[nodiscard]] Result<Reference> read(std::string_view text) const;

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

}  // namespace sessionblocks::director
