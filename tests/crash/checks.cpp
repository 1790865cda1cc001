#include "checks.hpp"

#include "stepper.hpp"

#include <unistd.h>
#include <cstdlib>
#include <sstream>

namespace sessionblocks::crash {

void watchdog() {
  const char* seconds = std::getenv("SESSIONBLOCKS_CRASH_SECONDS");
  alarm(seconds != nullptr ? static_cast<unsigned>(std::strtoul(seconds, nullptr, 10)) : 280);
}

const Path& path_named(std::string_view name) {
  for (const Path& path : paths()) {
    if (path.name == name) return path;
  }
  throw std::runtime_error("no such path");
}

Truth learn(const Path& path, Scene& scene) {
  path.setup(scene);
  Truth truth;
  truth.before = entries_of(scene.system.memory);
  truth.ring_start = scene.self.ring.next();
  const Snapshot snapshot(scene);
  Stepper child([&] { path.act(scene); });
  if (!child.finish()) throw std::runtime_error(path.name + ": the operation crashes by itself");
  truth.after = entries_of(scene.system.memory);
  snapshot.restore(scene);
  return truth;
}

Recorded records_in(const WorkerMemory& worker, std::uint64_t start, Op op) {
  Recorded recorded;
  const std::uint64_t end = worker.lane(0).ring_written.load();
  if (end - start > kRing) return {99, 0};
  for (std::uint64_t at = start; at < end; ++at) {
    const layout::AuditRecord& record = worker.ring(0)[at & (kRing - 1)];
    if (record.op == static_cast<std::uint8_t>(op) && record.outcome == 0) {
      ++recorded.succeeded;
      recorded.version = record.version;
    }
    if ((record.flags & layout::kInlineKey) != 0) at += key_cells(record.value_bytes);
  }
  return recorded;
}

std::string Violations::text() const {
  std::ostringstream out;
  for (const auto& [what, count] : counts_) {
    out << what << " (" << count << " times, first at step " << first_.at(what) << ")\n";
  }
  return out.str();
}

void check_fsck(const BlockMemory& memory, std::uint64_t step, Violations& violations) {
  FsckSummary summary;
  for (const Finding& finding : fsck(memory, {}, &summary)) {
    violations.add("fsck: " + std::string(name(finding.invariant)) + ": " + finding.text, step);
  }
  const auto& nodes = summary.nodes;
  const bool conserved = nodes[0] + nodes[1] + nodes[2] + nodes[3] == summary.chunks &&
                         nodes[1] == summary.entries + summary.tombstones + summary.chained;
  if (!conserved) violations.add("nodes in use are not entries, tombstones and versions", step);
}

void ImageCheck::operator()(Image& image, std::uint64_t step, Violations& violations) {
  (void)image.recover();
  check_fsck(image.memory(), step, violations);
  twin_.copy_from(image);
  const RecoveryReport again = twin_.recover();
  if (!twin_.same_bytes(image) || again.committed + again.undone + again.forged != 0) {
    violations.add("a second recovery changes something", step);
  }
  entries(image, step, violations);
  later_use(image, step, violations);
}

void ImageCheck::entries(Image& image, std::uint64_t step, Violations& violations) {
  const Entries now = entries_of(image.memory());
  const bool is_before = now == truth_.before;
  const bool is_after = now == truth_.after;
  if (!is_before && !is_after) {
    return violations.add("the entries are neither those before nor those after", step);
  }
  const bool committed = is_after && truth_.before != truth_.after && path_.is_recorded;
  const Recorded recorded = records_in(image.worker(), truth_.ring_start, path_.op);
  if (recorded.succeeded != (committed ? 1U : 0U)) {
    violations.add(committed ? "committed, and not exactly one record says so"
                             : "not committed, and a record says that it was",
                   step);
  }
  const auto entry = now.find(path_.key);
  if (committed && entry != now.end() && recorded.succeeded == 1 &&
      recorded.version != entry->second.version) {
    violations.add("the record names another version", step);
  }
}

void ImageCheck::later_use(Image& image, std::uint64_t step, Violations& violations) {
  later_.reset();
  Actor later(image.memory(), image.readers(), scene_.system, later_);
  const auto expect = [&](bool fact, const char* what) {
    if (!fact) violations.add(std::string("afterwards another worker ") + what, step);
  };
  const Outcome put = later.put(path_.key, "later");
  if (!path_.is_full || put.code != Errc::out_of_memory) {
    expect(put.code == Errc{}, "cannot put");
    const auto got = entries_of(image.memory());
    expect(got.count(path_.key) == 1 && got.at(path_.key).bytes == "later", "does not get it");
    expect(later.erase(path_.key).code == Errc{}, "cannot erase");
    expect(entries_of(image.memory()).count(path_.key) == 0, "still gets it");
  }
  later.writer.leave();
  check_fsck(image.memory(), step, violations);
}

}  // namespace sessionblocks::crash
