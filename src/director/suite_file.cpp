#include "director/suite_file.hpp"

#include <algorithm>
#include <fstream>
#include <ios>
#include <limits>
#include <string>
#include <system_error>
#include <utility>

#include "director/suite_reader.hpp"
#include "director/suite_toml.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

using Type = TomlNode::Type;

void read_lifespan(TableReader& table, std::optional<std::uint64_t>& out) {
  const TomlNode* node = table.find("lifespan");
  if (node != nullptr && node->type == Type::text && node->text == "scope") return;
  table.duration_ms("lifespan", out);
}

void read_permits(TableReader& table, Permits& out) {
  struct Flag {
    std::string_view text;
    bool Permits::*member;
  };
  static constexpr Flag kFlags[] = {{"share", &Permits::share},
                                    {"fork", &Permits::fork},
                                    {"persist", &Permits::persist},
                                    {"elevate", &Permits::elevate}};
  const TomlNode* node = table.find("permit", Type::array);
  if (node == nullptr) return;
  for (const TomlNode& item : node->items) {
    const auto* flag = std::find_if(std::begin(kFlags), std::end(kFlags), [&](const Flag& known) {
      return item.type == Type::text && known.text == item.text;
    });
    if (flag != std::end(kFlags)) {
      out.*(flag->member) = true;
    } else if (item.type == Type::text) {
      table.refuse_word("permit", item, {"share", "fork", "persist", "elevate"});
    } else {
      table.refuse_type("permit", item, "an array of texts");
    }
  }
}

void read_block(TableReader& table, BlockSpec& block) {
  table.choice("kind", block.kind);
  table.scope("owner", block.owner);
  table.text("from", block.from);
  table.size_bytes("quota", block.quota_bytes);
  read_lifespan(table, block.lifespan_ms);
  table.duration_ms("idle", block.idle_ms);
  table.choice("audit", block.audit);
  table.choice("on_full_ring", block.on_full_ring);
  table.choice("enforce", block.enforce);
  table.choice("at_start", block.at_start);
  table.choice("at_end", block.at_end);
  table.choice("at_limit", block.at_limit);
  table.boolean("log_values", block.log_values);
  table.scope("heir", block.heir);
  table.text_map("join", block.join);
  table.rights("grants", block.grants);
  table.rights("heirs", block.heirs);
  read_permits(table, block.permit);
  table.texts("sensitive", block.sensitive);
}

void read_budget(TableReader& table, ScriptSpec& script) {
  const TomlNode* node = table.find("budget", Type::table);
  if (node == nullptr) return;
  TableReader budget(*node, node->where, script.where, table.problems(), "budget.");
  budget.integer("count", 1, std::numeric_limits<std::int32_t>::max(), script.budget.count);
  budget.duration_ms("within", script.budget.within_ms);
  budget.finish();
}

void read_paths(TableReader& table, const Suite& suite, ScriptSpec& script) {
  const TomlNode* node = table.find("paths", Type::table);
  if (node == nullptr) return;
  TableReader paths(*node, node->where, script.where, table.problems(), "paths.");
  paths.paths("read", suite.folder, script.read_paths);
  paths.paths("write", suite.folder, script.write_paths);
  paths.finish();
}

void read_command(TableReader& table, const Suite& suite, ScriptSpec& script) {
  table.texts("command", script.command);
  if (script.command.empty()) return;
  std::string& program = script.command.front();
  // A bare name is a program of the system, as in a shell.
  if (program.find('/') != std::string::npos) program = resolve(suite.folder, program).string();
}

void read_parent(TableReader& table, const Suite& suite, ScriptSpec& script) {
  table.text("parent", script.parent);
  if (script.parent == suite.name) script.parent.clear();
}

void read_script(TableReader& table, const Suite& suite, ScriptSpec& script) {
  read_command(table, suite, script);
  table.integer("workers", 1, kMaxWorkers, script.workers);
  read_parent(table, suite, script);
  table.text("user", script.user);
  read_paths(table, suite, script);
  table.texts("may_create", script.may_create);
  table.duration_ms("timeout", script.timeout_ms);
  table.size_bytes("memory", script.memory_bytes);
  table.choice("start", script.start);
  table.choice("restart", script.restart);
  read_budget(table, script);
  table.choice("shm", script.shm);
  table.text_map("env", script.env);
  table.path("cwd", suite.folder, script.cwd);
}

void read_guard(TableReader& table, GuardSpec& guard) {
  table.text("when", guard.when);
  table.choice("action", guard.action);
  table.integer("priority", std::numeric_limits<std::int32_t>::min(),
                std::numeric_limits<std::int32_t>::max(), guard.priority);
  table.duration_ms("for", guard.for_ms);
  table.texts("notify", guard.notify);
}

