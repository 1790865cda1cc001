// Registry: blocks at an instant, into a file and back.
#include <algorithm>

#include "core/crash_point.hpp"
#include "director/file_entries.hpp"
#include "director/registry.hpp"
#include "platform/disk_file.hpp"
#include "snapshot/writer.hpp"

namespace sessionblocks::director {
namespace {

// Each further time is for a commit between the first checkpoint and the last; with more writers
// than that no time would do.
constexpr int kMostTries = 8;

std::vector<std::string> damage_of(const snapshot::Reader& file, std::size_t index) {
  std::vector<std::string> lines;
  for (const snapshot::Damage& damage : file.damage()) {
    if (damage.number == file.number(index)) lines.push_back(damage.text());
  }
  return lines;
}

}  // namespace

Result<void> check_permit(const StoredBlock& block, Permit permit, std::string_view verb) {
  const std::string what = std::string(verb) + " " + block.text();
  if (!has_permit(block.permits, permit)) {
    return fail(Errc::not_permitted, what + ": its permit lacks \"" +
                                         permit_words(static_cast<std::uint32_t>(permit)).front() +
                                         "\"");
  }
  if (block.refusal() != Errc{}) return fail(block.refusal(), what);
  if (block.segment) return {};
  return fail(Errc::invalid_argument,
              what + ": it has no memory of its own; name the block that it comes from");
}

snapshot::BlockDescription Registry::describe(const StoredBlock& block, std::uint64_t instant,
                                              std::uint64_t taken_unix_ms) {
  const Scope* owner = scopes.find(block.policy.owner);
  snapshot::BlockDescription made;
  made.id = block.id;
  made.generation = block.generation;
  made.name = block.policy.name;
  made.kind = block.policy.kind;
  made.audit = block.audit;
  if (owner != nullptr) made.owner = owner->path;
  made.quota_bytes = block.quota_bytes;
  made.permits = block.permits;
  if (block.mask) made.sensitive = block.mask->patterns();
  made.instant = instant;
  made.taken_unix_ms = taken_unix_ms;
  return made;
}

BlockRequest request_of(const snapshot::BlockDescription& from, const RestoreRequest& request) {
  BlockRequest made;
  made.policy.name = request.name;
  made.policy.owner = request.owner;
  made.quota_bytes = from.quota_bytes;
  made.audit = from.audit;
  made.permits = from.permits;
  made.sensitive = from.sensitive;
  return made;
}

Result<SnapshotMade> Registry::snapshot_block(StoredBlock& block,
                                              const std::filesystem::path& path) {
  if (auto permitted = check_permit(block, Permit::persist, "snapshot of"); !permitted)
    return tl::unexpected(permitted.error());
  return snapshot({{&block}, {}, {}, path});
}

Result<SnapshotMade> Registry::snapshot_scope(const Scope& scope,
                                              const std::filesystem::path& path) {
  SnapshotPlan plan;
  plan.of = scope.path;
  plan.path = path;
  for (auto& [id, block] : blocks.all()) {
    if (!block.segment || !scopes.is_at_or_below(block.policy.owner, scope.id)) continue;
    if (auto permitted = check_permit(block, Permit::persist, "snapshot of"); permitted) {
      plan.blocks.push_back(&block);
    } else {
      plan.left_out.push_back(block.text());
      say(EventKind::denied, block, permitted.error().message());
    }
  }
  if (plan.blocks.empty()) {
    return fail(plan.left_out.empty() ? Errc::no_such_block : Errc::not_permitted,
                "snapshot of scope " + scope.path + ": none of its blocks permits \"persist\"");
  }
  return snapshot(std::move(plan));
}

Result<SnapshotMade> Registry::snapshot(SnapshotPlan plan) {
  if (auto made = state().make(); !made) return tl::unexpected(made.error());
  std::vector<Transitions::Begun> begun;
  for (const StoredBlock* block : plan.blocks) {
    begun.push_back(begin(EventKind::saved, *block, plan.path.native()));
  }
  auto made = write_snapshot(plan);
  unpin(plan.blocks);
  state().remove_unfinished();
  if (!made) return made;
  // CRASH(snapshot.finished): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("snapshot.finished");
  const std::string what = made->path.native() + (made->is_exact ? "" : ", not of one instant");
  // What was begun last is said first.
  for (auto at = plan.blocks.rbegin(); at != plan.blocks.rend(); ++at) {
    say(EventKind::saved, **at, what);
  }
  return made;
}

Result<SnapshotMade> Registry::write_snapshot(const SnapshotPlan& plan) {
  std::vector<snapshot::Key> keys;
  const snapshot::KeyFile keyring(state().keys().native());
  const bool is_elsewhere = plan.path.parent_path() != state().snapshots();
  for (const StoredBlock* block : plan.blocks) {
    auto key = keyring.of({instance, block->id}, is_elsewhere);
    if (!key) return tl::unexpected(key.error());
    keys.push_back(*key);
  }
  // CRASH(snapshot.keyed): keys with which nothing is encrypted; the next snapshot uses them.
  SESSIONBLOCKS_CRASH("snapshot.keyed");
  const auto taken = pin_together(plan.blocks);
  if (!taken) return tl::unexpected(taken.error());
  // CRASH(snapshot.pinned): pins that no row names; adoption releases them.
  SESSIONBLOCKS_CRASH("snapshot.pinned");
  const auto beside = state().begin(plan.path);
  if (!beside) return tl::unexpected(beside.error());
  // CRASH(snapshot.begun): the same, and the record of a file that is not there; the next director
  // removes it.
  SESSIONBLOCKS_CRASH("snapshot.begun");
  auto writer = snapshot::Writer::create(
      beside->native(),
      {options.paths.system, instance, plan.of, static_cast<std::uint32_t>(plan.blocks.size()),
       taken->is_exact, taken->taken_unix_ms, plan.left_out});
  if (!writer) return tl::unexpected(writer.error());
  for (std::size_t i = 0; i < plan.blocks.size(); ++i) {
    const StoredBlock& block = *plan.blocks[i];
    auto description = describe(block, taken->instants[i], taken->taken_unix_ms);
    description.key = keys[i].id;
    auto put = writer->begin_block(description, keys[i]);
    const auto take = [&](const EntryBytes& entry) { return writer->put(to_file(entry, *taken)); };
    const Moment moment{taken->instants[i], taken->clock_ms};
    if (put) put = options.data_plane->show_at(block.memory(), moment, take);
    if (put) put = writer->end_block();
    if (!put) return tl::unexpected(put.error());
  }
  if (auto kept = writer->finish(); !kept) return tl::unexpected(kept.error());
  // CRASH(snapshot.written): a whole file without its name; the next director removes it.
  SESSIONBLOCKS_CRASH("snapshot.written");
  auto named = platform::name_file(beside->native(), plan.path.native());
  if (named) named = platform::sync_folder_of(plan.path.native());
  if (!named) return tl::unexpected(named.error());
  // CRASH(snapshot.named): the snapshot is there, nobody was told of it; its record names nothing.
  SESSIONBLOCKS_CRASH("snapshot.named");
  return SnapshotMade{plan.path,         taken->is_exact, plan.blocks.size(),
                      writer->entries(), writer->bytes(), plan.left_out};
}

// Each block's checkpoint is an instant of that block alone. If none of them was changed between
// its own and the last one's, then all of them were as their checkpoints show when the last was
// taken.
Result<Instants> Registry::pin_together(std::span<StoredBlock* const> together) {
  Worker* own = own_lane();
  if (own == nullptr) return fail(Errc::invalid_argument, "snapshot: the director has no lane");
  for (int tries = 1;; ++tries) {
    Instants taken;
    taken.clock_ms = platform::monotonic_coarse_ms();
    taken.taken_unix_ms = unix_ms();
    for (const StoredBlock* block : together) {
      const auto holders = workers.holders(block->id, block->generation);
      const auto instant =
          options.data_plane->take_checkpoint(block->memory(), own->memory(), holders);
      if (!instant) return tl::unexpected(instant.error());
      taken.instants.push_back(*instant);
    }
    taken.is_exact = true;
    for (std::size_t i = 0; taken.is_exact && i + 1 < together.size(); ++i) {
      taken.is_exact =
          options.data_plane->is_unchanged_since(together[i]->memory(), taken.instants[i]);
    }
    if (taken.is_exact || tries == kMostTries) return taken;
    unpin(together);
  }
}

// A pin that cannot be released now is released by the next checkpoint's end, or by adoption.
void Registry::unpin(std::span<StoredBlock* const> together) {
  for (const StoredBlock* block : together) {
    if (auto kept = keep_checkpoints(*block); !kept) {
      say(EventKind::failed, "release pins of " + block->text(), kept.error().message());
    }
  }
}

Result<Restored> Registry::restore(snapshot::Reader& file, std::size_t index,
                                   const RestoreRequest& request) {
  const snapshot::BlockDescription& from = file.blocks()[index].description;
  const auto key = snapshot::KeyFile(state().keys().native()).find(from.key);
  if (!key) return tl::unexpected(key.error());
  Restored restored;
  const auto source = [&](const TakeEntry& put) -> Result<void> {
    Incoming incoming(put);
    auto read = file.read(index, *key, [&](const auto& entry) { return incoming.take(entry); });
    restored.entries = incoming.entries;
    restored.expired = incoming.expired;
    restored.damage = damage_of(file, index);
    if (read && !restored.damage.empty() && !request.takes_damaged) {
      return fail(Errc::corrupt, "snapshot: " + restored.damage.front());
    }
    return read;
  };
  const std::string origin =
      "from a snapshot of block " + from.name + " (" + std::to_string(raw(from.id)) + ")";
  const auto begun = begin(EventKind::restored, "block " + request.name, origin);
  const auto block = create_filled(request_of(from, request), source);
  if (!block) return tl::unexpected(block.error());
  restored.block = *block;
  say(EventKind::restored, *blocks.find(*block), origin);
  return restored;
}

Result<void> Registry::remove_key(const StoredBlock& block) {
  if (block.logs_values) options.audit->drop_values(block.id);
  auto gone = snapshot::KeyFile(state().keys().native()).remove({instance, block.id});
  if (!gone) say(EventKind::failed, "remove the key of " + block.text(), gone.error().message());
  return gone;
}

}  // namespace sessionblocks::director
