// Arbitrary text as an expression of sessionctl log: parsing, and asking it about entries of every
// kind. A round of it that parses gives the same answers when it is parsed again.
#include <cstdlib>
#include <string_view>

#include "flowlog/expression.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::flowlog;

constexpr std::int64_t kNow = 1'795'338'328'000;

void must(bool well) {
  if (!well) std::abort();
}

Entry entry_of(EntryKind kind) {
  Entry entry;
  entry.kind = kind;
  entry.record.lane.worker = entry.note.worker = 3;
  entry.record.block = entry.note.block = BlockRef::make(BlockId{7}, Generation{1});
  entry.record.op = Op::put;
  entry.record.key = "cart:1";
  entry.record.has_key = true;
  entry.record.value_bytes = 5'000;
  entry.record.unix_ms = kNow - 60'000;
  return entry;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = Expression::parse(text, kNow);
  if (!parsed) {
    must(parsed.error() == Errc::invalid_argument);
    must(size > Expression::kMaxBytes || parsed.error().context().ends_with('^'));
    return 0;
  }
  LogState state;
  state.workers[3] = "shop/checkout#1";
  state.blocks[7] = "cart";
  static_cast<void>(parsed->asks_for_definitions());
  const auto again = Expression::parse(text, kNow);
  must(again.has_value());
  for (const EntryKind kind : {EntryKind::record, EntryKind::note, EntryKind::gap}) {
    const Entry entry = entry_of(kind);
    must(parsed->matches(entry, state) == again->matches(entry, state));
  }
  return 0;
}
