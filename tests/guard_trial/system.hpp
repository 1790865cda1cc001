// The session system of one run: a director on a thread of this process with its real guard and a
// log, and the guard's clock, which the run moves.
//
// One thread. What cannot be had ends the run: std::runtime_error.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <sessionblocks/sessionblocks.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "director/embedded.hpp"

namespace sessionblocks::test_support {
class SteppedGuard;
}

namespace sessionblocks::guard_trial {

using test_support::SteppedGuard;

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

// What the guard found, or damage that it had the director look for.
struct Found {
  std::uint64_t at_ms = 0;  // by the guard's clock
  std::string rule;
  std::string what;
  std::string evidence;
  std::string action;
};

struct SharedBlock {
  std::string name;
  std::uint64_t quota_bytes = std::uint64_t{4} << 20U;
  std::vector<std::pair<std::string, Rights>> grants;  // by script
  AtLimit at_limit = AtLimit::refuse;
  std::uint32_t permits = 0;
};

class Quarantines;

class System {
 public:
  System();
  ~System();
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  [[nodiscard]] director::Director& director() { return embedded_->director(); }
  [[nodiscard]] AttachOptions place(const std::string& script);
  [[nodiscard]] Session attach(const std::string& script);
  void create(const SharedBlock& wanted);
  // In the director, between two of its events; what it throws is thrown here.
  void call(const std::function<void(director::Registry&)>& work);
  // As events and findings name it.
  [[nodiscard]] std::string text_of(const Block& block) const;

  // The guard's clock goes on; the director drains all records and does what it does in a second,
  // and the guard looks.
  void step(std::uint64_t ms);
  [[nodiscard]] std::uint64_t now_ms() const { return now_ms_.load(); }
  [[nodiscard]] const std::vector<Found>& found() const { return found_; }

 private:
  void hear();

  std::filesystem::path folder_;
  std::atomic<std::uint64_t> now_ms_{1'000'000};
  std::shared_ptr<Quarantines> quarantines_;
  SteppedGuard* guard_ = nullptr;
  std::unique_ptr<director::EmbeddedDirector> embedded_;
  std::vector<Found> found_;
  std::uint64_t heard_ = 0;  // the number of the last finding
};

}  // namespace sessionblocks::guard_trial
