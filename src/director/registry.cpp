#include "director/registry.hpp"

#include <algorithm>
#include <cstring>

#include "core/crash_point.hpp"
#include "platform/clock.hpp"
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
    return {};
  }
  auto audit = options.make_audit(instance_of(control));
  if (!audit) return tl::unexpected(audit.error());
  options.audit = std::move(*audit);
  return {};
}

// Worker slots and flow blocks have blocks of their own under one name.
bool is_one_of_many(const Scope* owner) {
  return owner != nullptr && (owner->kind == ScopeKind::worker || owner->kind == ScopeKind::flow);
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
      scopes(control),
      blocks({options.paths, control, opener, *options.data_plane, options.naming}),
      workers(control) {}

Result<platform::UniqueFd> Registry::control_descriptor() {
  return control_file_.descriptor(Access::read_only, opener);
}

void Registry::say(EventKind kind, std::string subject, std::string detail) {
  options.events->on_event({kind, std::move(subject), std::move(detail)});
}

Result<void> Registry::check_name_free(const BlockRequest& request) {
  const Scope* owner = scopes.find(request.policy.owner);
  if (owner == nullptr || owner->is_ending) {
    return fail(Errc::no_such_scope, "create block " + request.policy.name + ": its owner ended");
  }
  for (const StoredBlock* other : blocks.named(request.policy.name)) {
    const bool apart = is_one_of_many(owner) && other->policy.owner != owner->id &&
                       is_one_of_many(scopes.find(other->policy.owner));
    if (!apart) return fail(Errc::exists, "create block " + request.policy.name);
  }
  return {};
}

Result<BlockId> Registry::create_block(const BlockRequest& request) {
  if (auto free = check_name_free(request); !free) return tl::unexpected(free.error());
  const auto id = blocks.create(request);
  if (!id) return id;
  const Scope* owner = scopes.find(request.policy.owner);
  options.audit->note("created block " + std::to_string(raw(*id)) + " " + request.policy.name);
  say(EventKind::created, blocks.find(*id)->text(),
      std::string(sessionblocks::word(request.policy.kind)) + ", owner " + owner->path);
  return id;
}

void Registry::destroy_block(BlockId id, std::string_view why) {
  StoredBlock* block = blocks.find(id);
  if (block == nullptr) return;
  const std::string text = block->text();
  blocks.begin_destroy(*block);
  forget_checkpoints(*block);
  settle(*block, text);
  for (auto& [worker_id, worker] : workers.all()) {
    for (unsigned open = 0; open < worker.opens.size(); ++open) {
      OpenedBlock* opened = worker.open_at(open);
      if (opened == nullptr || opened->block != id || opened->unmap_sent) continue;
      opened->unmap_sent = true;
      if (on_unmap) on_unmap(worker, open);
    }
  }
  // CRASH(destroy.settled): as destroy.state, and nothing in flight can commit.
  SESSIONBLOCKS_CRASH("destroy.settled");
  auto retired = blocks.finish_destroy(id);
  // CRASH(destroy.withdrawn): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("destroy.withdrawn");
  if (retired && retired->segment) retired_.push_back(std::move(*retired));
  forget_retired();
  options.audit->note("destroyed " + text);
  say(EventKind::destroyed, text, std::string(why));
}

void Registry::settle(const StoredBlock& block, const std::string& text) {
  if (!block.segment) return;
  const auto holders = workers.holders(block.id, block.generation);
  const auto settled = options.data_plane->settle(block.memory(), holders);
  if (!settled) say(EventKind::failed, "settle " + text, settled.error().message());
}

void Registry::forget_retired() {
  std::erase_if(retired_, [this](const StoredBlock& block) {
    if (workers.has_open(block.id, block.generation)) return false;
    options.data_plane->forget(block.id, block.generation);
    return true;
  });
}

Result<StoredBlock*> Registry::visible_block(std::string_view name, ScopeId scope) {
  StoredBlock* other = nullptr;
  for (StoredBlock* block : blocks.named(name)) {
    if (!is_one_of_many(scopes.find(block->policy.owner))) return block;
    if (scopes.belongs_to(scope, block->policy.owner)) return block;
    other = block;
  }
  if (other != nullptr) return other;  // another slot's: there, and not for this scope
  return fail(Errc::no_such_block, "block " + std::string(name));
}

Result<Registry::Reached> Registry::reach(std::string_view name, ScopeId scope) {
  constexpr int kMaxInherited = 64;  // a suite has no cycle; a forged row of an adoption might
  auto block = visible_block(name, scope);
  if (!block) return tl::unexpected(block.error());
  Rights rights = rights_on((*block)->policy, scope, scopes);
  bool first = true;
  for (int step = 0; (*block)->policy.kind == BlockKind::inherited; ++step) {
    auto from = visible_block((*block)->from, scope);
    if (!from) return tl::unexpected(from.error());
    if (step == kMaxInherited) return fail(Errc::denied, "block " + std::string(name));
    const Rights most = first ? inherited_rights((*block)->policy, (*from)->policy, scope, scopes)
                              : std::min(rights, passed_down((*from)->policy, scope, scopes));
    rights = most;
    first = false;
    block = from;
  }
  if (rights == Rights::none) {
    return fail(Errc::denied, "block " + std::string(name) + ": no grant for this scope");
  }
  return Reached{*block, rights};
}

Rights Registry::rights_through_any_name(const StoredBlock& block, ScopeId scope) {
  Rights best = rights_on(block.policy, scope, scopes);
  if (best != Rights::none) return best;
  for (const auto& [id, other] : blocks.all()) {
    if (other.policy.kind != BlockKind::inherited) continue;
    const auto reached = reach(other.policy.name, scope);
    if (reached && reached->block == &block) best = std::max(best, reached->rights);
  }
  return best;
}

Result<Opening> Registry::open(Worker& worker, std::string_view name, OpenMode mode) {
  auto reached = reach(name, worker.scope);
  if (!reached) return tl::unexpected(reached.error());
  const StoredBlock& block = *reached->block;
  if (block.state == BlockState::quarantined) return fail(Errc::quarantined, std::string(name));
  if (mode == OpenMode::read_write && reached->rights != Rights::read_write) {
    return fail(Errc::read_only, "open block " + std::string(name) + " for writing");
  }
  Opening opening;
  opening.rights = mode == OpenMode::read ? Rights::read : reached->rights;
  const bool writes = opening.rights == Rights::read_write;
  auto fd = block.segment->descriptor(writes ? Access::read_write : Access::read_only, opener);
  if (!fd) return tl::unexpected(fd.error());
  const auto open = workers.add_open(worker, {block.id, block.generation, opening.rights});
  if (!open) return tl::unexpected(open.error());
  // CRASH(open.added): an index that its worker was not told of; adoption keeps it taken.
  SESSIONBLOCKS_CRASH("open.added");
  opening.block = block.id;
  opening.generation = block.generation;
  opening.row = block.row;
  opening.bytes = block.segment->bytes();
  opening.open = *open;
  opening.descriptor = std::move(*fd);
  options.audit->block_opened(worker.id, *open, block.id, block.generation, block.policy.name);
  // CRASH(open.logged): the same, and the log knows it.
  SESSIONBLOCKS_CRASH("open.logged");
  say(EventKind::opened, block.text(),
      "by worker " + std::to_string(raw(worker.id)) + " as \"" +
          std::string(sessionblocks::word(opening.rights)) + "\"");
  return opening;
}

Result<platform::UniqueFd> Registry::readers_of(Worker& worker, unsigned open) {
  const OpenedBlock* opened = worker.open_at(open);
  if (opened == nullptr) return fail(Errc::invalid_argument, "readers: nothing is open there");
  const StoredBlock* block = blocks.find(opened->block);
  if (block == nullptr || block->generation != opened->generation) {
    return fail(Errc::gone, "readers: the block has ended");
  }
  return block->readers->descriptor(Access::read_write, opener);
}

void Registry::close(Worker& worker, unsigned open) {
  if (worker.open_at(open) == nullptr) return;
  options.audit->drain_fully(worker.id);
  // CRASH(close.drained): still open; its worker asks again, or adoption keeps the index taken.
  SESSIONBLOCKS_CRASH("close.drained");
  workers.remove_open(worker, open);
  // CRASH(close.removed): closed, and its worker not told so.
  SESSIONBLOCKS_CRASH("close.removed");
  forget_retired();
}

bool Registry::housekeep() {
  control.refresh_clocks();
  const std::uint64_t now = platform::boottime_ns() / 1'000'000;
  std::vector<BlockId> ended;
  Worker* own = workers.find(own_worker_);
  bool busy = false;
  hear_of_damage();
  for (auto& [id, block] : blocks.all()) {
    if (block.ends_at_ms != 0 && block.ends_at_ms <= now) ended.push_back(id);
    if (!block.segment || block.state == BlockState::quarantined) continue;
    busy = examine(block) || busy;
    if (block.state == BlockState::quarantined) continue;
    const std::uint64_t before = block.reserved_bytes();
    // Full: workers see the bound that stands and answer out_of_memory; asked again next time.
    static_cast<void>(blocks.reserve_ahead(block));
    busy = busy || block.reserved_bytes() != before;
    cut_back(*block.segment, "block " + block.policy.name);
    cut_back(*block.readers, "readers of block " + block.policy.name);
    if (own != nullptr) busy = maintain(block, *own) || busy;
  }
  for (const auto& [id, worker] : workers.all()) {
    if (worker.segment) cut_back(*worker.segment, "worker " + std::to_string(raw(id)));
  }
  for (const BlockId id : ended) destroy_block(id, "its lifespan has passed");
  return busy;
}

// The kernel lets the holder of a read-write descriptor write past the end of the file. Nobody else
// ever looks there, but it takes memory that no quota counts.
void Registry::cut_back(const SegmentFile& segment, const std::string& whose) {
  const std::uint64_t bytes = segment.cut_back();
  if (bytes == 0) return;
  say(EventKind::denied, whose, "its segment was " + std::to_string(bytes) + " bytes too long");
}

// The block is open as 0 in our own worker segment while we work on it: that is what a successor
// needs to finish what we leave half done.
bool Registry::maintain(StoredBlock& block, Worker& own) {
  const std::uint64_t word = (std::uint64_t{raw(block.generation)} << 32U) | raw(block.id);
  auto& named = own.header()->opens[0];
  if (named.load(std::memory_order_relaxed) != word) named.store(word, std::memory_order_release);
  own.opens[0] = OpenedBlock{block.id, block.generation, Rights::read_write, true};
  const auto holders = workers.holders(block.id, block.generation);
  const bool did = options.data_plane->maintain(block.memory(), own.memory(), holders);
  own.opens[0].reset();
  return did;
}

}  // namespace sessionblocks::director
