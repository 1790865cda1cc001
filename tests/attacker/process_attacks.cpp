// On other processes: the self-test's attacks, aimed at the director and at a worker of the same
// suite, and more of their kind.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "attack.hpp"
#include "platform/sandbox_attacks.hpp"
#include "scene.hpp"

namespace attacker {
namespace {

using sessionblocks::platform::AttackTargets;
using VictimOf = Victim Scene::*;

constexpr std::pair<const char*, VictimOf> kVictims[] = {{"director", &Scene::director},
                                                         {"sibling", &Scene::sibling}};

std::string proc(const Victim& victim, const char* file) {
  return "/proc/" + std::to_string(victim.pid) + "/" + file;
}

Outcome run_selftest_attack(const sessionblocks::platform::Attack& attack, const Scene& scene,
                            const Victim& victim) {
  const Held& writable = scene.at(HeldAs::cart);
  const Held& readable = scene.at(HeldAs::settings);
  const std::string path = "/dev/shm/" + victim.segment;
  const std::string through_root = proc(victim, "root") + path;
  const std::string environ = proc(victim, "environ");
  const std::string memory = proc(victim, "mem");
  const std::string descriptor = proc(victim, "fd/0");
  const std::string space = proc(victim, "ns/mnt");
  const std::string own_writable = writable.link();
  const std::string own_readable = readable.link();
  AttackTargets targets;
  targets.segment_path = path.c_str();
  targets.victim_segment_path = through_root.c_str();
  targets.victim_environ = environ.c_str();
  targets.victim_memory = memory.c_str();
  targets.victim_descriptor = descriptor.c_str();
  targets.victim_namespace = space.c_str();
  targets.secret_path = victim.own_file.c_str();
  targets.own_writable = own_writable.c_str();
  targets.own_readable = own_readable.c_str();
  targets.victim = victim.pid;
  targets.writable_fd = writable.fd.get();
  targets.readable_fd = readable.fd.get();
  targets.writable_memory = writable.memory;
  targets.readable_memory = readable.memory;
  targets.abstract_socket = victim.abstract_socket;
  const int number = attack.attempt(targets);
  return number == 0 ? succeeded() : refused_with(number);
}

Outcome open_file(const std::string& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
  if (fd >= 0) ::close(fd);
  return outcome_of(fd);
}

Outcome read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  char byte = 0;
  return fd < 0 ? outcome_of(fd) : outcome_of(::read(fd, &byte, 1));
}

Outcome list_folder(const std::string& path) {
  DIR* const folder = ::opendir(path.c_str());
  if (folder == nullptr) return refused_with(errno);
  const auto is_dots = [](const dirent& entry) { return entry.d_name[0] == '.'; };
  const dirent* entry = ::readdir(folder);
  while (entry != nullptr && is_dots(*entry)) entry = ::readdir(folder);
  return entry == nullptr ? refused_with(EACCES) : succeeded();
}

Outcome copy_memory(const Victim& victim, long call) {
  std::uint64_t word = 0;
  const iovec here{.iov_base = &word, .iov_len = sizeof word};
  const iovec there{.iov_base = reinterpret_cast<void*>(victim.address), .iov_len = sizeof word};
  return outcome_of(::syscall(call, victim.pid, &here, 1, &there, 1, 0));
}

// The page at 0x... of a director may not be writable; a refusal must come before that is asked.
Outcome attach_as_tracer(const Victim& victim) {
  const Outcome outcome = outcome_of(::ptrace(PTRACE_ATTACH, victim.pid, nullptr, nullptr));
  if (outcome == succeeded()) ::ptrace(PTRACE_DETACH, victim.pid, nullptr, nullptr);
  return outcome;
}

Outcome signal_by_pidfd(const Victim& victim) {
  const int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, victim.pid, 0));
  if (pidfd < 0) return refused_with(errno);
  return outcome_of(::syscall(SYS_pidfd_send_signal, pidfd, SIGURG, nullptr, 0));
}

