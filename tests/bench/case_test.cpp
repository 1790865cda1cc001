#include "../../bench/peers/case.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "../../bench/peers/schedule.hpp"
#include "../../bench/peers/values.hpp"

using namespace sessionblocks::bench;

namespace {

std::map<StepKind, double> shares(const Mix& mix) {
  Case one;
  one.spread = Spread::uniform;
  one.mix = mix;
  const auto steps = make_schedule(one, 0, 1);
  std::map<StepKind, double> found;
  for (const Step& step : steps) found[step.kind] += 1.0 / static_cast<double>(steps.size());
  return found;
}

}  // namespace

TEST_CASE("every case has a name of its own, and what is above 4 GiB is skipped and named") {
  const Cases all = all_cases({});
  std::set<std::string> names;
  for (const Case& one : all.cases) {
    CHECK(names.insert(one.name()).second);
    CHECK(one.data.data_bytes() <= std::uint64_t{4} << 30U);
  }
  std::set<std::string> skipped;
  for (const Skipped& one : all.skipped) skipped.insert(one.name);
  CHECK(skipped.count("random/keys:5000000/value:1024") == 1);
  CHECK(skipped.count("random/keys:100000/value:65536") == 1);
  CHECK(names.count("random/keys:5000000/value:64/reads:95/processes:4") == 1);
}

TEST_CASE("the quick cases are a part of all but for their sizes") {
  std::set<std::string> families;
  for (const Case& one : all_cases({}).cases) {
    families.insert(one.workload.substr(0, one.workload.find('/')));
  }
  for (const Case& one : quick_cases({}).cases) {
    CHECK(families.count(one.workload.substr(0, one.workload.find('/'))) == 1);
  }
}

TEST_CASE("a workload is wanted by its name or a leading part of it") {
  CHECK(is_wanted("random/keys:1000/value:8", {}));
  CHECK(is_wanted("random/keys:1000/value:8", {"hot", "random"}));
  CHECK(is_wanted("random/keys:1000/value:8", {"random/keys:1000"}));
  CHECK(is_wanted("random/keys:1000/value:8", {"random/keys:1000/value:8"}));
  CHECK_FALSE(is_wanted("random/keys:1000/value:8", {"random/keys:100"}));
  CHECK_FALSE(is_wanted("random/keys:1000/value:8", {"keys:1000"}));
}

TEST_CASE("a mix is drawn as it is asked for") {
  CHECK(shares({950, 50})[StepKind::read] == Approx(0.95).epsilon(0.01));
  CHECK(shares({950, 50})[StepKind::update] == Approx(0.05).epsilon(0.03));
  CHECK(shares({950, 0, 50})[StepKind::insert] == Approx(0.05).epsilon(0.03));
  CHECK(shares({500, 0, 0, 500})[StepKind::modify] == Approx(0.5).epsilon(0.01));
  CHECK(shares({0, 1'000}).size() == 1);
  CHECK(shares({0, 1'000})[StepKind::update] == Approx(1.0));
}

TEST_CASE("a seed gives the same steps again, and each process and seed others") {
  Case one;
  one.spread = Spread::uniform;
  const auto keys = [&one](unsigned process, std::uint64_t seed) {
    std::vector<std::uint32_t> found;
    for (const Step& step : make_schedule(one, process, seed)) found.push_back(step.key);
    return found;
  };
  CHECK(keys(0, 5) == keys(0, 5));
  CHECK(keys(0, 5) != keys(1, 5));
  CHECK(keys(0, 5) != keys(0, 6));
}

TEST_CASE("a value is known from every other, from a torn one and from one cut short") {
  for (const std::size_t size : {8U, 9U, 64U, 1'000U}) {
    CAPTURE(size);
    std::vector<std::byte> value(size);
    write_value(value, 7, 3);
    CHECK(is_value_of(value, 7));
    CHECK_FALSE(is_value_of(value, 8));
    CHECK_FALSE(is_value_of({value.data(), 7}, 7));
    if (size == 8) continue;
    std::vector<std::byte> other(size);
    write_value(other, 7, 4);
    CHECK(is_value_of(other, 7));
    std::copy(other.begin() + 8, other.end(), value.begin() + 8);
    CHECK_FALSE(is_value_of(value, 7));
    for (std::size_t at = 0; at < size; ++at) {
      write_value(value, 7, 3);
      // The version's bytes say which words must follow, and only they.
      value[at] ^= std::byte{1};
      CHECK_FALSE(is_value_of(value, 7));
    }
  }
}

TEST_CASE("keys are different, as long as asked for, and the same each time") {
  std::set<std::string> keys;
  for (std::uint64_t index = 0; index < 10'000; ++index) {
    std::string key(24, '\0');
    write_key(key, index);
    CHECK(keys.insert(key).second);
    std::string again(24, '\0');
    write_key(again, index);
    CHECK(key == again);
  }
}
