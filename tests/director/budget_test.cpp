// Memory budgets: what is counted, against which of them, and what a refusal says and leaves.
#include "director/declared_blocks.hpp"
#include "reference_shop.hpp"

namespace sessionblocks::director::test {
namespace {

using Kind = sessionblocks::BlockKind;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kShopBytes = 8 * kMiB;  // cart and kept, both of the suite

RegistryOptions with(std::optional<std::uint64_t> budget_bytes,
                     std::optional<Budgets> budgets = {}) {
  RegistryOptions options;
  options.budget_bytes = budget_bytes;
  options.budgets = std::move(budgets);
  return options;
}

class Budgeted {
 public:
  void start(RegistryOptions options) {
    shop.reset();
    shop.emplace(around, std::move(options));
  }
  [[nodiscard]] Registry& registry() { return *shop->registry; }
  [[nodiscard]] BlockRequest request(std::string_view owner, std::uint64_t quota_bytes) {
    BlockRequest made;
    made.policy.name = "made-" + std::to_string(++count);
    made.policy.owner = shop->scope(owner);
    made.quota_bytes = quota_bytes;
    return made;
  }
  Result<BlockId> make(std::string_view owner, std::uint64_t quota_bytes) {
    return registry().create_block(request(owner, quota_bytes));
  }
  // What the refusal says; nothing is there that was not.
  template <typename Attempt>
  std::string refused(Attempt attempt) {
    const auto names = around.segments();
    const auto blocks = registry().blocks.all().size();
    const Result<BlockId> made = attempt();
    REQUIRE_FALSE(made);
    CHECK(made.error() == Errc::out_of_memory);
    CHECK(around.segments() == names);
    CHECK(registry().blocks.all().size() == blocks);
    CHECK(shop->block("cart").checkpoints.empty());
    return made.error().context();
  }
  std::string refused(std::string_view owner, std::uint64_t quota_bytes) {
    return refused([&] { return make(owner, quota_bytes); });
  }

