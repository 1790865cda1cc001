#include "platform/opener_thread.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <deque>
#include <thread>
#include <vector>

#include "child.hpp"
#include "platform/landlock.hpp"
#include "platform/read_only_view.hpp"
#include "platform/shared_segment.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;

TEST_CASE("nobody who holds a descriptor of the opener can change the segment's size") {
  const test::NameRemover name{test::unique_name("opener")};
  const auto segment = SharedSegment::create(name.name, 65536);
  REQUIRE(segment);
  OpenerThread opener;
  CHECK(opener.strips_truncation() == (landlock::abi() >= landlock::kAbiWithTruncate));
  if (!opener.strips_truncation()) {
    WARN("skipped: this kernel has no Landlock ABI 3");
    return;
  }
  const auto fd = opener.open(name.name, Access::read_write);
  REQUIRE(fd);
  for (const off_t size : {off_t{0}, off_t{4096}, off_t{131072}}) {
    CHECK(::ftruncate(fd->get(), size) == -1);
  }
  // A child inherits the descriptor with its refusal.
  CHECK(test::exit_of_child([&] { return ::ftruncate(fd->get(), 0) == 0 ? 1 : 0; }) == 0);
  CHECK(segment->status()->size_bytes == 65536);
  // Mapping and storing work.
  const auto mapping = Mapping::from_fd(fd->get(), 65536, Access::read_write);
  REQUIRE(mapping);
  REQUIRE(mapping->populate_write(0, 65536));
  std::memset(mapping->data(), 1, 65536);
  // The rest of this process is not restricted.
  CHECK(::ftruncate(segment->fd(), 65536) == 0);
}

TEST_CASE("the opener opens read-only, closes on exec, and says what is absent") {
  const test::NameRemover name{test::unique_name("opener-ro")};
  REQUIRE(SharedSegment::create(name.name, 4096));
  OpenerThread opener;
  const auto fd = opener.open(name.name, Access::read_only);
  REQUIRE(fd);
  CHECK((::fcntl(fd->get(), F_GETFL) & O_ACCMODE) == O_RDONLY);
  CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(opener.open(name.name + ".absent", Access::read_only).error() == Errc::not_found);
  CHECK(opener.open("../etc/passwd", Access::read_only).error() == Errc::invalid_argument);
}

TEST_CASE("a read-only descriptor changes neither mode, attributes nor times, even for the owner") {
  if (!open_read_only_view("/dev/shm")) {
    WARN("skipped: neither mounting nor user namespaces are permitted here");
    return;
  }
  const test::NameRemover name{test::unique_name("opener-mode")};
  const auto segment = SharedSegment::create(name.name, 4096);
  REQUIRE(segment);
  OpenerThread opener;
  const auto fd = opener.open(name.name, Access::read_only);
  REQUIRE(fd);
  CHECK(::fchmod(fd->get(), 0666) == -1);
  CHECK(::futimens(fd->get(), nullptr) == -1);
  CHECK(::fsetxattr(fd->get(), "user.mark", "x", 1, 0) == -1);
  const std::string link = "/proc/self/fd/" + std::to_string(fd->get());
  CHECK(::chmod(link.c_str(), 0666) == -1);
  CHECK(UniqueFd(::open(link.c_str(), O_RDWR | O_CLOEXEC)).get() < 0);
  struct stat status {};
  REQUIRE(::fstat(fd->get(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK(Mapping::from_fd(fd->get(), 4096, Access::read_only).has_value());
}

TEST_CASE("many threads ask one opener, and each gets its own segment") {
  constexpr int kThreads = 4;
  constexpr int kRounds = 200;
  std::deque<test::NameRemover> names;
  for (int index = 0; index < kThreads; ++index) {
    names.emplace_back(test::unique_name("opener-many"));
    REQUIRE(SharedSegment::create(names.back().name, static_cast<std::uint64_t>(index + 1) * 4096));
  }
  OpenerThread opener;
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int index = 0; index < kThreads; ++index) {
    threads.emplace_back([&, index] {
      const auto expected = static_cast<std::uint64_t>(index + 1) * 4096;
      const std::string& mine = names[static_cast<std::size_t>(index)].name;
      for (int round = 0; round < kRounds; ++round) {
        const auto fd = opener.open(mine, Access::read_write);
        if (!fd || segment_status(fd->get())->size_bytes != expected) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}
