#include "entry_source.hpp"

#include "command.hpp"
#include "snapshot_file.hpp"

namespace sessionblocks::ctl {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string bytes_of(const Value& value) {
  const auto view = std::visit([](const auto& held) { return ValueView(held); }, value);
  return text_of(view.bytes());
}

// From a block, or from what one of its checkpoints holds.
template <typename Source>
Result<Read> read_from(const Source& source, const Wanted& wanted) {
  Read read;
  if (wanted.key) {
    auto entry = source.template get<Value>(*wanted.key);
    if (!entry && entry.error() == Errc::not_found) return read;
    if (!entry) return tl::unexpected(entry.error());
    read.entries[*wanted.key] = {type_of(entry->value), bytes_of(entry->value),
                                 raw_version(entry->version), entry->expires_in};
    return read;
  }
  const auto walked = source.for_each(wanted.prefix, [&](const EntryView& entry) {
    read.entries[std::string(entry.key)] = {entry.type,
                                            wanted.keys_only ? "" : text_of(entry.value),
                                            raw_version(entry.version), entry.expires_in};
    return true;
  });
  if (!walked) return tl::unexpected(walked.error());
  return read;
}

Result<Read> read_as_worker(const System& system, const Source& source, const Wanted& wanted) {
  auto opened = system.open(source.block, AccessMode::read);
  if (!opened) return tl::unexpected(opened.error());
  if (source.at.empty()) return read_from(opened->block, wanted);
  auto checkpoint = find_checkpoint(opened->block, source.at);
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  return read_from(opened->block.at(std::move(*checkpoint)), wanted);
}

// A prefix is one of what is shown: it must not be a way to try out what a sensitive key begins
// with.
template <typename ReadFrom>
Result<Read> read_masked(const director::SharedMask& mask, const Wanted& wanted, ReadFrom&& from) {
  Wanted all = wanted;
  if (mask != nullptr) all.prefix.clear();
  auto read = from(all);
  if (!read) return read;
  read->mask = mask;
  std::erase_if(read->entries, [&](const auto& entry) {
    return !wanted.key && !read->shown(entry.first).starts_with(wanted.prefix);
  });
  return read;
}

Result<Read> read_as_operator(const System& system, const std::string& name, const Wanted& wanted) {
  const auto image = system.control();
  if (!image) return tl::unexpected(image.error());
  const auto block = system.block(*image, name);
  if (!block) return tl::unexpected(block.error());
  auto reader = BlockReader::open(system.paths(), *block, image->hash_seed);
  if (!reader) return tl::unexpected(reader.error());
  return read_masked(
      system.mask_of(block->sensitive), wanted, [&](const Wanted& all) -> Result<Read> {
        auto entries = reader->read(all);
        if (!entries) return tl::unexpected(entries.error());
        Read read{std::move(*entries), {}};
        if (const auto slots = reader->damaged_slots(); slots != 0) {
          read.problems = {std::to_string(slots) + " entries cannot be read; run sessionctl fsck"};
        }
        return read;
      });
}

}  // namespace

Result<Read> read_entries(const Options& options, const Source& source, const Wanted& wanted) {
  if (!source.snapshot.empty()) return read_snapshot(options, source, wanted);
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  // --scope asks for what that scope may see, which is its grants' and the director's to say. What
  // checkpoints there are is the director's to say, too.
  const bool has_at = !source.at.empty();
  const bool as_scope = system->is_worker() || !options.scope.empty() || has_at;
  if (!as_scope) return read_as_operator(*system, source.block, wanted);
  const auto mask = system->mask(source.block);
  if (!mask) return tl::unexpected(mask.error());
  auto as_owner = read_masked(
      *mask, wanted, [&](const Wanted& all) { return read_as_worker(*system, source, all); });
  const bool no_director = !as_owner && as_owner.error() == Errc::unreachable;
  return no_director && !system->is_worker() && !has_at
             ? read_as_operator(*system, source.block, wanted)
             : std::move(as_owner);
}

ExitCode outcome_of(const Read& read) {
  for (const std::string& problem : read.problems) say(problem);
  return read.problems.empty() ? ExitCode::ok : ExitCode::findings;
}

}  // namespace sessionblocks::ctl
