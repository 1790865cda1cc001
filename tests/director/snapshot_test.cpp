// Snapshots as the director makes them: one instant of several blocks, and what a death leaves.
#include <sessionblocks/sessionblocks.hpp>

#include "../support/delegating_data_plane.hpp"
#include "director/adoption.hpp"
#include "raw_client.hpp"
#include "snapshot/reader.hpp"

namespace sessionblocks::director {
namespace {

namespace fs = std::filesystem;
using test::Surroundings;

// The real data plane, and somebody who writes between two checkpoints of a snapshot.
class Interrupted final : public test::DelegatingDataPlane {
 public:
  Interrupted() : DelegatingDataPlane(make_segment_data_plane()) {}
  std::function<void()> between;

  Result<std::uint64_t> take_checkpoint(const BlockMemory& block, const WorkerMemory& own,
                                        std::span<const Holder> holders) override {
    auto taken = DelegatingDataPlane::take_checkpoint(block, own, holders);
    if (between) between();
    return taken;
  }
};

// A director with two blocks, and a session that writes to both.
struct Shop {
  explicit Shop(std::shared_ptr<Interrupted> plane) : plane_(std::move(plane)) {
    DirectorOptions options = bare_options(around);
    options.data_plane = plane_;
    running.emplace(std::move(options));
    const std::string scope = around.system() + "/shop";
    const auto token = running->director().token_for_scope(scope).value();
    auto attached = Session::attach({running->socket(), scope, token});
    INFO((attached ? std::string() : attached.error().message()));
    REQUIRE(attached);
    session.emplace(std::move(*attached));
    for (const char* name : {"first", "second"}) {
      BlockOptions block;
      block.name = name;
      block.quota_bytes = 1U << 20U;
      block.permit = {"persist"};
      auto made = session->create(block);
      INFO((made ? std::string() : made.error().message()));
      REQUIRE(made);
      blocks.push_back(std::move(*made));
      REQUIRE(blocks.back().put("n", 0));
    }
  }
  ~Shop() { plane_->between = {}; }
  Shop(const Shop&) = delete;
  Shop& operator=(const Shop&) = delete;

  Result<SnapshotMade> snapshot(const std::string& name) {
    Result<SnapshotMade> made;
    running->director().call([&](Registry& registry) {
      made = registry.snapshot_scope(registry.scopes.root(), path(name));
    });
    return made;
  }
  [[nodiscard]] fs::path path(const std::string& name) const { return around.directory() / name; }
  [[nodiscard]] std::vector<std::uint64_t> pins() {
    std::vector<std::uint64_t> held;
    running->director().call([&](Registry& registry) {
      for (auto& [id, block] : registry.blocks.all()) {
        const auto& header =
            *reinterpret_cast<const layout::BlockHeader*>(block.segment->memory().data());
        for (const auto& pin : header.pins) {
          if (pin.load() != 0) held.push_back(pin.load());
        }
      }
    });
    return held;
  }
  // What the file says of `n` in each block.
  [[nodiscard]] std::vector<std::int64_t> numbers(const std::string& name) {
    auto file = snapshot::Reader::open(path(name).native()).value();
    const snapshot::KeyFile keys((around.runtime() / "state/keys").native());
    std::vector<std::int64_t> found;
    for (std::size_t i = 0; i < file.blocks().size(); ++i) {
      const auto key = keys.find(file.blocks()[i].description.key).value();
      REQUIRE(file.read(i, key, [&](const snapshot::FileEntry& entry) {
        std::int64_t number = 0;
        std::memcpy(&number, entry.value.data(), sizeof number);
        found.push_back(number);
        return Result<void>();
      }));
    }
    CHECK(file.damage().empty());
    return found;
  }

  Surroundings around;
  std::optional<test::RunningDirector> running;
  std::optional<Session> session;
  std::vector<Block> blocks;

