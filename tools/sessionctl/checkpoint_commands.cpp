// checkpoints BLOCK, checkpoint BLOCK NAME [--release], rollback BLOCK NAME, fork BLOCK [NAME],
// diff BLOCK FROM [TO], diff BLOCK --snapshot FILE [--to-snapshot FILE].
//
// All of them ask the director, as the worker or as the scope that owns the block (system.hpp), and
// read through the public library, so that the audit knows of it.
#include <sessionblocks/checkpoint.hpp>

#include <algorithm>
#include <map>

#include "command.hpp"
#include "entry_source.hpp"
#include "flowlog/text.hpp"

namespace sessionblocks::ctl {
namespace {

struct Named {
  std::string block;
  std::string name;
  std::string until;  // diff: empty: now
  std::string snapshot;
  std::string until_snapshot;
  bool releases = false;  // checkpoint: give it back
};

Result<System::Opened> open(const Options& options, const std::string& block, AccessMode mode) {
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  return system->open(block, mode);
}

std::int64_t unix_ms(const Checkpoint& checkpoint) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(checkpoint.taken.time_since_epoch())
      .count();
}

std::uint64_t age_ms(const Checkpoint& checkpoint) {
  const auto age = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::system_clock::now() - checkpoint.taken);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(age.count(), 0));
}

Result<ExitCode> take_or_release(const Options& options, const Named& arguments) {
  auto opened = open(options, arguments.block, AccessMode::read_write);
  if (!opened) return tl::unexpected(opened.error());
  if (arguments.releases) {
    auto released = opened->block.release_checkpoint(arguments.name);
    if (!released) return tl::unexpected(released.error());
    return ExitCode::ok;
  }
  const auto taken = opened->block.take_checkpoint(arguments.name);
  if (!taken) return tl::unexpected(taken.error());
  if (options.format == Format::json) {
    print_json({{"name", taken->name},
                {"instant", taken->instant},
                {"taken", flowlog::utc_text(unix_ms(*taken))}});
  }
  return ExitCode::ok;
}

Result<ExitCode> roll_back(const Options& options, const Named& arguments) {
  auto opened = open(options, arguments.block, AccessMode::read_write);
  if (!opened) return tl::unexpected(opened.error());
  if (auto done = opened->block.roll_back(arguments.name); !done) {
    return tl::unexpected(done.error());
  }
  return ExitCode::ok;
}

// The clone is one of the scope that owns the block, or, with --scope, of that one.
Result<ExitCode> fork(const Options& options, const Named& arguments) {
  auto opened = open(options, arguments.block, AccessMode::read);
  if (!opened) return tl::unexpected(opened.error());
  const auto made = opened->session.fork(opened->block, arguments.name);
  if (!made) return tl::unexpected(made.error());
  const std::string owner = opened->session.scope();
  if (options.format == Format::json) {
    print_json({{"id", made->id()}, {"name", made->name()}, {"owner", owner}});
  } else {
    Table table({"ID", "NAME", "OWNER"});
    table.add({std::to_string(made->id()), made->name(), owner});
    print(table);
  }
  return ExitCode::ok;
}

Result<ExitCode> list(const Options& options, const Named& arguments) {
  auto opened = open(options, arguments.block, AccessMode::read);
  if (!opened) return tl::unexpected(opened.error());
  auto all = opened->block.checkpoints();
  if (!all) return tl::unexpected(all.error());
  Json rows = Json::array();
  Table table({"NAME", "TAKEN", "AGE", "HOLDS"});
  for (const Checkpoint& checkpoint : *all) {
    const auto held = opened->block.at(checkpoint).held_bytes();
    if (!held && held.error() == Errc::no_such_checkpoint) continue;  // released meanwhile
    if (!held) return tl::unexpected(held.error());
    const std::string taken = flowlog::utc_text(unix_ms(checkpoint));
    rows.push_back({{"name", checkpoint.name},
                    {"instant", checkpoint.instant},
                    {"taken", taken},
                    {"age_ms", age_ms(checkpoint)},
                    {"held_bytes", *held}});
    table.add({checkpoint.name, taken, duration_text(age_ms(checkpoint)), size_text(*held)});
  }
  if (options.format == Format::json) {
    print_json(rows);
  } else {
    print(table);
  }
  return ExitCode::ok;
}

std::string version_text(Version version) {
  return version == Version{} ? "-" : std::to_string(raw_version(version));
}

struct Row {
  Change change{};
  Version before{};
  Version after{};
};

using Rows = std::map<std::string, Row>;  // by key

ExitCode show(const Rows& found, Format format) {
  Json rows = Json::array();
  Table table({"KEY", "CHANGE", "VERSION", "NEW VERSION"});
  for (const auto& [key, row] : found) {
    Json object;
    put_bytes(object, "key", key);
    object["change"] = std::string(change_name(row.change));
    if (row.before != Version{}) object["version"] = raw_version(row.before);
    if (row.after != Version{}) object["new_version"] = raw_version(row.after);
    rows.push_back(std::move(object));
    table.add({readable(key), std::string(change_name(row.change)), version_text(row.before),
               version_text(row.after)});
  }
  if (format == Format::json) {
    print_json(rows);
  } else {
    print(table);
  }
  return ExitCode::ok;
}

