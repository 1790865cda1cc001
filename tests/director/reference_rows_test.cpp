// What is remembered of references, by the same director and the next.
#include "reference_shop.hpp"

namespace sessionblocks::director::test {

TEST_CASE("the next director knows what was used, and honours what was not") {
  const Surroundings around;
  std::string used;
  std::string unused;
  std::string lasting;
  {
    Shop shop(around);
    Worker& checkout = shop.worker("shop/checkout");
    used = shop.share(checkout, {Granted::read, "shop/report", 0, true}).value();
    unused = shop.share(checkout, {Granted::read, "shop/report", 0, true}).value();
    lasting = shop.share(checkout, {Granted::read_write, "*", 0, false}).value();
    REQUIRE(shop.registry->redeem(shop.worker("shop/report"), used, shop.key));
  }
  Shop next(around);
  Worker& report = next.worker("shop/report");
  CHECK(code(next.registry->redeem(report, used, next.key)) == Errc::reference_used);
  CHECK(next.registry->redeem(report, unused, next.key));
  CHECK(code(next.registry->redeem(report, unused, next.key)) == Errc::reference_used);
  CHECK(next.registry->redeem(report, lasting, next.key));
  next.registry->remove_all();
}

TEST_CASE("a redeemed open keeps its rights under the next director, and no other open has them") {
  const Surroundings around;
  WorkerId id{};
  unsigned redeemed = 0;
  unsigned closed = 0;
  unsigned by_name = 0;
  {
    Shop shop(around);
    Worker& mail = shop.worker("shop/mail");
    id = mail.id;
    Reference reference = shop.reference();
    reference.rights = Granted::read_write;
    redeemed = shop.redeem(mail, reference)->open;
    closed = shop.redeem(mail, reference)->open;
    by_name = shop.open(mail);
    shop.registry->close(mail, closed);
    // What its own segment says is worth nothing: a worker can write there.
    mail.header()->opens[closed].store(mail.header()->opens[redeemed].load());
  }
  Shop next(around);
  Worker* const mail = next.registry->workers.find(id);
  REQUIRE(mail != nullptr);
  CHECK(mail->open_at(redeemed)->rights == Granted::read_write);
  CHECK(mail->open_at(by_name)->rights == Granted::read);
  CHECK(mail->open_at(closed)->rights == Granted::read);
  const auto holders =
      next.registry->workers.holders(next.block("cart").id, next.block("cart").generation);
  REQUIRE(holders.size() == 1);
  CHECK(holders.front().open == redeemed);
  next.registry->remove_all();
}

TEST_CASE("the row of a redeemed open ends when it is closed, and when its worker ends") {
  const Surroundings around;
  Shop shop(around);
  const auto rows = [&] {
    std::size_t used = 0;
    for (std::uint32_t row = 0; row < layout::kRedeemedRows; ++row) {
      used += shop.registry->control.redeemed(row).worker.load() != 0 ? 1U : 0U;
    }
    return used;
  };
  Worker& report = shop.worker("shop/report");
  Worker& other = shop.worker("shop/report");
  const unsigned open = shop.redeem(report, shop.reference())->open;
  REQUIRE(shop.redeem(report, shop.reference()));
  REQUIRE(shop.redeem(report, shop.reference()));
  REQUIRE(shop.redeem(other, shop.reference()));
  CHECK(rows() == 4);
  shop.registry->close(report, open);
  CHECK(rows() == 3);
  shop.registry->end_worker(report.id, "the test");
  CHECK(rows() == 1);
  shop.registry->remove_all();
}

TEST_CASE("when no more used references can be remembered nothing is redeemed or used up") {
  const Surroundings around;
  Shop shop(around);
  Worker& report = shop.worker("shop/report");
  const auto never = [](const auto&) { return false; };
  Reference brief = shop.reference();
  brief.ends_at_ms = now_ms();
  REQUIRE(shop.registry->references.mark_used(brief, never));
  std::uint64_t last = 0;
  while (true) {
    const Reference lasting = shop.reference();
    if (!shop.registry->references.mark_used(lasting, never)) break;
    last = lasting.nonce;
  }
  CHECK(last == brief.nonce + layout::kUsedReferenceRows - 1);
  Reference once = shop.reference();
  once.is_single_use = true;
  CHECK(shop.redeem(report, once));  // instead of the one whose time had passed
  Reference refused = shop.reference();
  refused.is_single_use = true;
  CHECK(code(shop.redeem(report, refused)) == Errc::too_many);
  CHECK(report.opens.size() == 1);
  CHECK(shop.redeem(report, shop.reference()));  // one that needs no mark
  shop.registry->references.unmark(last);
  CHECK(shop.redeem(report, refused));
  CHECK(code(shop.redeem(report, once)) == Errc::reference_used);
  shop.registry->remove_all();
}

TEST_CASE("marks of used references make room when their block or their issuer has ended") {
  const Surroundings around;
  Shop shop(around);
  Worker& report = shop.worker("shop/report");
  const auto never = [](const auto&) { return false; };
  Reference of_kept = shop.reference();
  of_kept.block = shop.block("kept").id;
  REQUIRE(shop.registry->references.mark_used(of_kept, never));
  Reference of_mail = shop.reference();
  of_mail.issuer = shop.scope("shop/mail");
  REQUIRE(shop.registry->references.mark_used(of_mail, never));
  while (shop.registry->references.mark_used(shop.reference(), never)) continue;
  const auto redeem_once = [&] {
    Reference once = shop.reference();
    once.is_single_use = true;
    return code(shop.redeem(report, once));
  };
  CHECK(redeem_once() == Errc::too_many);
  shop.registry->destroy_block(of_kept.block, "the test");
  CHECK(redeem_once() == Errc{});
  CHECK(redeem_once() == Errc::too_many);
  shop.registry->end_scope(of_mail.issuer, "the test");
  CHECK(redeem_once() == Errc{});
  CHECK(redeem_once() == Errc::too_many);
  shop.registry->remove_all();
}

TEST_CASE("a redeem that finds no room for its open uses nothing up") {
  const Surroundings around;
  Shop shop(around);
  Worker& report = shop.worker("shop/report");
  Reference once = shop.reference();
  once.is_single_use = true;
  const OpenedBlock opened{once.block, once.generation, Granted::read, false};
  for (unsigned row = 0; row < layout::kRedeemedRows; ++row) {
    REQUIRE(shop.registry->references.keep(WorkerId{900'000 + row}, 1, opened,
                                           shop.scope("shop/checkout")));
  }
  CHECK(code(shop.redeem(report, once)) == Errc::too_many);
  CHECK(report.opens.empty());
  CHECK(report.free_opens.size() == layout::kOpens);
  shop.registry->references.forget_worker(WorkerId{900'000});
  CHECK(shop.redeem(report, once));
  shop.registry->remove_all();
}

TEST_CASE("what a block permits is known to the next director") {
  const Surroundings around;
  {
    Shop shop(around);
    CHECK(shop.block("cart").permits == 15);
    static_cast<void>(shop.worker("shop/checkout"));
  }
  Shop next(around);
  CHECK(next.block("cart").permits == 15);
  CHECK(next.block("kept").permits == 14);
  next.registry->remove_all();
}

}  // namespace sessionblocks::director::test
