#include "block_check.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "layout/control.hpp"
#include "layout/worker.hpp"
#include "operations.hpp"
#include "platform/process.hpp"
#include "segment/fsck.hpp"
#include "segment/scan.hpp"

namespace sessionblocks::deaths {
namespace {

using platform::SharedSegment;

std::optional<platform::Mapping> map_segment(const std::string& name) {
  const auto segment = SharedSegment::open_existing(name, platform::Access::read_only);
  if (!segment) return std::nullopt;
  auto mapping = segment->map(platform::Access::read_only);
  return mapping ? std::optional(std::move(*mapping)) : std::nullopt;
}

const layout::ControlSegment& rows_of(const platform::Mapping& control) {
  return *reinterpret_cast<const layout::ControlSegment*>(control.data());
}

std::string block_name(const std::string& prefix, const layout::BlockRow& row, const char* kind) {
  const layout::LifeWord life{row.life.load()};
  return prefix + kind + "." + std::to_string(raw(life.id())) + "." +
         std::to_string(raw(life.generation()));
}

bool lives(const layout::WorkerRow& row) {
  platform::ProcessIdentity process;
  process.pid = row.pid;
  process.start_ticks = row.start_ticks;
  process.boot = *platform::boot_id();
  return process.alive();
}

// What a life left behind `operations` of them, by key: the operation that put it, or none.
std::map<std::string, std::optional<std::uint64_t>> left_by(std::uint32_t life,
                                                            std::uint64_t operations) {
  std::map<std::string, std::optional<std::uint64_t>> left;
  constexpr std::uint64_t kRound = 8 * 32;
  for (std::uint64_t n = operations - std::min(operations, kRound); n < operations; ++n) {
    const Operation done = operation(life, n, false);
    if (done.key == kTotal || done.op == Op::get) continue;
    left[done.key] = done.op == Op::erase ? std::nullopt : std::optional(n);
  }
  return left;
}

}  // namespace

std::optional<ControlView> ControlView::of(const std::string& prefix) {
  auto mapping = map_segment(prefix + "control");
  if (!mapping || mapping->bytes() != sizeof(layout::ControlSegment)) return std::nullopt;
  return ControlView(prefix, std::move(*mapping));
}

std::size_t ControlView::processes() const {
  const auto& control = rows_of(control_);
  std::set<pid_t> found;
  for (const auto& row : control.workers) {
    if (row.id.load() != 0 && row.pid != ::getpid()) found.insert(row.pid);
  }
  found.erase(static_cast<pid_t>(control.header.director_pid));
  return found.size();
}

bool ControlView::has_scope(const std::string& name) const {
  for (const auto& row : rows_of(control_).scopes) {
    if (row.id.load() != 0 && name == row.name) return true;
  }
  return false;
}

std::string ControlView::compare_names(pid_t director) const {
  std::set<std::string> known{prefix_ + "control"};
  for (const auto& row : rows_of(control_).blocks) {
    const layout::LifeWord life{row.life.load()};
    if (life.word == 0 || row.segment_bytes.load() == 0) continue;
    if (row.goal != 0 || life.state() == BlockState::destroyed) {
      return std::string("block ") + row.name + " is still on its way out";
    }
    known.insert(block_name(prefix_, row, "block"));
    known.insert(block_name(prefix_, row, "readers"));
  }
  bool has_director = false;
  for (const auto& row : rows_of(control_).workers) {
    const std::uint32_t id = row.id.load();
    if (id == 0) continue;
    has_director = has_director || row.pid == director;
    if (!lives(row)) return "worker " + std::to_string(id) + " is dead and has a row";
    const bool is_ours = row.pid == ::getpid();
    if (is_ours && row.state != 2) return "worker " + std::to_string(id) + " never attached";
    if (row.state == 2) known.insert(prefix_ + "worker." + std::to_string(id));
  }
  if (!has_director) return "the director has no lane";
  for (const auto& row : rows_of(control_).scopes) {
    if (row.id.load() == 0 || row.kind != static_cast<std::uint8_t>(ScopeKind::flow)) continue;
    if (!known.contains(prefix_ + "worker." + std::to_string(row.worker))) {
      return std::string("flow scope ") + row.name + " has no worker";
    }
  }
  const auto names = SharedSegment::list(prefix_);
  if (!names) return "cannot list";
  for (const std::string& name : *names) {
    if (known.erase(name) == 0) return "no row knows " + name;
  }
  return known.empty() ? std::string() : "no segment has the name " + *known.begin();
}

std::string ControlView::check_blocks() const {
  for (const auto& row : rows_of(control_).blocks) {
    const layout::LifeWord life{row.life.load()};
    if (life.word == 0 || life.state() != BlockState::active) continue;
    const auto mapping = map_segment(block_name(prefix_, row, "block"));
    if (!mapping) return std::string("cannot map block ") + row.name;
    const segment::BlockMemory memory(mapping->data(), mapping->bytes(), &row.reserved_bytes, {});
    const auto findings = segment::fsck(memory);
    if (findings.empty()) continue;
    return std::string("block ") + row.name + ": " +
           std::string(segment::name(findings.front().invariant)) + ": " + findings.front().text;
  }
  return {};
}

std::string ControlView::check_entries(Board& board, const LogCheck& log) const {
  std::map<std::string, std::string> entries;
  for (const auto& row : rows_of(control_).blocks) {
    if (row.life.load() == 0 || std::string_view(row.name) != "cart") continue;
    const auto mapping = map_segment(block_name(prefix_, row, "block"));
    if (!mapping) return "cannot map the cart";
    const segment::BlockMemory memory(mapping->data(), mapping->bytes(), &row.reserved_bytes, {});
    std::pair<std::string, std::string> entry;
    bool is_live = false;
    const auto copy = [&](const segment::SlotView& view) {
      const auto* node = reinterpret_cast<const char*>(view.node);
      is_live = view.shape.type != layout::ValueType::tombstone;
      entry.first.assign(node + view.shape.key_at(), view.shape.key_bytes);
      entry.second.assign(node + view.shape.value_at(), view.shape.value_bytes);
    };
    const auto done = [&] {
      if (is_live) entries.insert(entry);
      return true;
    };
    if (!segment::scan(memory, nullptr, copy, done)) return "the cart has no usable table";
  }
  const auto number_of = [&](const std::string& key) {
    std::uint64_t number = 0;
    const auto found = entries.find(key);
    if (found != entries.end() && found->second.size() == 8) {
      std::memcpy(&number, found->second.data(), 8);
    }
    return number;
  };
  if (number_of(kTotal) != log.total()) {
    return "total is " + std::to_string(number_of(kTotal)) + ", the log has " +
           std::to_string(log.total()) + " increments";
  }
  for (std::uint32_t i = 0; i < board.lives_used.load(); ++i) {
    Life& life = board.lives[i];
    if (life.worker.load() == 0 || life.reads_only.load() != 0 || life.was_checked) continue;
    for (const auto& [key, put] : left_by(i, log.logged_of(life.worker.load()))) {
      const auto found = entries.find(key);
      if (!put) {
        if (found != entries.end()) return key + " was erased, and is there";
        continue;
      }
      if (found == entries.end()) return key + " was put, and is not there";
      const Operation done = operation(i, *put, false);
      const bool is_right = *put % 8 == 5              ? found->second == text_of(*put)
                            : done.op == Op::increment ? number_of(key) == *put / 8 + 1
                                                       : number_of(key) == *put;
      if (!is_right) return key + " has not what operation " + std::to_string(*put) + " put";
    }
    life.was_checked = life.is_over;
  }
  return {};
}

std::string ControlView::compare_transitions(const LogCheck& log) const {
  std::set<std::uint32_t> there;
  for (const auto& row : rows_of(control_).blocks) {
    const layout::LifeWord life{row.life.load()};
    if (life.word == 0) continue;
    there.insert(raw(life.id()));
    const std::string name =
        std::string("block ") + row.name + " " + std::to_string(raw(life.id()));
    const auto known = log.blocks().find(raw(life.id()));
    if (known == log.blocks().end() || !known->second.is_there) return "the log lacks " + name;
    const std::string state(word(life.state()));
    if (known->second.is_interrupted || state == known->second.state) continue;
    return name + " is " + state + ", by the log " + known->second.state;
  }
  for (const auto& [id, block] : log.blocks()) {
    if (block.is_there && !block.is_interrupted && !there.contains(id)) {
      return "block " + std::to_string(id) + " has gone, and the log does not say so";
    }
  }
  return {};
}

std::vector<std::uint64_t> ControlView::opens_of(std::uint32_t worker) const {
  const auto mapping = map_segment(prefix_ + "worker." + std::to_string(worker));
  REQUIRE(mapping);
  const auto& header = *reinterpret_cast<const layout::WorkerHeader*>(mapping->data());
  std::vector<std::uint64_t> words;
  for (const auto& open : header.opens) words.push_back(open.load());
  return words;
}

}  // namespace sessionblocks::deaths
