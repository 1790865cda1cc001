// The floor of shared counters: nothing but a 16-byte compare-and-swap in a shared mapping, a cache
// line for each counter, the place known ahead. No peer: it finds nothing, keeps nothing else, and
// promises nothing.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <new>
#include <unordered_map>

#include "failure.hpp"
#include "lockfree/cas16.hpp"
#include "registry.hpp"
#include "values.hpp"

namespace sessionblocks::bench {
namespace {

struct alignas(64) Counter {
  AtomicPair pair{};
};

// The file of the mapping has as many counters as there are entries.
Counter* map_counters(const std::filesystem::path& file, std::uint64_t count, int flags) {
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC | flags, 0600);
  if (descriptor < 0) give_up_errno("open " + file.native());
  const std::uint64_t bytes = count * sizeof(Counter);
  if ((flags & O_CREAT) != 0 && ::ftruncate(descriptor, static_cast<off_t>(bytes)) != 0) {
    give_up_errno("make " + file.native());
  }
  void* const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  if (at == MAP_FAILED) give_up_errno("map " + file.native());
  return static_cast<Counter*>(at);
}

class CasHost final : public Host {
 public:
  explicit CasHost(const Plan& plan)
      : file_(plan.memory_folder / "counters"), count_(plan.entries) {
    ::munmap(map_counters(file_, count_, O_CREAT), count_ * sizeof(Counter));
  }
  [[nodiscard]] std::string address() const override {
    return file_.native() + "\n" + std::to_string(count_);
  }
  [[nodiscard]] std::uint64_t memory_bytes() const override { return 0; }

 private:
  std::filesystem::path file_;
  std::uint64_t count_;
};

class CasClient final : public OneByOne<CasClient> {
 public:
  CasClient(const std::string& file, std::uint64_t count)
      : count_(count), counters_(map_counters(file, count, 0)) {
    std::string key(kShortestKeyBytes, '\0');
    for (std::uint64_t index = 0; index < count; ++index) {
      write_key(key, index);
      places_.emplace(key, index);
    }
  }
  ~CasClient() override { ::munmap(counters_, count_ * sizeof(Counter)); }

  void prepare(std::span<Operation> operations) override {
    // Short between windows, or processes would hardly ever meet.
    for (Operation& operation : operations) {
      if (operation.key != last_key_) {
        last_key_ = operation.key;
        last_place_ = places_.at(last_key_);
      }
      operation.key_hash = last_place_;
    }
  }
  Outcome increment(Operation& operation) {
    AtomicPair& pair = counters_[operation.key_hash].pair;
    for (;;) {
      // Both loads are checked by the compare-and-swap.
      const Pair seen{pair.low.load(std::memory_order_relaxed),
                      pair.high.load(std::memory_order_relaxed)};
      if (!compare_and_swap(pair, seen, {seen.low + 1, seen.high + 1})) continue;
      operation.sum = static_cast<std::int64_t>(seen.low + 1);
      return Outcome::done;
    }
  }
  Outcome reset(Operation&) { return Outcome::done; }  // a fresh file is zero
  Outcome get(Operation&) { return Outcome::failed; }
  Outcome put(Operation&) { return Outcome::failed; }
  Outcome erase(Operation&) { return Outcome::failed; }

 private:
  std::uint64_t count_;
  Counter* counters_;
  std::unordered_map<std::string, std::uint64_t> places_;
  std::string last_key_;
  std::uint64_t last_place_ = 0;
};

class CasPeer final : public Peer {
 public:
  [[nodiscard]] std::string name() const override { return "cas"; }
  [[nodiscard]] std::string version() const override { return "cmpxchg16b"; }
  [[nodiscard]] std::string options() const override {
    return "a bare 16-byte compare-and-swap loop on tmpfs, a cache line for each counter";
  }
  [[nodiscard]] std::string promise() const override { return "none"; }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.only_counts = true;
    abilities.is_floor = true;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<CasHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    const auto line = address.find('\n');
    return std::make_unique<CasClient>(address.substr(0, line),
                                       std::stoull(address.substr(line + 1)));
  }
};

}  // namespace

void add_cas(Peers& peers) {
  peers.push_back(std::make_unique<CasPeer>());
}

}  // namespace sessionblocks::bench
