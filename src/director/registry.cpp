#include "director/registry.hpp"

#include <algorithm>
#include <cstring>

#include "core/crash_point.hpp"
#include "platform/random.hpp"

namespace sessionblocks::director {
namespace {

using platform::Access;
using sessionblocks::BlockKind;
using sessionblocks::BlockState;
using sessionblocks::Rights;
using sessionblocks::ScopeKind;

class SilentEvents final : public EventSink {
 public:
  void on_event(const Event& /*event*/) override {}
};

// The random seed of control was drawn for this system; the boot makes it the more unique.
SystemInstance instance_of(const SegmentFile& control) {
  const auto& header =
      reinterpret_cast<const layout::ControlSegment*>(control.memory().data())->header;
  SystemInstance instance{};
  std::memcpy(instance.data(), &header.hash_seed, sizeof header.hash_seed);
  const auto boot = platform::boot_id();
  if (boot) std::memcpy(instance.data() + 8, boot->data(), 8);
  return instance;
}

Result<void> fill_in(RegistryOptions& options, const SegmentFile& control) {
  if (!options.data_plane) options.data_plane = make_segment_data_plane();
  if (!options.events) options.events = std::make_shared<SilentEvents>();
  if (!options.make_audit) {
    options.audit = make_discarding_audit_sink();
  } else {
    auto audit = options.make_audit(instance_of(control));
    if (!audit) return tl::unexpected(audit.error());
    options.audit = std::move(*audit);
  }
  if (options.guard != nullptr) options.audit->set_tap(&options.guard->tap());
  return {};
}

}  // namespace

Result<std::unique_ptr<Registry>> Registry::create(RegistryOptions options) {
  platform::OpenerThread opener;
  const std::string name = options.paths.control_segment();
  auto file = SegmentFile::create(name, sizeof(layout::ControlSegment), options.naming, opener);
  if (!file) return tl::unexpected(file.error());
  // CRASH(control.made): a segment without an identity; the next director removes it.
  SESSIONBLOCKS_CRASH("control.made");
  const auto seed = platform::random_u64();
  auto made = file->reserve(0, file->bytes());
  if (made && !seed) made = tl::unexpected(seed.error());
  if (made) made = format_control(file->memory(), options.paths.system, *seed);
  if (!made) {
    file->unlink();
    return tl::unexpected(made.error());
  }
  // CRASH(control.formatted): a system of no director and no boot; the next director removes it.
  SESSIONBLOCKS_CRASH("control.formatted");
  auto registry = over(std::move(options), std::move(*file));
  if (!registry) static_cast<void>(platform::SharedSegment::unlink(name));
  return registry;
}

Result<std::unique_ptr<Registry>> Registry::over(RegistryOptions options, SegmentFile control) {
  if (auto filled = fill_in(options, control); !filled) return tl::unexpected(filled.error());
  return std::unique_ptr<Registry>(new Registry(std::move(options), std::move(control)));
}

Registry::Registry(RegistryOptions given, SegmentFile control_file)
    : options(std::move(given)),
      control_file_(std::move(control_file)),
      control(control_file_.memory()),
      scopes(control, options.budgets),
      blocks({options.paths, control, opener, *options.data_plane, options.naming,
              options.mask_key ? *options.mask_key : random_mask_key()}),
      workers(control),
      references(control),
      holdings(control),
      instance(instance_of(control_file_)) {
  if (options.budget_bytes) control.header().budget_bytes = *options.budget_bytes;
}

Result<platform::UniqueFd> Registry::control_descriptor() {
  return control_file_.descriptor(Access::read_only, opener);
}

Result<void> Registry::check_creation(const BlockRequest& request) {
  if (auto free = check_name_free(request); !free) return free;
  if (auto kept = check_values(request); !kept) return kept;
  return check_budgets(request);
}

Result<void> Registry::check_name_free(const BlockRequest& request) {
  const Scope* owner = scopes.find(request.policy.owner);
  if (owner == nullptr || owner->is_ending) {
    return fail(Errc::no_such_scope, "create block " + request.policy.name + ": its owner ended");
  }
  for (const StoredBlock* other : blocks.named(request.policy.name)) {
    const Scope* others = scopes.find(other->policy.owner);
    const bool apart = owner->is_one_of_many() && other->policy.owner != owner->id &&
                       others != nullptr && others->is_one_of_many();
    // It was another scope's name, and takes it from nobody.
    if (other->is_handed_over() && other->policy.owner != owner->id) continue;
    if (!apart) return fail(Errc::exists, "create block " + request.policy.name);
  }
  return {};
}

Result<BlockId> Registry::create_block(const BlockRequest& request) {
  if (request.policy.kind == BlockKind::forked) {
    // The suite file says so, and its permit: no grant is needed.
    const auto origin = visible_block(request.from, request.policy.owner);
    if (!origin) return tl::unexpected(origin.error());
    return forks.fork((*origin)->id, request);
  }
  if (request.is_loaded) return create_loaded(request);
  if (auto fits = check_creation(request); !fits) return tl::unexpected(fits.error());
  const auto begun = begin(EventKind::created, "block " + request.policy.name);
  const auto id = blocks.create(request, [&](StoredBlock& block) { return keep_values(block); });
  if (id) announce(*id, request);
  return id;
}

void Registry::announce(BlockId made, const BlockRequest& request) {
  const Scope* owner = scopes.find(request.policy.owner);
  StoredBlock& block = *blocks.find(made);
  name_heir(block);
  say(EventKind::created, block,
      std::string(sessionblocks::word(request.policy.kind)) + ", owner " + owner->path);
  acted(request.policy.kind == BlockKind::forked ? Act::fork : Act::create, owner->id, made);
}

void Registry::acted(Act act, ScopeId scope, BlockId block) {
  if (options.guard != nullptr) options.guard->acted(act, scope, block);
}

Result<void> Registry::create_missing(const std::vector<BlockRequest>& requests) {
  for (const BlockRequest& request : requests) {
    const auto present = blocks.named(request.policy.name);
    const bool is_there = std::any_of(present.begin(), present.end(), [&](const auto* block) {
      return block->policy.owner == request.policy.owner;
    });
    if (is_there) continue;
    const auto made = create_block(request);
    if (!made) return tl::unexpected(made.error());
  }
  return {};
}

void Registry::destroy_block(BlockId id, std::string_view why) {
  StoredBlock* block = blocks.find(id);
  if (block == nullptr) return;
  const Subject subject(*block);
  const std::string text = subject.text;
  const auto begun = begin(EventKind::destroyed, subject, std::string(why));
  const bool logs_values = block->logs_values;
  blocks.begin_destroy(*block);
  forks.release_base(*block);
  forget_checkpoints(*block);
  revocations.forget(*block);
  static_cast<void>(settle(*block, text));
  ask_to_unmap(id, block->generation);
  // CRASH(destroy.settled): as destroy.state, and nothing in flight can commit.
  SESSIONBLOCKS_CRASH("destroy.settled");
  holdings.forget(id, block->generation);
  auto retired = blocks.finish_destroy(id);
  // CRASH(destroy.withdrawn): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("destroy.withdrawn");
  if (retired && retired->segment) retired_.push_back(std::move(*retired));
  forget_retired();
  if (logs_values) options.audit->end_values(id);
  say(EventKind::destroyed, subject, std::string(why));
}

void Registry::ask_to_unmap(BlockId id, Generation generation) {
  for (auto& [worker_id, worker] : workers.all()) {
    for (auto& [open, opened] : worker.opens) {
      if (opened.block != id || opened.generation != generation || opened.unmap_sent) continue;
      opened.unmap_sent = true;
      if (on_unmap) on_unmap(worker, open);
    }
  }
}

std::vector<WorkerId> Registry::ask_losers_to_unmap(const StoredBlock& block) {
  std::vector<WorkerId> losers;
  for (auto& [id, worker] : workers.all()) {
    if (worker.is_director || !worker.segment) continue;
    for (auto& [open, opened] : worker.opens) {
      if (opened.block != block.id || opened.generation != block.generation) continue;
      if (opened.rights <= rights_of_open(block, worker, open)) continue;
      if (losers.empty() || losers.back() != id) losers.push_back(id);
      if (!opened.unmap_sent && on_unmap) on_unmap(worker, open);
      opened.unmap_sent = true;
    }
  }
  return losers;
}

void Registry::empty_retired(BlockId id) {
  for (const StoredBlock& block : retired_) {
    if (block.id == id && block.segment) static_cast<void>(block.segment->discard());
  }
}

Result<void> Registry::settle(const StoredBlock& block, const std::string& text) {
  if (!block.segment) return {};
  const auto holders = workers.holders(block.id, block.generation);
  auto settled = options.data_plane->settle(block.memory(), holders);
  if (!settled) say(EventKind::failed, "settle " + text, settled.error().message());
  return settled;
}

void Registry::retire(StoredBlock old) {
  ask_to_unmap(old.id, old.generation);
  retired_.push_back(std::move(old));
  forget_retired();
}

void Registry::forget_retired() {
  std::erase_if(retired_, [this](const StoredBlock& block) {
    if (workers.has_open(block.id, block.generation)) return false;
    options.data_plane->forget(block.id, block.generation);
    // Nobody looks into it any more, but a process may have it mapped still.
    if (block.segment) static_cast<void>(block.segment->discard());
    return true;
  });
}

}  // namespace sessionblocks::director
