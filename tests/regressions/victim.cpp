#include "victim.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "core/crash_point.hpp"

namespace sessionblocks::regressions {
namespace {

// Of the child; the hook is a plain function.
Link* link_of_child = nullptr;
unsigned points_left = 0;

[[maybe_unused]] void stay(const char* /*label*/) {
  if (points_left-- != 0) return;
  link_of_child->say("there");
  while (true) ::pause();
}

void begin_counting([[maybe_unused]] unsigned n) {
#if defined(SESSIONBLOCKS_CRASH_POINTS)
  points_left = n;
  crash_hook() = stay;
#endif
}

void end_counting() {
#if defined(SESSIONBLOCKS_CRASH_POINTS)
  crash_hook() = nullptr;
#endif
}

}  // namespace

Process victim(Stage& stage, const std::string& block, unsigned n,
               const std::function<void(Block&)>& act) {
  return Process([place = stage.place("victim"), block, n, act](Link& link) {
    auto session = Session::attach(place);
    auto opened = session ? session->open(block) : tl::unexpected(session.error());
    if (!opened || !opened->put("own", 1)) return 1;
    link_of_child = &link;
    begin_counting(n);
    act(*opened);
    end_counting();
    link.say("done");
    (void)link.hear();
    return 0;
  });
}

Process readers(Stage& stage, const std::string& block, const std::vector<std::string>& keys) {
  return Process([place = stage.place("victim"), block, keys](Link& link) {
    auto session = Session::attach(place);
    auto opened =
        session ? session->open(block, AccessMode::read) : tl::unexpected(session.error());
    if (!opened) return 1;
    std::atomic<std::size_t> inside{0};
    std::vector<std::thread> threads;
    for (const std::string& key : keys) {
      threads.emplace_back([&] {
        (void)opened->visit(key, [&](std::span<const std::byte>) {
          ++inside;
          while (true) ::pause();
        });
        ::_exit(2);
      });
    }
    while (inside != keys.size()) std::this_thread::yield();
    link.say("there");
    while (true) ::pause();
  });
}

void kill(Process& process) {
  process.signal(SIGKILL);
  REQUIRE(process.wait() == 128 + SIGKILL);
}

}  // namespace sessionblocks::regressions
