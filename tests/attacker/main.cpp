// A worker that tries to get what it was not granted, run as a script under the sandbox.
//
//   attacker list [users]     prints the name of each attack
//   attacker attack [users]   tries them: "NAME: refused WHY", "NAME: SUCCEEDED" or, when the
//   answer
//                             shows that it never reached what protects, "NAME: MISSED WHY"
//   attacker sibling          is the other worker, whom it attacks
//   attacker read KEY         prints the text under KEY of the block cart once it is there
//
// With `users` also what only a user of its own keeps it from. One line is one write.
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "attack.hpp"
#include "platform/os_error.hpp"
#include "scene.hpp"

namespace attacker {
namespace {

void say(const std::string& text) {
  const std::string line = text + "\n";
  if (::write(1, line.data(), line.size()) < 0) give_up("write");
}

// Who it runs as: "identity 65534 65534 65534," (user, group, groups), so that a test can compare.
void say_identity() {
  gid_t groups[64] = {};
  const int count = ::getgroups(64, groups);
  std::string text;
  for (int index = 0; index < count; ++index) text += std::to_string(groups[index]) + ",";
  say("identity " + std::to_string(::getuid()) + " " + std::to_string(::getgid()) + " " + text +
      " HOME=" + variable("HOME"));
}

constexpr unsigned kAttemptSeconds = 20;

std::string text_of(Outcome outcome) {
  switch (outcome.kind) {
    case Outcome::Kind::succeeded:
      return "it succeeded";
    case Outcome::Kind::director:
      return std::string(
          sessionblocks::errc_name(static_cast<sessionblocks::Errc>(outcome.number)));
    case Outcome::Kind::signal:
      return "signal " + std::to_string(outcome.number);
    case Outcome::Kind::system:
      break;
  }
  return std::to_string(outcome.number) + " " + std::strerror(outcome.number);
}

// What a sandbox answers. ENOENT: the worker's own /dev/shm is empty.
bool is_refusal(const Attack& attack, Outcome outcome) {
  const std::vector<Outcome> of_a_sandbox = {refused_with(EPERM), refused_with(EACCES),
                                             refused_with(EROFS), refused_with(ENOENT)};
  const auto& refusals = attack.refusals.empty() ? of_a_sandbox : attack.refusals;
  return std::find(refusals.begin(), refusals.end(), outcome) != refusals.end();
}

Outcome attempt_in_child(const Attack& attack, const Scene& scene) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) give_up("pipe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kAttemptSeconds);
    for (const int signal : {SIGSEGV, SIGBUS}) ::signal(signal, SIG_DFL);  // the library's guard
    const Outcome outcome = attack.attempt(scene);
    ::_exit(::write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
  }
  ::close(ends[1]);
  Outcome outcome;
  const ssize_t length = ::read(ends[0], &outcome, sizeof outcome);
  ::close(ends[0]);
  int status = 0;
  if (::waitpid(child, &status, 0) != child) give_up("wait");
  if (WIFSIGNALED(status)) return ended_by(WTERMSIG(status));
  if (length != sizeof outcome) give_up(attack.name + ": no answer");
  return outcome;
}

// A signal that the kernel sends for us when a descriptor has something to read. Whether it arrived
// only its receiver knows: the sibling says so, and the director would be dead.
void send_signal_by_descriptor(pid_t victim) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) give_up("socketpair");
  ::fcntl(ends[0], F_SETSIG, SIGUSR1);
  ::fcntl(ends[0], F_SETOWN, victim);
  ::fcntl(ends[0], F_SETFL, O_ASYNC);
  if (::write(ends[1], "x", 1) != 1) give_up("write");
}

// What a worker may do, so that a sandbox which refuses everything is no success.
void say_permitted(Scene& scene) {
  auto made = scene.session->create({.name = "mine-1", .quota_bytes = 1U << 20U});
  const bool created = made && made->put("k", 7) && made->get<std::int64_t>("k")->value == 7;
  say(std::string("permitted: create mine-1 ") + (created ? "works" : "FAILS"));
  const bool destroyed = scene.session->destroy("mine-1").has_value();
  say(std::string("permitted: destroy mine-1 ") + (destroyed ? "works" : "FAILS"));
  const bool wrote = static_cast<bool>(std::ofstream(variable("TMPDIR") + "/own") << "x");
  say(std::string("permitted: write TMPDIR ") + (wrote ? "works" : "FAILS"));
}

