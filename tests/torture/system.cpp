#include "system.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "../support/delegating_data_plane.hpp"
#include "director/permits.hpp"
#include "flowlog/director_sinks.hpp"
#include "rest.hpp"
#include "roles.hpp"

namespace sessionblocks::torture {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kRingRecords = 4'096;

// A data plane that leaves the dead as they are: the oracle must see that something is amiss.
class WithoutRecovery final : public director::test::DelegatingDataPlane {
 public:
  WithoutRecovery() : DelegatingDataPlane(director::make_segment_data_plane()) {}
  director::RecoveryReport recover(const director::WorkerMemory& /*worker*/,
                                   std::span<const director::WorkerOpen> /*opens*/) override {
    return {};
  }
};

fs::path fresh_folder() {
  std::string pattern = (fs::temp_directory_path() / "sessionblocks-torture-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  return pattern;
}

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  return std::move(*result);
}

director::MakeAuditSink log_into(const std::string& folder, bool evicts) {
  return [folder, evicts](const director::SystemInstance& instance)
             -> Result<std::shared_ptr<director::AuditSink>> {
    flowlog::FlowLogConfig config;
    config.log.folder = folder;
    config.log.system = "torture";
    config.log.budget_bytes = std::uint64_t{256} << 20U;  // the oracle reads it as it grows
    // Soon full: names of keys that are in use must outlive those of all that came and went.
    // In a block that evicts a key is another one each time that it comes back.
    config.log.key_memory_bytes = std::uint64_t{evicts ? 64U : 4U} << 20U;
    config.log.rotate_bytes = std::uint64_t{1} << 20U;
    auto sink = std::make_shared<flowlog::FlowLogSink>(std::move(config), nullptr);
    flowlog::Instance known{};
    std::memcpy(known.data(), instance.data(), sizeof known);
    if (auto begun = sink->begin(known); !begun) return tl::unexpected(begun.error());
    return std::shared_ptr<director::AuditSink>(std::move(sink));
  };
}

director::BlockRequest block_request(const SystemOptions& options, ScopeId owner) {
  director::BlockRequest request;
  request.policy.name = kBlockName;
  request.policy.kind = BlockKind::shared;
  request.policy.owner = owner;
  for (const Role& role : kRoles) {
    const bool writes = role.grant == std::string_view("rw");
    request.policy.grants.emplace(role.scope, writes ? Rights::read_write : Rights::read);
  }
  request.quota_bytes = options.quota_bytes;
  request.audit = options.audit;
  request.at_limit = options.at_limit;
  request.permits = static_cast<std::uint32_t>(director::Permit::fork);
  return request;
}

}  // namespace

System::System(const SystemOptions& options) : folder_(fresh_folder()) {
  director::DirectorOptions made;
  made.system = "torture-" + std::to_string(::getpid());
  made.runtime_directory = folder_ / "run";
  made.root = "torture";
  made.ring_records = kRingRecords;
  made.makes_scopes = true;
  made.make_audit = log_into(log_folder(), options.at_limit != AtLimit::refuse);
  if (!options.recovers) made.data_plane = std::make_shared<WithoutRecovery>();
  director_ = must(director::Director::start(std::move(made)));
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  thread_ = std::thread([this] { director_->run(); });
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  Result<BlockId> block;
  director_->call([&](director::Registry& registry) {
    segment_prefix_ = registry.options.paths.segment_prefix;
    request_ = block_request(options, registry.scopes.root().id);
    block = registry.create_block(request_);
  });
  must(std::move(block));
}

