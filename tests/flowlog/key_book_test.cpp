#include "flowlog/key_book.hpp"

#include <catch2/catch.hpp>

using namespace sessionblocks;
using namespace sessionblocks::flowlog;

namespace {

KeyRef key(std::uint64_t id) {
  return {BlockRef::make(BlockId{1}, Generation{1}), id};
}

}  // namespace

TEST_CASE("a key that is in use keeps its name while any number come and go") {
  KeyBook book(10'000);
  book.define(key(1), "lives long");
  book.define(key(2), "is forgotten");
  std::size_t most = 0;
  for (std::uint64_t id = 3; id < 10'000; ++id) {
    CHECK(book.define(key(id), "passes by").bytes == "passes by");
    if (id % 10 == 0) REQUIRE(book.find(key(1)) != nullptr);
    most = std::max(most, book.size());
  }
  CHECK(book.find(key(1))->bytes == "lives long");
  CHECK(book.find(key(2)) == nullptr);
  CHECK(most < 100);
}

TEST_CASE("a book whose keys were all looked up forgets those for which that is longest ago") {
  KeyBook book(20'000);
  for (std::uint64_t id = 1; id <= 100; ++id) book.define(key(id), "used");
  for (std::uint64_t id = 100; id > 0; --id) REQUIRE(book.find(key(id)) != nullptr);
  for (std::uint64_t id = 1'000; id < 1'060; ++id) book.define(key(id), "new");
  CHECK(book.find(key(100)) == nullptr);
  CHECK(book.find(key(1)) != nullptr);
  CHECK(book.find(key(1'000)) != nullptr);
}
