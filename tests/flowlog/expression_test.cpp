#include "flowlog/expression.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using Catch::Contains;

constexpr std::int64_t kNow = 1'795'338'328'000;  // 2026-11-22T09:05:28Z

struct Names {
  Names() {
    state.workers[3] = "shop/checkout#1";
    state.blocks[7] = "cart";
  }
  LogState state;
};

Entry put_of(std::string key) {
  Entry entry;
  entry.record.op = Op::put;
  entry.record.key = std::move(key);
  entry.record.has_key = true;
  entry.record.lane.worker = 3;
  entry.record.block = testing::kBlock;
  entry.record.value_bytes = 5'000;
  entry.record.version = 12;
  entry.record.unix_ms = kNow - 60'000;
  return entry;
}

bool is_match(std::string_view text, const Entry& entry) {
  const Names names;
  const auto parsed = Expression::parse(text, kNow);
  INFO(text << (parsed ? "" : parsed.error().context()));
  REQUIRE(parsed);
  return parsed->matches(entry, names.state);
}

std::string error_of(std::string_view text) {
  const auto parsed = Expression::parse(text, kNow);
  INFO(text);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error() == Errc::invalid_argument);
  return parsed.error().context();
}

TEST_CASE("each field and operator picks what it says") {
  const Entry put = put_of("cart:1");
  for (const char* yes : {R"(op=write && key~"cart:*" && size>4096)",
                          "op=put",
                          "op==put",
                          "op=writes",
                          "op!=read",
                          "op~p?t",
                          "block=cart",
                          "block=#7",
                          "block~c*",
                          "block~#*",
                          "block!=orders",
                          "scope=shop",
                          "scope=shop/checkout",
                          "scope=shop/checkout#1",
                          "scope~*#1",
                          "scope!=shop/mail",
                          "worker=3",
                          "worker!=4",
                          "worker<4",
                          "worker>=3",
                          "key=cart:1",
                          "key!=cart:2",
                          "key~*:?",
                          "outcome=ok",
                          "outcome!=not_found",
                          "outcome~o*",
                          "size=5000",
                          "size>4KiB",
                          "size<1MiB",
                          "size<=5000",
                          "size>=5000B",
                          "version=12",
                          "version>11",
                          "version<13",
                          "time>2m",
                          "time<30s",
                          "time>=1m",
                          "time<=1m",
                          "time=1m",
                          "time=2026-11-22T09:04:28Z",
                          "time=2026-11-22T09:04:28.000Z",
                          "time>2026-11-22",
                          "time<2026-11-22T09:05Z",
                          "\t op = put\n"}) {
    CAPTURE(yes);
    CHECK(is_match(yes, put));
  }
  for (const char* no : {"op=get",         "op=read",     "op!=write",  "op~p?",
                         "block=orders",   "block=#8",    "block!=#7",  "scope=shop/check",
                         "scope!=shop",    "worker=4",    "worker<3",   "worker>3",
                         "key=cart:",      "key!=cart:1", "key~cart:",  "outcome=not_found",
                         "size>5000",      "size<5000",   "size!=5000", "version<12",
                         "version!=12",    "time>1m",     "time<1m",    "time!=1m",
                         "time>2026-11-23"}) {
    CAPTURE(no);
    CHECK_FALSE(is_match(no, put));
  }
}

