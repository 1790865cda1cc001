// boost::unordered_map in a Boost.Interprocess segment on tmpfs, under one interprocess_mutex: what
// the library's manual shows for a map that processes share.
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/containers/string.hpp>
#include <boost/interprocess/managed_mapped_file.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/unordered_map.hpp>
#include <boost/version.hpp>

#include "failure.hpp"
#include "memory.hpp"
#include "registry.hpp"

namespace sessionblocks::bench {
namespace {

namespace ipc = boost::interprocess;

template <typename T>
using Allocator = ipc::allocator<T, ipc::managed_mapped_file::segment_manager>;
// Short ones stand in the map's own node.
using Bytes = ipc::basic_string<char, std::char_traits<char>, Allocator<char>>;

std::string_view view(const Bytes& bytes) {
  return {bytes.data(), bytes.size()};
}
std::string_view view(std::string_view text) {
  return text;
}
// Also of a key that is not in the segment, so that a search copies nothing there.
struct Hash {
  template <typename Text>
  std::size_t operator()(const Text& text) const {
    const std::string_view bytes = view(text);
    return std::hash<std::string_view>()(bytes);
  }
};
struct Equal {
  template <typename One, typename Other>
  bool operator()(const One& one, const Other& other) const {
    return view(one) == view(other);
  }
};
using Map =
    boost::unordered_map<Bytes, Bytes, Hash, Equal, Allocator<std::pair<const Bytes, Bytes>>>;

struct Shared {
  explicit Shared(ipc::managed_mapped_file::segment_manager* memory)
      : map(0, Hash(), Equal(), Allocator<char>(memory)) {}
  ipc::interprocess_mutex mutex;
  Map map;
};

class BoostHost final : public Host {
 public:
  explicit BoostHost(const Plan& plan)
      : folder_(plan.memory_folder),
        file_(folder_ / "map"),
        memory_(ipc::create_only, file_.c_str(), plan.room_bytes()) {
    Shared* const shared = memory_.construct<Shared>("shared")(memory_.get_segment_manager());
    shared->map.reserve(plan.entries);
  }
  [[nodiscard]] std::string address() const override { return file_.native(); }
  [[nodiscard]] std::uint64_t memory_bytes() const override {
    return allocated_bytes_under(folder_);
  }

 private:
  std::filesystem::path folder_;
  std::filesystem::path file_;
  ipc::managed_mapped_file memory_;
};

class BoostClient final : public OneByOne<BoostClient> {
 public:
  explicit BoostClient(const std::string& file)
      : memory_(ipc::open_only, file.c_str()), shared_(memory_.find<Shared>("shared").first) {}

  Outcome get(Operation& operation) {
    const Lock lock(shared_->mutex);
    const auto found = shared_->map.find(operation.key, Hash(), Equal());
    if (found == shared_->map.end()) return Outcome::absent;
    const Bytes& value = found->second;
    if (value.size() > operation.bytes.size()) return Outcome::failed;
    std::memcpy(operation.bytes.data(), value.data(), value.size());
    operation.copied_bytes = value.size();
    return Outcome::done;
  }
  Outcome put(Operation& operation) { return store(operation.key, operation.bytes); }
  Outcome increment(Operation& operation) {
    const Lock lock(shared_->mutex);
    const auto found = shared_->map.find(operation.key, Hash(), Equal());
    if (found == shared_->map.end() || found->second.size() != 8) return Outcome::failed;
    std::memcpy(&operation.sum, found->second.data(), 8);
    ++operation.sum;
    std::memcpy(found->second.data(), &operation.sum, 8);
    return Outcome::done;
  }
  Outcome reset(Operation& operation) {
    const std::int64_t zero = 0;
    return store(operation.key, std::as_bytes(std::span(&zero, 1)));
  }
  Outcome erase(Operation& operation) {
    const Lock lock(shared_->mutex);
    const auto found = shared_->map.find(operation.key, Hash(), Equal());
    if (found == shared_->map.end()) return Outcome::absent;
    shared_->map.erase(found);
    return Outcome::done;
  }

 private:
  using Lock = ipc::scoped_lock<ipc::interprocess_mutex>;

  Outcome store(std::string_view key, std::span<const std::byte> value) try {
    const auto* const begin = reinterpret_cast<const char*>(value.data());
    const Lock lock(shared_->mutex);
    const auto found = shared_->map.find(key, Hash(), Equal());
    if (found != shared_->map.end()) {
      found->second.assign(begin, begin + value.size());
      return Outcome::done;
    }
    const Allocator<char> allocator(memory_.get_segment_manager());
    shared_->map.emplace(Bytes(key.begin(), key.end(), allocator),
                         Bytes(begin, begin + value.size(), allocator));
    return Outcome::done;
  } catch (const ipc::bad_alloc&) {
    return Outcome::failed;
  }

  ipc::managed_mapped_file memory_;
  Shared* shared_;
};

class BoostPeer final : public Peer {
 public:
  [[nodiscard]] std::string name() const override { return "boost"; }
  [[nodiscard]] std::string version() const override {
    return "Boost " + std::to_string(BOOST_VERSION / 100'000) + "." +
           std::to_string(BOOST_VERSION / 100 % 1'000) + "." + std::to_string(BOOST_VERSION % 100);
  }
  [[nodiscard]] std::string options() const override {
    return "unordered_map in managed_mapped_file on tmpfs, one interprocess_mutex, "
           "buckets reserved ahead";
  }
  [[nodiscard]] std::string promise() const override {
    return "killed while it holds the mutex: every other process waits for ever, "
           "and the map may be torn";
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<BoostHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return std::make_unique<BoostClient>(address);
  }
};

}  // namespace

void add_boost(Peers& peers) {
  peers.push_back(std::make_unique<BoostPeer>());
}

}  // namespace sessionblocks::bench
