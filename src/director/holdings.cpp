#include "director/holdings.hpp"

#include <algorithm>

#include "core/crash_point.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::Rights;

}  // namespace

Holdings::Holdings(ControlDirectory& control) : control_(&control) {
  if (const auto boot = platform::boot_id()) boot_ = *boot;
  for (std::uint32_t row = 0; row < layout::kHoldingRows; ++row) {
    const layout::HoldingRow& stored = control.holding(row);
    const std::uint64_t block = stored.block.load(std::memory_order_acquire);
    if (block == 0) continue;
    insert({block, {stored.pid, stored.start_ticks}, static_cast<ScopeId>(stored.scope)}, row);
  }
}

void Holdings::insert(const Key& key, std::uint32_t row) {
  if (!rows_.emplace(key, row).second) return control_->withdraw_holding(row);
  ++counts_[key.process];
}

Holdings::Rows::iterator Holdings::remove(Rows::iterator at) noexcept {
  control_->withdraw_holding(at->second);
  const auto count = counts_.find(at->first.process);
  if (count != counts_.end() && --count->second == 0) counts_.erase(count);
  return rows_.erase(at);
}

platform::ProcessIdentity Holdings::identity_of(const Process& process) const noexcept {
  return {process.pid, process.start_ticks, boot_};
}

bool Holdings::holds_every_block(const Process& process) const noexcept {
  return rows_.contains({layout::kEveryBlock, process, ScopeId{}});
}

Result<void> Holdings::keep(BlockId block, Generation generation, const Holding& holding) {
  const Process process = of_identity(holding.process);
  if (holds_every_block(process)) return {};
  const Key key{word(block, generation), process, holding.scope};
  if (const auto known = rows_.find(key); known != rows_.end()) {
    auto& rights = control_->holding(known->second).rights;
    rights = std::max(rights, static_cast<std::uint8_t>(holding.rights));
    return {};
  }
  if (const auto most = counts_.find(process);
      most != counts_.end() && most->second >= kMostOfProcess) {
    merge(process);
    return {};
  }
  // Before the row: when there is no memory for ours, none must be in control.
  Rows made{{key, 0}};
  Counts counted{{process, 0}};
  const HoldingRowFields fields{key.block, process.start_ticks, process.pid, holding.scope,
                                holding.rights};
  auto row = control_->publish(fields);
  if (!row) {
    sweep(rows_.size());
    row = control_->publish(fields);
  }
  if (!row) {
    const auto most = std::max_element(
        counts_.begin(), counts_.end(),
        [](const auto& left, const auto& right) { return left.second < right.second; });
    const Process with_most = most->first;
    merge(with_most);
    if (with_most == process) return {};
    row = control_->publish(fields);
  }
  if (!row) {
    return fail(Errc::too_many, std::to_string(layout::kHoldingRows) +
                                    " processes have blocks of this system; end some");
  }
  made.begin()->second = *row;
  rows_.merge(made);
  counts_.merge(counted);
  ++counts_.find(process)->second;
  // CRASH(holding.kept): a process that counts as a holder, and was given nothing yet; the row goes
  // with the generation or the process.
  SESSIONBLOCKS_CRASH("holding.kept");
  return {};
}

// In place, so that no row is needed: at any time control says what it holds, or more.
void Holdings::merge(const Process& process) {
  const auto first = std::find_if(rows_.begin(), rows_.end(),
                                  [&](const auto& row) { return row.first.process == process; });
  if (first == rows_.end()) return;
  const std::uint32_t row = first->second;
  layout::HoldingRow& stored = control_->holding(row);
  stored.rights = static_cast<std::uint8_t>(Rights::read_write);
  stored.scope = 0;
  stored.block.store(layout::kEveryBlock, std::memory_order_release);
  auto node = rows_.extract(first);
  node.key() = {layout::kEveryBlock, process, ScopeId{}};
  rows_.insert(std::move(node));
  for (auto at = rows_.begin(); at != rows_.end();) {
    const bool is_of_it = at->first.process == process && at->second != row;
    at = is_of_it ? remove(at) : std::next(at);
  }
}

std::vector<Holding> Holdings::of(BlockId block, Generation generation) {
  std::vector<Holding> found;
  for (const std::uint64_t which : {word(block, generation), layout::kEveryBlock}) {
    for (auto at = rows_.lower_bound({which, {}, {}});
         at != rows_.end() && at->first.block == which;) {
      const auto process = identity_of(at->first.process);
      if (!process.alive()) {
        at = remove(at);
        continue;
      }
      found.push_back(
          {process, at->first.scope, static_cast<Rights>(control_->holding(at->second).rights)});
      ++at;
    }
  }
  return found;
}

Rights Holdings::rights_of(const platform::ProcessIdentity& process, BlockId block,
                           Generation generation) const noexcept {
  const Process of = of_identity(process);
  if (holds_every_block(of)) return Rights::read_write;
  Rights most = Rights::none;
  const std::uint64_t which = word(block, generation);
  for (auto at = rows_.lower_bound({which, of, {}});
       at != rows_.end() && at->first.block == which && at->first.process == of; ++at) {
    most = std::max(most, static_cast<Rights>(control_->holding(at->second).rights));
  }
  return most;
}

void Holdings::forget(BlockId block, Generation generation) noexcept {
  const std::uint64_t which = word(block, generation);
  for (auto at = rows_.lower_bound({which, {}, {}});
       at != rows_.end() && at->first.block == which;) {
    at = remove(at);
  }
}

void Holdings::forget_process(const platform::ProcessIdentity& process) noexcept {
  const Process of = of_identity(process);
  if (!counts_.contains(of)) return;
  for (auto at = rows_.begin(); at != rows_.end();) {
    at = at->first.process == of ? remove(at) : std::next(at);
  }
}

void Holdings::move_scope(ScopeId ended, ScopeId above) noexcept {
  for (auto at = rows_.begin(); at != rows_.end();) {
    const auto next = std::next(at);
    if (at->first.scope == ended) {
      Key key = at->first;
      key.scope = above;
      const auto known = rows_.find(key);
      if (known != rows_.end()) {
        auto& rights = control_->holding(known->second).rights;
        rights = std::max(rights, control_->holding(at->second).rights);
        remove(at);
      } else {
        control_->holding(at->second).scope = raw(above);
        auto node = rows_.extract(at);
        node.key() = key;
        rows_.insert(std::move(node));
      }
    }
    at = next;
  }
}

void Holdings::sweep(std::size_t most) {
  auto at = rows_.lower_bound(next_swept_);
  for (std::size_t count = 0; count < most && !rows_.empty(); ++count) {
    if (at == rows_.end()) at = rows_.begin();
    at = identity_of(at->first.process).alive() ? std::next(at) : remove(at);
  }
  next_swept_ = at == rows_.end() ? Key{} : at->first;
}

}  // namespace sessionblocks::director