System::~System() {
  static_cast<void>(stop());
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

std::string System::token(const std::string& scope) {
  return must(director_->token_for_scope("torture/" + scope));
}

bool System::has_only(const std::set<std::uint32_t>& workers) {
  bool same = false;
  director_->call([&](director::Registry& registry) {
    std::set<std::uint32_t> known;
    for (const auto& [id, worker] : registry.workers.all()) {
      if (!worker.is_director) known.insert(raw(id));
    }
    same = known == workers;
  });
  return same;
}

Rest System::look() {
  Rest rest;
  director_->call([&](director::Registry& registry) {
    for (const auto& [id, worker] : registry.workers.all()) registry.options.audit->drain_fully(id);
    const auto block = registry.visible_block(kBlockName, registry.scopes.root().id);
    if (!block) {
      rest.findings.push_back("the block has gone: " + block.error().message());
      return;
    }
    look_at_block(registry, **block, rest);
    check_segments(registry, rest);
  });
  return rest;
}

director::BlockMemory System::block() {
  director::BlockMemory memory;
  director_->call([&](director::Registry& registry) {
    memory = must(registry.visible_block(kBlockName, registry.scopes.root().id))->memory();
  });
  return memory;
}

Result<std::uint64_t> System::take_checkpoint(const std::string& name) {
  Result<std::uint64_t> instant;
  director_->call([&](director::Registry& registry) {
    auto* block = must(registry.visible_block(kBlockName, registry.scopes.root().id));
    auto taken = registry.take_checkpoint(*block, name);
    instant = taken ? Result<std::uint64_t>(taken->instant) : tl::unexpected(taken.error());
  });
  return instant;
}

Result<void> System::release_checkpoint(const std::string& name) {
  Result<void> released;
  director_->call([&](director::Registry& registry) {
    auto* block = must(registry.visible_block(kBlockName, registry.scopes.root().id));
    released = registry.release_checkpoint(*block, name);
  });
  return released;
}

Result<void> System::roll_back(const std::string& checkpoint) {
  Result<void> done;
  director_->call([&](director::Registry& registry) {
    auto* block = must(registry.visible_block(kBlockName, registry.scopes.root().id));
    done = registry.generations.roll_back(*block, checkpoint, "torture");
  });
  return done;
}

Result<void> System::compact() {
  Result<void> done;
  director_->call([&](director::Registry& registry) {
    auto* block = must(registry.visible_block(kBlockName, registry.scopes.root().id));
    const auto compacted = registry.generations.compact(*block, "torture");
    if (!compacted) done = tl::unexpected(compacted.error());
  });
  return done;
}

Result<void> System::change(director::Transition what, Enforce by) {
  Result<void> done;
  director_->call([&](director::Registry& registry) {
    auto* block = must(registry.visible_block(kBlockName, registry.scopes.root().id));
    done = registry.states.change(*block, what, "torture", director::Enforcement{by});
  });
  return done;
}

std::vector<FoundEntry> System::entries() {
  Rest rest;
  director_->call([&](director::Registry& registry) {
    list_entries(*must(registry.visible_block(kBlockName, registry.scopes.root().id)), rest);
  });
  return std::move(rest.entries);
}

Result<void> System::create_twin(const std::string& name) {
  Result<void> done;
  director_->call([&](director::Registry& registry) {
    director::BlockRequest request = request_;
    request.policy.name = name;
    const auto made = registry.create_block(request);
    if (!made) done = tl::unexpected(made.error());
  });
  return done;
}

Result<System::Fork> System::fork() {
  Result<Fork> made = Fork{};
  director_->call([&](director::Registry& registry) {
    auto* origin = must(registry.visible_block(kBlockName, registry.scopes.root().id));
    director::BlockRequest request;
    request.policy.name = "fork";
    request.policy.kind = BlockKind::forked;
    request.policy.owner = registry.scopes.root().id;
    request.from = kBlockName;
    request.quota_bytes = origin->quota_bytes;
    const auto id = registry.forks.fork(origin->id, request);
    if (!id) {
      made = tl::unexpected(id.error());
      return;
    }
    made->id = *id;
    const std::string base = std::string(director::kForkPrefix) + std::to_string(raw(*id));
    for (const auto& checkpoint : origin->checkpoints) {
      if (checkpoint.name == base) made->base = checkpoint.instant;
    }
    look_at_block(registry, *registry.blocks.find(*id), made->rest);
  });
  return made;
}

Result<void> System::destroy(BlockId block) {
  director_->call([&](director::Registry& registry) { registry.destroy_block(block, "torture"); });
  return {};
}

std::uint32_t System::own_worker() {
  std::uint32_t id = 0;
  director_->call([&](director::Registry& registry) { id = raw(registry.own_lane()->id); });
  return id;
}

std::uint32_t System::block_id() {
  return raw(block().id);
}

// A name for each segment that somebody lives by, and no other.
void System::check_segments(director::Registry& registry, Rest& rest) const {
  const auto& paths = registry.options.paths;
  std::set<std::string> wanted = {paths.control_segment()};
  for (const auto& [id, block] : registry.blocks.all()) {
    wanted.insert(paths.block_segment(id, block.generation));
    wanted.insert(paths.readers_segment(id, block.generation));
  }
  for (const auto& [id, worker] : registry.workers.all()) wanted.insert(paths.worker_segment(id));
  for (const auto& file : fs::directory_iterator("/dev/shm")) {
    const std::string name = file.path().filename();
    if (!name.starts_with(segment_prefix_)) continue;
    if (wanted.erase(name) == 0) rest.findings.push_back("left in /dev/shm: " + name);
  }
  for (const std::string& name : wanted) rest.findings.push_back("not in /dev/shm: " + name);
}

std::vector<std::string> System::stop() {
  std::vector<std::string> left;
  if (!director_) return left;
  director_->stop();
  thread_.join();
  director_.reset();
  for (const auto& file : fs::directory_iterator("/dev/shm")) {
    const std::string name = file.path().filename();
    if (name.starts_with(segment_prefix_)) left.push_back(name);
  }
  return left;
}

}  // namespace sessionblocks::torture
