#include "refill.hpp"

#include <sessionblocks/sessionblocks.hpp>

#include "platform/clock.hpp"
#include "recorder.hpp"
#include "roles.hpp"

namespace sessionblocks::torture {
namespace {

constexpr std::uint64_t kStuckNs = 60'000'000'000;
constexpr std::size_t kValueBytes = 3'000;  // so that no index is too small for what fits
constexpr const char* kTwinName = "twin";

// What has expired keeps its memory until it is written to.
Result<void> erase_all(Block& block, const KeySet& keys, bool is_again) {
  for (std::uint32_t key = 0; key < keys.size(); ++key) {
    const std::string& name = keys.name(key);
    if (keys.may_expire(key)) static_cast<void>(block.put(name, ""));
    const auto gone = block.erase(name);
    if (gone || gone.error() == Errc::not_found) continue;
    // It may be so full that there is no room for a tombstone: what is erased first makes some.
    if (gone.error() != Errc::out_of_memory || is_again) return tl::unexpected(gone.error());
  }
  return {};
}

// How many entries it has when it takes no more.
Result<std::uint64_t> fill(Block& block, std::uint64_t quota_bytes) {
  const std::string value(kValueBytes, 'v');
  for (std::uint64_t i = 0; i < 2 * quota_bytes / kValueBytes; ++i) {
    const auto put = block.put("fill/" + std::to_string(i), value);
    if (put) continue;
    if (put.error() == Errc::out_of_memory) break;
    return tl::unexpected(put.error());
  }
  return block.size();
}

Result<void> compare(System& system, const KeySet& keys) {
  AttachOptions options;
  options.socket = system.socket();
  options.scope = std::string("torture/") + kRoles[0].scope;
  options.token = system.token(kRoles[0].scope);
  auto session = Session::attach(options);
  if (!session) return tl::unexpected(session.error());
  auto block = session->open(kBlockName);
  if (!block) return tl::unexpected(block.error());
  if (auto erased = erase_all(*block, keys, false); !erased) return erased;
  if (auto erased = erase_all(*block, keys, true); !erased) return erased;
  if (auto made = system.create_twin(kTwinName); !made) return made;
  auto twin = session->open(kTwinName);
  if (!twin) return tl::unexpected(twin.error());
  const auto again = fill(*block, system.quota_bytes());
  const auto first = fill(*twin, system.quota_bytes());
  if (!again) return tl::unexpected(again.error());
  if (!first) return tl::unexpected(first.error());
  // Its index has grown, and its pages are cut otherwise.
  if (*again >= *first / 2) return {};
  return tl::unexpected(Error(
      Errc::out_of_memory,
      "of " + std::to_string(*first) + " entries it takes " + std::to_string(*again) + " again"));
}

}  // namespace

void check_refill(System& system, const KeySet& keys, Oracle& oracle) {
  // What the checkpoints held is given back in turns of the director.
  const std::uint64_t limit = platform::monotonic_ns() + kStuckNs;
  while (system.look().chained != 0) {
    if (platform::monotonic_ns() > limit) {
      return oracle.complain("versions that no checkpoint needs are kept");
    }
    nap(std::chrono::milliseconds(1));
  }
  if (auto same = compare(system, keys); !same)
    oracle.complain("emptied: " + same.error().message());
}

}  // namespace sessionblocks::torture