  Surroundings around;
  std::optional<Shop> shop;
  int count = 0;
};

bool says(const std::string& refusal, std::string_view what) {
  return refusal.find(what) != std::string::npos;
}

}  // namespace

TEST_CASE_METHOD(Budgeted, "each budget is filled to its last byte, and not beyond") {
  const auto with_room = [](std::uint64_t room) {
    return std::vector<RegistryOptions>{with(kShopBytes + room),
                                        with({}, Budgets{{"shop", kShopBytes + room}}),
                                        with({}, Budgets{{"shop/mail", room}})};
  };
  for (std::size_t which = 0; which < 3; ++which) {
    CAPTURE(which);
    start(with_room(2 * kMiB)[which]);
    refused("shop/mail", 2 * kMiB + 1);
    REQUIRE(make("shop/mail", 2 * kMiB));
    refused("shop/mail", kMiB);
    registry().remove_all();
    start(with_room(2 * kMiB - 1)[which]);
    refused("shop/mail", 2 * kMiB);
    registry().remove_all();
  }
}

TEST_CASE_METHOD(Budgeted, "a budget covers the scopes below, and each on the way up is asked") {
  start(with(kShopBytes + 5 * kMiB, Budgets{{"shop", kShopBytes + 4 * kMiB},
                                            {"shop/report", 3 * kMiB},
                                            {"shop/report/child", 2 * kMiB}}));
  REQUIRE(make("shop/report/child", 2 * kMiB));
  CHECK(says(refused("shop/report/child", kMiB), "scope shop/report/child has a memory budget"));
  REQUIRE(make("shop/report#1", kMiB));
  CHECK(says(refused("shop/report#1", kMiB), "scope shop/report has a memory budget"));
  REQUIRE(make("shop/mail", kMiB));
  CHECK(says(refused("shop/mail", kMiB), "scope shop has a memory budget"));
  registry().remove_all();
  start(with(kShopBytes + kMiB, Budgets{{"shop", kShopBytes + 2 * kMiB}}));
  REQUIRE(make("shop/mail", kMiB));
  CHECK(says(refused("shop/mail", kMiB), "the system has a memory budget"));
  registry().remove_all();
}

TEST_CASE_METHOD(Budgeted, "a refusal names the budget, the largest holders, and what to do") {
  start(with(kShopBytes + 4 * kMiB, Budgets{{"shop/report", 2 * kMiB}}));
  REQUIRE(make("shop/report#1", kMiB));
  CHECK(refused("shop/report", 2 * kMiB) ==
        "create block made-2 with a quota of 2MiB: scope shop/report has a memory budget of 2MiB, "
        "of which 1MiB are promised (shop/report#1 1MiB); destroy a block, ask for less, or raise "
        "memory in [script.report] of the suite file");
  REQUIRE(make("shop/mail", 2 * kMiB));
  CHECK(refused("shop/checkout", 2 * kMiB) ==
        "create block made-4 with a quota of 2MiB: the system has a memory budget of 12MiB, of "
        "which 11MiB are promised (shop 8MiB, shop/mail 2MiB, shop/report#1 1MiB); destroy a "
        "block, ask for less, or start the director with a larger --memory");
  registry().remove_all();
}

TEST_CASE_METHOD(Budgeted, "a block that has ended gives its quota back, alone or with its scope") {
  start(with(kShopBytes + kMiB, Budgets{{"shop/mail", kMiB}}));
  const auto first = make("shop/mail", kMiB);
  REQUIRE(first);
  refused("shop/mail", kMiB);
  registry().destroy_block(*first, "the test");
  REQUIRE(make("shop/mail", kMiB));
  refused("shop/checkout", kMiB);
  registry().end_scope(shop->scope("shop/mail"), "the test");
  CHECK(make("shop/checkout", kMiB));
  registry().remove_all();
}

TEST_CASE_METHOD(Budgeted, "forks and blocks that begin with entries count as others do") {
  const EntrySource nothing = [](const TakeEntry&) { return Result<void>(); };
  const auto fork = [this] {
    BlockRequest made = request("shop/mail", 4 * kMiB);
    made.policy.kind = Kind::forked;
    made.from = "cart";
    return registry().forks.fork(shop->block("cart").id, made);
  };
  const auto fill = [&] {
    return registry().create_filled(request("shop/mail", 4 * kMiB), nothing);
  };
  start(with(kShopBytes + 4 * kMiB - 1));
  refused(fork);
  refused(fill);
  registry().remove_all();
  start(with(kShopBytes + 4 * kMiB));
  const auto made = fork();
  REQUIRE(made);
  registry().destroy_block(*made, "the test");
  refused("shop/mail", 4 * kMiB + 1);
  CHECK(fill());
  registry().remove_all();
}

TEST_CASE_METHOD(Budgeted, "inherited blocks and next generations are not counted") {
  start(with(kShopBytes));
  BlockRequest passed = request("shop", 64 * kMiB);
  passed.policy.kind = Kind::inherited;
  passed.from = "cart";
  CHECK(registry().create_block(passed));
  StoredBlock& cart = shop->block("cart");
  REQUIRE(registry().take_checkpoint(cart, "before"));
  REQUIRE(registry().generations.roll_back(cart, "before", "the test"));
  CHECK(cart.generation == Generation{2});
  CHECK(code(make("shop", kMiB)) == Errc::out_of_memory);
  registry().remove_all();
}

TEST_CASE_METHOD(Budgeted, "a block goes to its heir whatever budget that has, and counts there") {
  start(with({}, Budgets{{"shop/checkout", kMiB}}));
  BlockRequest heirloom = request("shop/mail", 2 * kMiB);
  heirloom.ending.at_end = sessionblocks::AtEnd::heir;
  heirloom.ending.heir = shop->scope("shop/checkout");
  heirloom.ending.heir_path = "shop/checkout";
  const auto made = registry().create_block(heirloom);
  REQUIRE(made);
  registry().end_scope(shop->scope("shop/mail"), "the test");
  REQUIRE(registry().blocks.find(*made) != nullptr);
  CHECK(registry().blocks.find(*made)->policy.owner == shop->scope("shop/checkout"));
  CHECK(says(refused("shop/checkout", kMiB), "of which 2MiB are promised"));
  registry().destroy_block(*made, "the test");
  CHECK(make("shop/checkout", kMiB));
  registry().remove_all();
}

TEST_CASE_METHOD(Budgeted, "a director that adopts keeps the budgets unless it is given others") {
  start(with(kShopBytes + 2 * kMiB, Budgets{{"shop/mail", kMiB}}));
  static_cast<void>(shop->worker("shop/checkout"));
  REQUIRE(make("shop/mail", kMiB));
  start({});
  CHECK(says(refused("shop/mail", kMiB), "scope shop/mail has a memory budget of 1MiB"));
  CHECK(says(refused("shop/checkout", 2 * kMiB), "the system has a memory budget of 10MiB"));
  start(with(kShopBytes + 3 * kMiB, Budgets{{"shop/checkout", kMiB}}));
  REQUIRE(make("shop/mail", kMiB));
  CHECK(says(refused("shop/checkout", kMiB + 1), "scope shop/checkout has a memory budget"));
  CHECK(says(refused("shop/mail", 2 * kMiB), "the system has a memory budget of 11MiB"));
  start(with(0));
  CHECK(make("shop/mail", 4 * kMiB));
  CHECK(says(refused("shop/checkout", kMiB + 1), "scope shop/checkout has a memory budget"));
  registry().remove_all();
}

TEST_CASE("the budgets of a suite are those of its scopes' paths") {
  Suite suite;
  suite.name = "shop";
  suite.scripts.resize(3);
  suite.scripts[0].name = "report";
  suite.scripts[1].name = "mail";
  suite.scripts[1].parent = "report";
  suite.scripts[1].memory_bytes = kMiB;
  CHECK(budgets_of(suite) == Budgets{{"shop/report/mail", kMiB}});
  suite.memory_bytes = 2 * kMiB;
  CHECK(budgets_of(suite) == Budgets{{"shop", 2 * kMiB}, {"shop/report/mail", kMiB}});
}

}  // namespace sessionblocks::director::test
