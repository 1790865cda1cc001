// Retry state that outlives the process: the attempts at a job are counted in a block that belongs
// to the worker slot. Whatever ends a process, the next one of the slot goes on counting.
#include <sessionblocks/sessionblocks.hpp>

#include <csignal>
#include <cstdint>
#include <iostream>

using sessionblocks::Errc;
using sessionblocks::Result;
using sessionblocks::Session;

namespace {

constexpr std::int64_t kMostAttempts = 4;

// Stands for a service that kills its first caller, refuses the second and serves the third.
bool call_service(std::int64_t attempt) {
  if (attempt == 1) std::raise(SIGKILL);
  return attempt >= 3;
}

Result<bool> deliver() {
  auto session = Session::attach();
  if (!session) return tl::unexpected(session.error());
  auto retries = session->open("retries");
  if (!retries) return tl::unexpected(retries.error());

  // Counted before it is tried: an attempt that kills this process counts too.
  const auto attempt = retries->increment("attempts");
  if (!attempt) return tl::unexpected(attempt.error());
  if (*attempt > kMostAttempts) return sessionblocks::fail(Errc::timed_out, "giving up");
  if (!call_service(*attempt)) {
    return retries->put("last_problem", "refused").map([](auto) { return false; });
  }
  const auto last = retries->get<std::string>("last_problem");
  std::cout << "delivered at attempt " << *attempt
            << ", the last problem was: " << (last ? last->value : last.error().message())
            << std::endl;
  return retries->erase("attempts").map([](auto) { return true; });
}

}  // namespace

// Exit code 1 makes the director start the slot again.
int main() {
  const auto delivered = deliver();
  if (delivered) return *delivered ? 0 : 1;
  std::cerr << "retry-state: " << delivered.error().message() << '\n';
  return 1;
}
