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
  query.ops = bit_of(Op::get);
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

TEST_CASE("a record that carries its key has no size: not shown, and nothing to compare with") {
  const Names names;
  Entry absent = record_of(Op::get, "a");
  absent.record.key_inline = true;
  CHECK(json_line(absent, names.state).find("size") == std::string::npos);
  Entry there = absent;
  there.record.key_inline = false;
  CHECK(json_line(there, names.state).find(R"("size":0)") != std::string::npos);
  CHECK(table_row(there, names.state).find("       0         0  a") != std::string::npos);
  CHECK(table_row(absent, names.state).find("       0            a") != std::string::npos);
  for (const char* text : {"size=0", "size!=0", "!(size=0)", "size<9", "size>=0"}) {
    Query query;
    query.expression = Expression::parse(text, 0).value();
    CAPTURE(text);
    CHECK_FALSE(matches(query, absent, names.state));
  }
}

TEST_CASE("options and expression must both hold, and definitions come when one asks for them") {
  const Names names;
  Query query;
  query.ops = kWrites;
  query.expression = Expression::parse("key=a", 0).value();
  CHECK(matches(query, record_of(Op::put, "a"), names.state));
  CHECK_FALSE(matches(query, record_of(Op::get, "a"), names.state));
  CHECK_FALSE(matches(query, record_of(Op::put, "b"), names.state));
  const Entry definition = record_of(Op::define_key, "a");
  for (const char* text : {"op=define_key", "op~\"def*\" && key=a"}) {
    query = {};
    query.expression = Expression::parse(text, 0).value();
    CHECK(matches(query, definition, names.state));
  }
  for (const char* text : {"key=a", "op!=put", "!(op=put)"}) {
    query = {};
    query.expression = Expression::parse(text, 0).value();
    CHECK_FALSE(matches(query, definition, names.state));
  }
  query = {};
  query.ops = bit_of(Op::define_key);
  CHECK(matches(query, definition, names.state));
}

TEST_CASE("what was removed unread is told to every query") {
  const Names names;
  Entry missed;
  missed.kind = EntryKind::gap;
  missed.files = 2;
  missed.cells = 30;
  Query query;
  query.block = "cart";
  query.expression = Expression::parse("op=put", 0).value();
  CHECK(matches(query, missed, names.state));
  CHECK(json_line(missed, names.state).find(R"("missing_files":2,"missing_at_least":30)") !=
        std::string::npos);
  CHECK(table_row(missed, names.state)
            .find("2 files of the log, removed before they were read, with at least 30 ring") !=
        std::string::npos);
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