// The tables [section.NAME], each handed to `read` with a fresh Spec that has its name and place.
template <typename Spec, typename Read>
void read_section(TableReader& root, std::string_view section, std::vector<Spec>& out, Read read) {
  const TomlNode* node = root.find(section, Type::table);
  if (node == nullptr) return;
  for (const TomlMember& member : node->members) {
    const std::string name = std::string(section) + "." + member.key;
    if (member.value.type != Type::table) {
      root.problems().add(member.where, quote(name) + " must be a table, such as [" +
                                            std::string(section) + ".NAME]");
      continue;
    }
    Spec& spec = out.emplace_back();
    spec.name = member.key;
    TableReader table(member.value, member.where, spec.where, root.problems());
    read(table, spec);
    table.finish();
  }
}

void read_head(TableReader& root, Suite& suite) {
  const TomlNode* schema = root.find("schema", Type::integer);
  if (!suite.where.has("schema")) {
    root.problems().add({1, 1}, "missing key 'schema'; write schema = 1");
  } else if (schema != nullptr && schema->integer != kSuiteSchema) {
    root.problems().add(schema->where, "schema " + std::to_string(schema->integer) +
                                           " is unknown here; this program reads schema " +
                                           std::to_string(kSuiteSchema));
  }
  const TomlNode* head = root.find("suite", Type::table);
  if (head == nullptr) {
    if (!suite.where.has("suite")) {
      root.problems().add({1, 1}, "missing table [suite] with the name of the suite");
    }
    return;
  }
  TableReader table(*head, head->where, suite.where, root.problems());
  table.text("name", suite.name);
  table.size_bytes("memory", suite.memory_bytes);
  table.finish();
}

void read_director(TableReader& root, DirectorSpec& director) {
  const TomlNode* node = root.find("director", Type::table);
  if (node == nullptr) return;
  TableReader table(*node, node->where, director.where, root.problems());
  table.integer("ring_records", kMinRingRecords, kMaxRingRecords, director.ring_records);
  table.finish();
}

void read_root(const TomlNode& tree, Suite& suite, Problems& problems) {
  TableReader root(tree, {1, 1}, suite.where, problems);
  read_head(root, suite);
  read_director(root, suite.director);
  read_section(root, "block", suite.blocks, read_block);
  read_section(root, "script", suite.scripts,
               [&](TableReader& table, ScriptSpec& script) { read_script(table, suite, script); });
  read_section(root, "guard", suite.guards, read_guard);
  root.finish();
}

tl::unexpected<std::vector<Diagnostic>> unreadable(const std::filesystem::path& path,
                                                   std::string message) {
  return tl::unexpected<std::vector<Diagnostic>>(
      std::vector{Diagnostic{path.string(), 0, 0, std::move(message)}});
}

tl::expected<std::string, std::vector<Diagnostic>> read_text(const std::filesystem::path& path) {
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (status.type() == std::filesystem::file_type::not_found) {
    return unreadable(path, "there is no such file");
  }
  if (error) return unreadable(path, "cannot be read: " + error.message());
  if (!std::filesystem::is_regular_file(status)) {
    return unreadable(path, "is not a regular file");
  }
  std::ifstream in(path, std::ios::binary);
  // One byte more than permitted, so that parse_toml sees that it is too large.
  std::string text(kMaxSuiteBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (!in.eof() && in.fail()) return unreadable(path, "cannot be read; see its permissions");
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

SuiteResult result_of(SuiteReading&& reading) {
  if (reading.problems.empty()) return std::move(reading.suite);
  sort_by_place(reading.problems);
  return tl::unexpected<std::vector<Diagnostic>>(std::move(reading.problems));
}

}  // namespace

SuiteReading read_suite(std::string_view text, std::string_view filename) {
  SuiteReading reading;
  reading.suite.file = std::string(filename);
  std::error_code error;
  const auto path = std::filesystem::absolute(std::filesystem::path(filename), error);
  reading.suite.folder = path.lexically_normal().parent_path();
  auto tree = parse_toml(text, filename);
  if (!tree) {
    reading.problems.push_back(std::move(tree.error()));
    return reading;
  }
  Problems problems{std::string(filename)};
  read_root(*tree, reading.suite, problems);
  reading.problems = std::move(problems).take();
  reading.readable = true;
  return reading;
}

SuiteResult parse_suite(std::string_view text, std::string_view filename) {
  return result_of(read_suite(text, filename));
}

SuiteResult load_suite(const std::filesystem::path& path) {
  const auto text = read_text(path);
  if (!text) return tl::unexpected<std::vector<Diagnostic>>(text.error());
  return parse_suite(*text, path.string());
}

SuiteResult open_suite(const std::filesystem::path& path, const Machine& machine) {
  const auto text = read_text(path);
  if (!text) return tl::unexpected<std::vector<Diagnostic>>(text.error());
  SuiteReading reading = read_suite(*text, path.string());
  if (reading.readable) {
    auto found = check_suite(reading.suite, machine);
    reading.problems.insert(reading.problems.end(), std::make_move_iterator(found.begin()),
                            std::make_move_iterator(found.end()));
  }
  return result_of(std::move(reading));
}

}  // namespace sessionblocks::director
