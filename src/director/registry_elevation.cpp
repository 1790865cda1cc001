// Registry: blocks that are elevated to DataBlocks, and DataBlocks that are loaded.
#include "core/crash_point.hpp"
#include "director/file_entries.hpp"
#include "director/registry.hpp"

namespace sessionblocks::director {

namespace {

std::string name_of(const datablock::DataBlock& kept) {
  return "DataBlock " + std::to_string(kept.id);
}

// What a DataBlock has, into a block; how many, and how that went, is for who asked.
EntrySource entries_of(datablock::Store& store, const datablock::DataBlock& from, Restored& loaded,
                       Result<void>& read) {
  return [&](const TakeEntry& put) {
    Incoming incoming(put);
    read = store.read(from.id, [&](const auto& entry) { return incoming.take(entry); });
    loaded.entries = incoming.entries;
    loaded.expired = incoming.expired;
    return read;
  };
}

// The youngest of its line, when it has just these entries. A damaged one has not.
Result<std::optional<datablock::DataBlock>> kept_as(datablock::Store& store,
                                                    const datablock::DataBlock& as,
                                                    const datablock::Source& source) {
  auto before = store.youngest({as.system, as.about.owner, as.about.name});
  if (!before || !*before) return before;
  const auto holds = store.holds(**before, source);
  if (!holds) return tl::unexpected(holds.error());
  return *holds ? before : std::nullopt;
}

Result<std::optional<datablock::DataBlock>> add(datablock::Store& store,
                                                const datablock::DataBlock& about,
                                                const datablock::Source& source) {
  return store.add(about, [&](const snapshot::TakeFileEntry& put) {
    auto shown = source(put);
    // CRASH(elevate.written): a transaction that is not committed; who opens the file next takes it
    // out.
    SESSIONBLOCKS_CRASH("elevate.written");
    return shown;
  });
}

constexpr std::string_view kBeginsEmpty =
    "; without at_start in the suite file the block begins empty";

Error cannot_look(const BlockRequest& request, const Error& why) {
  std::string remedy = "; try again";
  if (why != Errc::timed_out) remedy = "; put the file right, or move it away";
  return {why.code(), "create block " + request.policy.name + " of its DataBlock: " +
                          why.context() + remedy + std::string(kBeginsEmpty)};
}

// Why a declared block cannot begin, and what its operator can do about it.
Error cannot_begin(const BlockRequest& request, const datablock::DataBlock& from,
                   const Error& why) {
  std::string remedy = "; ";
  if (why == Errc::out_of_memory) remedy += "raise the block's quota in the suite file, or ";
  remedy += "run sessionctl datablocks delete " + request.policy.name + "@" +
            std::to_string(from.id) + ", and the one before it counts";
  return {why.code(), "create block " + request.policy.name + " of " + name_of(from) + ": " +
                          why.context() + remedy + std::string(kBeginsEmpty)};
}

}  // namespace

Result<datablock::DataBlock> Registry::elevate(StoredBlock& block, Elevation when) {
  if (auto permitted = check_permit(block, Permit::elevate, "elevate"); !permitted) {
    return tl::unexpected(permitted.error());
  }
  if (auto made = state().make(); !made) return tl::unexpected(made.error());
  const auto begun = begin(EventKind::elevated, block);
  auto store = datablock::Store::open(state().datablocks().native());
  if (!store) return tl::unexpected(store.error());
  std::array together = {&block};
  const auto taken = pin_together(together);
  if (!taken) return tl::unexpected(taken.error());
  // CRASH(elevate.pinned): a pin that no row names, perhaps an empty file; adoption releases it.
  SESSIONBLOCKS_CRASH("elevate.pinned");
  datablock::DataBlock about;
  about.about = describe(block, taken->instants.front(), taken->taken_unix_ms);
  about.system = options.paths.system;
  about.instance = instance;
  about.elevated_unix_ms = unix_ms();
  const datablock::Source entries = [&](const snapshot::TakeFileEntry& put) {
    const auto take = [&](const EntryBytes& entry) { return put(to_file(entry, *taken)); };
    const Moment moment{taken->instants.front(), taken->clock_ms};
    return options.data_plane->show_at(block.memory(), moment, take);
  };
  auto kept = when == Elevation::unless_kept ? kept_as(*store, about, entries)
                                             : Result<std::optional<datablock::DataBlock>>();
  const bool is_new = kept && !*kept;
  if (is_new) kept = add(*store, about, entries);
  // CRASH(elevate.committed): a DataBlock that nobody was told of; if its block was ending, the
  // next director finds that it has all of it.
  SESSIONBLOCKS_CRASH("elevate.committed");
  unpin(together);
  if (!kept) return tl::unexpected(kept.error());
  if (is_new) say(EventKind::elevated, block, "to " + name_of(**kept));
  return **kept;
}

// A block that begins with what was kept of its line, in one step: before it has its entries nobody
// can know of it. When nothing was kept, or all of it has expired, it begins empty.
Result<BlockId> Registry::create_loaded(const BlockRequest& request) {
  BlockRequest plain = request;
  plain.is_loaded = false;
  auto store = datablock::Store::open_read(state().datablocks().native());
  if (!store && store.error() == Errc::not_found) return create_block(plain);
  const Scope* const owner = scopes.find(request.policy.owner);
  if (owner == nullptr) return create_block(plain);  // which says so
  const datablock::Line line{options.paths.system, owner->path, request.policy.name};
  auto found = store ? store->youngest(line) : tl::unexpected(store.error());
  if (!found) return tl::unexpected(cannot_look(request, found.error()));
  if (!*found) return create_block(plain);
  const datablock::DataBlock& from = **found;
  Restored loaded;
  Result<void> read;
  const auto begun = begin(EventKind::loaded, "block " + plain.policy.name, name_of(from));
  const auto block = create_filled(plain, entries_of(*store, from, loaded, read));
  if (!block) return read ? block : tl::unexpected(cannot_begin(request, from, read.error()));
  say_loaded(*block, from, loaded);
  return block;
}

Result<Restored> Registry::load(datablock::Store& store, const datablock::DataBlock& from,
                                const RestoreRequest& request) {
  Restored loaded;
  Result<void> read;
  const auto begun = begin(EventKind::loaded, "block " + request.name, name_of(from));
  const auto block =
      create_filled(request_of(from.about, request), entries_of(store, from, loaded, read));
  if (!block) return tl::unexpected(block.error());
  loaded.block = *block;
  say_loaded(*block, from, loaded);
  return loaded;
}

void Registry::say_loaded(BlockId id, const datablock::DataBlock& from, const Restored& loaded) {
  std::string what = std::to_string(loaded.entries) + " entries of " + name_of(from);
  if (loaded.expired != 0) what += ", " + std::to_string(loaded.expired) + " had expired";
  say(EventKind::loaded, *blocks.find(id), what);
}

}  // namespace sessionblocks::director
