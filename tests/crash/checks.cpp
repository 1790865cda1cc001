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

namespace {

// What stands behind the record, and the key, that end before `at`.
void take_value(const WorkerMemory& worker, std::uint64_t at, Recorded& recorded) {
  const auto cell = [&](std::uint64_t index) { return worker.ring(0)[index & (kRing - 1)]; };
  const layout::ValueDetail detail = value_detail(cell(at));
  recorded.has_value = true;
  recorded.kept_bytes = detail.kept_bytes;
  recorded.logged.clear();
  for (std::uint64_t i = 1; i < value_cells(detail.logged_bytes); ++i) {
    const RingCell bytes = cell(at + i);
    recorded.logged.append(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  }
  recorded.logged.resize(detail.logged_bytes);
}

}  // namespace

Recorded records_in(const WorkerMemory& worker, std::uint64_t start, Op op) {
  Recorded recorded;
  const std::uint64_t end = worker.lane(0).ring_written.load();
  if (end - start > kRing) return {.succeeded = 99, .version = 0, .logged = {}};
  for (std::uint64_t at = start; at < end; ++at) {
    const layout::AuditRecord& record = worker.ring(0)[at & (kRing - 1)];
    const bool has_value = (record.flags & layout::kInlineValue) != 0;
    if (record.op == static_cast<std::uint8_t>(op) && record.outcome == 0) {
      ++recorded.succeeded;
      recorded.version = record.version;
      if (has_value) take_value(worker, at + head_cells(record), recorded);
    }
    at += head_cells(record) - 1;
    if (has_value) {
      at += value_cells(value_detail(worker.ring(0)[(at + 1) & (kRing - 1)]).logged_bytes);
    }
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
  if (committed) value(recorded, entry == now.end() ? nullptr : &entry->second, step, violations);
}

// A record of a change carries the new value, or its end, if the block logs values.
void ImageCheck::value(const Recorded& recorded, const Value* entry, std::uint64_t step,
                       Violations& violations) const {
  if (recorded.has_value != path_.has_value) {
    return violations.add("a record carries a value where it should not, or none", step);
  }
  if (!path_.has_value || entry == nullptr) return;
  const std::string& bytes = entry->bytes;
  const bool is_all = recorded.kept_bytes + recorded.logged.size() == bytes.size() &&
                      bytes.ends_with(recorded.logged);
  if (!is_all) violations.add("the record carries another value", step);
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
