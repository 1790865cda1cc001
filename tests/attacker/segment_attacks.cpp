// On segments: by their names, through the descriptors that the worker was given, by stores.
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>

#include "attack.hpp"
#include "scene.hpp"

namespace attacker {
namespace {

constexpr std::size_t kPageBytes = 4096;

Outcome close_after(int fd) {
  const Outcome outcome = outcome_of(fd);
  if (fd >= 0) ::close(fd);
  return outcome;
}

struct NameAttack {
  const char* name;
  Outcome (*attempt)(const std::string& segment);
};

constexpr NameAttack kByName[] = {
    {"open to read",
     [](const std::string& name) {
       return close_after(::open(("/dev/shm/" + name).c_str(), O_RDONLY | O_CLOEXEC));
     }},
    {"open to write",
     [](const std::string& name) {
       return close_after(::shm_open(("/" + name).c_str(), O_RDWR, 0));
     }},
    {"truncate",
     [](const std::string& name) {
       return outcome_of(::truncate(("/dev/shm/" + name).c_str(), kPageBytes));
     }},
    {"change the mode",
     [](const std::string& name) {
       return outcome_of(::chmod(("/dev/shm/" + name).c_str(), 0666));
     }},
    {"rename",
     [](const std::string& name) {
       const std::string path = "/dev/shm/" + name;
       return outcome_of(::rename(path.c_str(), (path + ".taken").c_str()));
     }},
};

struct HeldAttack {
  const char* name;
  Outcome (*attempt)(const Held& held);
  std::vector<Outcome> refusals;
};

Outcome allocate(const Held& held, int mode) {
  return outcome_of(::fallocate(held.fd.get(), mode, 0, kPageBytes));
}

Outcome link_elsewhere(const Held& held) {
  const std::string target = variable("TMPDIR") + "/segment";
  return outcome_of(
      ::linkat(AT_FDCWD, held.link().c_str(), AT_FDCWD, target.c_str(), AT_SYMLINK_FOLLOW));
}

Outcome store_past_the_end(const Held& held) {
  void* const memory = ::mmap(nullptr, held.bytes + kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED,
                              held.fd.get(), 0);
  if (memory == MAP_FAILED) return refused_with(errno);
  static_cast<volatile std::byte*>(memory)[held.bytes] = std::byte{1};
  return succeeded();
}

// No kernel keeps the holder of a writable descriptor from it; the director takes it back. The
// watchdog ends who waits in vain.
Outcome wait_until_cut_back(const Held& held) {
  struct stat status {};
  do {
    ::sched_yield();
    if (::fstat(held.fd.get(), &status) != 0) return refused_with(errno);
  } while (static_cast<std::size_t>(status.st_size) > held.bytes);
  return refused_with(EFBIG);
}

const std::vector<HeldAttack>& on_every_descriptor() {
  static const std::vector<HeldAttack> attacks = {
      {"reopen to read",
       [](const Held& held) { return close_after(::open(held.link().c_str(), O_RDONLY)); },
       {}},
      {"reopen to write",
       [](const Held& held) { return close_after(::open(held.link().c_str(), O_RDWR)); },
       {}},
      {"truncate to nothing",
       [](const Held& held) { return outcome_of(::ftruncate(held.fd.get(), 0)); },
       {refused_with(EACCES), refused_with(EINVAL)}},
      {"grow",
       [](const Held& held) {
         return outcome_of(::ftruncate(held.fd.get(), static_cast<off_t>(held.bytes * 2)));
       },
       {refused_with(EACCES), refused_with(EINVAL)}},
      {"truncate through /proc/self/fd",
       [](const Held& held) { return outcome_of(::truncate(held.link().c_str(), 0)); },
       {}},
      {"punch a hole",
       [](const Held& held) { return allocate(held, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE); },
       {refused_with(EPERM)}},
      {"zero a range",
       [](const Held& held) { return allocate(held, FALLOC_FL_ZERO_RANGE); },
       {refused_with(EPERM)}},
      {"collapse a range",
       [](const Held& held) { return allocate(held, FALLOC_FL_COLLAPSE_RANGE); },
       {refused_with(EPERM)}},
      {"remove pages (MADV_REMOVE)",
       [](const Held& held) { return outcome_of(::madvise(held.memory, kPageBytes, MADV_REMOVE)); },
       {refused_with(EPERM)}},
      {"give it another name",
       link_elsewhere,
       {refused_with(EXDEV), refused_with(ENOENT), refused_with(EACCES), refused_with(EPERM)}},
      {"take a lease, which makes others wait",
       [](const Held& held) {
         return outcome_of(
             ::fcntl(held.fd.get(), F_SETLEASE, held.is_writable ? F_WRLCK : F_RDLCK));
       },
       {refused_with(EAGAIN), refused_with(EACCES)}},
      {"give it to somebody",
       [](const Held& held) { return outcome_of(::fchown(held.fd.get(), 1, 1)); },
       {refused_with(EPERM), refused_with(EROFS), refused_with(EINVAL)}},
  };
  return attacks;
}

const std::vector<HeldAttack>& on_readable_descriptors() {
  static const std::vector<HeldAttack> attacks = {
      {"map to write",
       [](const Held& held) {
         void* const memory = ::mmap(nullptr, kPageBytes, PROT_WRITE, MAP_SHARED, held.fd.get(), 0);
         return memory == MAP_FAILED ? refused_with(errno) : succeeded();
       },
       {refused_with(EACCES)}},
      {"make the mapping writable",
       [](const Held& held) {
         return outcome_of(::mprotect(held.memory, kPageBytes, PROT_READ | PROT_WRITE));
       },
       {refused_with(EACCES)}},
      {"write by the descriptor",
       [](const Held& held) { return outcome_of(::pwrite(held.fd.get(), "x", 1, 0)); },
       {refused_with(EBADF)}},
      {"write through /proc/self/mem",
       [](const Held& held) {
         const int fd = ::open("/proc/self/mem", O_RDWR | O_CLOEXEC);
         if (fd < 0) return refused_with(errno);
         return outcome_of(::pwrite(
             fd, "x", 1, static_cast<off_t>(reinterpret_cast<std::uintptr_t>(held.memory))));
       },
       {refused_with(EACCES), refused_with(EROFS), refused_with(EIO)}},
      {"store into the mapping",
       [](const Held& held) {
         *static_cast<volatile std::byte*>(held.memory) = std::byte{1};
         return succeeded();
       },
       {ended_by(SIGSEGV)}},
      {"open it to everybody (fchmod)",
       [](const Held& held) { return outcome_of(::fchmod(held.fd.get(), 0666)); },
       {}},
      {"open it to everybody through /proc/self/fd",
       [](const Held& held) { return outcome_of(::chmod(held.link().c_str(), 0666)); },
       {}},
      {"mark it with an attribute",
       [](const Held& held) {
         return outcome_of(::fsetxattr(held.fd.get(), "user.mark", "x", 1, 0));
       },
       {refused_with(EPERM), refused_with(EACCES), refused_with(EROFS), refused_with(ENOTSUP)}},
  };
  return attacks;
}

const std::vector<HeldAttack>& on_writable_descriptors() {
  static const std::vector<HeldAttack> attacks = {
      {"store past its end", store_past_the_end, {ended_by(SIGBUS)}},
      {"grow by writing past its end, and keep that",
       [](const Held& held) {
         const auto end = static_cast<off_t>(held.bytes);
         if (::pwrite(held.fd.get(), "x", 1, end) != 1) return refused_with(errno);
         return wait_until_cut_back(held);
       },
       {refused_with(EFBIG)}},
      {"grow by fallocate, and keep that",
       [](const Held& held) {
         const auto end = static_cast<off_t>(held.bytes);
         if (::fallocate(held.fd.get(), 0, end, kPageBytes) != 0) return refused_with(errno);
         return wait_until_cut_back(held);
       },
       {refused_with(EFBIG)}},
  };
  return attacks;
}

void add(Attacks& attacks, const std::vector<HeldAttack>& which, HeldAs held) {
  for (const HeldAttack& attack : which) {
    attacks.push_back(
        {std::string(kHeldNames[static_cast<std::size_t>(held)]) + ": " + attack.name,
         [&attack, held](const Scene& scene) { return attack.attempt(scene.at(held)); },
         attack.refusals});
  }
}

}  // namespace

void add_segment_attacks(Attacks& attacks) {
  for (std::size_t index = 0; index < std::size(kSegmentNames); ++index) {
    for (const NameAttack& attack : kByName) {
      attacks.push_back(
          {std::string(kSegmentNames[index]) + " by name: " + attack.name,
           [&attack, index](const Scene& scene) { return attack.attempt(scene.segments[index]); },
           {}});
    }
  }
}

void add_descriptor_attacks(Attacks& attacks) {
  for (const HeldAs held : {HeldAs::control, HeldAs::settings}) {
    add(attacks, on_readable_descriptors(), held);
    add(attacks, on_every_descriptor(), held);
  }
  for (const HeldAs held : {HeldAs::cart, HeldAs::worker, HeldAs::readers}) {
    add(attacks, on_writable_descriptors(), held);
    add(attacks, on_every_descriptor(), held);
  }
}

}  // namespace attacker
