#include "flowguard/changed_entries.hpp"

#include <map>

#include "leak_scene.hpp"

namespace sessionblocks::flowguard {
namespace {

using namespace testing;

// The size of each entry that a walk gave.
class Collected final : public EntryVisitor {
 public:
  void piece(const EntryPiece& piece) override {
    if (piece.is_first) sizes.erase(std::string(piece.key));
    sizes[std::string(piece.key)] += piece.value.size();
  }
  void cut_off() override {}
  void chunk_done(std::uint64_t /*chunk*/, bool is_whole) override {
    ++chunks;
    CHECK(is_whole);
  }
  void index_changed() override {}

  std::map<std::string, std::size_t> sizes;
  std::size_t chunks = 0;
};

using Which = ChangedEntries::Which;

TEST_CASE("an entry that changed is in two walks, and in none after them") {
  LeakScene scene;
  const BlockId id = scene.create("board", {{"till", Rights::read_write}});
  Session till = scene.attach("till");
  Block board = open(till, "board");
  std::unique_ptr<ChangedEntries> entries;
  scene.call([&](director::Registry& registry) {
    entries = std::make_unique<ChangedEntries>(*registry.blocks.find(id));
  });
  const auto walk = [&](Which which) {
    Collected collected;
    while (entries->step(which, collected)) {
    }
    return collected;
  };
  CHECK(walk(Which::changed).sizes.empty());
  static_cast<void>(walk(Which::changed));  // what is not known yet has changed
  CHECK(walk(Which::changed).chunks == 0);
  REQUIRE(board.put("a", std::string(7, 'x')));
  REQUIRE(board.put("large", std::string(2 * kPieceBytes + 5, 'x')));
  const std::map<std::string, std::size_t> both{{"a", 7}, {"large", 2 * kPieceBytes + 5}};
  CHECK(walk(Which::changed).sizes == both);
  CHECK(walk(Which::changed).sizes == both);
  CHECK(walk(Which::changed).chunks == 0);
  CHECK(walk(Which::all).sizes == both);
  CHECK(walk(Which::all).sizes == both);
  CHECK(walk(Which::changed).chunks == 0);
  REQUIRE(board.put("a", std::string(8, 'y')));
  CHECK(walk(Which::changed).sizes.at("a") == 8);
  REQUIRE(board.erase("a"));
  CHECK(walk(Which::changed).sizes.count("a") == 0);
  for (int i = 0; i < 3'000; ++i) REQUIRE(board.put("k" + std::to_string(i), i));
  CHECK(walk(Which::changed).sizes.size() == 3'001);  // through the growth of the index
}

}  // namespace
}  // namespace sessionblocks::flowguard
