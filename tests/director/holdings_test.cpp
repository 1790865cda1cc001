// What is remembered of who may have a block mapped.
#include "director/holdings.hpp"

#include "director/segment_file.hpp"
#include "raw_client.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director {
namespace {

using Granted = sessionblocks::Rights;
using platform::ProcessIdentity;
using test::Sleeper;

struct Kept {
  Kept() : memory(sizeof(layout::ControlSegment)), control(memory) { holdings.emplace(control); }
  Result<void> keep(const ProcessIdentity& process, std::uint32_t block,
                    Granted rights = Granted::read, std::uint32_t scope = 7) {
    return holdings->keep(static_cast<BlockId>(block), Generation{1},
                          {process, static_cast<ScopeId>(scope), rights});
  }
  [[nodiscard]] Granted rights(const ProcessIdentity& process, std::uint32_t block,
                               Generation generation = Generation{1}) const {
    return holdings->rights_of(process, static_cast<BlockId>(block), generation);
  }
  [[nodiscard]] std::size_t rows() {
    std::size_t used = 0;
    for (std::uint32_t row = 0; row < layout::kHoldingRows; ++row) {
      used += control.holding(row).block.load() != 0 ? 1U : 0U;
    }
    return used;
  }
  // The next director.
  void adopt() { holdings.emplace(control); }

  std::vector<std::byte> memory;
  ControlDirectory control;
  std::optional<Holdings> holdings;
  ProcessIdentity self = ProcessIdentity::self().value();
};

}  // namespace

TEST_CASE_METHOD(Kept, "the most that a process was given of a generation is remembered") {
  REQUIRE(keep(self, 1, Granted::read_write));
  REQUIRE(keep(self, 1, Granted::read));
  REQUIRE(keep(self, 2, Granted::read));
  REQUIRE(keep(self, 2, Granted::read_write, 8));
  for (const bool is_adopted : {false, true}) {
    CAPTURE(is_adopted);
    CHECK(rights(self, 1) == Granted::read_write);
    CHECK(rights(self, 2) == Granted::read_write);
    CHECK(rights(self, 3) == Granted::none);
    CHECK(rights(self, 1, Generation{2}) == Granted::none);
    CHECK(holdings->of(BlockId{1}, Generation{1}).size() == 1);
    CHECK(holdings->of(BlockId{2}, Generation{1}).size() == 2);
    CHECK(rows() == 3);
    adopt();
  }
  holdings->move_scope(ScopeId{8}, ScopeId{7});
  REQUIRE(holdings->of(BlockId{2}, Generation{1}).size() == 1);
  CHECK(holdings->of(BlockId{2}, Generation{1})[0].rights == Granted::read_write);
  holdings->forget(BlockId{2}, Generation{1});
  CHECK(rights(self, 2) == Granted::none);
  holdings->forget_process(self);
  CHECK(rows() == 0);
}

TEST_CASE_METHOD(Kept, "a process that has ended holds nothing, by whomever it is found") {
  ProcessIdentity dead = self;
  dead.start_ticks += 1;
  REQUIRE(keep(dead, 1));
  REQUIRE(keep(dead, 2));
  REQUIRE(keep(self, 2));
  CHECK(holdings->of(BlockId{1}, Generation{1}).empty());
  CHECK(rows() == 2);
  holdings->sweep(2);
  CHECK(rows() == 1);
  CHECK(rights(self, 2) == Granted::read);
}

TEST_CASE_METHOD(Kept, "who was given too much to remember counts as holding every block") {
  const Sleeper sleeper;
  const auto other = ProcessIdentity::of(sleeper.pid()).value();
  REQUIRE(keep(other, 1));
  for (std::uint32_t block = 1; block <= Holdings::kMostOfProcess; ++block) {
    REQUIRE(keep(self, block));
  }
  CHECK(rights(self, 1) == Granted::read);
  CHECK(rights(self, 5'000) == Granted::none);
  REQUIRE(keep(self, 5'000));
  CHECK(rows() == 2);
  for (const bool is_adopted : {false, true}) {
    CAPTURE(is_adopted);
    CHECK(rights(self, 77'777) == Granted::read_write);
    CHECK(holdings->of(BlockId{77'777}, Generation{3}).size() == 1);
    CHECK(rights(other, 77'777) == Granted::none);
    adopt();
  }
  REQUIRE(keep(self, 9));
  CHECK(rows() == 2);
}

TEST_CASE_METHOD(Kept, "when every row is in use, the one with the most makes room") {
  std::vector<std::unique_ptr<Sleeper>> sleepers;
  std::vector<ProcessIdentity> many;
  for (int i = 0; i < 33; ++i) {
    sleepers.push_back(std::make_unique<Sleeper>());
    many.push_back(ProcessIdentity::of(sleepers.back()->pid()).value());
  }
  for (std::uint32_t i = 0; i < layout::kHoldingRows; ++i) {
    REQUIRE(keep(many[i % 32], 1 + i / 32));
  }
  CHECK(rows() == layout::kHoldingRows);
  REQUIRE(keep(many[32], 1, Granted::read_write));
  CHECK(rows() == layout::kHoldingRows - Holdings::kMostOfProcess + 2);
  CHECK(rights(many[32], 1) == Granted::read_write);
}

}  // namespace sessionblocks::director
