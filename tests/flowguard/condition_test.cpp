#include <catch2/catch.hpp>

#include "director/guard.hpp"
#include "director/suite.hpp"
#include "flowguard/rule.hpp"

using namespace sessionblocks;
using namespace sessionblocks::flowguard;

namespace {

bool holds(std::string_view text, const Measures& measures) {
  const auto condition = Condition::parse(text);
  REQUIRE(condition);
  return condition->holds(measures);
}

std::string wrong(std::string_view text) {
  const auto condition = Condition::parse(text);
  REQUIRE_FALSE(condition);
  CHECK(condition.error().code() == Errc::invalid_argument);
  return condition.error().context();
}

}  // namespace

TEST_CASE("every metric has its place, a name of its kind, and no other's") {
  for (std::size_t i = 0; i < kMetrics; ++i) {
    const auto metric = static_cast<Metric>(i);
    CAPTURE(i);
    CHECK(info(metric).metric == metric);
    CHECK(info(metric).name.starts_with(std::string(word(info(metric).kind)) + "."));
    CHECK(metric_of(info(metric).name) == metric);
    CHECK_FALSE(info(metric).what.empty());
  }
}

TEST_CASE("a condition compares with values in the metric's unit") {
  Measures measures;
  measures[Metric::fill] = 0.3;
  measures[Metric::leaking_ms] = 90'000;
  measures[Metric::used_bytes] = 3 << 20;
  measures[Metric::writes_per_s] = 12.5;
  CHECK(holds("block.fill > 25%", measures));
  CHECK(holds("block.fill > 0.25", measures));
  CHECK_FALSE(holds("block.fill > 30.5%", measures));
  CHECK(holds("block.leaking >= 90s", measures));
  CHECK_FALSE(holds("block.leaking > 90s", measures));
  CHECK(holds("block.leaking < 2m", measures));
  CHECK(holds("block.used_bytes = 3MiB", measures));
  CHECK(holds("block.used_bytes == 3MiB", measures));
  CHECK_FALSE(holds("block.used_bytes != 3MiB", measures));
  CHECK(holds("block.writes_per_s <= 12.5", measures));
}

TEST_CASE("and binds closer than or, and ! and parentheses are as everywhere") {
  Measures measures;
  measures[Metric::fill] = 1;
  const std::string yes = "block.fill > 0";
  const std::string no = "block.fill > 2";
  CHECK(holds(yes + "||" + no + "&&" + no, measures));
  CHECK_FALSE(holds("(" + yes + "||" + no + ")&&" + no, measures));
  CHECK(holds("!" + no, measures));
  CHECK(holds("!(" + no + " || ! " + yes + ")", measures));
  CHECK_FALSE(holds("!!" + no, measures));
}

TEST_CASE("what is wrong with a condition is said, with the column") {
  CHECK(wrong("") == "column 1: expected a comparison such as block.fill > 25%, ! or (");
  CHECK(wrong("block.fil > 1").find("column 1: no metric block.fil; there are block.used_bytes") ==
        0);
  CHECK(wrong("cpu > 1") == "column 1: no metric cpu; one begins with block., worker. or scope.");
  CHECK(wrong("block.fill 1").find("column 12: expected an operator") == 0);
  CHECK(wrong("block.fill >").find("column 13: expected a value") == 0);
  CHECK(wrong("block.fill > 3MiB").find("expected a share, such as 25% or 0.25") !=
        std::string::npos);
  CHECK(wrong("block.leaking > 5").find("with ms, s, m, h or d") != std::string::npos);
  CHECK(wrong("block.fill > 1 &&").find("column 18: expected a comparison") == 0);
  CHECK(wrong("(block.fill > 1").find("column 16: expected &&, || or the closing") == 0);
  CHECK(wrong("block.fill > 1 )").find("column 16: expected &&, || or the end") == 0);
  CHECK(wrong("block.fill > 1 && worker.stopped > 1s").find("the others are of a block") !=
        std::string::npos);
  CHECK(wrong(std::string(Condition::kMaxBytes + 1, ' ')).find("at most") != std::string::npos);
  std::string deep(Condition::kMaxDepth + 1, '!');
  CHECK(wrong(deep + "block.fill > 1").find("too many !") != std::string::npos);
  deep.resize(Condition::kMaxDepth);
  CHECK(Condition::parse(deep + "block.fill > 1"));
}

TEST_CASE("evidence names each metric once, with its value") {
  Measures measures;
  measures[Metric::fill] = 0.315;
  measures[Metric::leaking_ms] = 372'000;
  const auto condition =
      Condition::parse("block.fill > 25% && block.leaking > 5m || block.fill > 1");
  REQUIRE(condition);
  CHECK(condition->evidence(measures) == "block.fill 31.5%, block.leaking 6m 12s");
}

TEST_CASE("built-in rules can be read, and what they do fits what they are about") {
  for (const Rule& rule : built_in_rules()) {
    CAPTURE(rule.name);
    director::GuardSpec spec;
    spec.when = rule.text;
    spec.action = rule.action;
    CHECK(director::wrong_with_guard(spec).empty());
    // A system in which nothing has been measured is left alone.
    CHECK_FALSE(rule.when.holds(Measures{}));
  }
}

TEST_CASE(
    "a suite's rule takes the place of the built-in one of its name; higher priorities first") {
  director::GuardSpec spec;
  spec.name = "leak";
  spec.when = "block.fill > 99%";
  spec.priority = 1'000;
  const auto rules = rules_of({spec});
  REQUIRE(rules);
  CHECK(rules->size() == built_in_rules().size());
  CHECK(rules->front().name == "leak");
  CHECK_FALSE(rules->front().is_built_in);
  CHECK(std::is_sorted(rules->begin(), rules->end(),
                       [](const Rule& a, const Rule& b) { return a.priority > b.priority; }));
  spec.when = "block.fill >";
  CHECK(rules_of({spec}).error().code() == Errc::invalid_argument);
}

TEST_CASE("only a block can be sealed or quarantined") {
  director::GuardSpec spec;
  spec.when = "worker.stopped > 1s";
  spec.action = director::GuardAction::seal;
  CHECK(director::wrong_with_guard(spec).find("a worker can't be sealed") == 0);
  spec.action = director::GuardAction::kill;
  CHECK(director::wrong_with_guard(spec).empty());
}
