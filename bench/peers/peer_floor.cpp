// The floor: a hash map in the worker's own memory, with no lock and nothing shared. No peer; it
// shows what searching and copying cost where nothing is promised to anybody.
#include <tsl/robin_map.h>

#include <cstring>
#include <vector>

#include "failure.hpp"
#include "registry.hpp"

namespace sessionblocks::bench {
namespace {

struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

class FloorHost final : public Host {
 public:
  [[nodiscard]] std::string address() const override { return {}; }
  [[nodiscard]] std::uint64_t memory_bytes() const override { return 0; }
};

class FloorClient final : public OneByOne<FloorClient> {
 public:
  Outcome get(Operation& operation) {
    const auto found = map_.find(operation.key);
    if (found == map_.end()) return Outcome::absent;
    if (found->second.size() > operation.bytes.size()) return Outcome::failed;
    std::memcpy(operation.bytes.data(), found->second.data(), found->second.size());
    operation.copied_bytes = found->second.size();
    return Outcome::done;
  }
  Outcome put(Operation& operation) { return store(operation.key, operation.bytes); }
  Outcome increment(Operation& operation) {
    const auto found = map_.find(operation.key);
    if (found == map_.end() || found->second.size() != 8) return Outcome::failed;
    std::memcpy(&operation.sum, found->second.data(), 8);
    ++operation.sum;
    std::memcpy(found.value().data(), &operation.sum, 8);
    return Outcome::done;
  }
  Outcome reset(Operation& operation) {
    const std::int64_t zero = 0;
    return store(operation.key, std::as_bytes(std::span(&zero, 1)));
  }
  Outcome erase(Operation& operation) {
    const auto found = map_.find(operation.key);
    if (found == map_.end()) return Outcome::absent;
    map_.erase(found);
    return Outcome::done;
  }

 private:
  Outcome store(std::string_view key, std::span<const std::byte> value) {
    const auto found = map_.find(key);
    if (found != map_.end()) {
      found.value().assign(value.begin(), value.end());
    } else {
      map_.emplace(std::string(key), std::vector<std::byte>(value.begin(), value.end()));
    }
    return Outcome::done;
  }

  tsl::robin_map<std::string, std::vector<std::byte>, Hash, std::equal_to<>> map_;
};

class FloorPeer final : public Peer {
 public:
  [[nodiscard]] std::string name() const override { return "floor"; }
  [[nodiscard]] std::string version() const override {
#ifdef TSL_RH_VERSION_MAJOR
    return "tsl::robin_map " + std::to_string(TSL_RH_VERSION_MAJOR) + "." +
           std::to_string(TSL_RH_VERSION_MINOR) + "." + std::to_string(TSL_RH_VERSION_PATCH);
#else
    return "tsl::robin_map";
#endif
  }
  [[nodiscard]] std::string options() const override {
    return "in the worker's own memory, no lock, std::hash";
  }
  [[nodiscard]] std::string promise() const override {
    return "gone with its process";
  }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.max_processes = 1;
    abilities.in_process = true;
    abilities.is_floor = true;
    abilities.measures_memory = false;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan&) const override {
    return std::make_unique<FloorHost>();
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string&) const override {
    return std::make_unique<FloorClient>();
  }
};

}  // namespace

void add_floor(Peers& peers) {
  peers.push_back(std::make_unique<FloorPeer>());
}

}  // namespace sessionblocks::bench