void attack(const Attacks& attacks) {
  Scene scene;
  for (const Attack& one : attacks) {
    const Outcome outcome =
        one.where == Where::child ? attempt_in_child(one, scene) : one.attempt(scene);
    const char* word = is_refusal(one, outcome) ? "refused" : "MISSED";
    if (outcome == succeeded()) word = "SUCCEEDED";
    say(one.name + ": " + word + " " + text_of(outcome));
  }
  const bool all = attacks.size() > 100;
  for (const Victim* victim : {&scene.sibling, &scene.director}) {
    if (all) send_signal_by_descriptor(victim->pid);
  }
  say_permitted(scene);
  take(scene.cart->put("attacked", "yes"), "tell the sibling");
}

// --- The sibling -----------------------------------------------------------------------------

std::uint64_t secret = kSecret;

int listen_abstract() {
  const std::string name = abstract_name_of(::getpid());
  const int fd = ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  name.copy(address.sun_path, name.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, 8) != 0) {
    give_up("listen on an abstract socket");
  }
  return fd;
}

void be_attacked() {
  sigset_t blocked;
  sigemptyset(&blocked);
  for (const int signal : {SIGUSR1, SIGURG}) sigaddset(&blocked, signal);
  ::sigprocmask(SIG_BLOCK, &blocked, nullptr);
  ::signal(SIGURG, [](int) {});  // else it is not kept
  auto session = take(sessionblocks::Session::attach(), "attach");
  auto vault = take(session.open("vault"), "open vault");
  auto cart = take(session.open("cart"), "open cart");
  take(vault.put("secret", 42), "put");
  listen_abstract();
  const std::string file = variable("TMPDIR") + "/own";
  std::ofstream(file) << "secret";
  take(cart.put("sibling.pid", std::to_string(::getpid())), "put");
  take(cart.put("sibling.address", std::to_string(reinterpret_cast<std::uintptr_t>(&secret))),
       "put");
  take(cart.put("sibling.file", file), "put");
  take(cart.put("sibling.token", variable("SESSIONBLOCKS_TOKEN")), "put");
  text_from(cart, "attacked");
  sigset_t pending;
  sigemptyset(&pending);
  ::sigpending(&pending);
  const bool signalled = sigismember(&pending, SIGUSR1) == 1 || sigismember(&pending, SIGURG) == 1;
  say(std::string("sibling: receives a signal: ") + (signalled ? "SUCCEEDED" : "refused"));
  const auto kept = vault.get<std::int64_t>("secret");
  const bool same =
      kept && kept->value == 42 && *const_cast<volatile std::uint64_t*>(&secret) == kSecret;
  say(std::string("sibling: its memory and block are changed: ") +
      (same ? "refused" : "SUCCEEDED"));
}

Attacks attacks_of(bool with_users) {
  Attacks attacks;
  add_director_attacks(attacks);
  add_segment_attacks(attacks);
  add_file_attacks(attacks);
  if (with_users) add_scheduler_attacks(attacks);
  add_process_attacks(attacks);
  add_descriptor_attacks(attacks);
  return attacks;
}

Attacks chosen_from(Attacks attacks, const std::vector<std::string>& names) {
  if (names.empty()) return attacks;
  std::erase_if(attacks, [&names](const Attack& attack) {
    return std::find(names.begin(), names.end(), attack.name) == names.end();
  });
  return attacks;
}

void list(const Attacks& attacks) {
  for (const Attack& attack : attacks) say(attack.name);
  say("sibling: receives a signal");
  say("sibling: its memory and block are changed");
}

}  // namespace
}  // namespace attacker

int main(int argc, char** argv) {
  using namespace attacker;
  ::alarm(kWatchdogSeconds);
  const std::string_view role = argc > 1 ? argv[1] : "";
  const bool with_users = argc > 2 && std::string_view(argv[2]) == "users";
  if (role == "list") {
    list(attacks_of(with_users));
    return 0;
  }
  if (role == "read" && argc > 2) {
    auto session = take(sessionblocks::Session::attach(), "attach");
    say(text_from(take(session.open("cart"), "open cart"), argv[2]));
    return 0;
  }
  if (role != "attack" && role != "sibling") give_up("list, attack, sibling or read KEY");
  say_identity();
  if (role == "attack") {
    const std::vector<std::string> names(argv + (with_users ? argc : 2), argv + argc);
    attack(chosen_from(attacks_of(with_users), names));
  }
  if (role == "sibling") be_attacked();
  return 0;
}
