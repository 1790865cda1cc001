// The checker itself, and the torture's own check of histories, on histories made by hand.
#include "checker.hpp"

#include <catch2/catch.hpp>

#include "entry_model.hpp"

using namespace sessionblocks;
using namespace sessionblocks::linearizability;
using torture::content_with;

namespace {

Done call(Op op, std::uint64_t start, std::uint64_t end) {
  Done done;
  done.op = op;
  done.start_ns = start;
  done.end_ns = end;
  return done;
}
Done put(std::uint64_t start, std::uint64_t end, std::uint64_t stamp, std::uint64_t version) {
  Done done = call(Op::put, start, end);
  done.written = stamp;
  done.version = version;
  done.bytes = done.value_bytes = 24;
  return done;
}
Done get(std::uint64_t start, std::uint64_t end, std::uint64_t stamp, std::uint64_t version) {
  Done done = call(Op::get, start, end);
  done.has_value = true;
  done.seen = content_with(0, stamp);
  done.bytes = 24;
  done.version = version;
  return done;
}
Done refused(Done done, Errc code) {
  done.outcome = static_cast<std::uint16_t>(code);
  done.has_value = false;
  return done;
}
Done missing(std::uint64_t start, std::uint64_t end) {
  return refused(call(Op::get, start, end), Errc::not_found);
}
Done increment(std::uint64_t start, std::uint64_t end, std::uint64_t by, std::uint64_t sum,
               std::uint64_t version) {
  Done done = call(Op::increment, start, end);
  done.argument = by;
  done.seen = sum;
  done.version = version;
  done.value_bytes = 8;
  return done;
}
Done compare_and_set(std::uint64_t start, std::uint64_t end, std::uint64_t expected,
                     std::uint64_t stamp, std::uint64_t version) {
  Done done = put(start, end, stamp, version);
  done.op = Op::compare_and_set;
  done.argument = expected;
  return done;
}
Done append(std::uint64_t start, std::uint64_t end, std::uint64_t stamp, std::uint64_t version,
            std::uint64_t size) {
  Done done = put(start, end, stamp, version);
  done.op = Op::append;
  done.seen = done.value_bytes = size;
  return done;
}
Done erase(std::uint64_t start, std::uint64_t end, std::uint64_t version) {
  Done done = call(Op::erase, start, end);
  done.version = version;
  return done;
}
Done cut_off(Done done) {
  done.was_cut_off = true;
  done.seen = 0;
  return done;
}
Done without_version(Done done) {
  done.version = 0;
  return done;
}

bool by_search(const std::vector<Done>& calls, bool is_counter) {
  return Checker(EntryModel{is_counter}, calls).run({}).has_value();
}
bool by_versions(std::vector<Done> calls, bool is_counter) {
  unsigned faults = 0;
  torture::KeyState state;
  check_key("k", is_counter, state, calls, [&](const std::string&) { ++faults; });
  return faults == 0;
}

// Both must say the same.
void expect(bool linearizable, const std::vector<Done>& calls, bool is_counter = false) {
  CHECK(by_search(calls, is_counter) == linearizable);
  CHECK(by_versions(calls, is_counter) == linearizable);
}

}  // namespace

TEST_CASE("calls one after the other that find what the one before left are linearizable") {
  expect(true, {missing(1, 2), put(3, 4, 7, 1), get(5, 6, 7, 1), erase(7, 8, 2), missing(9, 10)});
  expect(true, {put(1, 2, 7, 1), append(3, 4, 8, 2, 48), compare_and_set(5, 6, 2, 9, 3)});
  expect(true, {increment(1, 2, 5, 5, 1), increment(3, 4, 2, 7, 2)}, true);
}

TEST_CASE("calls that overlap may take effect in any order") {
  expect(true, {put(1, 10, 7, 1), missing(2, 3), get(4, 5, 7, 1)});
  expect(true, {put(1, 10, 7, 2), put(2, 9, 8, 1), get(11, 12, 7, 2)});
  expect(true, {increment(1, 10, 1, 3, 2), increment(2, 9, 2, 2, 1)}, true);
}

