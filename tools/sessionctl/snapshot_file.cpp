#include "snapshot_file.hpp"

namespace sessionblocks::ctl {
namespace {

namespace fs = std::filesystem;

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

StoredEntry stored(const snapshot::FileEntry& entry, std::uint64_t taken_unix_ms, bool keys_only) {
  StoredEntry made{entry.type, keys_only ? std::string() : text_of(entry.value), entry.version, {}};
  if (entry.expires_unix_ms > taken_unix_ms) {
    made.expires_in = std::chrono::milliseconds(entry.expires_unix_ms - taken_unix_ms);
  }
  return made;
}

// Whoever has the file and its keys is an operator.
director::SharedMask mask_of(const Options& options, const director::SensitivePatterns& patterns) {
  const auto system = System::of(options);
  return system ? system->mask_of(patterns)
                : director::make_mask(patterns, director::random_mask_key());
}

}  // namespace

Result<director::StateFolder> state_folder(const Options& options) {
  if (!options.state_directory.empty()) return director::StateFolder(options.state_directory);
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  return director::StateFolder(system->paths().state());
}

Result<fs::path> snapshot_path(const Options& options, const std::string& file) {
  std::error_code ignored;
  if (file.find('/') != std::string::npos || fs::exists(file, ignored)) return fs::path(file);
  const auto state = state_folder(options);
  if (!state) return tl::unexpected(state.error());
  return state->snapshot(file);
}

Result<snapshot::Reader> open_snapshot(const Options& options, const std::string& file) {
  const auto path = snapshot_path(options, file);
  if (!path) return tl::unexpected(path.error());
  return snapshot::Reader::open(path->native());
}

Result<snapshot::Key> key_of(const Options& options, const snapshot::BlockDescription& block) {
  const auto state = state_folder(options);
  if (!state) return tl::unexpected(state.error());
  return snapshot::KeyFile(state->keys().native()).find(block.key);
}

Result<Read> read_snapshot(const Options& options, const Source& source, const Wanted& wanted) {
  auto reader = open_snapshot(options, source.snapshot);
  if (!reader) return tl::unexpected(reader.error());
  const auto index = reader->find(source.block);
  if (!index) return tl::unexpected(index.error());
  const snapshot::BlockDescription& block = reader->blocks()[*index].description;
  const auto key = key_of(options, block);
  if (!key) return tl::unexpected(key.error());
  Read read;
  read.mask = mask_of(options, block.sensitive);
  const auto shown =
      reader->read(*index, *key, [&](const snapshot::FileEntry& entry) -> Result<void> {
        std::string name = text_of(entry.key);
        const bool fits =
            wanted.key ? name == *wanted.key : read.shown(name).starts_with(wanted.prefix);
        if (fits) {
          read.entries[std::move(name)] = stored(entry, block.taken_unix_ms, wanted.keys_only);
        }
        return {};
      });
  if (!shown) return tl::unexpected(shown.error());
  for (const snapshot::Damage& damage : reader->damage()) {
    if (damage.number == reader->number(*index) || damage.number == snapshot::kNoBlock) {
      read.problems.push_back(damage.text());
    }
  }
  return read;
}

}  // namespace sessionblocks::ctl