Outcome queue_signal(const Victim& victim) {
  return outcome_of(::sigqueue(victim.pid, SIGURG, {}));
}

Outcome set_limit(const Victim& victim) {
  rlimit limit{.rlim_cur = 100, .rlim_max = 100};
  return outcome_of(::prlimit(victim.pid, RLIMIT_NOFILE, &limit, nullptr));
}

struct ProcessAttack {
  const char* name;
  Outcome (*attempt)(const Victim&);
};

constexpr ProcessAttack kMore[] = {
    {"see what its descriptors are",
     [](const Victim& v) {
       char target[256];
       return outcome_of(::readlink(proc(v, "fd/0").c_str(), target, sizeof target));
     }},
    {"read its address map", [](const Victim& v) { return read_file(proc(v, "maps")); }},
    {"list its mapped files", [](const Victim& v) { return list_folder(proc(v, "map_files")); }},
    {"open its memory to read",
     [](const Victim& v) { return open_file(proc(v, "mem"), O_RDONLY); }},
    {"list its working folder", [](const Victim& v) { return list_folder(proc(v, "cwd")); }},
    {"list /dev/shm through its root",
     [](const Victim& v) { return list_folder(proc(v, "root/dev/shm")); }},
    {"read its memory at a known address",
     [](const Victim& v) { return copy_memory(v, SYS_process_vm_readv); }},
    {"write its memory (process_vm_writev)",
     [](const Victim& v) { return copy_memory(v, SYS_process_vm_writev); }},
    {"trace it (PTRACE_ATTACH)", attach_as_tracer},
    {"signal its process group",
     [](const Victim& v) { return outcome_of(::kill(-v.pid, SIGURG)); }},
    {"ask whether it lives by signal 0",
     [](const Victim& v) { return outcome_of(::kill(v.pid, 0)); }},
    {"signal its thread (tgkill)",
     [](const Victim& v) { return outcome_of(::syscall(SYS_tgkill, v.pid, v.pid, SIGURG)); }},
    {"queue a signal", queue_signal},
    {"signal it by a pidfd", signal_by_pidfd},
    {"set its limits", set_limit},
};

constexpr ProcessAttack kScheduler[] = {
    {"lower its priority",
     [](const Victim& v) {
       return outcome_of(::setpriority(PRIO_PROCESS, static_cast<id_t>(v.pid), 1));
     }},
    {"move it to another processor",
     [](const Victim& v) {
       cpu_set_t set;
       CPU_ZERO(&set);
       CPU_SET(0, &set);
       return outcome_of(::sched_setaffinity(v.pid, sizeof set, &set));
     }},
    {"change its scheduler",
     [](const Victim& v) {
       const sched_param parameters{};
       return outcome_of(::sched_setscheduler(v.pid, SCHED_BATCH, &parameters));
     }},
};

void add(Attacks& attacks, const ProcessAttack& attack) {
  for (const auto& [name, victim] : kVictims) {
    attacks.push_back(
        {std::string(name) + ": " + attack.name,
         [&attack, at = victim](const Scene& scene) { return attack.attempt(scene.*at); },
         {}});
  }
}

}  // namespace

void add_process_attacks(Attacks& attacks) {
  for (const ProcessAttack& attack : kMore) add(attacks, attack);
  for (const auto& [name, victim] : kVictims) {
    for (const auto& attack : sessionblocks::platform::sandbox_attacks()) {
      attacks.push_back({std::string(name) + ": " + std::string(attack.name),
                         [&attack, at = victim](const Scene& scene) {
                           return run_selftest_attack(attack, scene, scene.*at);
                         },
                         {}});
    }
  }
}

void add_scheduler_attacks(Attacks& attacks) {
  for (const ProcessAttack& attack : kScheduler) add(attacks, attack);
}

}  // namespace attacker
