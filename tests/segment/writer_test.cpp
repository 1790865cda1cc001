#include "fixture.hpp"

#include <map>
#include <random>
#include <thread>
#include <vector>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

TEST_CASE("what was put is read back, with versions that grow by one") {
  System system;
  Worker worker(system, 1);
  Thread thread(worker, 0);
  CHECK(!get(system.memory, "cart"));
  CHECK(thread.put("cart", "apples").version == 1);
  CHECK(get(system.memory, "cart")->value == "apples");
  CHECK(thread.put("cart", std::string(300, 'x')).version == 2);
  CHECK(get(system.memory, "cart")->value == std::string(300, 'x'));
  CHECK(thread.erase("cart").version == 3);
  CHECK(!get(system.memory, "cart"));
  CHECK(thread.erase("cart").code == Errc::not_found);
  CHECK(thread.put("cart", "").version == 4);
  CHECK(get(system.memory, "cart")->value.empty());
}

TEST_CASE("add, replace, increment and append keep their conditions") {
  System system;
  Worker worker(system, 1);
  Thread thread(worker, 0);
  CHECK(thread.put("a", "1", Op::replace).code == Errc::not_found);
  CHECK(thread.put("a", "1", Op::add).code == Errc{});
  CHECK(thread.put("a", "2", Op::add).code == Errc::exists);
  CHECK(thread.put("a", "2", Op::replace).code == Errc{});
  CHECK(thread.increment("a").code == Errc::wrong_type);
  CHECK(thread.increment("n", 5).code == Errc{});
  CHECK(thread.increment("n", INT64_MAX).code == Errc::overflow);
  CHECK(as_integer(get(system.memory, "n")->value) == 5);
  for (int i = 0; i < 100; ++i) {
    CHECK(thread
              .put("log", std::string(static_cast<std::size_t>(i % 13), char('a' + i % 26)),
                   Op::append)
              .code == Errc{});
  }
  std::string expected;
  for (int i = 0; i < 100; ++i)
    expected += std::string(static_cast<std::size_t>(i % 13), char('a' + i % 26));
  CHECK(get(system.memory, "log")->value == expected);
}

TEST_CASE("values of every size are whole, page runs included, and their memory comes back") {
  System system(8 << 20);
  Worker worker(system, 1);
  Thread thread(worker, 0);
  for (int round = 0; round < 300; ++round) {
    const auto size = static_cast<std::size_t>(round * 977 % 70'000);
    const std::string value(size, static_cast<char>('a' + round % 26));
    REQUIRE(thread.put("k" + std::to_string(round % 7), value).code == Errc{});
    REQUIRE(get(system.memory, "k" + std::to_string(round % 7))->value == value);
  }
}

TEST_CASE("the index grows while entries are put and erased") {
  System system(64 << 20);
  Worker worker(system, 1);
  Thread thread(worker, 0);
  std::map<std::string, std::string> model;
  std::mt19937 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const std::string key = "key" + std::to_string(random() % 30'000);
    if (random() % 3 == 0) {
      const bool there = model.erase(key) > 0;
      REQUIRE((thread.erase(key).code == Errc{}) == there);
    } else {
      const std::string value = std::to_string(i);
      REQUIRE(thread.put(key, value).code == Errc{});
      model[key] = value;
    }
  }
  for (int i = 0; i < 30'000; ++i) {
    const std::string key = "key" + std::to_string(i);
    const auto got = get(system.memory, key);
    const auto at = model.find(key);
    REQUIRE(got.has_value() == (at != model.end()));
    if (got) REQUIRE(got->value == at->second);
  }
}

TEST_CASE("a full block says so, keeps what it holds, erases, and takes new entries again") {
  System system(1 << 20);
  Worker worker(system, 1);
  Thread thread(worker, 0);
  std::vector<std::string> keys;
  for (int i = 0;; ++i) {
    const std::string key = "key" + std::to_string(i);
    const Outcome outcome = thread.put(key, std::string(500, 'v'));
    if (outcome.code == Errc::out_of_memory) break;
    REQUIRE(outcome.code == Errc{});
    keys.push_back(key);
  }
  CHECK(keys.size() > 800);
  for (const auto& key : keys) REQUIRE(get(system.memory, key));
  for (const auto& key : keys) REQUIRE(thread.erase(key).code == Errc{});
  for (std::size_t i = 0; i < keys.size() / 2; ++i) {
    REQUIRE(thread.put(keys[i], std::string(500, 'w')).code == Errc{});
  }
}

TEST_CASE("a worker reuses what another, idle one freed when the block is full") {
  System system(1 << 20);
  Worker one(system, 1);
  Worker two(system, 2);
  Thread writer(one, 0);
  Thread eraser(two, 0);
  std::vector<std::string> keys;
  for (int i = 0; writer.put("key" + std::to_string(i), std::string(500, 'v')).code == Errc{};
       ++i) {
    keys.push_back("key" + std::to_string(i));
  }
  for (const auto& key : keys) REQUIRE(eraser.erase(key).code == Errc{});
  for (const auto& key : keys) REQUIRE(eraser.put(key, std::string(480, 'x')).code == Errc{});
}

TEST_CASE("a hint alone frees nothing: a thief may just have taken the chunk that it names") {
  System system(1 << 20);
  Worker worker(system, 1);
  Thread thread(worker, 0);
  std::vector<std::string> keys;
  for (int i = 0; thread.put("key" + std::to_string(i), std::string(500, 'v')).code == Errc{};
       ++i) {
    keys.push_back("key" + std::to_string(i));
  }
  for (std::uint64_t page = 0; page < system.memory.page_count(); ++page) {
    for (auto& hints : system.memory.descriptor(page).freed_hints) hints.store(~std::uint64_t{0});
  }
  CHECK(thread.put("more", std::string(500, 'm')).code == Errc::out_of_memory);
  for (const auto& key : keys) {
    const auto got = get(system.memory, key);
    REQUIRE(got);
    REQUIRE(got->value == std::string(500, 'v'));
  }
}

TEST_CASE("several threads increment one counter through growth, and no increment is lost") {
  System system(64 << 20);
  Worker worker(system, 1);
  constexpr int kEach = 50'000;
  std::vector<std::thread> threads;
  for (unsigned lane = 0; lane < 4; ++lane) {
    threads.emplace_back([&, lane] {
      Thread thread(worker, lane);
      for (int i = 0; i < kEach; ++i) {
        if (thread.increment("n").code != Errc{}) std::abort();
        if (thread.put("own" + std::to_string(lane) + "/" + std::to_string(i % 5000), "x").code !=
            Errc{}) {
          std::abort();
        }
      }
    });
  }
  std::thread reader([&] {
    std::int64_t last = 0;
    HazardSlot hazard(&system.readers_segment(), owner_of(WorkerId{9}, 0));
    while (last < 4 * kEach) {
      const auto got = get(system.memory, "n", &hazard);
      if (!got) continue;
      const std::int64_t now = as_integer(got->value);
      if (now < last) std::abort();
      last = now;
    }
  });
  for (auto& thread : threads) thread.join();
  reader.join();
  CHECK(as_integer(get(system.memory, "n")->value) == 4 * kEach);
}
