// Any bytes in a suite file give a suite or a diagnostic: never a crash, a hang or an exception.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "director/suite_toml.hpp"
#include "suite_support.hpp"

using namespace suite_tests;

namespace {

std::string repeated(const std::string& piece, std::size_t count) {
  std::string out;
  out.reserve(piece.size() * count);
  for (std::size_t i = 0; i < count; ++i) out += piece;
  return out;
}

// The only problem of a text that cannot be read.
Diagnostic only_problem(const std::string& text) {
  const auto suite = parse_suite(text, "bad.toml");
  REQUIRE_FALSE(suite.has_value());
  REQUIRE(suite.error().size() == 1);
  return suite.error().front();
}

// An endless loop fails the run instead of holding it up.
struct Watchdog {
  Watchdog() { ::alarm(240); }
  ~Watchdog() { ::alarm(0); }
};

}  // namespace

TEST_CASE("syntax errors are named with line and column") {
  CHECK(only_problem("schema = 1\nname = \n").text().find("bad.toml:2:8: not TOML: ") == 0);
  CHECK(only_problem("a = 1\na = 2\n").text().find("bad.toml:2:5: not TOML: ") == 0);
  CHECK(only_problem("[a]\nx = 1\n[a]\n").line == 3);
  const auto overflow = only_problem("x = 99999999999999999999\n");
  CHECK(overflow.line == 1);
  CHECK(overflow.message.find("not representable in 64 bits") != std::string::npos);
  CHECK(only_problem("x = \"open\n").line == 1);
  CHECK(only_problem("\xff\xfe\x00\x01").line == 1);
}

TEST_CASE("a header without a name is refused before the library sees it") {
  const auto at = [](const std::string& text) {
    const auto problem = only_problem(text);
    CHECK(problem.message == "not TOML: a table without a name");
    return SourceLocation{problem.line, problem.column};
  };
  CHECK(at("[[[a]]]\n") == SourceLocation{1, 3});
  CHECK(at("x = 1\n  [[ =") == SourceLocation{2, 6});
  CHECK(at("[ \n]") == SourceLocation{1, 3});
  CHECK(at("[]\n") == SourceLocation{1, 2});
  CHECK(at("[\xc3\xa9]\n") == SourceLocation{1, 2});
  CHECK(at("x = [\n[],\n]\n[.a]\n") == SourceLocation{4, 2});
  CHECK(at("\xef\xbb\xbf[[[a]]]\n") == SourceLocation{1, 3});
  CHECK(only_problem("[").message.find("end-of-file") != std::string::npos);
  CHECK(parse_toml("x = [\n[],\n[[[]]],\n]\n['a']\n[ \"b\" ]\n[[-]]\n", "x").has_value());
}

TEST_CASE("a bracket that closes one of another kind is named") {
  CHECK(only_problem("x = [}]\n").text() ==
        "bad.toml:1:6: not TOML: '}' closes no bracket of its kind");
  CHECK(only_problem("x = {a = [1]\n, b = { c = 1 ] }\n").line == 2);
  CHECK(parse_toml("x = [{a = [{}]}, '}']\n[y] # }\n", "x").has_value());
}

TEST_CASE("characters outside ASCII stand in strings and comments only") {
  const auto at = [](const std::string& text) {
    const auto problem = only_problem(text);
    CHECK(problem.message.find("character") != std::string::npos);
    return SourceLocation{problem.line, problem.column};
  };
  CHECK(at("\xcc\xaa") == SourceLocation{1, 1});
  CHECK(at("x = 1\n\xc3\xa9 = 1\n") == SourceLocation{2, 1});
  CHECK(at("x = '\xc3\xa9' \xcd\x9b") == SourceLocation{1, 9});
  CHECK(at("x = 1\n\v[[[a]]]") == SourceLocation{2, 1});
  CHECK(parse_toml("x = \"\xc2\xa7\" # \xc2\xa7\n'\xc2\xa7' = 1\n", "x").has_value());
  CHECK(parse_toml("x = \"\"\"\\\n \xc2\xa7\"\"\"\n", "x").has_value());
  CHECK(only_problem("s = 65a+\"\xd1\x8a\n").line == 1);
  CHECK(parse_toml("x = \"\"\"\\\n a\xc2\xa7\n\xc2\xa7\"\"\"\n", "x").has_value());
}

