// stats: what blocks and workers hold; fsck: whether blocks hold what they should.
//
// Both work on private copies. A copy of a block that is written to is of no single instant, so
// fsck reports what it finds in each of several copies, and excuses what intents name.
#include <algorithm>
#include <tuple>

#include "command.hpp"
#include "holders.hpp"
#include "layout/page.hpp"
#include "segment/fsck.hpp"

namespace sessionblocks::ctl {
namespace {

constexpr int kCopies = 3;

struct Looked {
  std::vector<segment::Finding> findings;
  segment::FsckSummary summary;
};

Result<Looked> look_once(const System& system, const ControlImage& image, const BlockInfo& block) {
  auto reader = SegmentReader::open(system.paths().block_segment(block.id, block.generation));
  if (!reader && reader.error() == Errc::not_found) {
    return fail(Errc::gone, "block " + block.name);
  }
  if (!reader) return tl::unexpected(reader.error());
  if (reader->bytes() < block.segment_bytes) {
    return fail(Errc::corrupt,
                "block " + block.name + ": its segment is smaller than control says");
  }
  UnderWay excused = under_way(system.paths(), image, block);
  const auto copy = reader->copy(block.segment_bytes);
  if (!copy) return tl::unexpected(copy.error());
  excused.add(under_way(system.paths(), image, block));
  const segment::BlockMemory memory(copy->data(), block.segment_bytes, nullptr, {});
  segment::FsckOptions options;
  options.hash_seed = image.hash_seed;
  options.in_flight = excused.nodes;
  options.busy_owners = excused.lanes;
  Looked looked;
  looked.findings = segment::fsck(memory, options, &looked.summary);
  return looked;
}

auto place_of(const segment::Finding& finding) {
  return std::tie(finding.invariant, finding.page, finding.slot, finding.offset);
}

// What is damaged stays so; what was under way in one copy is done or elsewhere in the next.
Result<Looked> look(const System& system, const ControlImage& image, const BlockInfo& block) {
  auto looked = look_once(system, image, block);
  for (int copy = 1; looked && !looked->findings.empty() && copy < kCopies; ++copy) {
    auto again = look_once(system, image, block);
    if (!again) return again;
    std::erase_if(again->findings, [&](const segment::Finding& finding) {
      return std::none_of(
          looked->findings.begin(), looked->findings.end(),
          [&](const auto& before) { return place_of(before) == place_of(finding); });
    });
    looked = std::move(again);
  }
  return looked;
}

Json json_of(const segment::Finding& finding) {
  Json object = {{"invariant", std::string(segment::name(finding.invariant))}};
  if (finding.page != segment::kNowhere) object["page"] = finding.page;
  if (finding.slot != segment::kNowhere) object["slot"] = finding.slot;
  if (finding.offset != segment::kNowhere) object["offset"] = finding.offset;
  object["text"] = finding.text;
  return object;
}

std::string place_text(const segment::Finding& finding) {
  std::string text;
  const auto add = [&text](std::string_view name, std::uint64_t number) {
    if (number == segment::kNowhere) return;
    text.append(text.empty() ? "" : " ").append(name).append(" ").append(std::to_string(number));
  };
  add("page", finding.page);
  add("slot", finding.slot);
  add("offset", finding.offset);
  return text;
}

// One block, or all that have memory.
Result<std::vector<BlockInfo>> chosen(const System& system, const ControlImage& image,
                                      const std::string& name) {
  std::vector<BlockInfo> blocks;
  if (!name.empty()) {
    auto block = system.block(image, name);
    if (!block) return tl::unexpected(block.error());
    if (!block->has_memory()) {
      return fail(Errc::invalid_argument, "block " + name + " is inherited and has no memory");
    }
    blocks.push_back(std::move(*block));
    return blocks;
  }
  for (const BlockInfo& block : image.blocks) {
    if (block.has_memory()) blocks.push_back(block);
  }
  return blocks;
}

struct Subject {
  System system;
  ControlImage image;
  std::vector<BlockInfo> blocks;
};

Result<Subject> subject_of(const Options& options, const std::string& name,
                           std::string_view command) {
  auto system = System::of(options);
  if (!system) return tl::unexpected(system.error());
  if (auto allowed = require_operator(*system, command); !allowed) {
    return tl::unexpected(allowed.error());
  }
  auto image = system->control();
  if (!image) return tl::unexpected(image.error());
  auto blocks = chosen(*system, *image, name);
  if (!blocks) return tl::unexpected(blocks.error());
  return Subject{std::move(*system), std::move(*image), std::move(*blocks)};
}

// A block that ended between the listing and the look is not worth a word.
bool is_passed_over(const Error& error, const std::string& name) {
  return name.empty() && error == Errc::gone;
}

Result<ExitCode> check(const Options& options, const std::string& name) {
  const auto subject = subject_of(options, name, "fsck");
  if (!subject) return tl::unexpected(subject.error());
  Json rows = Json::array();
  Table table({"BLOCK", "INVARIANT", "WHERE", "WHAT"});
  std::size_t findings = 0;
  std::size_t blocks = 0;
  for (const BlockInfo& block : subject->blocks) {
    const auto looked = look(subject->system, subject->image, block);
    if (!looked && is_passed_over(looked.error(), name)) continue;
    if (!looked) return tl::unexpected(looked.error());
    ++blocks;
    findings += looked->findings.size();
    Json row = {{"id", raw(block.id)},
                {"name", block.name},
                {"entries", looked->summary.entries},
                {"findings", Json::array()}};
    for (const segment::Finding& finding : looked->findings) {
      row["findings"].push_back(json_of(finding));
      table.add({block.name + " (#" + std::to_string(raw(block.id)) + ")",
                 std::string(segment::name(finding.invariant)), place_text(finding), finding.text});
    }
    rows.push_back(std::move(row));
  }
  if (options.format == Format::json) {
    print_json(Json{{"blocks", std::move(rows)}, {"findings", findings}});
  } else if (findings != 0) {
    print(table);
  } else {
    print(std::to_string(blocks) + " blocks checked, nothing found\n");
  }
  return findings == 0 ? ExitCode::ok : ExitCode::findings;
}

std::uint64_t pages_of(const segment::FsckSummary& summary, layout::PageKind kind) {
  const auto index = static_cast<std::size_t>(kind);
  return index < summary.pages.size() ? summary.pages[index] : 0;
}

void add_block(const BlockInfo& block, const segment::FsckSummary& summary, Json& rows,
               Table& table) {
  std::uint64_t claimed = 0;
  for (const std::uint64_t pages : summary.pages) claimed += pages;
  claimed -= pages_of(summary, layout::PageKind::free);
  const std::uint64_t used_bytes = claimed * layout::kPageBytes;
  rows.push_back({{"id", raw(block.id)},
                  {"name", block.name},
                  {"owner", block.owner_path},
                  {"entries", summary.entries},
                  {"tombstones", summary.tombstones},
                  {"older_versions", summary.chained},
                  {"nodes_in_use", summary.nodes[1]},
                  {"nodes_freed", summary.nodes[2]},
                  {"nodes_collected", summary.nodes[3]},
                  {"used_bytes", used_bytes},
                  {"reserved_bytes", block.reserved_bytes},
                  {"quota_bytes", block.quota_bytes}});
  table.add({block.name, block.owner_path, std::to_string(summary.entries),
             std::to_string(summary.tombstones), size_text(used_bytes),
             size_text(block.reserved_bytes), size_text(block.quota_bytes)});
}

void add_worker(const WorkerInfo& worker, const RingCounts& rings, Json& rows, Table& table) {
  rows.push_back({{"id", raw(worker.id)},
                  {"scope", worker.scope_path},
                  {"director", worker.is_director},
                  {"threads", rings.lanes},
                  {"ring_records", rings.capacity},
                  {"written", rings.written},
                  {"waiting", rings.waiting},
                  {"lost", rings.lost}});
  table.add({std::to_string(raw(worker.id)), worker.is_director ? "(director)" : worker.scope_path,
             std::to_string(rings.lanes), std::to_string(rings.written),
             std::to_string(rings.waiting), std::to_string(rings.lost)});
}

Result<ExitCode> count(const Options& options) {
  const auto subject = subject_of(options, "", "stats");
  if (!subject) return tl::unexpected(subject.error());
  Json blocks = Json::array();
  Table block_table({"BLOCK", "OWNER", "ENTRIES", "TOMBSTONES", "USED", "RESERVED", "QUOTA"});
  for (const BlockInfo& block : subject->blocks) {
    const auto looked = look_once(subject->system, subject->image, block);
    if (!looked && is_passed_over(looked.error(), "")) continue;
    if (!looked) return tl::unexpected(looked.error());
    add_block(block, looked->summary, blocks, block_table);
  }
  Json workers = Json::array();
  Table worker_table({"WORKER", "SCOPE", "THREADS", "RECORDS", "WAITING", "LOST"});
  for (const WorkerInfo& worker : subject->image.workers) {
    add_worker(worker, ring_counts(subject->system.paths(), worker), workers, worker_table);
  }
  if (options.format == Format::json) {
    print_json(Json{{"system", subject->image.system},
                    {"director_running", subject->image.is_directed()},
                    {"blocks", std::move(blocks)},
                    {"workers", std::move(workers)}});
  } else {
    print(block_table);
    print("\n");
    print(worker_table);
  }
  return ExitCode::ok;
}

}  // namespace

void add_check_commands(CLI::App& app, Invocation& invocation) {
  auto* const stats = app.add_subcommand("stats", "entries, memory and audit rings");
  stats->callback(
      [&invocation] { invocation.run = [&invocation] { return count(invocation.options); }; });
  auto* const fsck = app.add_subcommand("fsck", "check every invariant of one block or all");
  auto name = std::make_shared<std::string>();
  fsck->add_option("BLOCK", *name)->type_name("");
  fsck->callback([&invocation, name] {
    invocation.run = [&invocation, name] { return check(invocation.options, *name); };
  });
}

}  // namespace sessionblocks::ctl
