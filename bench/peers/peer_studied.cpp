// Two variants of this store that answer a question about it: a block of which a checkpoint is
// held, and workers inside the sandbox that the director puts its scripts into. These two use what
// the public API does not show, as flowdirector does.
#include <unistd.h>

#include "director/embedded.hpp"
#include "director/logs.hpp"
#include "platform/sandbox.hpp"
#include "registry.hpp"
#include "sessionblocks_client.hpp"

namespace sessionblocks::bench {
namespace {

class CheckpointHost final : public Host {
 public:
  explicit CheckpointHost(const Plan& plan) {
    auto logs = director::make_logs({(plan.disk_folder / "logs").native(), "bench", nullptr});
    director::EmbeddedSetup setup;
    setup.runtime_directory = plan.disk_folder / "run";
    setup.ring_records = std::uint64_t{1} << 20U;
    setup.events = logs.events;
    setup.make_audit = logs.make_audit;
    director_ =
        value_or_give_up(director::EmbeddedDirector::start(std::move(setup)), "start a director");
    const std::string scope = "embedded/worker";
    director_->director().call([&](director::Registry& registry) {
      director::BlockRequest request;
      request.policy.name = block_name(0);
      request.policy.kind = BlockKind::shared;
      request.policy.grants.emplace("*", Rights::read_write);
      request.policy.owner = registry.scopes.root().id;
      request.quota_bytes = plan.room_bytes();
      value_or_give_up(registry.create_block(request).map([](BlockId) {}), "create the block");
    });
    address_ = address_of(
        director_->director().socket(), scope,
        value_or_give_up(director_->director().token_for_scope(scope), "make a scope"), 1);
  }
  [[nodiscard]] std::string address() const override { return address_; }
  [[nodiscard]] std::uint64_t memory_bytes() const override { return 0; }
  void loaded() override {
    director_->director().call([](director::Registry& registry) {
      const auto block = registry.visible_block(block_name(0), registry.scopes.root().id);
      if (!block) give_up("find the block: " + block.error().message());
      const auto taken = registry.take_checkpoint(**block, "held");
      if (!taken) give_up("take a checkpoint: " + taken.error().message());
    });
  }

 private:
  std::unique_ptr<director::EmbeddedDirector> director_;
  std::string address_;
};

class CheckpointPeer final : public Peer {
 public:
  [[nodiscard]] std::string name() const override { return "sessionblocks-checkpoint"; }
  [[nodiscard]] std::string version() const override { return SESSIONBLOCKS_VERSION; }
  [[nodiscard]] std::string options() const override {
    return "as sessionblocks, while a checkpoint of the loaded block is held";
  }
  [[nodiscard]] std::string promise() const override { return "as sessionblocks"; }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.studies = {"checkpoint"};
    abilities.only_studies = true;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return std::make_unique<CheckpointHost>(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    return connect_sessionblocks(address, false);
  }
};

// This process enters the sandbox and stays there.
void enter_sandbox(const std::string& folder) {
  platform::SandboxPolicy policy;
  policy.working_folder = folder;
  policy.temporary_folder = folder;
  auto sandbox = value_or_give_up(platform::PreparedSandbox::prepare(policy), "prepare a sandbox");
  const platform::ChildReporter reporter(-1);  // what it skips is in options()
  if (!sandbox.apply_before_user(reporter) || !sandbox.apply_after_user(reporter)) {
    give_up("enter the sandbox");
  }
}

class SandboxPeer final : public Peer {
 public:
  explicit SandboxPeer(const Peer& plain) : plain_(plain) {}
  [[nodiscard]] std::string name() const override { return "sessionblocks-sandboxed"; }
  [[nodiscard]] std::string version() const override { return SESSIONBLOCKS_VERSION; }
  [[nodiscard]] std::string options() const override {
    std::string options = "as sessionblocks, its workers in the director's sandbox";
    for (const std::string& gap : platform::sandbox_gaps()) options += "; this kernel: " + gap;
    return options;
  }
  [[nodiscard]] std::string promise() const override { return "as sessionblocks"; }
  [[nodiscard]] Abilities abilities() const override {
    Abilities abilities;
    abilities.studies = {"sandbox"};
    abilities.only_studies = true;
    return abilities;
  }
  [[nodiscard]] std::unique_ptr<Host> open(const Plan& plan) const override {
    return plain_.open(plan);
  }
  [[nodiscard]] std::unique_ptr<Client> connect(const std::string& address) const override {
    const std::filesystem::path socket = address.substr(0, address.find('\n'));
    const auto work = socket.parent_path().parent_path() / ("work-" + std::to_string(::getpid()));
    std::filesystem::create_directory(work);
    enter_sandbox(work.native());
    return connect_sessionblocks(address, false);
  }

 private:
  const Peer& plain_;
};

}  // namespace

void add_studied(Peers& peers) {
  const Peer& plain = *peers.front();
  peers.push_back(std::make_unique<CheckpointPeer>());
  peers.push_back(std::make_unique<SandboxPeer>(plain));
}

}  // namespace sessionblocks::bench