TEST_CASE("empty and binary files are errors") {
  const Watchdog watchdog;
  const auto empty = parse_suite("", "empty.toml");
  REQUIRE_FALSE(empty.has_value());
  CHECK(empty.error().size() == 2);  // no schema, no [suite]
  CHECK_FALSE(parse_suite("\xef\xbb\xbf", "bom.toml").has_value());
  std::string binary;
  for (int i = 0; i < 4'096; ++i) binary += static_cast<char>((i * 167 + (i >> 3)) & 0xff);
  CHECK_FALSE(parse_suite(binary, "binary").has_value());
  CHECK_FALSE(parse_suite(std::string(100'000, '\0'), "zeros").has_value());
}

TEST_CASE("deep nesting is refused at the place where it passes the limit") {
  const Watchdog watchdog;
  const auto at = [](const std::string& text) {
    const auto problem = only_problem(text);
    CHECK(problem.message == "nested more than 32 levels deep");
    return SourceLocation{problem.line, problem.column};
  };
  CHECK(at("a = " + std::string(33, '[')) == SourceLocation{1, 37});
  CHECK(at("a = " + std::string(kMaxSuiteBytes - 4, '[')) == SourceLocation{1, 37});
  CHECK(at("a = " + repeated("{a=", 300'000)) == SourceLocation{1, 101});
  CHECK(at("\n" + repeated("a.", 500'000) + "a = 1") == SourceLocation{2, 66});
  CHECK(at("[" + repeated("a . ", 200'000) + "a]") == SourceLocation{1, 132});
  CHECK(at(repeated("\"a\".", 200'000) + "a = 1").line == 1);
  CHECK(at("a = [\n" + repeated("{" + repeated("a.", 33) + "a = [\n", 100)).line == 2);
}

TEST_CASE("dots and brackets in strings and comments are no nesting") {
  const Watchdog watchdog;
  const std::string many = std::string(100, '[') + std::string(100, '.');
  const std::vector<std::string> texts = {
      "# " + many + "\n",
      "when = \"" + many + "\"\n",
      "when = '" + many + "'\n",
      "when = \"\\\"" + many + "\"\n",
      "when = \"\\\\\" # " + many + "\n",
      "when = \"\"\"\n" + many + "\"\"" + many + "\"\"\"\n",
      "when = \"\"\"\\\"\"\"" + many + "\"\"\"\"\"\n",
      "when = '''\n'" + many + "'''''\n",
      "when = ''  # '" + many + "\n",
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    const auto suite = parse_suite(kHead + "[guard.g]\nwhen2 = 1\n" + text, "x.toml");
    REQUIRE_FALSE(suite.has_value());
    REQUIRE(suite.error().size() == 1);
    CHECK(suite.error().front().message.find("unknown key 'when2'") == 0);
  }
  // After a string, nesting counts again.
  for (const std::string& text : texts) {
    CAPTURE(text);
    CHECK_FALSE(parse_toml(text + "x = " + std::string(100'000, '['), "x").has_value());
  }
}

TEST_CASE("a file past the size limit is refused, one at the limit is read") {
  const Watchdog watchdog;
  const std::string full = kHead + std::string(kMaxSuiteBytes - kHead.size(), '\n');
  CHECK(parse_suite(full, "full.toml").has_value());
  CHECK(only_problem(full + "\n").message == "the file is larger than 1MiB");
  const TemporaryFolder folder;
  const auto suite = load_suite(folder.write("big.toml", full + "\n\n"));
  REQUIRE_FALSE(suite.has_value());
  CHECK(suite.error().front().message == "the file is larger than 1MiB");
}

TEST_CASE("a file full of problems gives all of them") {
  const Watchdog watchdog;
  std::string text = kHead;
  for (int i = 0; i < 5'000; ++i) text += "[block.b" + std::to_string(i) + "]\nqouta = 1\n";
  const auto suite = parse_suite(text, "x.toml");
  REQUIRE_FALSE(suite.has_value());
  CHECK(suite.error().size() == 5'000);
}

TEST_CASE("a long chain of parents and of inheritance is checked without recursion") {
  const Watchdog watchdog;
  std::string text = kHead + "[block.b0]\n";
  for (int i = 1; i < 3'000; ++i) {
    const std::string n = std::to_string(i);
    const std::string before = std::to_string(i - 1);
    text += script("s" + n, i > 1 ? "parent = \"s" + before + "\"\n" : "");
    text += "[block.b" + n + "]\nkind = \"inherited\"\nfrom = \"b" + before + "\"\nheirs = { s" +
            n + " = \"r\" }\n";
  }
  CHECK(problems_of(text).empty());
}

TEST_CASE("no byte of a suite file, replaced, removed or cut at, brings the reader down") {
  const Watchdog watchdog;
  const std::string replacements{'\0', '"', '[', '{', '\n', '.', '=', '9', '\\', '\xff'};
  Machine quiet = machine();
  std::size_t refused = 0;
  const auto read = [&](const std::string& text) {
    for (const auto& problem : problems_of(text, quiet)) {
      if (problem.message.empty()) FAIL("a problem without words");
      if (problem.line == 0) FAIL("a problem without a place: " + problem.message);
      ++refused;
    }
  };
  for (std::size_t i = 0; i < kFullSuite.size(); ++i) {
    std::string text = kFullSuite;
    for (const char byte : replacements) {
      text[i] = byte;
      read(text);
    }
    text.erase(i, 1);
    read(text);
    read(kFullSuite.substr(0, i));
  }
  CHECK(refused > kFullSuite.size());
}
