#include "flowlog/entry_fields.hpp"

namespace sessionblocks::flowlog {

std::uint32_t worker_of(const Entry& entry) noexcept {
  return entry.kind == EntryKind::note ? entry.note.worker : entry.record.lane.worker;
}

BlockRef block_of(const Entry& entry) noexcept {
  if (entry.kind == EntryKind::record) return entry.record.block;
  return entry.kind == EntryKind::note ? entry.note.block : BlockRef{};
}

bool is_in_scope(std::string_view path, std::string_view wanted) noexcept {
  if (!path.starts_with(wanted)) return false;
  return path.size() == wanted.size() || path[wanted.size()] == '/' || path[wanted.size()] == '#' ||
         wanted.ends_with('/');
}

std::string id_text(BlockId block) {
  return std::string("#").append(std::to_string(raw(block)));
}

std::string block_text(BlockId block, const LogState& state) {
  const std::string_view name = state.name_of(block);
  return name.empty() ? id_text(block) : std::string(name);
}

bool is_block(BlockId block, std::string_view wanted, const LogState& state) {
  return state.name_of(block) == wanted || wanted == id_text(block);
}

std::string_view outcome_text(std::uint16_t outcome) noexcept {
  return outcome == 0 ? "ok" : errc_name(static_cast<Errc>(outcome));
}

}  // namespace sessionblocks::flowlog
