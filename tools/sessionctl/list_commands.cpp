// ls [blocks|workers|scopes], describe BLOCK.
#include "command.hpp"
#include "flowlog/text.hpp"
#include "holders.hpp"
#include "platform/clock.hpp"

namespace sessionblocks::ctl {
namespace {

std::string text(std::string_view view) {
  return std::string(view);
}

std::uint64_t time_left_ms(const BlockInfo& block) {
  const std::uint64_t now_ms = platform::boottime_ns() / 1'000'000;
  return block.ends_at_ms > now_ms ? block.ends_at_ms - now_ms : 0;
}

std::string lifespan_text(const BlockInfo& block) {
  if (block.ends_at_ms == 0) return "with its scope";
  return "ends in " + duration_text(time_left_ms(block));
}

std::string end_text(const BlockInfo& block) {
  if (block.at_end != AtEnd::heir) return text(word(block.at_end));
  if (block.heir == block.owner) return "destroy (its owner is the heir that got it)";
  if (block.heir_path.empty()) return "to its heir, which is not there now";
  return "to its heir " + block.heir_path;
}

Json revocations_of(const BlockInfo& block) {
  Json rows = Json::array();
  for (const RevocationInfo& one : block.revocations) {
    rows.push_back(
        {{"scope", one.path}, {"left", text(word(one.left))}, {"under_way", one.is_under_way}});
  }
  return rows;
}

std::string revocations_text(const BlockInfo& block) {
  std::string all;
  for (const RevocationInfo& one : block.revocations) {
    const std::string left = one.left == Rights::none ? "nothing left" : "r left";
    all += (all.empty() ? "" : ", ") + one.path + " (" + left +
           (one.is_under_way ? ", under way)" : ")");
  }
  return all.empty() ? "-" : all;
}

std::string director_text(const ControlImage& image) {
  if (image.is_directed()) return "pid " + std::to_string(image.director.pid);
  return image.is_stopped ? "stopped" : "not running";
}

Json head_of(const ControlImage& image) {
  return {{"system", image.system},
          {"director", {{"pid", image.director.pid}, {"running", image.is_directed()}}}};
}

void warn_if_undirected(const ControlImage& image) {
  if (!image.is_directed()) {
    say("no director runs system " + image.system + "; this is what stands in its segments");
  }
}

Json patterns_of(const BlockInfo& block) {
  Json patterns = Json::array();
  for (const std::string& pattern : block.sensitive) patterns.push_back(readable(pattern));
  return patterns;
}

std::string patterns_text(const BlockInfo& block) {
  std::string text;
  for (const std::string& pattern : block.sensitive) text += (text.empty() ? "" : ", ") + pattern;
  return text.empty() ? "-" : text;
}

Json json_of(const BlockInfo& block) {
  Json object = {{"id", raw(block.id)},
                 {"name", block.name},
                 {"kind", text(word(block.kind))},
                 {"state", text(word(block.state))},
                 {"owner", block.owner_path},
                 {"generation", raw(block.generation)},
                 {"quota_bytes", block.quota_bytes},
                 {"reserved_bytes", block.reserved_bytes},
                 {"audit", text(word(block.audit))},
                 {"on_full_ring", text(word(block.full_ring))},
                 {"enforce", text(word(block.enforce))},
                 {"at_limit", text(word(block.at_limit))},
                 {"log_values", block.logs_values},
                 {"at_end", text(word(block.at_end))},
                 {"created", flowlog::utc_text(block.created_unix_ms)}};
  if (block.ends_at_ms != 0) object["ends_in_ms"] = time_left_ms(block);
  if (block.idle_ms != 0) object["idle_ms"] = block.idle_ms;
  if (block.at_end == AtEnd::heir) object["heir"] = block.heir_path;
  if (!block.sensitive.empty()) object["sensitive"] = patterns_of(block);
  if (!block.revocations.empty()) object["revoked"] = revocations_of(block);
  return object;
}

void show_blocks(const ControlImage& image, Format format) {
  Json rows = Json::array();
  Table table({"ID", "NAME", "KIND", "STATE", "OWNER", "QUOTA", "RESERVED", "AUDIT", "LIFESPAN"});
  for (const BlockInfo& block : image.blocks) {
    rows.push_back(json_of(block));
    table.add({"#" + std::to_string(raw(block.id)), block.name, text(word(block.kind)),
               text(word(block.state)), block.owner_path, size_text(block.quota_bytes),
               size_text(block.reserved_bytes), text(word(block.audit)), lifespan_text(block)});
  }
  if (format == Format::table) return print(table);
  Json document = head_of(image);
  document["blocks"] = std::move(rows);
  print_json(document);
}

void show_workers(const ControlImage& image, Format format) {
  Json rows = Json::array();
  Table table({"ID", "SCOPE", "PID", "STATE", "ALIVE", "RESTARTS", "STARTED"});
  const bool pids_count = image.is_of_this_time();
  for (const WorkerInfo& worker : image.workers) {
    const bool lives = pids_count && worker.process.alive();
    const std::string started = flowlog::utc_text(worker.started_unix_ms);
    const std::string scope = worker.is_director ? "(director)" : worker.scope_path;
    rows.push_back({{"id", raw(worker.id)},
                    {"scope", worker.scope_path},
                    {"director", worker.is_director},
                    {"pid", worker.process.pid},
                    {"state", text(worker.state_word())},
                    {"alive", lives},
                    {"restarts", worker.restarts},
                    {"started", started}});
    table.add({std::to_string(raw(worker.id)), scope, std::to_string(worker.process.pid),
               text(worker.state_word()), lives ? "yes" : "no", std::to_string(worker.restarts),
               started});
  }
  if (format == Format::table) return print(table);
  Json document = head_of(image);
  document["workers"] = std::move(rows);
  print_json(document);
}

void show_scopes(const ControlImage& image, Format format) {
  Json rows = Json::array();
  Table table({"SCOPE", "KIND", "STATE", "STARTED"});
  for (const ScopeInfo& scope : image.scopes) {
    const std::string started = flowlog::utc_text(scope.started_unix_ms);
    rows.push_back({{"path", scope.path},
                    {"kind", text(word(scope.kind))},
                    {"ending", scope.is_ending},
                    {"started", started}});
    table.add({scope.path, text(word(scope.kind)), scope.is_ending ? "ending" : "open", started});
  }
  if (format == Format::table) return print(table);
  Json document = head_of(image);
  document["scopes"] = std::move(rows);
  print_json(document);
}

Result<ExitCode> list(const Options& options, const std::string& what) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto image = system->control();
  if (!image) return tl::unexpected(image.error());
  warn_if_undirected(*image);
  if (what == "blocks") show_blocks(*image, options.format);
  if (what == "workers") show_workers(*image, options.format);
  if (what == "scopes") show_scopes(*image, options.format);
  return ExitCode::ok;
}

// Which workers have it open. Their segments are the operator's to read, not a worker's.
std::vector<const WorkerInfo*> holders(const System& system, const ControlImage& image,
                                       const BlockInfo& block) {
  std::vector<const WorkerInfo*> found;
  if (system.is_worker()) return found;
  for (const WorkerInfo& worker : image.workers) {
    if (has_open(system.paths(), worker, block)) found.push_back(&worker);
  }
  return found;
}

void show_description(const ControlImage& image, const BlockInfo& block,
                      const std::vector<const WorkerInfo*>& open_by, Format format) {
  Json object = json_of(block);
  object["system"] = image.system;
  object["director_running"] = image.is_directed();
  Json workers = Json::array();
  std::string names;
  for (const WorkerInfo* worker : open_by) {
    workers.push_back(raw(worker->id));
    const std::string scope = worker->is_director ? "director" : worker->scope_path;
    names += (names.empty() ? "" : ", ") + std::to_string(raw(worker->id)) + " (" + scope + ")";
  }
  object["open_by"] = std::move(workers);
  if (format == Format::json) return print_json(object);
  Table table({"block", block.name + " (#" + std::to_string(raw(block.id)) + ")"});
  table.add({"system", image.system + ", director " + director_text(image)});
  table.add({"kind", text(word(block.kind))});
  table.add({"state", text(word(block.state))});
  table.add({"owner", block.owner_path});
  table.add({"generation", std::to_string(raw(block.generation))});
  table.add({"quota", size_text(block.quota_bytes)});
  table.add({"reserved", size_text(block.reserved_bytes)});
  table.add({"audit", text(word(block.audit)) + ", full ring: " + text(word(block.full_ring)) +
                          (block.logs_values ? ", with values" : "")});
  table.add({"enforce", text(word(block.enforce))});
  table.add({"at limit", text(word(block.at_limit))});
  table.add({"created", flowlog::utc_text(block.created_unix_ms)});
  table.add({"lifespan", lifespan_text(block)});
  table.add({"idle", block.idle_ms == 0 ? "-" : "ends unused for " + duration_text(block.idle_ms)});
  table.add({"at end", end_text(block)});
  table.add({"sensitive keys", patterns_text(block)});
  table.add({"revoked from", revocations_text(block)});
  table.add({"open by", names.empty() ? "-" : names});
  print(table);
}

Result<ExitCode> describe(const Options& options, const std::string& name) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto image = system->control();
  if (!image) return tl::unexpected(image.error());
  const auto block = image->block(name, options.scope);
  if (!block) return tl::unexpected(block.error());
  warn_if_undirected(*image);
  show_description(*image, **block, holders(*system, *image, **block), options.format);
  return ExitCode::ok;
}

}  // namespace

void add_list_commands(CLI::App& app, Invocation& invocation) {
  auto* const ls = app.add_subcommand("ls", "list blocks, workers or scopes");
  auto what = std::make_shared<std::string>("blocks");
  ls->add_option("WHAT", *what, "blocks (the default), workers or scopes")
      ->check(CLI::IsMember({"blocks", "workers", "scopes"}))
      ->type_name("");
  ls->callback([&invocation, what] {
    invocation.run = [&invocation, what] { return list(invocation.options, *what); };
  });
  auto* const one = app.add_subcommand("describe", "all that is known about a block");
  auto name = std::make_shared<std::string>();
  one->add_option("BLOCK", *name)->required()->type_name("");
  one->callback([&invocation, name] {
    invocation.run = [&invocation, name] { return describe(invocation.options, *name); };
  });
}

}  // namespace sessionblocks::ctl
