// Snapshots through the public API, against a director in this process.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>
#include <cmath>
#include <filesystem>
#include <limits>

#include "../tools/temporary_folder.hpp"

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

struct Fixture {
  Fixture() { ::alarm(120); }
  Block make(Session& session, const std::string& name, std::vector<std::string> permit) {
    BlockOptions options;
    options.name = name;
    options.quota_bytes = 2ULL << 20U;
    options.permit = std::move(permit);
    return session.create(options).value();
  }
  [[nodiscard]] fs::path state() const { return folder.path() / "run" / "state"; }
  static EmbeddedOptions options_for(const TemporaryFolder& folder) {
    EmbeddedOptions options;
    options.runtime_directory = (folder.path() / "run").string();
    return options;
  }

  TemporaryFolder folder;
  SessionSystem system = SessionSystem::embedded(options_for(folder)).value();
  Session shop = system.attach("shop").value();
  Session mail = system.attach("mail").value();
};

}  // namespace

TEST_CASE_METHOD(Fixture,
                 "a restored block holds what the block held when the snapshot was taken") {
  Block cart = make(shop, "cart", {"persist"});
  const std::string odd("a\0b\xFF", 4);
  const std::vector<std::byte> bytes(100'000, std::byte{7});
  REQUIRE(cart.put("text", "Anna"));
  REQUIRE(cart.put("empty", ""));
  REQUIRE(cart.put(Key(odd), bytes));
  REQUIRE(cart.put("low", std::numeric_limits<std::int64_t>::min()));
  REQUIRE(cart.put("minus zero", -0.0));
  REQUIRE(cart.put("nan", std::nan("")));
  REQUIRE(cart.put("yes", true));
  REQUIRE(cart.put("hour", 1, Expiry::after(1h)));
  REQUIRE(cart.put("gone", 1));
  REQUIRE(cart.erase("gone"));
  const auto made = shop.snapshot("cart", "monday");
  REQUIRE(made);
  CHECK(made->entries == 8);
  CHECK(fs::file_size(made->file) == made->bytes);
  CHECK(fs::path(made->file).parent_path() == state() / "snapshots");
  REQUIRE(cart.put("text", "Bert"));
  REQUIRE(cart.put("later", 1));

  auto again = shop.restore("monday", "again");
  REQUIRE(again);
  CHECK(again->is_writable());
  CHECK(again->size() == 8U);
  CHECK(again->get<std::string>("text")->value == "Anna");
  CHECK(again->get<std::string>("empty")->value.empty());
  CHECK(again->get<Bytes>(Key(odd))->value == bytes);
  CHECK(again->get<std::int64_t>("low")->value == std::numeric_limits<std::int64_t>::min());
  CHECK(std::signbit(again->get<double>("minus zero")->value));
  CHECK(std::isnan(again->get<double>("nan")->value));
  CHECK(again->get<bool>("yes")->value);
  const auto hour = again->get<std::int64_t>("hour");
  REQUIRE(hour);
  REQUIRE(hour->expires_in);
  CHECK(*hour->expires_in <= 1h);
  CHECK(*hour->expires_in > 55min);
  CHECK_FALSE(again->get<std::string>("text")->expires_in);
  REQUIRE(again->put("text", "Carl"));
  CHECK(cart.get<std::string>("text")->value == "Bert");
}

TEST_CASE_METHOD(Fixture,
                 "a snapshot needs the block's permission, its owner and a name of its own") {
  Block cart = make(shop, "cart", {"persist"});
  Block plain = make(shop, "plain", {"share", "fork", "elevate"});
  CHECK(code(shop.snapshot("plain", "plain")) == Errc::not_permitted);
  CHECK(code(mail.snapshot("cart", "cart")) == Errc::denied);
  CHECK(code(shop.snapshot("none", "none")) == Errc::no_such_block);
  const std::string elsewhere = (folder.path() / "elsewhere").string();
  CHECK(code(shop.snapshot("cart", elsewhere)) == Errc::denied);
  CHECK(code(shop.snapshot("cart", "../keys")) == Errc::invalid_argument);
  CHECK(code(shop.snapshot("cart", "..")) == Errc::invalid_argument);
  CHECK(code(shop.snapshot("cart", "")) == Errc::invalid_argument);
  CHECK_FALSE(fs::exists(elsewhere));
  CHECK_FALSE(fs::exists(state() / "snapshots"));
  REQUIRE(shop.snapshot("cart", "one"));
  CHECK(code(shop.snapshot("cart", "one")) == Errc::exists);
  CHECK(code(shop.restore("one", "cart")) == Errc::exists);
  CHECK(code(shop.restore("none", "b")) == Errc::not_found);
  CHECK(code(shop.restore(elsewhere, "b")) == Errc::denied);
  CHECK(code(shop.restore("one", "b", "plain")) == Errc::no_such_block);
}

TEST_CASE_METHOD(Fixture, "what another scope owned is not given to who names its file") {
  Block cart = make(shop, "cart", {"persist"});
  REQUIRE(cart.put("k", "of the shop"));
  REQUIRE(shop.snapshot("cart", "one"));
  CHECK(code(mail.restore("one", "mine")) == Errc::denied);
  CHECK(code(mail.open("mine")) == Errc::no_such_block);
  CHECK(shop.restore("one", "mine"));
}

TEST_CASE_METHOD(Fixture, "a snapshot outlives its block, and ends with a wipe of it") {
  {
    Block cart = make(shop, "cart", {"persist"});
    REQUIRE(cart.put("k", 1));
    REQUIRE(shop.snapshot("cart", "kept"));
    REQUIRE(shop.snapshot("cart", "second"));
    REQUIRE(shop.destroy("cart"));
  }
  CHECK(shop.restore("kept", "a"));
  Block other = make(shop, "other", {"persist"});
  REQUIRE(shop.snapshot("other", "other"));
  REQUIRE(shop.snapshot("a", "copy"));
  REQUIRE(shop.wipe("a"));
  CHECK(code(shop.restore("copy", "b")) == Errc::wiped);
  CHECK(code(shop.snapshot("a", "third")) == Errc::wiped);
  CHECK(shop.restore("second", "c"));  // of the block before, which nobody wiped
  CHECK(shop.restore("other", "d"));
}

TEST_CASE_METHOD(Fixture, "an elevated block comes back for the scope that owned it") {
  Block cart = make(shop, "cart", {"elevate"});
  Block plain = make(shop, "plain", {"share", "fork", "persist"});
  REQUIRE(cart.put("text", "Anna"));
  REQUIRE(cart.put("hour", 1, Expiry::after(1h)));
  CHECK(code(shop.elevate("plain")) == Errc::not_permitted);
  CHECK(code(mail.elevate("cart")) == Errc::denied);
  CHECK_FALSE(fs::exists(state() / "datablocks.sqlite"));
  const auto datablock = shop.elevate("cart");
  REQUIRE(datablock);
  REQUIRE(cart.put("text", "Bert"));
  CHECK(code(mail.load("cart", "mine")) == Errc::denied);
  CHECK(code(shop.load("none", "mine")) == Errc::not_found);
  auto loaded = shop.load(std::to_string(*datablock), "mine");
  REQUIRE(loaded);
  CHECK(loaded->get<std::string>("text")->value == "Anna");
  CHECK(*loaded->get<std::int64_t>("hour")->expires_in > 55min);
  CHECK(loaded->size() == 2U);
  REQUIRE(shop.wipe("cart"));
  CHECK(shop.load("cart", "again"));  // a DataBlock is no snapshot: a wipe does not reach it
}
