// A full /dev/shm and a full quota: errors, never SIGBUS, and nothing that was there is lost.
#include <catch2/catch.hpp>

#include "../flowlog/support.hpp"
#include "../stage/confined.hpp"
#include "../stage/stage.hpp"
#include "flowlog/verify.hpp"

namespace sessionblocks::limits {
namespace {

using stage::Balloon;
using stage::enter_small_shm;
using stage::run_hidden;
using stage::Stage;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

// Returns how many it was; none may fail.
std::uint64_t read_all(const Block& block, int keys, std::uint64_t at_least) {
  std::uint64_t reads = 0;
  while (reads < at_least) {
    for (int i = 1; i < keys; ++i, ++reads) {
      const auto read = block.get<std::string>("k" + std::to_string(i));
      if (!read) FAIL("read " << reads << ": " << read.error().message());
    }
  }
  return reads;
}

// The log is whole, and has the reads of "k...".
void check_log(const std::filesystem::path& folder, std::uint64_t reads) {
  const auto report = flowlog::verify(folder);
  REQUIRE(report);
  INFO(report->text());
  CHECK(report->is_whole());
  CHECK(report->missing_cells == 0);
  std::uint64_t recorded = 0;
  for (const auto& record : flowlog::testing::read_records(folder)) {
    if (record.op == Op::get && record.key.starts_with("k")) recorded += record.count;
  }
  CHECK(recorded == reads);
}

}  // namespace

TEST_CASE("a full /dev/shm: writes are refused, what was there stays, and all goes on after it") {
  run_hidden("[.shm-full]", [] { return enter_small_shm(16 * kMiB); });
}

TEST_CASE("in a small /dev/shm: writes until it is full", "[.shm-full]") {
  Stage stage;
  stage.create("cart", 6 * kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  REQUIRE(cart.put("text", "old"));
  REQUIRE(cart.put("number", 7));
  REQUIRE(cart.put("long", std::string(40'000, 'l')));
  const Balloon balloon;
  balloon.blow_up();

  int count = 0;
  Errc end{};
  while (end == Errc{}) end = code(cart.put("k" + std::to_string(count++), std::string(900, 'v')));
  CHECK(end == Errc::out_of_memory);
  CHECK(code(cart.put("text", std::string(300'000, 'n'))) == Errc::out_of_memory);
  CHECK(code(cart.append("long", std::string(300'000, 'n'))) == Errc::out_of_memory);
  CHECK(cart.get<std::string>("text")->value == "old");
  CHECK(cart.get<std::string>("long")->value == std::string(40'000, 'l'));
  CHECK(code(stage.try_create("more", kMiB)) == Errc::out_of_memory);

  // More reads than the audit ring has cells with memory, each of them recorded.
  const std::uint64_t reads = read_all(cart, count - 1, 40'000);
  CHECK(cart.erase("k0"));
  CHECK(cart.erase("text"));
  CHECK(cart.increment("number") == 8);
  stage.check_in_order(1);

  balloon.let_out();
  CHECK(cart.put("text", std::string(300'000, 'n')));
  CHECK(cart.put("k0", std::string(900, 'v')));
  stage.create("more", kMiB);
  const std::uint64_t more = read_all(cart, count - 1, 40'000);
  stage.check_in_order(1);
  stage.stop();
  check_log(stage.logs(), reads + more);
}

TEST_CASE("a full /dev/shm: nobody attaches or opens by halves") {
  run_hidden("[.shm-full-attach]", [] { return enter_small_shm(16 * kMiB); });
}

TEST_CASE("in a small /dev/shm: attaching when it is full", "[.shm-full-attach]") {
  Stage stage;
  stage.create("cart", 2 * kMiB);
  Session before = stage.attach("main");
  const AttachOptions place = stage.place("main");
  const Balloon balloon;
  balloon.blow_up();
  // The director has room for a worker's segment or has not, and says so.
  const auto refused = Session::attach(place);
  REQUIRE(code(refused) == Errc::out_of_memory);
  CHECK(refused.error().message().find("free /dev/shm") != std::string::npos);
  // Attached already, with not a cell of its lane there: an error, and again.
  Block cart = before.open("cart").value();
  CHECK(code(cart.put("k", 1)) == Errc::out_of_memory);
  CHECK(code(cart.get<std::int64_t>("k")) == Errc::out_of_memory);
  CHECK(code(stage.try_create("more", kMiB)) == Errc::out_of_memory);
  stage.check_in_order(1);
  balloon.let_out();
  CHECK(cart.put("k", 1));
  Session after = stage.attach("main");
  CHECK(after.open("cart")->get<std::int64_t>("k")->value == 1);
  stage.check_in_order(2);
}

}  // namespace sessionblocks::limits
