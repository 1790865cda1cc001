#include "platform/bus_guard.hpp"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <utility>

#include "platform/os_error.hpp"

namespace sessionblocks::platform {
namespace {

// A slot is in use while begin is not 0. Its other fields are written before begin and stay until
// the owner clears begin, and the owner does that only when nobody touches the mapping any more.
struct Range {
  std::atomic<std::uintptr_t> begin;
  std::atomic<std::uintptr_t> end;
  std::atomic<std::atomic<bool>*> corrupt;
  std::atomic<bool> writable;
};
static_assert(std::atomic<std::uintptr_t>::is_always_lock_free);
static_assert(std::atomic<bool>::is_always_lock_free);

std::array<Range, BusGuard::kMaxRanges> ranges{};
std::atomic<std::size_t> used_slots{0};  // no slot at or above it was ever used
std::mutex registering;
std::size_t first_free = 0;  // no slot below it is free
bool installed = false;
struct sigaction previous_action {};
std::uintptr_t page_bytes = 4096;

const Range* find_range(std::uintptr_t address) noexcept {
  // G1 (acquire): pairs with G2 in watch(): a slot's fields before its begin.
  const std::size_t count = used_slots.load(std::memory_order_acquire);
  for (std::size_t slot = 0; slot < count; ++slot) {
    const std::uintptr_t begin = ranges[slot].begin.load(std::memory_order_acquire);
    if (begin == 0 || address < begin) continue;
    if (address < ranges[slot].end.load(std::memory_order_relaxed)) return &ranges[slot];
  }
  return nullptr;
}

// Runs in the handler: only mmap and atomics.
bool put_zero_page(std::uintptr_t address) noexcept {
  const Range* const range = find_range(address);
  if (range == nullptr) return false;
  // Relaxed: ordered by the acquire of begin in find_range.
  const int protection =
      range->writable.load(std::memory_order_relaxed) ? PROT_READ | PROT_WRITE : PROT_READ;
  void* const page = reinterpret_cast<void*>(address / page_bytes * page_bytes);
  if (::mmap(page, page_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) ==
      MAP_FAILED) {
    return false;
  }
  // Release, after the page: who sees the latch in another thread sees an access that no longer
  // faults.
  range->corrupt.load(std::memory_order_relaxed)->store(true, std::memory_order_release);
  return true;
}

void chain(int signal, siginfo_t* info, void* context) noexcept {
  if ((previous_action.sa_flags & SA_SIGINFO) != 0) {
    previous_action.sa_sigaction(signal, info, context);
    return;
  }
  if (previous_action.sa_handler == SIG_IGN && info->si_code <= 0) return;  // sent by somebody
  if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
    return;
  }
  // The default effect: with the default action back, the access faults again when we return; a
  // signal that was sent is sent again.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  ::sigaction(signal, &standard, nullptr);
  if (info->si_code <= 0) ::raise(signal);
}

void on_sigbus(int signal, siginfo_t* info, void* context) noexcept {
  const int saved_errno = errno;
  // Only the kernel's "no page behind this address"; whatever is sent or a memory error is not
  // ours.
  const bool ours =
      info->si_code == BUS_ADRERR && put_zero_page(reinterpret_cast<std::uintptr_t>(info->si_addr));
  if (!ours) chain(signal, info, context);
  errno = saved_errno;
}

Result<void> install_once() {
  if (installed) return {};
  page_bytes = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  struct sigaction action {};
  action.sa_sigaction = on_sigbus;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  // Read first: a fault may arrive as soon as the handler is in place.
  if (::sigaction(SIGBUS, nullptr, &previous_action) != 0 ||
      ::sigaction(SIGBUS, &action, nullptr) != 0) {
    return fail_errno("install the SIGBUS handler");
  }
  installed = true;
  return {};
}

}  // namespace

BusGuard::BusGuard(BusGuard&& other) noexcept : slot_(std::exchange(other.slot_, kNone)) {}
BusGuard& BusGuard::operator=(BusGuard&& other) noexcept {
  if (this != &other) {
    release();
    slot_ = std::exchange(other.slot_, kNone);
  }
  return *this;
}
BusGuard::~BusGuard() {
  release();
}

void BusGuard::release() noexcept {
  if (slot_ == kNone) return;
  const std::lock_guard lock(registering);
  ranges[slot_].begin.store(0, std::memory_order_release);
  first_free = std::min(first_free, slot_);
  slot_ = kNone;
}

Result<BusGuard> BusGuard::watch(const Mapping& mapping, std::atomic<bool>& corrupt) {
  const std::lock_guard lock(registering);
  if (auto ready = install_once(); !ready) return tl::unexpected(ready.error());
  for (std::size_t tried = 0; tried < kMaxRanges; ++tried) {
    const std::size_t slot = (first_free + tried) % kMaxRanges;
    Range& range = ranges[slot];
    if (range.begin.load(std::memory_order_relaxed) != 0) continue;  // under the mutex
    first_free = slot + 1;
    const auto begin = reinterpret_cast<std::uintptr_t>(mapping.data());
    const std::uintptr_t length = (mapping.bytes() + page_bytes - 1) / page_bytes * page_bytes;
    // Relaxed: published by G2.
    range.end.store(begin + length, std::memory_order_relaxed);
    range.corrupt.store(&corrupt, std::memory_order_relaxed);
    range.writable.store(mapping.access() == Access::read_write, std::memory_order_relaxed);
    range.begin.store(begin, std::memory_order_release);  // G2 (release): pairs with G1
    if (slot >= used_slots.load(std::memory_order_relaxed)) {
      used_slots.store(slot + 1, std::memory_order_release);  // G2 too
    }
    return BusGuard(slot);
  }
  return fail(Errc::too_many, "guard a segment: " + std::to_string(kMaxRanges) + " are guarded");
}

}  // namespace sessionblocks::platform
