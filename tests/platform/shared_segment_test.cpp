#include "platform/shared_segment.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "child.hpp"
#include "platform/bus_guard.hpp"
#include "platform/unique_fd.hpp"

using namespace sessionblocks;
using namespace sessionblocks::platform;
using test::exit_of_child;
using test::kNotPermitted;

namespace {

constexpr std::uint64_t kMiB = 1024 * 1024;

// A /dev/shm of 16 MiB that only this process sees.
bool have_small_shm() {
  return ::unshare(CLONE_NEWNS) == 0 &&
         ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "size=16m") == 0;
}

// Runs `body` with a small /dev/shm; says so when this user may not.
template <typename Body>
void with_small_shm(Body&& body) {
  const int code = exit_of_child([&] { return have_small_shm() ? body() : kNotPermitted; });
  if (code == kNotPermitted) {
    WARN("skipped: a mount namespace with a small /dev/shm is not permitted here");
    return;
  }
  CHECK(code == 0);
}

}  // namespace

TEST_CASE("a segment is private to its user, has its size at once and no memory yet") {
  const test::NameRemover name{test::unique_name("create")};
  const auto segment = SharedSegment::create(name.name, 8 * kMiB);
  REQUIRE(segment);
  struct stat status {};
  REQUIRE(::fstat(segment->fd(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  CHECK((::fcntl(segment->fd(), F_GETFD) & FD_CLOEXEC) != 0);
  const auto seen = segment->status();
  REQUIRE(seen);
  CHECK(seen->size_bytes == 8 * kMiB);
  CHECK(seen->allocated_bytes == 0);
  CHECK(seen->links == 1);
}

TEST_CASE("a taken name is refused and the segment that has it stays as it was") {
  const test::NameRemover name{test::unique_name("taken")};
  const auto first = SharedSegment::create(name.name, 4096);
  REQUIRE(first);
  const auto second = SharedSegment::create(name.name, 8192);
  REQUIRE_FALSE(second);
  CHECK(second.error() == Errc::exists);
  CHECK(first->status()->size_bytes == 4096);
}

TEST_CASE("names with a slash, hidden names, empty ones and size 0 are refused") {
  for (const char* name : {"", "a/b", "../x", ".hidden"}) {
    CHECK(SharedSegment::create(name, 4096).error() == Errc::invalid_argument);
    CHECK(SharedSegment::open_existing(name, Access::read_only).error() == Errc::invalid_argument);
    CHECK(SharedSegment::unlink(name).error() == Errc::invalid_argument);
  }
  CHECK(SharedSegment::create(test::unique_name("zero"), 0).error() == Errc::invalid_argument);
}

TEST_CASE("a segment outlives its creator's handle, is listed, adopted and removed by name") {
  const test::NameRemover name{test::unique_name("adopt")};
  { REQUIRE(SharedSegment::create(name.name, 12288)); }
  const auto names = SharedSegment::list("sessionblocks-test." + std::to_string(::getpid()) + ".");
  REQUIRE(names);
  CHECK(std::find(names->begin(), names->end(), name.name) != names->end());
  const auto adopted = SharedSegment::adopt(name.name);
  REQUIRE(adopted);
  CHECK(adopted->bytes() == 12288);
  REQUIRE(SharedSegment::unlink(name.name));
  CHECK(adopted->status()->links == 0);
  CHECK(SharedSegment::unlink(name.name).error() == Errc::not_found);
  CHECK(SharedSegment::adopt(name.name).error() == Errc::not_found);
}

TEST_CASE("a lock that a holder of a descriptor took keeps nobody from adopting") {
  const test::NameRemover name{test::unique_name("locked")};
  REQUIRE(SharedSegment::create(name.name, 4096));
  const UniqueFd holder(::open(("/dev/shm/" + name.name).c_str(), O_RDONLY | O_CLOEXEC));
  REQUIRE(holder);
  REQUIRE(::flock(holder.get(), LOCK_EX | LOCK_NB) == 0);
  CHECK(SharedSegment::adopt(name.name));
}

TEST_CASE("adopting closes what a holder of a descriptor opened to others, and refuses strangers") {
  const test::NameRemover name{test::unique_name("mode")};
  const auto segment = SharedSegment::create(name.name, 4096);
  REQUIRE(segment);
  REQUIRE(::fchmod(segment->fd(), 0666) == 0);
  REQUIRE(SharedSegment::adopt(name.name));
  struct stat status {};
  REQUIRE(::fstat(segment->fd(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  if (::geteuid() != 0) {
    WARN("skipped: only root can give a file away");
    return;
  }
  REQUIRE(::fchown(segment->fd(), 65534, 65534) == 0);
  CHECK(SharedSegment::adopt(name.name).error() == Errc::denied);
}

TEST_CASE("what one mapping stores another one loads; a read-only one cannot store") {
  const test::NameRemover name{test::unique_name("map")};
  const auto segment = SharedSegment::create(name.name, 8192);
  REQUIRE(segment);
  const auto writer = segment->map(Access::read_write);
  const auto reader = segment->map(Access::read_only);
  REQUIRE(writer);
  REQUIRE(reader);
  std::memcpy(writer->data() + 5000, "text", 5);
  CHECK(std::memcmp(reader->data() + 5000, "text", 5) == 0);
  const int code = exit_of_child([&] {
    // The parent's mapping is not there in a child, so the child maps its own.
    const auto mine = segment->map(Access::read_only);
    *const_cast<volatile std::byte*>(mine->data()) = std::byte{1};
    return 0;
  });
  CHECK(code == 1000 + SIGSEGV);
}

TEST_CASE("a forked child has no mapping where its parent had one") {
  const test::NameRemover name{test::unique_name("fork")};
  const auto segment = SharedSegment::create(name.name, 4096);
  const auto mapping = segment->map(Access::read_write);
  REQUIRE(mapping);
  const volatile std::byte* const data = mapping->data();
  CHECK(exit_of_child([&] { return static_cast<int>(data[0]); }) == 1000 + SIGSEGV);
}

TEST_CASE("a descriptor that is shorter than promised is corrupt, not mapped") {
  const test::NameRemover name{test::unique_name("short")};
  const auto segment = SharedSegment::create(name.name, 4096);
  REQUIRE(segment);
  CHECK(Mapping::from_fd(segment->fd(), 4097, Access::read_only).error() == Errc::corrupt);
  CHECK(Mapping::from_fd(segment->fd(), 0, Access::read_only).error() == Errc::invalid_argument);
}

TEST_CASE("a read-only descriptor is never mapped for writing") {
  const test::NameRemover name{test::unique_name("ro")};
  REQUIRE(SharedSegment::create(name.name, 4096));
  const auto segment = SharedSegment::open_existing(name.name, Access::read_only);
  REQUIRE(segment);
  CHECK(segment->map(Access::read_write).error() == Errc::denied);
  CHECK(segment->map(Access::read_only).has_value());
}

TEST_CASE("reserving takes exactly the pages that were asked for") {
  const test::NameRemover name{test::unique_name("reserve")};
  const auto segment = SharedSegment::create(name.name, 64 * kMiB);
  REQUIRE(segment);
  REQUIRE(segment->reserve(0, 20 * kMiB));
  CHECK(segment->status()->allocated_bytes == 20 * kMiB);
  const auto mapping = segment->map(Access::read_write);
  REQUIRE(mapping->populate_write(20 * kMiB + 100, 4096));
  CHECK(segment->status()->allocated_bytes == 20 * kMiB + 8192);
  CHECK(segment->status()->size_bytes == 64 * kMiB);
  CHECK(segment->reserve(64 * kMiB, 1).error() == Errc::invalid_argument);
  CHECK(segment->reserve(1, ~std::uint64_t{0}).error() == Errc::invalid_argument);
  CHECK(mapping->populate_write(64 * kMiB, 1).error() == Errc::invalid_argument);
  CHECK(mapping->populate_read(1, ~std::uint64_t{0}).error() == Errc::invalid_argument);
}

TEST_CASE("a full /dev/shm is out_of_memory for both ways to reserve, and takes nothing") {
  with_small_shm([] {
    const auto segment = SharedSegment::create("full", 32 * kMiB);
    if (!segment || !segment->reserve(0, 4 * kMiB)) return 1;
    const auto mapping = segment->map(Access::read_write);
    std::memset(mapping->data(), 'x', 4 * kMiB);
    const auto by_descriptor = segment->reserve(0, 32 * kMiB);
    if (by_descriptor || !(by_descriptor.error() == Errc::out_of_memory)) return 2;
    const auto by_mapping = mapping->populate_write(0, 32 * kMiB);
    if (by_mapping || !(by_mapping.error() == Errc::out_of_memory)) return 3;
    const auto by_reading = mapping->populate_read(0, 32 * kMiB);
    if (by_reading || !(by_reading.error() == Errc::out_of_memory)) return 4;
    for (std::uint64_t at = 0; at < 4 * kMiB; at += 4096) {
      if (mapping->data()[at] != std::byte{'x'}) return 5;
    }
    return 0;
  });
}

TEST_CASE("a load of a hole on a full /dev/shm latches corrupt under the guard, and goes on") {
  with_small_shm([] {
    const auto filler = SharedSegment::create("filler", 16 * kMiB);
    const auto segment = SharedSegment::create("holes", kMiB);
    if (!filler || !segment || !filler->reserve(0, 16 * kMiB)) return 1;
    const auto mapping = segment->map(Access::read_only);
    std::atomic<bool> corrupt{false};
    const auto guard = BusGuard::watch(*mapping, corrupt);
    if (!guard) return 2;
    const volatile std::byte* const data = mapping->data();
    if (data[5 * 4096] != std::byte{0}) return 3;
    return corrupt.load(std::memory_order_acquire) ? 0 : 4;
  });
}

TEST_CASE("anonymous memory is shared with a forked child") {
  const auto mapping = Mapping::anonymous(8192);
  REQUIRE(mapping);
  CHECK(exit_of_child([&] {
          mapping->data()[8191] = std::byte{7};
          return 0;
        }) == 0);
  CHECK(mapping->data()[8191] == std::byte{7});
  CHECK(Mapping::anonymous(0).error() == Errc::invalid_argument);
}