// By what entries hold: versions of a block that was restored are its own.
Rows difference(const Read& old, const Read& now) {
  const Entries& before = old.entries;
  const Entries& after = now.entries;
  Rows found;
  for (const auto& [key, was] : before) {
    const auto is = after.find(key);
    if (is == after.end()) {
      found[now.shown(old.shown(key))] = {Change::removed, Version{was.version}, Version{}};
    } else if (was.type != is->second.type || was.value != is->second.value) {
      found[now.shown(old.shown(key))] = {Change::changed, Version{was.version},
                                          Version{is->second.version}};
    }
  }
  for (const auto& [key, is] : after) {
    if (!before.contains(key))
      found[now.shown(old.shown(key))] = {Change::added, Version{}, Version{is.version}};
  }
  return found;
}

Result<ExitCode> diff_from_snapshot(const Options& options, const Named& arguments) {
  const auto before = read_entries(options, {arguments.block, {}, arguments.snapshot}, {});
  if (!before) return tl::unexpected(before.error());
  const auto after =
      read_entries(options, {arguments.block, arguments.name, arguments.until_snapshot}, {});
  if (!after) return tl::unexpected(after.error());
  show(difference(*before, *after), options.format);
  return std::max(outcome_of(*before), outcome_of(*after));
}

Result<ExitCode> diff(const Options& options, const Named& arguments) {
  if (!arguments.snapshot.empty()) return diff_from_snapshot(options, arguments);
  if (arguments.name.empty()) {
    return fail(Errc::invalid_argument, "diff: name a checkpoint, or --snapshot FILE");
  }
  auto opened = open(options, arguments.block, AccessMode::read);
  if (!opened) return tl::unexpected(opened.error());
  const auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  const auto mask = system->mask(arguments.block);
  if (!mask) return tl::unexpected(mask.error());
  const Block& block = opened->block;
  auto from = find_checkpoint(block, arguments.name);
  if (!from) return tl::unexpected(from.error());
  Rows found;
  const auto collect = [&](const Difference& one) {
    const std::string key = *mask ? (*mask)->shown(one.key) : std::string(one.key);
    found[key] = {one.change, one.before, one.after};
    return true;
  };
  const BlockAt first = block.at(std::move(*from));
  Result<std::uint64_t> told = std::uint64_t{0};
  if (arguments.until.empty()) {
    told = first.diff_to_now(collect);
  } else {
    auto until = find_checkpoint(block, arguments.until);
    if (!until) return tl::unexpected(until.error());
    told = first.diff(block.at(std::move(*until)), collect);
  }
  if (!told) return tl::unexpected(told.error());
  return show(found, options.format);
}

}  // namespace

Result<Checkpoint> find_checkpoint(const Block& block, const std::string& name) {
  auto all = block.checkpoints();
  if (!all) return tl::unexpected(all.error());
  for (Checkpoint& checkpoint : *all) {
    if (checkpoint.name == name) return std::move(checkpoint);
  }
  return fail(Errc::no_such_checkpoint, readable(name) + " of block " + block.name());
}

void add_checkpoint_commands(CLI::App& app, Invocation& invocation) {
  const auto declare = [&](const char* name, const char* what, auto run) {
    auto* const command = app.add_subcommand(name, what);
    auto arguments = std::make_shared<Named>();
    command->add_option("BLOCK", arguments->block)->required()->type_name("");
    command->callback([&invocation, arguments, run] {
      invocation.run = [&invocation, arguments, run] {
        return run(invocation.options, *arguments);
      };
    });
    return std::pair(command, arguments);
  };
  declare("checkpoints", "a block's checkpoints, their age and what they hold", list);
  const auto [take_command, take_arguments] =
      declare("checkpoint", "keep this instant of a block readable", take_or_release);
  take_command->add_option("NAME", take_arguments->name)->required()->type_name("");
  take_command->add_flag("--release", take_arguments->releases,
                         "give the memory that it holds back");
  const auto [back_command, back_arguments] = declare(
      "rollback", "make a block what a checkpoint shows, for all who have it open", roll_back);
  back_command->add_option("NAME", back_arguments->name)->required()->type_name("");
  const auto [fork_command, fork_arguments] =
      declare("fork", "a clone of a block as it is at this instant", fork);
  fork_command->add_option("NAME", fork_arguments->name, "the block's, with -fork- and a number")
      ->type_name("");
  const auto [diff_command, diff_arguments] =
      declare("diff", "entries that differ between two checkpoints", diff);
  diff_command->add_option("FROM", diff_arguments->name, "a checkpoint")->type_name("");
  diff_command->add_option("TO", diff_arguments->until, "a checkpoint; the block as it is now")
      ->type_name("");
  auto* const from_file = diff_command->add_option("--snapshot", diff_arguments->snapshot,
                                                   "from what this file holds, to the block as it "
                                                   "is now, or as checkpoint FROM holds it");
  from_file->type_name("FILE");
  diff_command
      ->add_option("--to-snapshot", diff_arguments->until_snapshot, "to what another file holds")
      ->needs(from_file)
      ->type_name("FILE");
}

}  // namespace sessionblocks::ctl
