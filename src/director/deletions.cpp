#include "director/deletions.hpp"

#include <algorithm>
#include <set>

#include "core/crash_point.hpp"
#include "director/suite_words.hpp"
#include "platform/disk_file.hpp"
#include "snapshot/reader.hpp"

namespace sessionblocks::director {
namespace {

using snapshot::KeyId;
using snapshot::Reader;

constexpr std::size_t kMostNamed = 8;  // in a message

// The keys of a snapshot. None: not all that it needs can be told.
std::optional<std::set<KeyId>> keys_of(const std::string& path) {
  auto file = Reader::outline(path);
  const auto is_whole = [&] {
    return file && file->damage().empty() && file->file() &&
           file->blocks().size() == file->file()->blocks;
  };
  if (!is_whole()) file = Reader::open(path);  // looks harder
  if (!file || !file->file() || file->blocks().size() != file->file()->blocks) return std::nullopt;
  std::set<KeyId> keys;
  for (const auto& block : file->blocks()) keys.insert(block.description.key);
  return keys;
}

// Those that no other snapshot of the folder needs.
Result<std::set<KeyId>> not_needed(const StateFolder& state, const std::string& name,
                                   std::set<KeyId> keys) {
  const auto others = state.snapshot_names();
  if (!others) return tl::unexpected(others.error());
  for (const std::string& other : *others) {
    if (other == name || keys.empty()) continue;
    const auto needed = keys_of(state.snapshot(other).native());
    if (!needed) return std::set<KeyId>();  // perhaps all of them
    for (const KeyId& key : *needed) keys.erase(key);
  }
  return keys;
}

bool is_number(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char letter) {
    return letter >= '0' && letter <= '9';
  });
}

// NAME, NAME@NUMBER or NUMBER.
struct Which {
  std::string name;
  std::string number;
};

Result<Which> which_of(const std::string& text) {
  const std::size_t at = text.find('@');
  Which which;
  if (at != std::string::npos) {
    which = {text.substr(0, at), text.substr(at + 1)};
  } else if (is_number(text)) {
    which.number = text;
  } else {
    which.name = text;
  }
  const bool has_name = is_name(which.name) || (which.name.empty() && at == std::string::npos);
  const bool has_number =
      is_number(which.number) || (which.number.empty() && at == std::string::npos);
  if (has_name && has_number) return which;
  return fail(Errc::invalid_argument, "DataBlock " + quote(text) +
                                          ": say its name, its number, or both as NAME@NUMBER; " +
                                          "sessionctl datablocks lists them");
}

Error several(const std::string& name, const std::vector<datablock::DataBlock>& found) {
  std::string numbers;
  const std::size_t first = found.size() > kMostNamed ? found.size() - kMostNamed : 0;
  for (std::size_t i = first; i < found.size(); ++i) {
    numbers += (numbers.empty() ? "" : ", ") + name + "@" + std::to_string(found[i].id);
  }
  return {Errc::invalid_argument, "DataBlock " + name + ": there are " +
                                      std::to_string(found.size()) + " of that name (" +
                                      (first != 0 ? "the youngest are " : "") + numbers +
                                      "); name one, or delete all of them"};
}

}  // namespace

Result<SnapshotDeleted> delete_snapshot(const StateFolder& state, const std::string& name,
                                        bool keeps_keys, const MayDelete& may) {
  if (!is_name(name)) {
    return fail(Errc::invalid_argument,
                "delete snapshot " + quote(name) + ": " + std::string(kNameRule) +
                    "; one that was written elsewhere is a file like any other, remove it there");
  }
  const std::string path = state.snapshot(name).native();
  auto file = Reader::outline(path);
  if (!file && file.error() == Errc::not_found) {
    return fail(Errc::not_found, "snapshot " + name + " in " + state.snapshots().native());
  }
  if (!file || !file->damage().empty()) file = Reader::open(path);
  std::set<KeyId> keys;
  // Of a file that says nothing any more only an operator knows whose it was.
  if (!file || file->blocks().empty()) {
    if (auto allowed = may({}); !allowed) return tl::unexpected(allowed.error());
  }
  for (const auto& block : file ? file->blocks() : std::vector<snapshot::BlockInFile>()) {
    if (auto allowed = may(block.description); !allowed) return tl::unexpected(allowed.error());
    keys.insert(block.description.key);
  }
  const std::size_t all = keys.size();
  if (keeps_keys) keys.clear();
  const auto over = not_needed(state, name, std::move(keys));
  if (!over) return tl::unexpected(over.error());
  const auto removed =
      snapshot::KeyFile(state.keys().native()).release({over->begin(), over->end()});
  if (!removed) return tl::unexpected(removed.error());
  // CRASH(snapshot.keys_released): a snapshot without its keys, which nobody can read; deleting it
  // again removes it.
  SESSIONBLOCKS_CRASH("snapshot.keys_released");
  auto gone = platform::remove_file(path);
  if (gone) gone = platform::sync_folder_of(path);
  if (!gone) return tl::unexpected(gone.error());
  // CRASH(snapshot.deleted): all done but the log's note of it.
  SESSIONBLOCKS_CRASH("snapshot.deleted");
  return SnapshotDeleted{*removed, all - *removed};
}

Result<std::vector<datablock::DataBlock>> delete_datablocks(const StateFolder& state,
                                                            const std::string& text, bool all,
                                                            const MayDelete& may) {
  const auto which = which_of(text);
  if (!which) return tl::unexpected(which.error());
  auto store = datablock::Store::open_read(state.datablocks().native());
  if (!store && store.error() == Errc::not_found) return fail(Errc::not_found, "DataBlock " + text);
  if (!store) return tl::unexpected(store.error());
  auto found = store->list();
  if (!found) return found;
  std::erase_if(*found, [&](const datablock::DataBlock& one) {
    return (!which->name.empty() && one.about.name != which->name) ||
           (!which->number.empty() && std::to_string(one.id) != which->number);
  });
  if (found->empty()) return fail(Errc::not_found, "DataBlock " + text);
  if (found->size() > 1 && !all) return tl::unexpected(several(which->name, *found));
  std::vector<std::int64_t> ids;
  for (const datablock::DataBlock& one : *found) {
    if (auto allowed = may(one.about); !allowed) return tl::unexpected(allowed.error());
    ids.push_back(one.id);
  }
  if (auto gone = store->remove(ids); !gone) return tl::unexpected(gone.error());
  return found;
}

}  // namespace sessionblocks::director
