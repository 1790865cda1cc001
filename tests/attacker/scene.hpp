// What an attacking worker has and what it aims at.
//
// The suite: script `attacker` (this program) and script `sibling`, which is its victim beside the
// director. Blocks: `cart` (shared, both rw), `settings` (shared, attacker r), `vault` (the
// sibling's own).
#pragma once

#include <sys/types.h>

#include <optional>
#include <sessionblocks/sessionblocks.hpp>
#include <string>
#include <vector>

#include "platform/unique_fd.hpp"
#include "session/director_client.hpp"

namespace attacker {

// A segment that the worker was given, as descriptor and as memory.
struct Held {
  std::string name;
  sessionblocks::platform::UniqueFd fd;
  std::size_t bytes = 0;
  bool is_writable = false;
  std::byte* memory = nullptr;
  [[nodiscard]] std::string link() const { return "/proc/self/fd/" + std::to_string(fd.get()); }
};

// The order of Scene::held.
enum class HeldAs : std::size_t { control, settings, cart, worker, readers };
inline constexpr const char* kHeldNames[] = {"control", "settings (r)", "cart (rw)",
                                             "own worker segment", "readers of cart"};

// The order of Scene::segments, which holds their names in /dev/shm.
inline constexpr const char* kSegmentNames[] = {"control",
                                                "director's worker segment",
                                                "sibling's worker segment",
                                                "own worker segment",
                                                "cart",
                                                "settings",
                                                "sibling's vault",
                                                "readers of the vault"};

// A process that is attacked.
struct Victim {
  pid_t pid = 0;
  std::string scope;
  std::uint32_t worker = 0;
  std::uintptr_t address = 0;   // of a word in its memory
  std::string own_file;         // a file that only it may use
  std::string segment;          // name in /dev/shm of a segment of its own
  std::string abstract_socket;  // with its leading zero byte
};

struct Scene {
  Scene();

  std::string socket, runtime, scope, token;
  std::string sibling_token;
  std::uint32_t worker = 0;
  std::vector<Held> held;
  std::vector<std::string> segments;
  Victim director, sibling;
  // Two attachments of this process: one with bare messages, one as any program has it.
  std::optional<sessionblocks::DirectorClient> client;
  std::optional<sessionblocks::Session> session;
  std::optional<sessionblocks::Block> cart;

  [[nodiscard]] const Held& at(HeldAs which) const { return held[static_cast<std::size_t>(which)]; }

 private:
  void attach();
  void open_blocks();
  void find_victims();
  void name_segments();
  void hold(sessionblocks::Message request, const char* size_field, bool is_writable);
};

inline constexpr unsigned kWatchdogSeconds = 60;
inline constexpr std::uint64_t kSecret = 0x5ec2e7'5ec2e7;

// An environment variable that must be there.
std::string variable(const char* name);
[[noreturn]] void give_up(const std::string& why);
// The value, or the end of the program.
template <typename T>
T take(sessionblocks::Result<T> result, const std::string& what) {
  if (!result) give_up(what + ": " + result.error().message());
  return std::move(*result);
}
// Waits until somebody has put this key, and returns it.
std::string text_from(const sessionblocks::Block& block, const char* key);

sessionblocks::Message attach_request(const std::string& scope, const std::string& token);
std::string abstract_name_of(pid_t pid);

}  // namespace attacker