TEST_CASE("a read that returns what was overwritten before it began is not linearizable") {
  expect(false, {put(1, 2, 7, 1), put(3, 4, 8, 2), get(5, 6, 7, 1)});
  expect(false, {put(1, 2, 7, 1), put(3, 10, 8, 2), get(4, 5, 8, 2), get(6, 7, 7, 1)});
  expect(false, {put(1, 2, 7, 1), missing(3, 4)});
  expect(false, {put(1, 2, 7, 1), erase(3, 4, 2), get(5, 6, 7, 1)});
}

TEST_CASE("a read of what is not written yet, or by nobody, is not linearizable") {
  expect(false, {get(1, 2, 7, 1), put(3, 4, 7, 1)});
  expect(false, {put(1, 2, 7, 1), get(3, 4, 9, 1)});
}

TEST_CASE("a lost update is not linearizable") {
  expect(false, {increment(1, 10, 1, 1, 1), increment(2, 9, 2, 2, 1)}, true);
  expect(false, {increment(1, 2, 1, 1, 1), increment(3, 4, 2, 2, 2)}, true);
  expect(false, {put(1, 2, 7, 1), append(3, 4, 8, 2, 24)});
}

TEST_CASE("compare_and_set wins against the version that is there, and against no other") {
  expect(true, {put(1, 2, 7, 1), compare_and_set(3, 10, 1, 8, 2),
                refused(compare_and_set(4, 9, 1, 9, 2), Errc::conflict)});
  expect(false, {put(1, 2, 7, 1), compare_and_set(3, 10, 1, 8, 2), compare_and_set(4, 9, 1, 9, 3)});
  expect(false, {put(1, 2, 7, 1), refused(compare_and_set(3, 4, 1, 8, 1), Errc::conflict)});
}

TEST_CASE("add finds nothing, replace and erase find something") {
  Done add = put(3, 4, 8, 2);
  add.op = Op::add;
  expect(false, {put(1, 2, 7, 1), add});
  expect(true, {put(1, 2, 7, 1), refused(
                                     [&] {
                                       add.version = 1;
                                       return add;
                                     }(),
                                     Errc::exists)});
  Done replace = put(1, 2, 8, 1);
  replace.op = Op::replace;
  expect(false, {replace});
  expect(false, {erase(1, 2, 1)});
}

TEST_CASE("a call that was cut off and is in the log was made before its caller died") {
  expect(true, {put(1, 2, 7, 1), cut_off(put(3, 10, 8, 2)), get(4, 5, 7, 1), get(6, 7, 8, 2)});
  expect(true, {put(1, 2, 7, 1), cut_off(put(3, 4, 8, 2)), get(5, 6, 8, 2)});
  expect(false, {put(1, 2, 7, 1), get(3, 4, 8, 2), cut_off(put(5, 6, 8, 2))});
  // Made, says the log, and a later read does not see it.
  CHECK_FALSE(by_search({put(1, 2, 7, 1), cut_off(put(3, 4, 8, 2)), get(5, 6, 7, 1)}, false));
}

TEST_CASE("the search needs no versions where results tell enough") {
  const auto untold = [](std::vector<Done> calls) {
    for (Done& done : calls) done = without_version(done);
    return by_search(calls, false);
  };
  CHECK(untold({put(1, 10, 7, 1), put(2, 9, 8, 2), get(11, 12, 7, 1), get(13, 14, 7, 1)}));
  CHECK_FALSE(untold({put(1, 10, 7, 1), put(2, 9, 8, 2), get(11, 12, 7, 1), get(13, 14, 8, 2)}));
  CHECK_FALSE(untold({put(1, 2, 7, 1), put(3, 4, 8, 2), get(5, 6, 7, 1)}));
}
