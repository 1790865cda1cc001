// Corruption of every kind of segment, directed and random, while a reader, a writer, the director
// and an inspector work on it.
#include <cstring>
#include <random>

#include <sessionblocks/sessionblocks.hpp>

#include "layout/block.hpp"
#include "layout/control.hpp"
#include "layout/worker.hpp"
#include "stage.hpp"

namespace sessionblocks::hostile {
namespace {

using layout::kPageTableAt;

struct Region {
  const char* name;
  std::size_t begin;
  std::size_t end;
};

std::vector<Region> regions_of(const Held& block) {
  const auto geometry = layout::Geometry::of(block.bytes);
  return {{"table words", 64 + 8, 64 + 24},
          {"growth words", 128, 128 + 24},
          {"counters", 192, 256},
          {"pins", 256, 704},
          {"page table", kPageTableAt, kPageTableAt + 64 * 40},
          {"slots", geometry.page_at(0), geometry.page_at(1)},
          {"nodes", geometry.page_at(1), geometry.page_at(12)},
          {"everything", 0, block.bytes}};
}

// Words such as stand there, turned and exchanged: most of them pass the first checks.
void scribble(const Held& held, const Region& region, std::mt19937_64& random, int times) {
  const std::size_t first = region.begin / 8;
  const std::size_t count = (region.end - region.begin) / 8;
  for (int i = 0; i < times; ++i) {
    std::uint64_t& word = held.words()[first + random() % count];
    switch (random() % 5) {
      case 0:
        word = random();
        break;
      case 1:
        word ^= std::uint64_t{1} << (random() % 64);
        break;
      case 2:
        word = held.words()[first + random() % count];
        break;
      case 3:
        word += random() % 64 * 8;
        break;
      default:
        word = random() % 2 == 0 ? 0 : ~std::uint64_t{0};
    }
  }
}

}  // namespace

TEST_CASE("whatever is scribbled into a block, its users get answers and the others their values") {
  constexpr int kBursts = 60;
  std::mt19937_64 random(20);
  for (std::size_t which = 0; which < 8; ++which) {
    Stage stage;
    const auto reader = stage.worker("reader", {"cart", "other"});
    const auto writer = stage.worker("writer", {"cart", "other"});
    auto hostile = stage.hostile("cart");
    const Region region = regions_of(hostile.block)[which];
    INFO(region.name);
    for (int burst = 0; burst < kBursts; ++burst) {
      scribble(hostile.block, region, random, 4);
      if (burst % 20 == 0) stage.check_others(*reader, *writer);
    }
    stage.inspect("cart");
    // What nobody may take for an index.
    const auto geometry = layout::Geometry::of(hostile.block.bytes);
    std::memset(hostile.block.memory + 64, 0x5A, 64);
    std::memset(hostile.block.memory + geometry.page_at(0), 0xFF, layout::kPageBytes);
    stage.check_quarantined("cart", *reader, *writer);
    stage.check_others(*reader, *writer);
    stage.inspect("cart");
    CHECK(reader->ends_well());
    CHECK(writer->ends_well());
  }
}

TEST_CASE("whatever is scribbled into readers and worker segments, values and director stay") {
  std::mt19937_64 random(21);
  Stage stage;
  const auto reader = stage.worker("reader", {"cart", "other"});
  const auto writer = stage.worker("writer", {"cart", "other"});
  for (int round = 0; round < 6; ++round) {
    auto hostile = stage.hostile("cart");
    const std::size_t lane = layout::lane_at(0, layout::kMinRingRecords);
    const std::vector<std::pair<const Held*, Region>> where = {
        {&hostile.readers, {"hazards", 64, 65'664}},
        {&hostile.readers, {"waiters", 65'664, 69'760}},
        {&hostile.worker, {"header", 32, 4'096}},
        {&hostile.worker, {"lane", lane, lane + 512}},
        {&hostile.worker, {"ring", lane + 20'480, lane + 20'480 + 8'192}}};
    for (const auto& [held, region] : where) {
      INFO(region.name);
      for (int burst = 0; burst < 20; ++burst) scribble(*held, region, random, 20);
      stage.check_others(*reader, *writer);
    }
    stage.inspect("cart");
    hostile.client.reset();  // recovery reads all of that
    stage.check_others(*reader, *writer);
  }
  CHECK(reader->ends_well());
  CHECK(writer->ends_well());
}

TEST_CASE("whatever control says, a worker ends by itself or goes on") {
  std::mt19937_64 random(22);
  Stage stage;
  const auto reader = stage.worker("reader", {"cart", "other"});
  const auto writer = stage.worker("writer", {"cart", "other"});
  // The rows' words that workers read: life, reserved and segment bytes, policy, change_seq.
  for (int burst = 0; burst < 200; ++burst) {
    stage.director().call([&](director::Registry& registry) {
      const auto found = registry.blocks.named("cart");
      REQUIRE(!found.empty());
      auto* row = reinterpret_cast<std::uint64_t*>(&registry.control.block(found.front()->row));
      const std::uint64_t life = row[0];
      row[1 + random() % 4] = random() % 2 == 0 ? random() : ~std::uint64_t{0};
      if (burst % 10 == 9) row[0] = random();
      if (burst % 10 == 0) row[0] = life;
    });
    if (burst % 50 == 0) stage.check_others(*reader, *writer);
  }
  stage.check_others(*reader, *writer);
  CHECK(reader->ends_well());
  CHECK(writer->ends_well());
}

TEST_CASE("whatever a client sends, the director answers the others") {
  std::mt19937_64 random(23);
  Stage stage;
  const auto reader = stage.worker("reader", {"cart", "other"});
  const auto writer = stage.worker("writer", {"cart", "other"});
  const std::vector<Message> good = {
      RawClient::attach_request(),
      {{"op", "open"}, {"name", "cart"}, {"mode", 2}},
      {{"op", "create"}, {"name", "mine"}, {"kind", "private"}, {"quota", 1'000'000}},
      {{"op", "readers"}, {"open", 0}},
      {{"op", "list"}, {"what", "blocks"}, {"cursor", 0}}};
  for (int round = 0; round < 40; ++round) {
    RawClient client(stage.socket());
    for (int i = 0; i < 7; ++i) {
      auto bytes = encode_message(good[random() % good.size()]).value();
      for (int damage = 0; damage < 3; ++damage) {
        const std::size_t at = random() % bytes.size();
        if (random() % 3 == 0) {
          bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(at), 200, 0x81);
        } else {
          bytes[at] = static_cast<std::uint8_t>(random());
        }
      }
      client.send_bytes(bytes);
      if (client.receive().closed) break;
    }
    if (round % 10 == 0) stage.check_others(*reader, *writer);
  }
  stage.inspect("cart");
  CHECK(reader->ends_well());
  CHECK(writer->ends_well());
}

TEST_CASE("a forged intent is refused, said aloud, and frees nothing") {
  Stage stage;
  const auto reader = stage.worker("reader", {"other"});
  const auto writer = stage.worker("writer", {"other"});
  auto owner = stage.hostile("cart");
  {
    AttachOptions options;
    options.socket = stage.socket();
    options.token = stage.token();
    auto session = Session::attach(options);
    REQUIRE(session);
    auto cart = session->open("cart");
    REQUIRE(cart);
    REQUIRE(cart->put("mine", "a value that stays"));
  }
  // An in-flight put whose new node is gone and whose old node is one that everybody reads.
  const auto geometry = layout::Geometry::of(owner.block.bytes);
  const auto* slots =
      reinterpret_cast<const layout::Slot*>(owner.block.memory + geometry.page_at(0));
  std::uint64_t node = 0;
  for (std::uint64_t i = 0; i < 1'024 && node == 0; ++i) {
    const layout::SlotRef ref{slots[i].low.load()};
    if (ref.word != layout::kEmptyRef) node = ref.offset();
  }
  REQUIRE(node != 0);
  auto& header = *reinterpret_cast<layout::WorkerHeader*>(owner.worker.memory);
  auto& lane = *reinterpret_cast<layout::LaneHead*>(owner.worker.memory +
                                                    layout::lane_at(0, layout::kMinRingRecords));
  header.lanes_used.store(1);
  lane.intent.what.store(static_cast<std::uint64_t>(Op::put) | (std::uint64_t{owner.open} << 16U));
  lane.intent.table.store(owner.block.words()[9]);
  lane.intent.fresh.store(geometry.page_at(5));
  lane.intent.fresh_gen.store(
      layout::make_gen(layout::make_incarnation(77, 1), layout::NodeState::in_use));
  lane.intent.old.store(node);
  lane.intent.old_gen.store(*reinterpret_cast<std::uint64_t*>(owner.block.memory + node));
  lane.intent.op.store(1);
  owner.client.reset();  // it dies
  while (!stage.was_said(director::EventKind::forged)) (void)reader->ask();
  CHECK(stage.director_log().find("forged worker") != std::string::npos);
  AttachOptions options;
  options.socket = stage.socket();
  options.token = stage.token();
  auto session = Session::attach(options);
  REQUIRE(session);
  auto cart = session->open("cart");
  REQUIRE(cart);
  CHECK(cart->get<std::string>("mine")->value == "a value that stays");
  CHECK(stage.state_of("cart") == BlockState::active);
  stage.check_others(*reader, *writer);
}

}  // namespace sessionblocks::hostile
