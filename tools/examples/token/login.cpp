// Issues a token to whoever comes first, and takes it back by itself when nobody does.
#include <sessionblocks/sessionblocks.hpp>

#include <chrono>
#include <iostream>

using namespace std::chrono_literals;
using sessionblocks::Errc;
using sessionblocks::Result;
using sessionblocks::Session;

namespace {

Result<void> log_in() {
  auto session = Session::attach();
  if (!session) return tl::unexpected(session.error());
  auto handover = session->open("handover", sessionblocks::AccessMode::read_write);
  if (!handover) return tl::unexpected(handover.error());
  // `add`, not `put`: a process that is started again issues no second token.
  const auto issued =
      handover->add("token:payment", "of order 4711", sessionblocks::Expiry::after(30s));
  if (!issued && issued.error() != Errc::exists) return tl::unexpected(issued.error());
  return {};
}

}  // namespace

int main() {
  const auto done = log_in();
  if (done) return 0;
  std::cerr << "login: " << done.error().message() << '\n';
  return 1;
}
