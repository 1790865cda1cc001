#include "snapshot_list.hpp"

#include "flowlog/text.hpp"
#include "snapshot_file.hpp"

namespace sessionblocks::ctl {
namespace {

// One snapshot, as far as it says without a look at its entries.
struct Row {
  std::string name;
  std::string of;
  std::string system;
  std::string taken;
  std::size_t blocks = 0;
  std::uint64_t entries = 0;  // of the blocks with a key
  std::uint64_t bytes = 0;
  std::size_t keys = 0;  // blocks whose key is there
  bool is_exact = false;
  std::string problem;
};

std::string names_of(const snapshot::Reader& file) {
  constexpr std::size_t kMost = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(kMost, file.blocks().size()); ++i) {
    names += (i == 0 ? "" : ", ") + file.blocks()[i].description.name;
  }
  return file.blocks().size() > kMost ? names + ", ..." : names;
}

void look_into(const Options& options, snapshot::Reader& file, Row& row) {
  for (std::size_t i = 0; i < file.blocks().size(); ++i) {
    const auto key = key_of(options, file.blocks()[i].description);
    if (!key) continue;
    ++row.keys;
    const auto entries = file.entries(i, *key);
    if (entries) {
      row.entries += *entries;
    } else if (row.problem.empty()) {
      row.problem = entries.error().message();
    }
  }
  row.blocks = file.blocks().size();
  if (!file.damage().empty()) row.problem = file.damage().front().text();
  const auto& about = file.file();
  if (!about) return;
  row.of = about->of.empty() ? names_of(file) : "scope " + about->of;
  row.system = about->system;
  row.taken = flowlog::utc_text(static_cast<std::int64_t>(about->taken_unix_ms));
  row.is_exact = about->is_exact;
}

Row row_of(const Options& options, const director::StateFolder& state, const std::string& name) {
  Row row;
  row.name = name;
  const std::filesystem::path path = state.snapshot(name);
  std::error_code error;
  row.bytes = std::filesystem::file_size(path, error);
  if (error) row.bytes = 0;
  auto file = snapshot::Reader::outline(path.native());
  if (file) {
    look_into(options, *file, row);
  } else {
    row.problem = file.error().message();
  }
  return row;
}

std::string key_text(const Row& row) {
  if (row.blocks == 0) return "-";
  if (row.keys == row.blocks) return "there";
  if (row.keys == 0) return "gone";
  return std::to_string(row.keys) + " of " + std::to_string(row.blocks);
}

std::string entries_text(const Row& row) {
  return row.keys == 0 ? "-" : std::to_string(row.entries) + (row.keys < row.blocks ? "+" : "");
}

Json json_of(const Row& row) {
  Json object = {{"name", row.name},   {"of", row.of},          {"system", row.system},
                 {"taken", row.taken}, {"exact", row.is_exact}, {"blocks", row.blocks},
                 {"entries", nullptr}, {"bytes", row.bytes},    {"keys", row.keys}};
  if (row.keys == row.blocks && row.blocks != 0) object["entries"] = row.entries;
  if (!row.problem.empty()) object["problem"] = row.problem;
  return object;
}

Result<ExitCode> list(const Options& options) {
  const auto state = state_folder(options);
  if (!state) return tl::unexpected(state.error());
  const auto names = state->snapshot_names();
  if (!names) return tl::unexpected(names.error());
  Json rows = Json::array();
  Table table({"NAME", "OF", "TAKEN", "BLOCKS", "ENTRIES", "SIZE", "KEY"});
  ExitCode outcome = ExitCode::ok;
  for (const std::string& name : *names) {
    const Row row = row_of(options, *state, name);
    rows.push_back(json_of(row));
    table.add({row.name, row.of, row.taken, std::to_string(row.blocks), entries_text(row),
               size_text(row.bytes), key_text(row)});
    if (row.problem.empty()) continue;
    say("snapshot " + readable(row.name) + ": " + row.problem);
    outcome = ExitCode::findings;
  }
  if (options.format == Format::json) {
    print_json(rows);
  } else {
    print(table);
  }
  return outcome;
}

}  // namespace

void add_snapshot_list(CLI::App& snapshot, Invocation& invocation) {
  snapshot.add_subcommand("list", "the snapshots in the director's folder")
      ->callback(
          [&invocation] { invocation.run = [&invocation] { return list(invocation.options); }; });
}

}  // namespace sessionblocks::ctl
