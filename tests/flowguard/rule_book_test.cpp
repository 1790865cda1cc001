#include <catch2/catch.hpp>

#include "flowguard/rule_book.hpp"

using namespace sessionblocks;
using namespace sessionblocks::flowguard;

namespace {

Rule rule(std::string name, std::string_view when, std::uint64_t for_ms = 0) {
  Rule made;
  made.name = std::move(name);
  made.when = *Condition::parse(when);
  made.for_ms = for_ms;
  return made;
}

Observed block(std::uint32_t id, double fill) {
  Observed observed;
  observed.kind = Kind::block;
  observed.id = id;
  observed.measures[Metric::fill] = fill;
  return observed;
}

struct Looks {
  explicit Looks(std::vector<Rule> rules) : book(std::move(rules)) {}
  RuleBook::Judged at(std::uint64_t now_ms, std::vector<Observed> now) {
    observed = std::move(now);
    return book.judge(observed, now_ms);
  }
  RuleBook book;
  std::vector<Observed> observed;
};

}  // namespace

TEST_CASE("a rule is due once in an episode, and again in the next one") {
  Looks look({rule("full", "block.fill > 50%")});
  CHECK(look.at(0, {block(1, 0.4)}).due.empty());
  const auto first = look.at(250, {block(1, 0.6)});
  REQUIRE(first.due.size() == 1);
  CHECK(first.due[0].observed->id == 1);
  CHECK(look.at(500, {block(1, 0.6)}).due.empty());
  // What comes back before it was calm for long enough is the same episode.
  CHECK(look.at(750, {block(1, 0.1)}).over.empty());
  CHECK(look.at(1'000, {block(1, 0.6)}).due.empty());
  const auto end = look.at(1'000 + RuleBook::kCalmMs, {block(1, 0.1)});
  REQUIRE(end.over.size() == 1);
  CHECK(end.over[0].id == 1);
  CHECK(look.at(20'000, {block(1, 0.6)}).due.size() == 1);
}

TEST_CASE("a condition must hold without a break for as long as its rule says") {
  Looks look({rule("full", "block.fill > 50%", 1'000)});
  CHECK(look.at(0, {block(1, 1)}).due.empty());
  CHECK(look.at(999, {block(1, 1)}).due.empty());
  CHECK(look.at(1'100, {block(1, 0)}).due.empty());  // a break
  CHECK(look.at(1'200, {block(1, 1)}).due.empty());
  CHECK(look.at(2'199, {block(1, 1)}).due.empty());
  const auto due = look.at(2'200, {block(1, 1)});
  REQUIRE(due.due.size() == 1);
  CHECK(due.due[0].since_ms == 1'200);
}

TEST_CASE("what is not there any more has no episode, and blocks do not share theirs") {
  Looks look({rule("full", "block.fill > 50%")});
  CHECK(look.at(0, {block(1, 1), block(2, 1)}).due.size() == 2);
  const auto gone = look.at(250, {block(2, 1)});
  REQUIRE(gone.over.size() == 1);
  CHECK(gone.over[0].id == 1);
  CHECK(look.at(500, {block(2, 1), block(3, 1)}).due.size() == 1);
}

TEST_CASE("rules are about their kind, and are due in their order") {
  Observed worker;
  worker.kind = Kind::worker;
  worker.id = 1;
  worker.measures[Metric::fill] = 1;
  Looks look({rule("first", "block.fill > 50%"), rule("second", "block.fill > 10%")});
  CHECK(look.at(0, {worker}).due.empty());
  const auto due = look.at(1, {block(1, 1)});
  REQUIRE(due.due.size() == 2);
  CHECK(due.due[0].rule->name == "first");
}
