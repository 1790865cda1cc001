// This store: an embedded director in the host's process, workers that attach through its socket.
// The audit log is kept in files, as flowdirector keeps it.
#include <sys/stat.h>

#include <optional>
#include "registry.hpp"
#include "sessionblocks_client.hpp"

namespace sessionblocks::bench {
namespace {

// As flowdirector has it unless the suite says otherwise.
constexpr std::uint64_t kRingRecords = std::uint64_t{1} << 20U;
constexpr std::uint64_t kSmallBlockBytes = std::uint64_t{8} << 20U;

struct Variant {
  std::string name;
  std::string audit;
  bool hashes_ahead = false;
};

class SessionBlocksHost : public Host {
 public:
  SessionBlocksHost(const Plan& plan, const Variant& variant) {
    EmbeddedOptions setup;
    setup.runtime_directory = (plan.disk_folder / "run").native();
    setup.log_directory = (plan.disk_folder / "logs").native();
    setup.ring_records = kRingRecords;
    std::filesystem::create_directories(setup.runtime_directory);
    std::filesystem::permissions(setup.runtime_directory, std::filesystem::perms::owner_all);
    system_.emplace(value_or_give_up(SessionSystem::embedded(setup), "start a director"));
    for (unsigned number = 0; number < plan.blocks; ++number) {
      BlockOptions options;
      options.name = block_name(number);
      options.kind = "shared";
      options.quota_bytes = plan.blocks == 1 ? plan.room_bytes() : kSmallBlockBytes;
      options.audit = variant.audit;
      value_or_give_up(system_->create(options), "create a block");
    }
    for (const auto& line : value_or_give_up(system_->environment("worker"), "make a scope")) {
      address_ += line.substr(line.find('=') + 1) + "\n";
    }
    address_ += std::to_string(plan.blocks) + "\n";
  }

  [[nodiscard]] std::string address() const override { return address_; }

  // The block's segment has no name any more, but the director holds its descriptor.
  [[nodiscard]] std::uint64_t memory_bytes() const override {
    std::uint64_t bytes = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
      std::error_code gone;
      const std::string target = std::filesystem::read_symlink(entry.path(), gone).native();
      struct stat status {};
      if (target.find(".block.") == std::string::npos) continue;
      if (::stat(entry.path().c_str(), &status) != 0) continue;
      bytes = std::max(bytes, static_cast<std::uint64_t>(status.st_blocks) * 512);
    }
    return bytes;
  }

 private:
  std::optional<SessionSystem> system_;
  std::string address_;
};

class SessionBlocksPeer final : public Peer {
 public:
  explicit SessionBlocksPeer(Variant variant) : variant_(std::move(variant)) {}

  [[nodiscard]] std::string name() const override { return variant_.name; }
  [[nodiscard]] std::string version() const override { return SESSIONBLOCKS_VERSION; }
  [[nodiscard]] std::string options() const override {
    return "audit " + variant_.audit + ", kept in files, ring of 1,048,576 records, " +
           (variant_.hashes_ahead ? "keys hashed ahead" : "keys hashed in each operation");
  }
  [[nodiscard]] std::string promise() const override {
    return "no torn value, no lost acknowledged write, nobody waits; " +
           std::string(variant_.audit == "full"     ? "the last operation is logged, too"
                       : variant_.audit == "writes" ? "the last write is logged, too"
                                                    : "operations are counted, not logged");
  }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.max_key_bytes = kMaxKeyBytes;
    abilities.expiry_step_ms = 8;  // two steps of its clock
    abilities.survives_deaths = true;
    if (!variant_.hashes_ahead) abilities.studies = {"audit"};
    abilities.measures_memory = variant_.name == "sessionblocks";
    if (variant_.name == "sessionblocks") {
      abilities.studies = {"audit", "checkpoint", "sandbox", "blocks"};
    }
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<SessionBlocksHost>(plan, variant_);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return connect_sessionblocks(address, variant_.hashes_ahead);
  }

 private:
  Variant variant_;
};

}  // namespace

void add_sessionblocks(Peers& peers) {
  for (const Variant& variant :
       {Variant{"sessionblocks", "full"}, Variant{"sessionblocks-hashed", "full", true},
        Variant{"sessionblocks-writes", "writes"}, Variant{"sessionblocks-counted", "counted"}}) {
    peers.push_back(std::make_unique<SessionBlocksPeer>(variant));
  }
}

}  // namespace sessionblocks::bench
