#include "control_image.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>

#include "segment/format.hpp"

namespace sessionblocks::ctl {
namespace {

using layout::ControlSegment;

constexpr auto kRelaxed = std::memory_order_relaxed;  // of a private copy

template <std::size_t kBytes>
std::string text_of(const char (&bytes)[kBytes]) {
  return {bytes, ::strnlen(bytes, kBytes)};
}

std::uint32_t id_of(const layout::BlockRow& row) {
  return raw(layout::LifeWord{row.life.load(kRelaxed)}.id());
}
std::uint32_t id_of(const layout::ScopeRow& row) {
  return row.id.load(kRelaxed);
}
std::uint32_t id_of(const layout::WorkerRow& row) {
  return row.id.load(kRelaxed);
}

std::uint32_t id_of(const layout::RevocationRow& row) {
  return row.block.load(kRelaxed);
}

std::uint32_t id_of(const layout::SensitiveRow& row) {
  return row.block.load(kRelaxed);
}

// Three copies, one after the other. A row whose id is the same in the first and the last was
// published before the one in the middle was read, and not withdrawn until it was.
struct Copies {
  PrivateMemory first;
  PrivateMemory middle;
  PrivateMemory last;

  static const ControlSegment& in(const PrivateMemory& memory) {
    return *reinterpret_cast<const ControlSegment*>(memory.data());
  }
  template <typename Row, std::size_t kRows, typename Take>
  void for_each_row(const Row (ControlSegment::*rows)[kRows], Take&& take) const {
    for (std::size_t index = 0; index < kRows; ++index) {
      const std::uint32_t id = id_of((in(first).*rows)[index]);
      if (id != 0 && id == id_of((in(last).*rows)[index])) take((in(middle).*rows)[index], id);
    }
  }
};

BlockInfo block_of(const layout::BlockRow& row, std::uint32_t id) {
  const layout::LifeWord life{row.life.load(kRelaxed)};
  const std::uint64_t policy = row.policy.load(kRelaxed);
  BlockInfo block;
  block.id = static_cast<BlockId>(id);
  block.generation = life.generation();
  block.state = life.state();
  block.audit = static_cast<AuditLevel>(policy & 0xFFU);
  block.full_ring = static_cast<FullRing>((policy >> 8U) & 0xFFU);
  block.kind = static_cast<BlockKind>((policy >> 16U) & 0xFFU);
  block.enforce = static_cast<Enforce>((policy >> 24U) & 0xFFU);
  block.at_end = static_cast<AtEnd>((policy >> 32U) & 0xFFU);
  block.at_limit = static_cast<AtLimit>((policy >> 40U) & 0xFFU);
  block.masking = layout::masking_of(policy);
  block.logs_values = (policy & layout::kLogsValues) != 0;
  block.owner = static_cast<ScopeId>(row.owner_scope);
  block.reserved_bytes = row.reserved_bytes.load(kRelaxed);
  block.segment_bytes = row.segment_bytes.load(kRelaxed);
  block.quota_bytes = row.quota_bytes;
  block.ends_at_ms = row.ends_at_ms;
  block.idle_ms = row.idle_ms;
  block.heir = static_cast<ScopeId>(row.heir_scope);
  block.created_unix_ms = static_cast<std::int64_t>(row.created_ms);
  block.origin = static_cast<BlockId>(row.origin_block);
  block.name = text_of(row.name);
  return block;
}

ScopeInfo scope_of(const layout::ScopeRow& row, std::uint32_t id) {
  ScopeInfo scope;
  scope.id = static_cast<ScopeId>(id);
  scope.parent = static_cast<ScopeId>(row.parent);
  scope.kind = static_cast<ScopeKind>(row.kind);
  scope.is_ending = row.ended != 0;
  scope.slot = row.slot;
  scope.budget_bytes = row.budget_bytes;
  scope.started_unix_ms = static_cast<std::int64_t>(row.started_ms);
  scope.name = text_of(row.name);
  return scope;
}

WorkerInfo worker_of(const layout::WorkerRow& row, std::uint32_t id,
                     const platform::ProcessIdentity& director) {
  WorkerInfo worker;
  worker.id = static_cast<WorkerId>(id);
  worker.scope = static_cast<ScopeId>(row.scope);
  worker.process.pid = row.pid;
  worker.process.start_ticks = row.start_ticks;
  worker.process.boot = director.boot;
  worker.state = row.state;
  worker.ring_records = row.ring_records;
  worker.started_unix_ms = static_cast<std::int64_t>(row.started_ms);
  worker.restarts = row.restarts;
  worker.is_director = worker.process == director;
  return worker;
}

// As ScopeTree spells them. A parent is older than its child, so ids in order build all paths.
void name_scopes(std::vector<ScopeInfo>& scopes) {
  std::sort(scopes.begin(), scopes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::map<ScopeId, std::string> paths;
  for (ScopeInfo& scope : scopes) {
    const auto parent = paths.find(scope.parent);
    if (parent == paths.end()) {
      scope.path = scope.name;
    } else if (scope.kind == ScopeKind::worker) {
      scope.path = parent->second + "#" + std::to_string(scope.slot);
    } else {
      scope.path = parent->second + "/" + scope.name;
    }
    paths.emplace(scope.id, scope.path);
  }
}

Result<void> check_identity(const SegmentReader& segment) {
  layout::Identity identity{};
  if (segment.bytes() < sizeof identity) {
    return fail(Errc::malformed, "the control segment was never finished");
  }
  if (auto read = segment.read(0, std::as_writable_bytes(std::span(&identity, 1))); !read) {
    return read;
  }
  if (auto known = segment::check_identity(identity, layout::Magic::control); !known) return known;
  if (segment.bytes() == sizeof(ControlSegment)) return {};
  return fail(Errc::layout_mismatch, "the control segment has another size than this build's");
}

}  // namespace

std::string_view WorkerInfo::state_word() const noexcept {
  constexpr std::string_view kWords[] = {"untouched", "starting",  "attached",
                                         "dead",      "recovered", "attaching"};
  return state < std::size(kWords) ? kWords[state] : "unknown";
}

Result<ControlImage> ControlImage::read(const SegmentReader& segment) {
  if (auto known = check_identity(segment); !known) return tl::unexpected(known.error());
  auto first = segment.copy(sizeof(ControlSegment));
  if (!first) return tl::unexpected(first.error());
  auto middle = segment.copy(sizeof(ControlSegment));
  if (!middle) return tl::unexpected(middle.error());
  auto last = segment.copy(sizeof(ControlSegment));
  if (!last) return tl::unexpected(last.error());
  const Copies copies{std::move(*first), std::move(*middle), std::move(*last)};
  const auto& header = Copies::in(copies.last).header;
  ControlImage image;
  image.system = text_of(header.system_name);
  image.director.pid = static_cast<pid_t>(header.director_pid);
  image.director.start_ticks = header.director_start_ticks;
  std::memcpy(image.director.boot.data(), header.boot_id, sizeof header.boot_id);
  image.pid_namespace = header.pid_namespace;
  image.epoch = header.epoch.load(kRelaxed);
  image.hash_seed = header.hash_seed;
  image.is_stopped = header.stopped.load(kRelaxed) == 1;
  image.budget_bytes = header.budget_bytes;
  copies.for_each_row(&ControlSegment::blocks, [&](const auto& row, std::uint32_t id) {
    image.blocks.push_back(block_of(row, id));
  });
  copies.for_each_row(&ControlSegment::scopes, [&](const auto& row, std::uint32_t id) {
    image.scopes.push_back(scope_of(row, id));
  });
  copies.for_each_row(&ControlSegment::workers, [&](const auto& row, std::uint32_t id) {
    image.workers.push_back(worker_of(row, id, image.director));
  });
  copies.for_each_row(&ControlSegment::revocations, [&](const auto& row, std::uint32_t id) {
    for (BlockInfo& block : image.blocks) {
      if (raw(block.id) != id) continue;
      block.revocations.push_back(
          {text_of(row.path), static_cast<Rights>(row.left), row.enforcing != 0});
    }
  });
  copies.for_each_row(&ControlSegment::sensitive, [&](const auto& row, std::uint32_t id) {
    for (BlockInfo& block : image.blocks) {
      if (raw(block.id) != id) continue;
      block.sensitive.emplace_back(row.pattern,
                                   std::min<std::size_t>(row.bytes, sizeof row.pattern));
    }
  });
  for (BlockInfo& block : image.blocks) {
    const bool is_partly = block.masking == layout::Masking::by_patterns;
    if (block.masking == layout::Masking::none) block.sensitive.clear();
    // What control cannot say is masked.
    if (block.masking == layout::Masking::every_key || (is_partly && block.sensitive.empty())) {
      block.sensitive.assign(1, std::string(director::kEveryKey));
    }
  }
  name_scopes(image.scopes);
  const auto path_of = [&](ScopeId id) {
    const ScopeInfo* scope = image.scope(id);
    return scope != nullptr ? scope->path : std::string();
  };
  for (BlockInfo& block : image.blocks) {
    block.owner_path = path_of(block.owner);
    block.heir_path = path_of(block.heir);
  }
  for (WorkerInfo& worker : image.workers) worker.scope_path = path_of(worker.scope);
  const auto by_id = [](const auto& a, const auto& b) { return a.id < b.id; };
  std::sort(image.blocks.begin(), image.blocks.end(), by_id);
  std::sort(image.workers.begin(), image.workers.end(), by_id);
  return image;
}

bool ControlImage::is_of_this_time() const {
  const auto boot = platform::boot_id();
  const auto space = platform::pid_namespace();
  return boot && space && *boot == director.boot && *space == pid_namespace;
}

bool ControlImage::is_directed() const {
  return !is_stopped && is_of_this_time() && director.alive();
}

const ScopeInfo* ControlImage::scope(ScopeId id) const noexcept {
  const auto found = std::find_if(scopes.begin(), scopes.end(),
                                  [id](const ScopeInfo& scope) { return scope.id == id; });
  return found == scopes.end() ? nullptr : &*found;
}

Result<const BlockInfo*> ControlImage::block(std::string_view name, std::string_view scope) const {
  std::uint32_t number = 0;
  const bool by_id = name.starts_with('#') &&
                     std::from_chars(name.data() + 1, name.data() + name.size(), number).ptr ==
                         name.data() + name.size();
  std::vector<const BlockInfo*> found;
  std::vector<const BlockInfo*> owned;
  for (const BlockInfo& candidate : blocks) {
    if (by_id ? raw(candidate.id) != number : candidate.name != name) continue;
    found.push_back(&candidate);
    if (candidate.owner_path == scope) owned.push_back(&candidate);
  }
  if (!owned.empty()) found = owned;
  const std::string text = "block " + std::string(name);
  if (found.empty()) return fail(Errc::no_such_block, text);
  if (found.size() == 1) return found.front();
  std::string all;
  for (const BlockInfo* candidate : found) {
    all += (all.empty() ? "" : ", ") + candidate->owner_path + " (#" +
           std::to_string(raw(candidate->id)) + ")";
  }
  return fail(Errc::invalid_argument,
              text + ": several scopes have one; say which with --scope " + "or by number: " + all);
}

}  // namespace sessionblocks::ctl