 private:
  std::shared_ptr<Interrupted> plane_;
};

using Numbers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a snapshot of several blocks is taken again until nobody wrote in between") {
  const auto plane = std::make_shared<Interrupted>();
  Shop shop(plane);
  // First the one block, then the other: what is ahead in a snapshot cannot have been so.
  int calls = 0;
  const auto write_both = [&] {
    REQUIRE(shop.blocks[0].increment("n"));
    REQUIRE(shop.blocks[1].increment("n"));
  };
  plane->between = [&] {
    if (++calls == 1 || calls == 3)
      write_both();  // after the first block's, of the first two tries
  };
  const auto made = shop.snapshot("three tries");
  REQUIRE(made);
  CHECK(made->is_exact);
  CHECK(calls == 6);
  CHECK(shop.numbers("three tries") == Numbers{2, 2});
  // What is written when all are taken cannot be told from that: one more try.
  calls = 0;
  plane->between = [&] {
    if (++calls == 2) write_both();
  };
  CHECK(shop.snapshot("two tries")->is_exact);
  CHECK(calls == 4);
  CHECK(shop.numbers("two tries") == Numbers{3, 3});
  plane->between = {};
  CHECK(shop.pins().empty());
}

TEST_CASE("a snapshot says when it is of no one instant") {
  const auto plane = std::make_shared<Interrupted>();
  Shop shop(plane);
  plane->between = [&] {
    REQUIRE(shop.blocks[0].increment("n"));
    REQUIRE(shop.blocks[1].increment("n"));
  };
  const auto made = shop.snapshot("torn");
  REQUIRE(made);
  CHECK_FALSE(made->is_exact);
  const auto file = snapshot::Reader::open(shop.path("torn").native());
  REQUIRE(file);
  CHECK_FALSE(file->file()->is_exact);
  const auto numbers = shop.numbers("torn");
  CHECK(numbers[0] < numbers[1]);
  CHECK(shop.pins().empty());
}

TEST_CASE("an erased entry counts as a change between two checkpoints") {
  const auto plane = std::make_shared<Interrupted>();
  Shop shop(plane);
  int calls = 0;
  plane->between = [&] {
    if (++calls == 1) REQUIRE(shop.blocks[0].erase("n"));
  };
  REQUIRE(shop.snapshot("twice"));
  CHECK(calls == 4);
  CHECK(shop.numbers("twice") == Numbers{0});
}

TEST_CASE("what stands at a path is never written over, and a failure leaves nothing") {
  const auto plane = std::make_shared<Interrupted>();
  Shop shop(plane);
  std::ofstream(shop.path("there")) << "a letter";
  CHECK(shop.snapshot("there").error() == Errc::exists);
  CHECK(shop.snapshot("no/folder").error() == Errc::not_found);
  CHECK(fs::file_size(shop.path("there")) == 8);
  std::size_t files = 0;
  for (const auto& entry : fs::directory_iterator(shop.around.directory())) {
    files += entry.is_regular_file() ? 1U : 0U;
  }
  CHECK(files == 1);
  CHECK(fs::is_empty(shop.around.runtime() / "state/snapshots"));
  CHECK(shop.pins().empty());
}

TEST_CASE("what a director leaves that died while it wrote a snapshot is removed by the next") {
  const Surroundings around;
  const StateFolder state(around.directory() / "state");
  fs::create_directory(around.directory() / "far");
  REQUIRE(state.make());
  for (const fs::path& final : {state.snapshot("one"), around.directory() / "far" / "two.sbsnap"}) {
    const auto beside = state.begin(final);
    REQUIRE(beside);
    CHECK(beside->parent_path() == final.parent_path());
    std::ofstream(*beside) << "the half of it";
    StateFolder(around.directory() / "state").remove_unfinished();
    CHECK_FALSE(fs::exists(*beside));
    CHECK(fs::is_empty(state.snapshots()));
    CHECK(fs::is_empty(around.directory() / "far"));
  }
  // A record that was spoilt names nothing of ours.
  std::ofstream(around.directory() / "far" / "letter") << "mine";
  std::ofstream(state.snapshots() / ".unfinished")
      << (around.directory() / "far" / "letter").native();
  state.remove_unfinished();
  CHECK(fs::exists(around.directory() / "far" / "letter"));
  CHECK(fs::is_empty(state.snapshots()));
}

TEST_CASE("a director that died while it wiped a block leaves no key of it to the next") {
  const Surroundings around;
  RegistryOptions options;
  options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
  REQUIRE(options.paths.make(0700));
  const snapshot::KeyFile keys((options.paths.state() / "keys").native());
  REQUIRE(StateFolder(options.paths.state()).make());
  auto first = Registry::create(options).value();
  const auto self = platform::ProcessIdentity::self().value();
  first->control.take_over(around.director(), platform::pid_namespace().value());
  REQUIRE(first->scopes.add_suite("root"));
  BlockRequest request;
  request.policy.name = "cart";
  request.policy.owner = first->scopes.root().id;
  request.quota_bytes = 1U << 20U;
  const auto block = first->create_block(request).value();
  REQUIRE(first->attach(first->scopes.root().id, self, {}));
  const auto key = keys.of({first->instance, block}).value();
  first->blocks.change_state(*first->blocks.find(block), sessionblocks::BlockState::wiped);
  for (const auto& [id, worker] : first->workers.all()) first->options.audit->worker_removed(id);
  first.reset();
  CHECK(keys.find(key.id));
  auto second = adopt_or_create(options, nullptr);
  REQUIRE(second);
  REQUIRE(second->goes_on);
  CHECK(keys.find(key.id).error() == Errc::wiped);
  second->registry->remove_all();
}

TEST_CASE("at its end a block is kept as its options say") {
  Shop shop(std::make_shared<Interrupted>());
  const std::string at_end = GENERATE("snapshot", "elevate");
  BlockOptions options;
  options.name = "kept";
  options.at_end = at_end;
  options.permit = {"persist", "elevate"};
  Block kept = shop.session->create(options).value();
  REQUIRE(kept.put("n", 7));
  shop.running->director().call([&](Registry& registry) {
    registry.end_of_life(registry.blocks.named("kept").front()->id, "the test");
    CHECK(registry.blocks.named("kept").empty());
  });
  CHECK(kept.get<std::int64_t>("n").error() == Errc::gone);
  std::string file;
  if (at_end == "snapshot") {
    for (const auto& entry : fs::directory_iterator(shop.around.runtime() / "state/snapshots")) {
      if (entry.path().filename().string().starts_with("kept-")) file = entry.path().stem();
    }
    REQUIRE(!file.empty());
  }
  const auto again = at_end == "snapshot" ? shop.session->restore(file, "again")
                                          : shop.session->load("kept", "again");
  INFO((again ? std::string() : again.error().message()));
  REQUIRE(again);
  CHECK(again->get<std::int64_t>("n")->value == 7);
}

}  // namespace sessionblocks::director
