#include "rest.hpp"

#include <numeric>

#include "segment/fsck.hpp"
#include "segment/scan.hpp"

namespace sessionblocks::torture {
namespace {

void check_fsck(const segment::BlockMemory& memory, Rest& rest) {
  segment::FsckSummary summary;
  for (const segment::Finding& finding : segment::fsck(memory, {}, &summary)) {
    rest.findings.push_back("fsck: " + std::string(name(finding.invariant)) + " page " +
                            std::to_string(finding.page) + " offset " +
                            std::to_string(finding.offset) + ": " + finding.text);
  }
  const auto& nodes = summary.nodes;
  const std::uint64_t in_use = nodes[1];
  if (std::accumulate(nodes.begin(), nodes.end(), std::uint64_t{0}) != summary.chunks ||
      in_use != summary.entries + summary.tombstones + summary.chained) {
    rest.findings.push_back("live and free are not all: " + std::to_string(in_use) +
                            " nodes in use, " + std::to_string(summary.entries) + " entries, " +
                            std::to_string(summary.tombstones) + " tombstones");
  }
  const std::uint64_t top = memory.header().page_watermark.load();
  if (std::accumulate(summary.pages.begin(), summary.pages.end(), std::uint64_t{0}) != top) {
    rest.findings.push_back("the pages of all kinds are not those below the watermark");
  }
  rest.pages = top;
  rest.free_pages = summary.pages[0];
  rest.chained = summary.chained;
}

void check_owners(director::Registry& registry, const segment::BlockMemory& memory,
                  const layout::ReadersSegment& readers, Rest& rest) {
  const auto lives = [&](std::uint32_t owner) {
    return registry.workers.find(worker_of(static_cast<OwnerId>(owner))) != nullptr;
  };
  for (std::uint64_t page = 0; page < rest.pages; ++page) {
    const auto entry = layout::PageEntry::unpack(memory.descriptor(page).entry.load());
    // A part belongs to its head, whoever claimed it; fsck looks for that.
    const bool is_owned = entry.kind != layout::PageKind::free &&
                          entry.kind != layout::PageKind::run_part && raw(entry.owner) != 0;
    if (!is_owned || lives(raw(entry.owner))) continue;
    rest.findings.push_back("page " + std::to_string(page) + " belongs to the dead worker " +
                            std::to_string(raw(worker_of(entry.owner))));
  }
  for (const auto& hazard : readers.hazards) {
    const auto owner = static_cast<std::uint32_t>(hazard.owner.load());
    if (owner == 0) continue;
    if (!lives(owner)) {
      rest.findings.push_back("a hazard of the dead worker " +
                              std::to_string(raw(worker_of(static_cast<OwnerId>(owner)))));
    } else if (hazard.node.load() != 0) {
      rest.findings.push_back("a hazard names a node, and nobody reads");
    }
  }
}

void list_entries(const segment::BlockMemory& memory, Rest& rest) {
  FoundEntry entry;
  bool is_live = false;
  const auto copy = [&](const segment::SlotView& view) {
    const auto* node = reinterpret_cast<const char*>(view.node);
    is_live = view.shape.type != layout::ValueType::tombstone;
    entry.key.assign(node + view.shape.key_at(), view.shape.key_bytes);
    entry.bytes.assign(node + view.shape.value_at(), view.shape.value_bytes);
    entry.version = view.node->version.load();
    entry.is_integer = view.shape.type == layout::ValueType::integer;
  };
  const auto done = [&] {
    if (is_live) rest.entries.push_back(entry);
    return true;
  };
  if (!segment::scan(memory, nullptr, copy, done)) {
    rest.findings.push_back("the header names no usable table");
  }
}

segment::BlockMemory memory_of(const director::BlockMemory& mapped) {
  return {mapped.block.data(), mapped.block.size(), mapped.reserved.get(), mapped.populate};
}

}  // namespace

void list_entries(director::StoredBlock& block, Rest& rest) {
  const director::BlockMemory mapped = block.memory();
  list_entries(memory_of(mapped), rest);
}

void look_at_block(director::Registry& registry, director::StoredBlock& block, Rest& rest) {
  const director::BlockMemory mapped = block.memory();
  const segment::BlockMemory memory = memory_of(mapped);
  const layout::TableWord table{memory.header().table.load()};
  rest.table_slots = table.slots();
  rest.table_id = table.id();
  const layout::TableWord old{memory.header().old_table.load()};
  if (old.is_table() && old.id() + 1 == table.id()) rest.growing_from = old.id();
  check_fsck(memory, rest);
  check_owners(registry, memory,
               *reinterpret_cast<const layout::ReadersSegment*>(mapped.readers.data()), rest);
  list_entries(memory, rest);
}

}  // namespace sessionblocks::torture
