// Registry: blocks that have entries before anybody sees them. The director puts them there like a
// worker, and the log hears of them from the director's own ring.
#include "core/crash_point.hpp"
#include "director/registry.hpp"
#include "segment/worker_memory.hpp"

namespace sessionblocks::director {
namespace {

constexpr unsigned kFillOpen = 1;  // of our own; 0 is the block that is maintained

}  // namespace

Result<FillPlace> Registry::fill_place(const StoredBlock& block) {
  const Worker* own = own_lane();
  if (own == nullptr) return fail(Errc::invalid_argument, "fill " + block.text() + ": no lane");
  const segment::WorkerMemory memory(own->segment->memory().data(), own->ring_records);
  const std::uint64_t ring_bytes = own->ring_records * sizeof(layout::AuditRecord);
  if (auto kept = own->segment->reserve(memory.ring_offset(0), ring_bytes); !kept) {
    return tl::unexpected(kept.error());
  }
  const WorkerId id = own->id;
  options.audit->drain_fully(id);  // what it said of the block that was filled before
  // What the records of a director that dies meanwhile are about.
  const std::uint64_t word = (std::uint64_t{raw(block.generation)} << 32U) | raw(block.id);
  own->header()->opens[kFillOpen].store(word, std::memory_order_release);
  options.audit->block_masked(block.id, block.mask);
  options.audit->block_opened(id, kFillOpen, block.id, block.generation, block.policy.name);
  return FillPlace{block.memory(), own->memory(), kFillOpen,
                   [this, id] { options.audit->drain_fully(id); }};
}

Result<BlockId> Registry::create_filled(const BlockRequest& request, const EntrySource& source) {
  if (auto fits = check_creation(request); !fits) return tl::unexpected(fits.error());
  const auto begun = begin(EventKind::created, "block " + request.policy.name);
  const auto id = blocks.create(request, [&](StoredBlock& block) { return fill(block, source); });
  if (id) announce(*id, request);
  return id;
}

Result<void> Registry::fill(StoredBlock& block, const EntrySource& source,
                            const BlockMemory* like) {
  if (auto kept = keep_values(block); !kept) return kept;
  auto place = fill_place(block);
  if (!place) return tl::unexpected(place.error());
  place->like = like;
  auto filled = options.data_plane->fill(*place, source);
  if (filled) {
    if (auto kept = blocks.reserve_ahead(block); !kept) filled = tl::unexpected(kept.error());
  }
  if (!filled) options.data_plane->forget(block.id, block.generation);
  return filled;
}

}  // namespace sessionblocks::director
