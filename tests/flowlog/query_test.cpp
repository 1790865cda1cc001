#include "flowlog/query.hpp"

#include <catch2/catch.hpp>

#include "flowlog/text.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;

struct Names {
  Names() {
    state.workers[3] = "shop/checkout#1";
    state.workers[4] = "shop/checkout-old#1";
    state.blocks[7] = "cart";
  }
  LogState state;
};

Entry record_of(Op op, std::string key, std::uint32_t worker = 3) {
  Entry entry;
  entry.record.op = op;
  entry.record.key = std::move(key);
  entry.record.has_key = true;
  entry.record.lane.worker = worker;
  entry.record.block = kBlock;
  entry.record.unix_ms = 1'000;
  return entry;
}

TEST_CASE("each condition of a query picks what it says") {
  const Names names;
  const Entry put = record_of(Op::put, "cart:1");
  const auto match = [&](const Query& query, const Entry& entry) {
    return matches(query, entry, names.state);
  };
  CHECK(match({}, put));
  CHECK_FALSE(match({}, record_of(Op::define_key, "k")));
  Query query;
  query.block = "cart";
  CHECK(match(query, put));
  query.block = "#7";
  CHECK(match(query, put));
  query.block = "orders";
  CHECK_FALSE(match(query, put));
  query = {};
  for (const char* scope : {"shop", "shop/checkout", "shop/checkout#1"}) {
    query.scope = scope;
    CHECK(match(query, put));
  }
  CHECK(match(query, put));
  CHECK_FALSE(match(query, record_of(Op::put, "k", 4)));
  query.scope = "shop/checkout";
  CHECK_FALSE(match(query, record_of(Op::put, "k", 4)));
  query = {};
  query.worker = 4;
  CHECK_FALSE(match(query, put));
  query = {};
  query.key = "cart:1";
  CHECK(match(query, put));
  CHECK_FALSE(match(query, record_of(Op::put, "cart:11")));
  query = {};
  query.key_prefix = "cart:";
  CHECK(match(query, put));
  CHECK_FALSE(match(query, record_of(Op::put, "car")));
  query = {};
  query.add(Op::get);
  CHECK_FALSE(match(query, put));
  query.ops = kWrites;
  CHECK(match(query, put));
  CHECK_FALSE(match(query, record_of(Op::for_each, "")));
  query.ops = kReads;
  CHECK(match(query, record_of(Op::for_each, "")));
  CHECK_FALSE(match(query, put));
  query = {};
  query.outcome = static_cast<std::uint16_t>(Errc::not_found);
  CHECK_FALSE(match(query, put));
  query = {};
  query.from_unix_ms = 1'000;
  query.to_unix_ms = 1'001;
  CHECK(match(query, put));
  query.to_unix_ms = 1'000;
  CHECK_FALSE(match(query, put));
}

TEST_CASE("a key that is not UTF-8 is base64 in JSON and escaped in tables") {
  const Names names;
  CHECK(json_line(record_of(Op::put, "a\"\xC3\xA9"), names.state).find(R"("key":"a\"é")") !=
        std::string::npos);
  const Entry raw_key = record_of(Op::put, std::string("\x00\xFF", 2));
  CHECK(json_line(raw_key, names.state).find(R"("key_base64":"AP8=")") != std::string::npos);
  CHECK(table_row(raw_key, names.state).find(R"(\x00\xff)") != std::string::npos);
}

TEST_CASE("UTF-8 is what the standard says") {
  CHECK(is_utf8("plain \xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"));
  for (const char* wrong : {"\x80", "\xC0\xAF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80",
                            "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82"}) {
    CHECK_FALSE(is_utf8(wrong));
  }
  CHECK(escaped("a\\b\xC2\x85") == "a\\\\b\\xc2\\x85");
  CHECK(utc_text(1'795'338'328'123) == "2026-11-22T09:05:28.123Z");
  CHECK(utc_text(-1) == "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace sessionblocks::flowlog
