// Waits for a token and takes it. Reading and erasing are one step, so of any number of takers
// exactly one gets it.
#include <sessionblocks/sessionblocks.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;
using sessionblocks::Errc;
using sessionblocks::Result;
using sessionblocks::Session;
using sessionblocks::Version;

namespace {

Result<std::string> take_token(sessionblocks::Block& handover) {
  // Version 0: until there is an entry. The wait sleeps in the kernel; the put wakes it.
  const auto present = handover.wait("token:payment", Version{0}, 20s);
  if (!present) return tl::unexpected(present.error());
  return handover.get_and_erase<std::string>("token:payment").map([](auto entry) {
    return std::move(entry.value);
  });
}

Result<void> charge() {
  auto session = Session::attach();
  if (!session) return tl::unexpected(session.error());
  auto handover = session->open("handover");
  if (!handover) return tl::unexpected(handover.error());
  const auto token = take_token(*handover);
  if (!token) return tl::unexpected(token.error());
  const auto again = handover->get<std::string>("token:payment");
  if (again || again.error() != Errc::not_found) return sessionblocks::fail(Errc::exists, *token);
  std::cout << "charged with the token " << *token << std::endl;
  return {};
}

}  // namespace

int main() {
  const auto done = charge();
  if (done) return 0;
  std::cerr << "charge: " << done.error().message() << '\n';
  return 1;
}
