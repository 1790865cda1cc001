// Compiles and links as a stranger's program would; prints one line when all is well.
#include <sessionblocks/sessionblocks.hpp>

#include <cstdlib>
#include <iostream>

using sessionblocks::Errc;
using sessionblocks::Result;

namespace {

// Where no system runs, attaching says so.
bool attaching_fails_cleanly() {
  ::unsetenv("SESSIONBLOCKS_SOCKET");
  ::setenv("XDG_RUNTIME_DIR", "/nonexistent", 1);
  const auto session = sessionblocks::Session::attach();
  return !session && session.error() == Errc::not_attached && !session.error().message().empty();
}

// The whole way through a system of this process's own.
Result<std::int64_t> use_a_system() {
  ::unsetenv("XDG_RUNTIME_DIR");
  auto system = sessionblocks::SessionSystem::embedded();
  if (!system) return tl::unexpected(system.error());
  sessionblocks::BlockOptions options;
  options.name = "cart";
  options.kind = "shared";
  options.quota_bytes = 1U << 20U;
  if (auto created = system->create(options); !created) return tl::unexpected(created.error());
  auto session = system->attach();
  if (!session) return tl::unexpected(session.error());
  auto cart = session->open("cart");
  if (!cart) return tl::unexpected(cart.error());
  if (auto put = cart->put("items", 3); !put) return tl::unexpected(put.error());
  return cart->get<std::int64_t>("items").map([](const auto& entry) { return entry.value; });
}

}  // namespace

int main() {
  if (!attaching_fails_cleanly()) return 1;
  const auto items = use_a_system();
  if (!items) std::cout << items.error().message() << '\n';
  if (!items || *items != 3) return 2;
  std::cout << "consumer: ok\n";
  return 0;
}
