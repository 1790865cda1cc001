// References through the public API, against a director in this process.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture() {
    ::alarm(120);
    BlockOptions options;
    options.name = "cart";
    options.quota_bytes = 1ULL << 20U;
    options.permit = {"share"};
    cart.emplace(shop.create(options).value());
    REQUIRE(cart->put("items", 3));
  }
  ShareOptions with(const std::string& audience, const std::string& rights = "r") {
    ShareOptions options;
    options.audience = audience;
    options.rights = rights;
    return options;
  }

  SessionSystem system = SessionSystem::embedded().value();
  Session shop = system.attach("shop").value();
  Session mail = system.attach("mail").value();
  std::optional<Block> cart;
};

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a private block is read by the scope that redeems a reference to it") {
  REQUIRE(code(mail.open("cart")) == Errc::denied);
  const auto token = shop.share(*cart, with("embedded/mail"));
  REQUIRE(token);
  auto redeemed = mail.redeem(*token);
  REQUIRE(redeemed);
  CHECK(redeemed->name() == "cart");
  CHECK(redeemed->id() == cart->id());
  CHECK_FALSE(redeemed->is_writable());
  CHECK(redeemed->get<std::int64_t>("items")->value == 3);
  CHECK(code(redeemed->put("items", 4)) == Errc::read_only);
  CHECK(code(mail.open("cart")) == Errc::denied);  // by name it is as before
}

TEST_CASE_METHOD(Fixture, "a reference to read and write makes one block of two scopes") {
  auto redeemed = mail.redeem(shop.share(*cart, with("*", "rw")).value());
  REQUIRE(redeemed);
  CHECK(redeemed->is_writable());
  REQUIRE(redeemed->increment("items"));
  CHECK(cart->get<std::int64_t>("items")->value == 4);
}

TEST_CASE_METHOD(Fixture, "a redeemed block answers gone when its owner destroys it") {
  const auto token = shop.share(*cart, with("*"));
  auto redeemed = mail.redeem(token.value());
  REQUIRE(redeemed);
  REQUIRE(shop.destroy("cart"));
  CHECK(code(redeemed->get<std::int64_t>("items")) == Errc::gone);
  CHECK(code(mail.redeem(*token)) == Errc::gone);
  CHECK(code(shop.share(*cart, with("*"))) == Errc::gone);
}

TEST_CASE_METHOD(Fixture, "a reference for a single use opens once, and one for many many times") {
  ShareOptions once = with("*");
  once.single_use = true;
  const auto token = shop.share(*cart, once);
  REQUIRE(mail.redeem(token.value()));
  CHECK(code(mail.redeem(*token)) == Errc::reference_used);
  CHECK(code(shop.redeem(*token)) == Errc::reference_used);
  const auto lasting = shop.share(*cart, with("*"));
  for (int times = 0; times < 600; ++times) REQUIRE(mail.redeem(lasting.value()));  // and closes
}

TEST_CASE_METHOD(Fixture, "who is not the audience is told so, and a changed reference is forged") {
  const auto token = shop.share(*cart, with("embedded/shop"));
  CHECK(code(mail.redeem(token.value())) == Errc::reference_wrong_audience);
  CHECK(shop.redeem(*token));
  CHECK(code(shop.redeem("")) == Errc::reference_forged);
  CHECK(code(shop.redeem("sbref1.\xFF\xFE")) == Errc::reference_forged);
  CHECK(code(shop.redeem(*token + "A")) == Errc::reference_forged);
  CHECK(code(shop.redeem(std::string(10'000, 'A'))) == Errc::reference_forged);
}

TEST_CASE_METHOD(Fixture, "a session shares no block that another session has opened") {
  BlockOptions own;
  own.name = "own";
  own.quota_bytes = 1ULL << 20U;
  own.permit = {"share"};
  const auto of_mail = mail.create(own);
  REQUIRE(of_mail);
  REQUIRE(mail.share(*of_mail, with("*")));
  CHECK(code(mail.share(*cart, with("*"))) == Errc::invalid_argument);
}

TEST_CASE_METHOD(Fixture, "what cannot be shared is refused with what to do about it") {
  CHECK(code(shop.share(*cart, with("embedded/absent"))) == Errc::no_such_scope);
  CHECK(code(shop.share(*cart, with("*", "w"))) == Errc::invalid_argument);
  ShareOptions brief = with("*");
  brief.lifetime = 0ms;
  CHECK(code(shop.share(*cart, brief)) == Errc::invalid_argument);
  brief.lifetime = 25h;
  CHECK(code(shop.share(*cart, brief)) == Errc::invalid_argument);
  brief.lifetime = -1ms;
  CHECK(code(shop.share(*cart, brief)) == Errc::invalid_argument);
  const auto redeemed = mail.redeem(shop.share(*cart, with("*", "rw")).value());
  CHECK(code(mail.share(*redeemed, with("*"))) == Errc::denied);
  BlockOptions own;
  own.name = "own";
  own.quota_bytes = 1ULL << 20U;
  const auto kept = shop.create(own);
  const auto refused = shop.share(*kept, with("*"));
  REQUIRE(code(refused) == Errc::not_permitted);
  CHECK(refused.error().message().find("share") != std::string::npos);
  own.name = "odd";
  own.permit = {"share", "lend"};
  CHECK(code(shop.create(own)) == Errc::invalid_argument);
  CHECK(code(system.create(own)) == Errc::invalid_argument);
}
