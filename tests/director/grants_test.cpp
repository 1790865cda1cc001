#include "director/grants.hpp"

#include <catch2/catch.hpp>
#include <memory>

namespace sessionblocks::director {
namespace {

using Kind = sessionblocks::ScopeKind;
using sessionblocks::BlockKind;
using sessionblocks::Rights;

// shop / checkout (#1, #2) / mail, and shop / report.
struct Shop {
  Shop() {
    root = *scopes.add_suite("shop");
    checkout = *scopes.add(Kind::script, root, "checkout");
    first = *scopes.add(Kind::worker, checkout, "checkout", 1);
    second = *scopes.add(Kind::worker, checkout, "checkout", 2);
    mail = *scopes.add(Kind::script, checkout, "mail");
    report = *scopes.add(Kind::script, root, "report");
  }
  std::unique_ptr<layout::ControlSegment> memory = std::make_unique<layout::ControlSegment>();
  ControlDirectory control{std::as_writable_bytes(std::span(memory.get(), 1))};
  ScopeTree scopes{control};
  ScopeId root{}, checkout{}, first{}, second{}, mail{}, report{};
};

BlockPolicy block(BlockKind kind, ScopeId owner, ScriptRights grants = {}) {
  return {"block", kind, owner, std::move(grants)};
}

TEST_CASE("paths name the place of a scope") {
  const Shop shop;
  CHECK(shop.scopes.find(shop.second)->path == "shop/checkout#2");
  CHECK(shop.scopes.find(shop.mail)->path == "shop/checkout/mail");
  CHECK(shop.scopes.find("shop/checkout#1")->id == shop.first);
}

TEST_CASE("a private block is its owner's and its worker slots', nobody else's") {
  const Shop shop;
  const auto of_script = block(BlockKind::private_, shop.checkout);
  CHECK(rights_on(of_script, shop.checkout, shop.scopes) == Rights::read_write);
  CHECK(rights_on(of_script, shop.first, shop.scopes) == Rights::read_write);
  CHECK(rights_on(of_script, shop.mail, shop.scopes) == Rights::none);
  CHECK(rights_on(of_script, shop.report, shop.scopes) == Rights::none);
  CHECK(rights_on(of_script, shop.root, shop.scopes) == Rights::none);
  const auto of_slot = block(BlockKind::private_, shop.first);
  CHECK(rights_on(of_slot, shop.first, shop.scopes) == Rights::read_write);
  CHECK(rights_on(of_slot, shop.second, shop.scopes) == Rights::none);
  CHECK(rights_on(of_slot, shop.checkout, shop.scopes) == Rights::none);
}

TEST_CASE("grants on a private block open it to nobody") {
  const Shop shop;
  const auto odd = block(BlockKind::private_, shop.first, {{"report", Rights::read_write}});
  CHECK(rights_on(odd, shop.report, shop.scopes) == Rights::none);
}

TEST_CASE("a shared block is open to whom the grants name") {
  const Shop shop;
  const auto shared = block(BlockKind::shared, shop.root,
                            {{"checkout", Rights::read_write}, {"report", Rights::read}});
  CHECK(rights_on(shared, shop.second, shop.scopes) == Rights::read_write);
  CHECK(rights_on(shared, shop.report, shop.scopes) == Rights::read);
  CHECK(rights_on(shared, shop.mail, shop.scopes) == Rights::none);
}

TEST_CASE("inheriting narrows rights and never widens them") {
  const Shop shop;
  const auto origin = block(BlockKind::shared, shop.root, {{"checkout", Rights::read}});
  const auto passed = block(BlockKind::inherited, shop.root,
                            {{"mail", Rights::read_write}, {"checkout", Rights::read_write}});
  CHECK(inherited_rights(passed, origin, shop.mail, shop.scopes) == Rights::read);
  CHECK(inherited_rights(passed, origin, shop.first, shop.scopes) == Rights::read);
  CHECK(inherited_rights(passed, origin, shop.report, shop.scopes) == Rights::none);
  const auto narrow = block(BlockKind::inherited, shop.root, {{"report", Rights::read}});
  const auto whole = block(BlockKind::private_, shop.root);
  CHECK(inherited_rights(narrow, whole, shop.report, shop.scopes) == Rights::read);
}

TEST_CASE("a block of one script is not passed down to another") {
  const Shop shop;
  const auto origin = block(BlockKind::private_, shop.checkout);
  const auto passed =
      block(BlockKind::inherited, shop.root, {{"mail", Rights::read}, {"report", Rights::read}});
  CHECK(inherited_rights(passed, origin, shop.mail, shop.scopes) == Rights::read);
  CHECK(inherited_rights(passed, origin, shop.report, shop.scopes) == Rights::none);
}

TEST_CASE("ids are not given twice, also after rows were withdrawn") {
  Shop shop;
  const auto before = *shop.control.next_scope_id();
  shop.scopes.remove(shop.report);
  const auto again = shop.scopes.add(Kind::script, shop.root, "report");
  REQUIRE(again);
  CHECK(raw(*again) == raw(before) + 1);
}

TEST_CASE("rows that are used up are an error, and a withdrawn one is used again") {
  const auto memory = std::make_unique<layout::ControlSegment>();
  ControlDirectory control(std::as_writable_bytes(std::span(memory.get(), 1)));
  std::uint32_t row = 0;
  for (std::uint32_t id = 1; id <= layout::kWorkerRows; ++id) {
    const auto published = control.publish(WorkerRowFields{.id = static_cast<WorkerId>(id)});
    REQUIRE(published);
    row = *published;
  }
  const auto full = control.publish(WorkerRowFields{.id = static_cast<WorkerId>(9'999)});
  REQUIRE_FALSE(full);
  CHECK(full.error() == Errc::too_many);
  control.withdraw_worker(row);
  CHECK(control.publish(WorkerRowFields{.id = static_cast<WorkerId>(9'999)}) == row);
}

}  // namespace
}  // namespace sessionblocks::director
