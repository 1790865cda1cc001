// References as the director makes and judges them.
#include "reference_shop.hpp"

namespace sessionblocks::director::test {

TEST_CASE("a reference says what went into it, and with any bit changed it says nothing") {
  const Surroundings around;
  Shop shop(around);
  Reference reference = shop.reference();
  reference.audience = shop.scope("shop/report");
  reference.is_single_use = true;
  const std::string text = shop.key.text_of(reference);
  REQUIRE(shop.key.read(text));
  CHECK(*shop.key.read(text) == reference);
  const std::string safe = "-_.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  CHECK(text.find_first_not_of(safe) == std::string::npos);
  Worker& worker = shop.worker("shop/report");
  for (std::size_t bit = 0; bit < text.size() * 8; ++bit) {
    std::string forged = text;
    forged[bit / 8] = static_cast<char>(forged[bit / 8] ^ (1 << (bit % 8)));
    INFO("bit " << bit);
    CHECK(code(shop.registry->redeem(worker, forged, shop.key)) == Errc::reference_forged);
  }
  unsigned taken = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (unsigned byte = 0; byte < 256; ++byte) {
      std::string forged = text;
      forged[at] = static_cast<char>(byte);
      if (forged != text && shop.key.read(forged)) ++taken;
    }
  }
  CHECK(taken == 0);
  for (const std::string& forged :
       {std::string(), std::string("sbref1."), text.substr(0, text.size() - 1), text + "A",
        text + "AAAA", text + "=", " " + text, text.substr(7), std::string(5'000, 'A')}) {
    CHECK(code(shop.key.read(forged)) == Errc::reference_forged);
  }
  CHECK(worker.opens.empty());
  CHECK(shop.registry->redeem(worker, text, shop.key));
  shop.registry->remove_all();
}

TEST_CASE("a reference counts only in the system, and under the key, that made it") {
  const Surroundings around;
  Shop shop(around);
  const Surroundings elsewhere;
  Shop other(elsewhere);
  const std::string text = shop.key.text_of(shop.reference());
  CHECK(code(other.key.read(text)) == Errc::reference_forged);
  const auto new_key = OperatorKey::load_or_create(around.directory() / "other.key").value();
  const ReferenceKey renewed(new_key, shop.registry->instance);
  CHECK(code(renewed.read(text)) == Errc::reference_forged);
  other.registry->remove_all();
  shop.registry->remove_all();
}

TEST_CASE("what is shared opens for its audience, with the rights that were shared") {
  const Surroundings around;
  Shop shop(around);
  Worker& checkout = shop.worker("shop/checkout");
  Worker& report = shop.worker("shop/report");
  CHECK(code(shop.registry->open(report, report.scope, "cart", OpenMode::read)) == Errc::denied);
  for (const Granted rights : {Granted::read, Granted::read_write}) {
    const auto token = shop.share(checkout, {rights, "shop/report", 0, false});
    REQUIRE(token);
    for (int times = 0; times < 2; ++times) {
      const auto opening = shop.registry->redeem(report, *token, shop.key);
      REQUIRE(opening);
      CHECK(opening->rights == rights);
      CHECK(opening->block == shop.block("cart").id);
      CHECK(opening->descriptor);
      CHECK(report.open_at(opening->open)->rights == rights);
      CHECK(shop.heard->opened.back() == opening->block);
    }
    CHECK_FALSE(shop.heard->mention(*token));
    CHECK_FALSE(shop.heard->mention(token->substr(40)));
    CHECK(shop.heard->mention(reference_name(*shop.key.read(*token))));
  }
  shop.registry->remove_all();
}

TEST_CASE("the audience is a scope with its worker slots, and not the scripts below it") {
  const Surroundings around;
  Shop shop(around);
  Worker& checkout = shop.worker("shop/checkout");
  const auto token = shop.share(checkout, {Granted::read, "shop/report", 0, false});
  const auto for_all = shop.share(checkout, {Granted::read, "*", 0, false});
  REQUIRE((token && for_all));
  const auto redeem = [&](std::string_view path, const std::string& text) {
    return code(shop.registry->redeem(shop.worker(path), text, shop.key));
  };
  CHECK(redeem("shop/report", *token) == Errc{});
  CHECK(redeem("shop/report#1", *token) == Errc{});
  CHECK(redeem("shop/report/child", *token) == Errc::reference_wrong_audience);
  CHECK(redeem("shop/mail", *token) == Errc::reference_wrong_audience);
  CHECK(redeem("shop", *token) == Errc::reference_wrong_audience);
  for (const char* path : {"shop", "shop/mail", "shop/report/child", "shop/report#1"}) {
    CHECK(redeem(path, *for_all) == Errc{});
  }
  shop.registry->remove_all();
}

TEST_CASE("each reason not to redeem has an error of its own, in the log and among the events") {
  const Surroundings around;
  Shop shop(around);
  Worker& report = shop.worker("shop/report");
  const auto refuses = [&](const Reference& reference, Errc expected) {
    shop.heard->notes.clear();
    shop.heard->events.clear();
    const std::size_t open = report.opens.size();
    CHECK(code(shop.redeem(report, reference)) == expected);
    CHECK(report.opens.size() == open);
    const auto name = std::string(errc_name(expected));
    REQUIRE(shop.heard->notes.size() == 1);
    CHECK(shop.heard->notes.front().find(name) != std::string::npos);
    REQUIRE(shop.heard->events.size() == 1);
    CHECK(shop.heard->events.front().find(name) != std::string::npos);
    CHECK_FALSE(shop.heard->mention(shop.key.text_of(reference).substr(0, 30)));
  };
  Reference expired = shop.reference();
  expired.ends_at_ms = now_ms();
  refuses(expired, Errc::reference_expired);
  Reference elsewhere = shop.reference();
  elsewhere.audience = shop.scope("shop/mail");
  refuses(elsewhere, Errc::reference_wrong_audience);
  Reference no_block = shop.reference();
  no_block.block = BlockId{4'711};
  refuses(no_block, Errc::gone);
  Reference other_generation = shop.reference();
  other_generation.generation = Generation{2};
  CHECK(shop.redeem(report, other_generation));  // it is of the block, however often that moved
  Reference too_much = shop.reference();
  too_much.issuer = shop.scope("shop/mail");
  too_much.rights = Granted::read_write;
  refuses(too_much, Errc::reference_revoked);
  Reference of_nobody = shop.reference();
  of_nobody.issuer = ScopeId{4'711};
  refuses(of_nobody, Errc::reference_revoked);
  Reference once = shop.reference();
  once.is_single_use = true;
  REQUIRE(shop.redeem(report, once));
  refuses(once, Errc::reference_used);
  const Reference good = shop.reference();
  shop.registry->quarantine_block(good.block, "the test");
  refuses(good, Errc::quarantined);
  shop.registry->destroy_block(good.block, "the test");
  refuses(good, Errc::gone);
  shop.registry->remove_all();
}

TEST_CASE("a reference ends with the scope that handed it out, what was redeemed does not") {
  const Surroundings around;
  Shop shop(around);
  Worker& checkout = shop.worker("shop/checkout");
  Worker& report = shop.worker("shop/report");
  const auto token = shop.share(checkout, {Granted::read, "*", 0, false});
  REQUIRE(token);
  const auto opening = shop.registry->redeem(report, *token, shop.key);
  REQUIRE(opening);
  shop.registry->end_worker(checkout.id, "the test");
  CHECK(shop.registry->redeem(report, *token, shop.key));  // its scope lives
  shop.registry->scopes.mark_ending(shop.scope("shop/checkout"));
  CHECK(code(shop.registry->redeem(report, *token, shop.key)) == Errc::reference_revoked);
  shop.registry->end_scope(shop.scope("shop/checkout"), "the test");
  CHECK(code(shop.registry->redeem(report, *token, shop.key)) == Errc::reference_revoked);
  REQUIRE(report.open_at(opening->open) != nullptr);
  CHECK_FALSE(report.open_at(opening->open)->unmap_sent);
  shop.registry->remove_all();
}

TEST_CASE("nobody shares what the suite does not permit, or more than it may do itself") {
  const Surroundings around;
  Shop shop(around);
  Worker& checkout = shop.worker("shop/checkout");
  Worker& mail = shop.worker("shop/mail");
  const auto refuses = [&](const Result<std::string>& shared, Errc expected) {
    REQUIRE_FALSE(shared);
    CHECK(shared.error() == expected);
    CHECK(shop.heard->notes.back().find(errc_name(expected)) != std::string::npos);
  };
  refuses(shop.share(checkout, {Granted::read, "*", 0, false}, "kept"), Errc::not_permitted);
  refuses(shop.share(mail, {Granted::read_write, "*", 0, false}), Errc::read_only);
  CHECK(shop.share(mail, {Granted::read, "*", 0, false}));
  refuses(shop.share(checkout, {Granted::read, "shop/absent", 0, false}), Errc::no_such_scope);
  refuses(shop.share(checkout, {Granted::read, "", 0, false}), Errc::no_such_scope);
  refuses(shop.share(checkout, {Granted::read, "*", kMaxReferenceMs + 1, false}),
          Errc::invalid_argument);
  refuses(shop.share(checkout, {Granted::read, "*", UINT64_MAX, false}), Errc::invalid_argument);
  refuses(
      shop.registry->share(checkout, shop.open(checkout), {Granted::read, "*", 0, false}, shop.key),
      Errc::invalid_argument);
  Worker& report = shop.worker("shop/report");
  const unsigned redeemed = shop.redeem(report, shop.reference())->open;
  refuses(shop.registry->share(report, redeemed, {Granted::read, "*", kMinute, false}, shop.key),
          Errc::denied);
  const unsigned stale = shop.open(checkout);
  shop.registry->destroy_block(shop.block("cart").id, "the test");
  refuses(shop.registry->share(checkout, stale, {Granted::read, "*", kMinute, false}, shop.key),
          Errc::gone);
  shop.registry->remove_all();
}

}  // namespace sessionblocks::director::test
