// The memory budget of an embedded system.
#include <sessionblocks/sessionblocks.hpp>

#include <catch2/catch.hpp>

namespace sessionblocks {

TEST_CASE("an embedded system has the memory budget that its options name") {
  EmbeddedOptions options;
  options.memory_bytes = 3U << 20U;
  SessionSystem system = SessionSystem::embedded(options).value();
  Session session = system.attach().value();
  BlockOptions block;
  block.name = "first";
  block.kind = "shared";
  block.quota_bytes = 2U << 20U;
  REQUIRE(system.create(block));
  block.name = "second";
  const auto refused = system.create(block);
  REQUIRE(refused.error() == Errc::out_of_memory);
  CHECK(refused.error().message().find("the system has a memory budget of 3MiB, of which 2MiB") !=
        std::string::npos);
  block.kind = "private";
  CHECK(session.create(block).error() == Errc::out_of_memory);
  block.quota_bytes = 1U << 20U;
  REQUIRE(session.create(block));
  REQUIRE(system.destroy("first"));
  block.name = "third";
  block.quota_bytes = 2U << 20U;
  CHECK(session.create(block));
}

TEST_CASE("an embedded system without a budget has no bound") {
  SessionSystem system = SessionSystem::embedded().value();
  BlockOptions block;
  block.quota_bytes = 8U << 20U;
  for (const char* name : {"a", "b", "c"}) {
    block.name = name;
    CHECK(system.create(block));
  }
}

}  // namespace sessionblocks
