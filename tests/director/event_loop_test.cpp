#include "director/event_loop.hpp"

#include <fcntl.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <optional>

#include "platform/unique_fd.hpp"

using namespace sessionblocks;
using namespace sessionblocks::director;

namespace {

struct Pipe {
  Pipe() {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  void fill() const { REQUIRE(::write(write.get(), "x", 1) == 1); }
  platform::UniqueFd read;
  platform::UniqueFd write;
};

}  // namespace

TEST_CASE("an event of a watch that has ended is no event of the watch that comes after it") {
  ::alarm(60);
  EventLoop loop;
  Pipe first;
  Pipe second;
  Pipe quiet;
  std::optional<FdWatch> first_watch;
  std::optional<FdWatch> second_watch;
  FdWatch quiet_watch;
  Timer end;
  unsigned quiet_calls = 0;
  // Both are readable in one look of the loop. Whichever is told first ends the other's watch and
  // begins one of a descriptor that nothing ever comes through.
  const auto told = [&](std::optional<FdWatch>& other) {
    if (!first_watch || !second_watch) return;
    other.reset();
    quiet_watch = loop.watch(quiet.read.get(), [&] { ++quiet_calls; });
    end = loop.after(std::chrono::milliseconds(1), [&] { loop.stop(); });
  };
  loop.post([&] {
    first_watch = loop.watch(first.read.get(), [&] { told(second_watch); });
    second_watch = loop.watch(second.read.get(), [&] { told(first_watch); });
    first.fill();
    second.fill();
  });
  loop.run();
  CHECK(quiet_calls == 0);

  quiet_watch = FdWatch();
  quiet.fill();
  quiet_watch = loop.watch(quiet.read.get(), [&] {
    ++quiet_calls;
    loop.stop();
  });
  loop.run();
  CHECK(quiet_calls == 1);
}
