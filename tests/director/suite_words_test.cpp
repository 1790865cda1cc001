#include "director/suite_words.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <string>

using namespace sessionblocks::director;

TEST_CASE("a name fits segment names and scope paths") {
  for (const std::string good : {"a", "Cart", "write-burst", "cart_2", "x9-_"}) {
    CHECK(is_name(good));
  }
  CHECK(is_name(std::string(48, 'a')));
  CHECK_FALSE(is_name(std::string(49, 'a')));
  for (const std::string bad :
       {"", "9a", "-a", "_a", "a.b", "a/b", "a#1", "a b", "a*", "\xc3\xa9", "."}) {
    CAPTURE(bad);
    CHECK_FALSE(is_name(bad));
  }
  CHECK_FALSE(is_name(std::string("a\0b", 3)));
}

TEST_CASE("a pattern matches any run of bytes for each star and nothing more") {
  CHECK(matches_pattern("cart-*", "cart-1"));
  CHECK(matches_pattern("cart-*", "cart-"));
  CHECK_FALSE(matches_pattern("cart-*", "cart"));
  CHECK_FALSE(matches_pattern("cart-*", "xcart-1"));
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("**", "anything"));
  CHECK(matches_pattern("a*b*c", "a-b-b-c"));
  CHECK_FALSE(matches_pattern("a*b*c", "a-b-b-cd"));
  CHECK(matches_pattern("*aab", "aaaab"));
  CHECK_FALSE(matches_pattern("", "a"));
  CHECK(matches_pattern("", ""));
  CHECK(matches_pattern("a?", "a?"));
  CHECK_FALSE(matches_pattern("a?", "ab"));
  // Backtracking over every star would not end in a lifetime.
  std::string pattern;
  for (int i = 0; i < 300; ++i) pattern += "a*";
  CHECK_FALSE(matches_pattern(pattern + "b", std::string(1'000, 'a')));
}

TEST_CASE("a pattern over names holds the characters of names and stars") {
  for (const std::string good : {"*", "cart-*", "a*b", "cart"}) CHECK(is_name_pattern(good));
  for (const std::string bad : {"", "a/*", "9*", "a?", "cart *"}) CHECK_FALSE(is_name_pattern(bad));
}

TEST_CASE("a suggestion is the nearest word, and none when all are far") {
  const std::array<std::string_view, 3> known = {"quota", "grants", "kind"};
  CHECK(suggestion("qouta", known) == "; did you mean 'quota'?");
  CHECK(suggestion("grant", known) == "; did you mean 'grants'?");
  CHECK(suggestion("kin", known) == "; did you mean 'kind'?");
  CHECK(suggestion("zebra", known).empty());
  CHECK(suggestion("", known).empty());
  CHECK(suggestion(std::string(1'000'000, 'q'), known).empty());
  CHECK(suggestion("x", std::array<std::string_view, 1>{"y"}).empty());
}

TEST_CASE("a scope is written as it is read") {
  for (const std::string text : {"suite", "worker", "script.checkout", "flow.charge"}) {
    const auto scope = parse_scope_ref(text);
    REQUIRE(scope.has_value());
    CHECK(format_scope_ref(*scope) == text);
  }
  for (const std::string text : {"", "script", "flow", "worker.x", "suite.x", "Suite", "scriptx"}) {
    CHECK_FALSE(parse_scope_ref(text).has_value());
  }
}

TEST_CASE("every choice has one spelling that reads back") {
  const auto check = [](auto first) {
    using Enum = decltype(first);
    CHECK_FALSE(words<Enum>().empty());
    for (const auto& entry : words<Enum>()) {
      CHECK(value_of<Enum>(entry.text) == entry.value);
      CHECK(word(entry.value) == entry.text);
    }
    CHECK(word(static_cast<Enum>(200)) == "?");
  };
  check(BlockKind{});
  check(Rights::read);
  check(AuditLevel{});
  check(OnFullRing{});
  check(Enforce{});
  check(AtEnd{});
  check(AtLimit{});
  check(StartWhen{});
  check(RestartPolicy{});
  check(ShmAccess{});
  check(GuardAction{});
}
