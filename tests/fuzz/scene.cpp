#include "scene.hpp"

#include <algorithm>
#include <array>

#include "segment/checkpoints.hpp"
#include "segment/format.hpp"
#include "segment/maintenance.hpp"
#include "segment/scan.hpp"

namespace sessionblocks::fuzz {
namespace {

using layout::ValueType;
using segment::Mutation;

constexpr auto kRelaxed = std::memory_order_relaxed;
constexpr std::size_t kSavedWorkerBytes = layout::lane_at(kUsedLanes, kRingRecords);
static_assert(sizeof(layout::ReadersSegment) <= 104 * 1024);

layout::LifeWord active() {
  return layout::LifeWord::make(BlockId{7}, Generation{1}, BlockState::active);
}

std::atomic<std::uint64_t>& life_in(const Guarded& control) {
  return *reinterpret_cast<std::atomic<std::uint64_t>*>(control.data());
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

Scene::Scene() {
  for (unsigned image = 0; image < kImages; ++image) make(static_cast<Image>(image));
}

std::string Scene::key_text(std::uint8_t number) {
  if (number % 32 == 31) return std::string(1'024, 'k');
  return "key" + std::to_string(number % 32);
}

segment::KeyView Scene::key_of(std::string_view text) noexcept {
  const auto bytes = bytes_of(text);
  return {bytes.data(), static_cast<std::uint32_t>(bytes.size()),
          segment::hash_key(bytes.data(), bytes.size(), kSeed)};
}

layout::ReadersSegment& Scene::readers() const noexcept {
  return *reinterpret_cast<layout::ReadersSegment*>(readers_.data());
}

void Scene::open_writer(const Guarded& worker, WorkerId id, unsigned lane) {
  const segment::WorkerMemory memory = worker_memory(worker);
  ring_.emplace(memory.lane(lane), memory.ring(lane), kRingRecords);
  writer_.emplace(segment::WriterPlace{&*memory_, &readers(), &life_in(control_),
                                       &memory.lane(lane), &*ring_, kOpen, owner_of(id, lane)});
}

segment::Outcome Scene::apply(std::string_view key, const Mutation& mutation) {
  const segment::WorkerMemory memory = worker_memory(worker_);
  for (unsigned lane = 0; lane < kUsedLanes; ++lane) {
    memory.lane(lane).ring_drained.store(memory.lane(lane).ring_written.load(kRelaxed), kRelaxed);
  }
  const bool record = ring_->has_room(segment::Writer::cells_needed(key.size()));
  segment::Outcome outcome;
  writer_->apply(key_of(key), mutation, active(), record, 1'000, outcome);
  return outcome;
}

segment::Outcome Scene::put(std::string_view key, std::string_view value, Op op) {
  Mutation mutation;
  mutation.op = op;
  mutation.type = ValueType::text;
  mutation.value = bytes_of(value);
  return apply(key, mutation);
}

void Scene::make_entries(Image image) {
  const int entries = image == Image::half_full ? 520 : 24;
  for (int i = 0; i < entries; ++i) {
    (void)put("key" + std::to_string(i), std::string(static_cast<std::size_t>(i % 24) * 9, 'v'));
  }
  (void)put(key_text(31), std::string(3'000, 'l'));
  (void)put(key_text(30), std::string(20'000, 'r'));
  Mutation add;
  add.op = Op::increment;
  add.type = ValueType::integer;
  add.add_integer = 41;
  (void)apply(key_text(29), add);
  Mutation erase;
  erase.op = Op::erase;
  for (std::uint8_t i = 0; i < 6; ++i) (void)apply(key_text(i), erase);
  if (image == Image::with_checkpoint) {
    segment::Checkpoints checkpoints(*memory_, readers(), writer_->heap());
    (void)checkpoints.take({});
    for (std::uint8_t i = 4; i < 14; ++i) (void)put(key_text(i), "later");
    (void)checkpoints.take({});
    for (std::uint8_t i = 8; i < 12; ++i) (void)put(key_text(i), "latest");
  }
  if (image == Image::growing) {
    (void)writer_->growth().begin_now();
    for (std::uint8_t i = 10; i < 14; ++i) (void)put(key_text(i), "moved");
  }
}

// What a worker leaves that is killed between its commit and the end of the operation.
void Scene::leave_in_flight() {
  open_writer(dead_, kDead, 0);
  (void)put(key_text(20), "by the dead");
  auto& intent = worker_memory(dead_).lane(0).intent;
  intent.done.store(intent.op.load(kRelaxed) - 1, kRelaxed);
  open_writer(dead_, kDead, 1);
  (void)put(key_text(26), "added by the dead");
  auto& added = worker_memory(dead_).lane(1).intent;
  added.done.store(added.op.load(kRelaxed) - 1, kRelaxed);
  writer_.reset();
}

void Scene::make(Image image) {
  for (const Guarded* memory : {&block_, &readers_, &worker_, &dead_}) {
    std::memset(memory->data(), 0, memory->size());
  }
  (void)segment::format_block(block_.span(), BlockId{7}, Generation{1}, kSeed, 1);
  segment::format_readers(readers_.span(), BlockId{7}, Generation{1});
  for (const auto& [bytes, id] : {std::pair{&worker_, kWorker}, std::pair{&dead_, kDead}}) {
    (void)segment::format_worker(bytes->span(), id, kRingRecords);
    worker_memory(*bytes).header().lanes_used.store((1U << kUsedLanes) - 1);
  }
  life_in(control_).store(active().word);
  memory_.emplace(block_.data(), block_.size(), nullptr, nullptr);
  open_writer(worker_, kWorker, 0);
  make_entries(image);
  leave_in_flight();
  save(saved_[static_cast<std::size_t>(image)]);
}

void Scene::save(Saved& saved) {
  saved.block = block_.copy(block_.size());
  saved.readers = readers_.copy(readers_.size());
  saved.worker = worker_.copy(kSavedWorkerBytes);
  saved.dead = dead_.copy(kSavedWorkerBytes);
  segment::Tables tables;
  (void)segment::load_tables(*memory_, tables);
  for (const auto& view : {tables.current_view, tables.old_view}) {
    if (view.slots == nullptr) continue;
    for (std::uint64_t i = 0; i <= view.mask; ++i) {
      const layout::SlotRef ref{view.slots[i].low.load(kRelaxed)};
      if (ref.word == layout::kEmptyRef || ref.word == layout::kClosedRef) continue;
      const auto* at = reinterpret_cast<const std::byte*>(&view.slots[i]);
      saved.slots.push_back(static_cast<std::uint64_t>(at - block_.data()));
      if (ref.holds_node()) saved.nodes.push_back(ref.offset());
    }
  }
  const auto& intent = worker_memory(dead_).lane(0).intent;
  saved.nodes.push_back(intent.old.load(kRelaxed));
}

void Scene::restore(Image image) {
  now_ = &saved_[static_cast<std::size_t>(image)];
  block_.put(now_->block);
  readers_.put(now_->readers);
  worker_.put(now_->worker);
  dead_.put(now_->dead);
  // Its checked table is of the run before.
  memory_.emplace(block_.data(), block_.size(), nullptr, nullptr);
  open_writer(worker_, kWorker, 0);
}

void Scene::fill_block(Input& input) {
  const auto from = input.rest();
  if (from.empty()) return;
  const std::size_t first = std::min(from.size(), block_.size());
  std::memcpy(block_.data(), from.data(), first);
  for (std::size_t done = first; done < block_.size(); done *= 2) {
    std::memcpy(block_.data() + done, block_.data(), std::min(done, block_.size() - done));
  }
}

std::uint64_t Scene::word_in_block(std::uint64_t offset) const noexcept {
  std::uint64_t word = 0;
  std::memcpy(&word, block_.data() + offset, sizeof word);
  return word;
}

std::uint64_t Scene::offset_from(Input& input) const {
  const auto which = input.byte();
  const std::uint64_t at = input.take<std::uint16_t>();
  const auto& geometry = memory_->geometry();
  switch (which % 4) {
    case 0:
      return now_->nodes[at % now_->nodes.size()];
    case 1:
      return geometry.heap_at + at * 8;
    case 2:
      return geometry.segment_bytes - at * 8;
    default:
      return geometry.page_at(at % (geometry.page_count + 1));
  }
}

std::size_t Scene::lane_at(std::uint64_t number) {
  return layout::lane_at(static_cast<unsigned>(number) % kUsedLanes, kRingRecords);
}

// The first byte of what is to be changed; `bytes`: how many from there on may be.
std::byte* Scene::place(Input& input, std::uint64_t& bytes) const {
  const auto what = input.byte();
  const std::uint64_t index = input.take<std::uint16_t>();
  const std::uint64_t field = input.byte();
  bytes = 8;
  switch (what % 12) {
    case 0:
      return block_.data() + 64 + index % 30 * 8;
    case 1:
    case 2:
      return block_.data() + now_->slots[index % now_->slots.size()] + (field % 2) * 8;
    case 3:
    case 4:
      return block_.data() + now_->nodes[index % now_->nodes.size()] + (field % 10) * 8;
    case 5:
    case 6:
      return block_.data() + layout::kPageTableAt +
             index % (memory_->page_count() + 1) * sizeof(layout::PageDescriptor) + (field % 8) * 8;
    case 7:
      return readers_.data() + (64 + index * 8) % (sizeof(layout::ReadersSegment) - 8);
    case 8:
      return dead_.data() + lane_at(field) + 64 + index % 16 * 8;
    case 9:
      return dead_.data() + lane_at(field) + 192 + index % 20 * 8;
    case 10:
      return block_.data() + index % (block_.size() / 8) * 8;
    default:
      return block_.data() + offset_from(input) % (block_.size() - 64) / 8 * 8;
  }
}

std::uint64_t Scene::value(Input& input, std::uint64_t now) const {
  const auto kind = input.byte();
  const std::uint64_t index = input.take<std::uint16_t>();
  const auto node = now_->nodes[index % now_->nodes.size()];
  switch (kind % 12) {
    case 0:
      return input.take<std::uint64_t>();
    case 1:
      return now ^ (std::uint64_t{1} << (index % 64));
    case 2:
      return now + index - 32'768;
    case 3:
      return word_in_block(now_->slots[index % now_->slots.size()]);
    case 4:
      return node;
    case 5:
      return word_in_block(node);  // its gen
    case 6: {
      const layout::SlotRef ref{word_in_block(now_->slots[index % now_->slots.size()])};
      return ref.with(static_cast<layout::Mark>(input.byte() % 8)).word;
    }
    case 7:  // another place behind the same tag
      return (now >> 48U << 48U) | (offset_from(input) & 0xFFFF'FFFF'FFFFU) | (now & 7U);
    case 8:
      return layout::TableWord::make(static_cast<std::uint32_t>(index % 8), input.byte() % 64,
                                     input.byte())
          .word;
    case 9:
      return layout::PageEntry{static_cast<layout::PageKind>(index % 8),
                               static_cast<std::uint8_t>(index / 8 % 32), input.byte(),
                               index / 256 % 2 == 0 ? owner_of(kWorker, 0) : owner_of(kDead, 0)}
          .pack();
    case 10:
      return layout::Shape{input.take<std::uint32_t>(), static_cast<std::uint32_t>(index % 4'096),
                           static_cast<ValueType>(input.byte() % 8), input.byte() % 2 == 0}
          .pack();
    default:
      return index < 256 ? index : ~std::uint64_t{index};
  }
}

void Scene::change(Input& input) {
  std::uint64_t bytes = 0;
  std::byte* const at = place(input, bytes);
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  word = value(input, word);
  std::memcpy(at, &word, sizeof word);
}

void Scene::write(Input& input) {
  if (!writer_) return;
  const auto what = input.byte();
  const std::string key = key_text(input.byte());
  const std::size_t size = input.byte();
  Mutation mutation;
  mutation.type = ValueType::text;
  const std::string text(what % 12 == 1 ? size * 200 : size, 'w');
  mutation.value = bytes_of(text);
  std::vector<std::byte> taken;
  constexpr std::array kOps = {
      Op::put,   Op::put,   Op::add,           Op::replace,   Op::append,
      Op::touch, Op::erase, Op::get_and_erase, Op::increment, Op::compare_and_set};
  if (what % 12 == 10) return (void)writer_->growth().begin_now();
  if (what % 12 == 11) return (void)writer_->growth().finish();
  mutation.op = kOps[what % 12];
  if (mutation.op == Op::increment) mutation.type = ValueType::integer;
  mutation.add_integer = 1;
  mutation.taken = &taken;
  (void)apply(key, mutation);
}

}  // namespace sessionblocks::fuzz