TEST_CASE("a pattern is of bytes and characters, and escapes say what is none") {
  const auto matches_key = [](const std::string& pattern, std::string key) {
    return is_match("key~\"" + pattern + "\"", put_of(std::move(key)));
  };
  CHECK(matches_key("*", ""));
  CHECK(matches_key("", ""));
  CHECK_FALSE(matches_key("?", ""));
  CHECK(matches_key("a*b*c", "a--b--b--c"));
  CHECK_FALSE(matches_key("a*b*c", "a--b--b--"));
  CHECK(matches_key("*ab", "aaab"));
  CHECK(matches_key("?", "\xE2\x82\xAC"));
  CHECK_FALSE(matches_key("??", "\xE2\x82\xAC"));
  CHECK(matches_key("??", "\xFF\x80"));
  CHECK(matches_key(R"(\x00*\xfF)", std::string("\0ab\xFF", 4)));
  CHECK(matches_key(R"(a\*\?)", "a*?"));
  CHECK_FALSE(matches_key(R"(a\*)", "ab"));
  CHECK_FALSE(matches_key(R"(\x2a)", "b"));
  CHECK(matches_key(R"(\\\")", "\\\""));
  CHECK(is_match(R"(key="a*\x01")", put_of("a*\x01")));
  CHECK_FALSE(is_match("key=a*", put_of("ab")));
  // Many stars cost no more than their number times the key.
  std::string stars;
  for (int i = 0; i < 1'000; ++i) stars += "a*";
  CHECK_FALSE(matches_key(stars + "b", std::string(1'024, 'a')));
}

TEST_CASE("! binds tighter than &&, and && tighter than ||") {
  const Entry put = put_of("k");
  CHECK(is_match("op=put || op=get && key=x", put));
  CHECK_FALSE(is_match("(op=put || op=get) && key=x", put));
  CHECK(is_match("key=x && op=get || op=put", put));
  CHECK(is_match("!key=x && op=put", put));
  CHECK_FALSE(is_match("!(key=x || op=put)", put));
  CHECK(is_match("!!op=put&&!!!op=get", put));
  CHECK(is_match("((op=get) || (((key=k))))", put));
}

TEST_CASE("a condition on what an entry lacks does not hold, and neither does its negation") {
  Entry note;
  note.kind = EntryKind::note;
  note.note.kind = NoteKind::event;
  note.record.unix_ms = kNow;
  for (const char* field : {"key=a", "op=put", "outcome=ok", "version=0", "size=0", "worker=0",
                            "scope=shop", "block=cart"}) {
    CAPTURE(field);
    CHECK_FALSE(is_match(field, note));
    CHECK_FALSE(is_match("!" + std::string(field), note));
    CHECK_FALSE(is_match(std::string(field) + " && time>1h", note));
    CHECK(is_match(std::string(field) + " || time>1h", note));
    CHECK(is_match("!(" + std::string(field) + " && time<1h)", note));
  }
  for (const char* unequal : {"key!=a", "op!=put", "worker!=1", "scope!=shop", "block!=cart"}) {
    CHECK_FALSE(is_match(unequal, note));
  }
  note.note.worker = 3;
  note.note.block = testing::kBlock;
  CHECK(is_match("worker=3 && scope=shop && block=cart", note));
  Entry gap = put_of("");
  gap.kind = EntryKind::gap;
  CHECK(is_match("worker=3 && time<1s", gap));
  CHECK_FALSE(is_match("block=cart", gap));
  Entry nameless = put_of("");
  nameless.record.has_key = false;
  CHECK_FALSE(is_match("key~*", nameless));
}

TEST_CASE("what is wrong is named with its column and what was expected") {
  CHECK(error_of("op=frob && key=a") ==
        "column 4: expected read, write, or an operation such as get, put, erase\n"
        "  op=frob && key=a\n"
        "     ^");
  const std::pair<const char*, const char*> wrong[] = {
      {"", "column 1: expected a condition"},
      {"   ", "column 4: expected a condition"},
      {"op", "column 3: expected an operator"},
      {"op put", "column 4: expected an operator"},
      {"op=", "column 4: expected a value"},
      {"op='put'", "column 4: expected a value"},
      {"frob=1", "column 1: expected block, scope, worker"},
      {"OP=put", "column 1: expected a condition"},
      {"key<a", "column 4: expected =, != or ~"},
      {"size~4", "column 5: expected =, !=, <"},
      {"size=4KB", "column 6: expected a number of bytes"},
      {"size=-1", "column 6: expected a number of bytes"},
      {"size=99999999999999999999", "column 6: expected a number of bytes"},
      {"worker=x", "column 8: expected a whole number"},
      {"version=1.5", "column 9: expected a whole number"},
      {"time>soon", "column 6: expected a duration ago"},
      {"outcome=unknown", "column 9: expected ok, or an error"},
      {"key=\"a", "column 7: expected the closing quote"},
      {"key=\"\\q\"", "column 7: expected one of the escapes"},
      {"key=\"\\x4\"", "column 9: expected two hexadecimal"},
      {"op=put &&", "column 10: expected a condition"},
      {"op=put & key=a", "column 8: expected &&, || or the end"},
      {"op=put key=a", "column 8: expected &&, || or the end"},
      {"op=put)", "column 7: expected &&, || or the end"},
      {"(op=put", "column 8: expected &&, || or the closing"},
      {"()", "column 2: expected a condition"},
      {"!", "column 2: expected a condition"},
      {"key=\xC3\xA9 \x1b", "column 7: expected &&"},
      {"key=a\\", "column 6: expected &&"}};
  for (const auto& [text, expected] : wrong) {
    CAPTURE(text);
    CHECK_THAT(error_of(text), Catch::StartsWith(expected) && Catch::EndsWith(" ^"));
  }
  CHECK_THAT(error_of("key=\x1b[2J"), Contains("  key=\\x1b[2J\n"));
}

TEST_CASE("length and depth have limits, and just within them all is well") {
  const auto nested = [](std::size_t depth, char opening) {
    return std::string(depth, opening) + "op=put" +
           std::string(opening == '(' ? depth : std::size_t{0}, ')');
  };
  for (const char opening : {'(', '!'}) {
    CHECK(is_match(nested(Expression::kMaxDepth, opening), put_of("k")));
    CHECK_THAT(error_of(nested(Expression::kMaxDepth + 1, opening)),
               Catch::StartsWith("column 65: more than 64 levels"));
    error_of(std::string(Expression::kMaxBytes, opening));
  }
  // Every level with operands that wait.
  std::string waiting;
  for (unsigned i = 0; i < Expression::kMaxDepth; ++i) waiting += "op=get||op=put&&(";
  waiting += "op=get||op=put&&op=put" + std::string(Expression::kMaxDepth, ')');
  CHECK(is_match(waiting, put_of("k")));
  std::string chain = "op=get";
  while (chain.size() + 8 <= Expression::kMaxBytes) chain += "||op=get";
  CHECK_FALSE(is_match(chain, put_of("k")));
  CHECK(error_of(std::string(Expression::kMaxBytes + 1, ' ')) ==
        "an expression has at most 4096 bytes, this one has 4097");
}

// Whatever comes is either an expression that can be asked, or an error that shows the place.
void ask(const std::string& text) {
  const Names names;
  const auto parsed = Expression::parse(text, kNow);
  if (!parsed) {
    if (parsed.error().context().find('^') == std::string::npos &&
        text.size() <= Expression::kMaxBytes) {
      FAIL(text);
    }
    return;
  }
  Entry note;
  note.kind = EntryKind::note;
  static_cast<void>(parsed->matches(put_of("cart:1"), names.state));
  static_cast<void>(parsed->matches(note, names.state));
}

TEST_CASE("random tokens and mutated expressions never do harm") {
  const std::vector<std::string> tokens = {
      "op", "key",    "size",        "time", "block", "scope", "worker", "outcome", "version",
      "=",  "!=",     "<",           "<=",   "~",     "&&",    "||",     "!",       "(",
      ")",  "\"",     "\\x",         "\\",   "put",   "10m",   "4KiB",   "*",       "?",
      " ",  "\"a*\"", "99999999999", "\n",   "&",     "#7",    "\xFF",   "0",       "2026-11-22"};
  const std::string valid =
      R"(!(op=write || outcome!=ok) && key~"cart:\x00\*?*" && size>4KiB || time>=10m)";
  std::mt19937 random(20'261'122);
  std::size_t parsed = 0;
  for (int run = 0; run < 20'000; ++run) {
    std::string text;
    if (run % 2 == 0) {
      for (auto count = random() % 24; count > 0; --count) text += tokens[random() % tokens.size()];
    } else {
      text = valid;
      for (auto count = random() % 4 + 1; count > 0; --count) {
        const std::size_t at = random() % text.size();
        if (random() % 3 == 0) {
          text.erase(at, random() % 9 + 1);
        } else if (random() % 2 == 0) {
          text.insert(at, tokens[random() % tokens.size()]);
        } else {
          text[at] = static_cast<char>(random());
        }
        if (text.empty()) text = "!";
      }
    }
    ask(text);
    if (Expression::parse(text, kNow)) ++parsed;
  }
  CHECK(parsed > 200);  // both sides were looked at
}

}  // namespace
}  // namespace sessionblocks::flowlog
