// Checkpoints as the director keeps them: names, limits, and what a successor finds.
#include "director/adoption.hpp"
#include "layout/block.hpp"
#include "raw_client.hpp"

namespace sessionblocks::director {
namespace {

using test::Surroundings;

constexpr std::uint64_t kQuota = std::uint64_t{4} << 20U;

// A director without an event loop. It dies with all that it has open, and leaves the names.
class Dying {
 public:
  explicit Dying(const Surroundings& around) {
    RegistryOptions options;
    options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
    auto adopted = adopt_or_create(std::move(options), nullptr);
    REQUIRE(adopted);
    registry = std::move(adopted->registry);
    goes_on = adopted->goes_on;
    const auto self = platform::ProcessIdentity::self().value();
    const auto other = around.director();
    registry->control.take_over(other, platform::pid_namespace().value());
    if (!goes_on) {
      REQUIRE(registry->scopes.add_suite("root"));
      BlockRequest request;
      request.policy.name = "cart";
      request.policy.owner = registry->scopes.root().id;
      request.quota_bytes = kQuota;
      REQUIRE(registry->create_block(request));
      REQUIRE(registry->attach(registry->scopes.root().id, self, {}));
    }
    REQUIRE(registry->attach_director(other));
    if (goes_on) registry->adopt_checkpoints();
  }

  ~Dying() {  // its drainer ends before the memory that it reads
    for (const auto& [id, worker] : registry->workers.all()) {
      registry->options.audit->worker_removed(id);
    }
  }
  Dying(const Dying&) = delete;
  Dying& operator=(const Dying&) = delete;

  [[nodiscard]] StoredBlock& cart() { return *registry->blocks.named("cart").front(); }
  [[nodiscard]] std::vector<std::uint64_t> pins() {
    auto& header = *reinterpret_cast<layout::BlockHeader*>(cart().segment->memory().data());
    std::vector<std::uint64_t> found;
    for (const auto& pin : header.pins) {
      if (pin.load() != 0) found.push_back(pin.load());
    }
    CHECK(header.pin_count.load() == found.size());
    return found;
  }
  [[nodiscard]] std::vector<std::string> names() {
    std::vector<std::string> found;
    for (const Checkpoint& checkpoint : cart().checkpoints) found.push_back(checkpoint.name);
    return found;
  }

  std::unique_ptr<Registry> registry;
  bool goes_on = false;
};

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("a checkpoint has a name of its own and pins an instant until it is released") {
  const Surroundings around;
  Dying director(around);
  const auto first = director.registry->take_checkpoint(director.cart(), "before-sale");
  REQUIRE(first);
  const auto second = director.registry->take_checkpoint(director.cart(), "after-sale");
  REQUIRE(second);
  CHECK(first->instant < second->instant);
  CHECK(director.pins() == std::vector{first->instant, second->instant});
  CHECK(director.names() == Names{"before-sale", "after-sale"});
  const auto again = director.registry->take_checkpoint(director.cart(), "after-sale");
  REQUIRE(!again);
  CHECK(again.error() == Errc::exists);
  for (const char* name : {"", "two words", "a/b", "\xFF"}) {
    const auto taken = director.registry->take_checkpoint(director.cart(), name);
    REQUIRE(!taken);
    CHECK(taken.error() == Errc::invalid_argument);
  }
  REQUIRE(director.registry->release_checkpoint(director.cart(), "before-sale"));
  CHECK(director.pins() == std::vector{second->instant});
  const auto gone = director.registry->release_checkpoint(director.cart(), "before-sale");
  REQUIRE(!gone);
  CHECK(gone.error() == Errc::no_such_checkpoint);
  director.registry->remove_all();
}

TEST_CASE("one checkpoint more than a block has pins is refused and changes nothing") {
  const Surroundings around;
  Dying director(around);
  for (std::size_t i = 0; i < layout::kMaxPins; ++i) {
    REQUIRE(director.registry->take_checkpoint(director.cart(), "c" + std::to_string(i)));
  }
  const auto pins = director.pins();
  const auto refused = director.registry->take_checkpoint(director.cart(), "one-more");
  REQUIRE(!refused);
  CHECK(refused.error() == Errc::too_many);
  CHECK(director.pins() == pins);
  REQUIRE(director.registry->release_checkpoint(director.cart(), "c7"));
  CHECK(director.registry->take_checkpoint(director.cart(), "one-more"));
  director.registry->remove_all();
}

TEST_CASE("a successor keeps the checkpoints that have names and releases all other pins") {
  const Surroundings around;
  std::uint64_t kept = 0;
  {
    Dying director(around);
    kept = director.registry->take_checkpoint(director.cart(), "kept")->instant;
    REQUIRE(director.registry->take_checkpoint(director.cart(), "released"));
    // Dead after the pin and before the row; after the row's end and before the pin's; within
    // taking, with the count not yet raised.
    REQUIRE(director.registry->options.data_plane->take_checkpoint(
        director.cart().memory(), director.registry->workers.all().rbegin()->second.memory(), {}));
    director.registry->control.withdraw_checkpoint(director.cart().checkpoints.back().row);
    auto& header =
        *reinterpret_cast<layout::BlockHeader*>(director.cart().segment->memory().data());
    header.pins[layout::kMaxPins - 1].store(layout::kPinTaking);
  }
  Dying successor(around);
  REQUIRE(successor.goes_on);
  CHECK(successor.names() == Names{"kept"});
  CHECK(successor.pins() == std::vector{kept});
  REQUIRE(successor.registry->release_checkpoint(successor.cart(), "kept"));
  CHECK(successor.pins().empty());
  successor.registry->remove_all();
}

TEST_CASE("the checkpoints of a block end with it") {
  const Surroundings around;
  Dying director(around);
  REQUIRE(director.registry->take_checkpoint(director.cart(), "kept"));
  const std::uint32_t row = director.cart().checkpoints.front().row;
  director.registry->destroy_block(director.cart().id, "the test");
  CHECK(director.registry->control.checkpoint(row).block.load() == 0);
  director.registry->remove_all();
}

}  // namespace sessionblocks::director
