// Checkpoints through the public API: what they show, what differs between them, what they hold.
#include <sessionblocks/sessionblocks.hpp>

#include <unistd.h>
#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <random>
#include <thread>

using namespace sessionblocks;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  Fixture() {
    ::alarm(200);
    BlockOptions options;
    options.name = "cart";
    options.kind = "shared";
    options.quota_bytes = 64ULL << 20U;
    REQUIRE(system.create(options));
    cart.emplace(session.open("cart").value());
  }
  ~Fixture() { ::alarm(0); }
  SessionSystem system = SessionSystem::embedded().value();
  Session session = system.attach("main").value();
  std::optional<Block> cart;
};

using Entries = std::map<std::string, std::string>;

Entries entries_at(const BlockAt& at, std::string_view prefix = {}) {
  Entries found;
  const auto shown = at.for_each(prefix, [&](const EntryView& entry) {
    const auto* const bytes = reinterpret_cast<const char*>(entry.value.data());
    CHECK(found.emplace(entry.key, std::string(bytes, entry.value.size())).second);
    return true;
  });
  REQUIRE(shown);
  CHECK(*shown == found.size());
  return found;
}

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

}  // namespace

TEST_CASE_METHOD(Fixture, "a checkpoint shows what was there when it was taken") {
  const std::string large(100'000, 'l');
  REQUIRE(cart->put("items", 3));
  REQUIRE(cart->put("token", "first"));
  REQUIRE(cart->put("gone", "soon"));
  REQUIRE(cart->put("large", large));
  REQUIRE(cart->erase("gone"));
  REQUIRE(cart->put("gone", "again"));
  const BlockAt at = cart->at(cart->take_checkpoint("before").value());
  const Version version = cart->get<std::string>("token")->version;
  REQUIRE(cart->increment("items"));
  REQUIRE(cart->put("token", 2.5));
  REQUIRE(cart->erase("gone"));
  REQUIRE(cart->append("large", "more"));
  REQUIRE(cart->put("new", "one"));
  REQUIRE(cart->erase("new"));

  CHECK(at.get<std::int64_t>("items")->value == 3);
  CHECK(at.get<std::string>("token")->value == "first");
  CHECK(at.get<std::string>("token")->version == version);
  CHECK(at.get<std::string>("gone")->value == "again");
  CHECK(std::get<std::string>(at.get<Value>("large")->value) == large);
  CHECK(code(at.get<std::string>("new")) == Errc::not_found);
  CHECK(code(at.get<std::string>("never")) == Errc::not_found);
  CHECK(code(at.get<bool>("token")) == Errc::wrong_type);
  CHECK(code(at.get<bool>("")) == Errc::invalid_key);
  std::array<std::byte, 5> five{};
  CHECK(at.get_into("token", five).value() == 5);
  CHECK(std::string(reinterpret_cast<const char*>(five.data()), 5) == "first");
  std::array<std::byte, 4> four{};
  const auto small = at.get_into("token", four);
  REQUIRE(code(small) == Errc::buffer_too_small);
  CHECK(small.error().needed_bytes() == 5);
  CHECK(entries_at(at) == Entries{{"items", std::string("\3\0\0\0\0\0\0\0", 8)},
                                  {"token", "first"},
                                  {"gone", "again"},
                                  {"large", large}});
  CHECK(entries_at(at, "to") == Entries{{"token", "first"}});
  CHECK(cart->get<double>("token")->value == 2.5);
}

TEST_CASE_METHOD(Fixture,
                 "what a checkpoint shows stays the same while writers write and the index grows") {
  Entries then;
  for (int i = 0; i < 600; ++i) {
    then["key" + std::to_string(i)] = "value" + std::to_string(i);
    REQUIRE(cart->put("key" + std::to_string(i), "value" + std::to_string(i)));
  }
  const BlockAt at = cart->at(cart->take_checkpoint("still").value());
  std::atomic<bool> stop{false};
  std::atomic<unsigned> writes{0};
  std::vector<std::jthread> writers;
  for (unsigned writer = 0; writer < 2; ++writer) {
    writers.emplace_back([&, writer] {
      std::mt19937 random(writer);
      for (unsigned i = 0; !stop; ++i) {
        const std::string old = "key" + std::to_string(random() % 600);
        const bool erases = random() % 4 == 0;
        const bool done = erases ? code(cart->erase(old)) != Errc::corrupt
                                 : cart->put(old, std::string(random() % 300, 'n')).has_value();
        const std::string fresh = std::to_string(writer) + "/" + std::to_string(i % 20'000);
        if (!done || !cart->put(fresh, "x")) std::abort();
        ++writes;
      }
    });
  }
  unsigned walks = 0;
  while (walks < 20 || writes < 60'000) {
    REQUIRE(entries_at(at) == then);
    const std::string key = "key" + std::to_string(walks % 600);
    REQUIRE(at.get<std::string>(key)->value == then[key]);
    ++walks;
  }
  stop = true;
  writers.clear();
  CHECK(entries_at(at) == then);
}

TEST_CASE_METHOD(Fixture,
                 "a diff tells each entry that was added, changed or removed, and no other") {
  std::mt19937 random(7);
  std::map<std::string, Version> model;
  const auto change = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const std::string key = "k" + std::to_string(random() % 200);
      if (random() % 3 == 0) {
        if (model.erase(key) != 0) REQUIRE(cart->erase(key));
      } else {
        model[key] = cart->put(key, static_cast<int>(i)).value();
      }
    }
  };
  using Told = std::map<std::string, std::tuple<Change, Version, Version>>;
  const auto expected = [](const auto& before, const auto& after) {
    Told told;
    for (const auto& [key, version] : before) {
      const auto found = after.find(key);
      if (found == after.end()) told[key] = {Change::removed, version, Version{}};
      if (found != after.end() && found->second != version) {
        told[key] = {Change::changed, version, found->second};
      }
    }
    for (const auto& [key, version] : after) {
      if (before.count(key) == 0) told[key] = {Change::added, Version{}, version};
    }
    return told;
  };
  const auto collect = [](Told& told) {
    return [&told](const Difference& one) {
      CHECK(told.emplace(one.key, std::tuple(one.change, one.before, one.after)).second);
      return true;
    };
  };
  change(300);
  const BlockAt first = cart->at(cart->take_checkpoint("first").value());
  const auto model_first = model;
  change(100);
  const BlockAt second = cart->at(cart->take_checkpoint("second").value());
  const auto model_second = model;
  change(150);
  Told told;
  const std::uint64_t count = first.diff(second, collect(told)).value();
  CHECK(count == told.size());
  CHECK(told == expected(model_first, model_second));
  CHECK(!told.empty());
  Told back;
  REQUIRE(second.diff(first, collect(back)));
  CHECK(back == expected(model_second, model_first));
  Told now;
  REQUIRE(first.diff_to_now(collect(now)));
  CHECK(now == expected(model_first, model));
  CHECK(first.diff(first, collect(told)).value() == 0);
  unsigned calls = 0;
  CHECK(first.diff_to_now([&](const Difference&) { return ++calls < 3; }).value() == 3);
  CHECK(change_name(Change::removed) == "removed");
}

TEST_CASE_METHOD(Fixture, "checkpoints of two blocks cannot be compared") {
  BlockOptions options;
  options.name = "other";
  Block other = session.create(options).value();
  const BlockAt here = cart->at(cart->take_checkpoint("here").value());
  const BlockAt there = other.at(other.take_checkpoint("there").value());
  CHECK(code(here.diff(there, [](const Difference&) { return true; })) == Errc::invalid_argument);
}

TEST_CASE_METHOD(Fixture, "nothing can be read at a checkpoint that was released") {
  REQUIRE(cart->put("k", "old"));
  const BlockAt at = cart->at(cart->take_checkpoint("short").value());
  const BlockAt later = cart->at(cart->take_checkpoint("later").value());
  REQUIRE(cart->put("k", "new"));
  REQUIRE(cart->release_checkpoint("short"));
  const auto all = [](const auto&) { return true; };
  CHECK(code(at.get<std::string>("k")) == Errc::no_such_checkpoint);
  CHECK(code(at.get<std::string>("none")) == Errc::no_such_checkpoint);
  CHECK(code(at.for_each({}, all)) == Errc::no_such_checkpoint);
  CHECK(code(at.diff_to_now(all)) == Errc::no_such_checkpoint);
  CHECK(code(at.diff(later, all)) == Errc::no_such_checkpoint);
  CHECK(code(later.diff(at, all)) == Errc::no_such_checkpoint);
  CHECK(code(at.held_bytes()) == Errc::no_such_checkpoint);
  CHECK(at.get<std::string>("k").error().message().find("short") != std::string::npos);
  CHECK(later.get<std::string>("k")->value == "old");
  CHECK(code(cart->release_checkpoint("short")) == Errc::no_such_checkpoint);
}

TEST_CASE_METHOD(Fixture, "checkpoints are listed with name, instant and time") {
  CHECK(cart->checkpoints()->empty());
  const Checkpoint first = cart->take_checkpoint("first").value();
  const Checkpoint second = cart->take_checkpoint("second").value();
  CHECK(first.instant < second.instant);
  CHECK(std::chrono::system_clock::now() - first.taken < 1h);
  const auto listed = cart->checkpoints().value();
  REQUIRE(listed.size() == 2);
  CHECK(listed[0].name == "first");
  CHECK(listed[0].instant == first.instant);
  CHECK(listed[0].taken == first.taken);
  CHECK(listed[1].name == "second");
  CHECK(code(cart->take_checkpoint("first")) == Errc::exists);
  for (const char* const name : {"", "two words", "a/b", "\xFF"}) {
    CHECK(code(cart->take_checkpoint(name)) == Errc::invalid_argument);
  }
  CHECK(cart->checkpoints()->size() == 2);
}

TEST_CASE_METHOD(Fixture, "who may only read lists checkpoints and reads at them, and takes none") {
  REQUIRE(cart->put("k", "v"));
  REQUIRE(cart->take_checkpoint("mine"));
  Block reader = session.open("cart", AccessMode::read).value();
  CHECK(code(reader.take_checkpoint("theirs")) == Errc::read_only);
  CHECK(code(reader.release_checkpoint("mine")) == Errc::read_only);
  const BlockAt at = reader.at(reader.checkpoints()->front());
  REQUIRE(cart->erase("k"));
  CHECK(at.get<std::string>("k")->value == "v");
}

TEST_CASE_METHOD(Fixture, "a checkpoint holds what was displaced since, and nothing else") {
  for (int i = 0; i < 100; ++i) REQUIRE(cart->put("key" + std::to_string(i), "0123456789"));
  const BlockAt first = cart->at(cart->take_checkpoint("first").value());
  CHECK(first.held_bytes().value() == 0);
  REQUIRE(cart->put("key1", "new"));
  const std::uint64_t one = first.held_bytes().value();
  CHECK(one >= 80);
  CHECK(one % 16 == 0);
  REQUIRE(cart->put("key1", "newer"));  // displaces what no checkpoint needs
  CHECK(first.held_bytes().value() == one);
  REQUIRE(cart->put("key2", "new"));
  REQUIRE(cart->erase("key3"));
  CHECK(first.held_bytes().value() == 3 * one);
  const BlockAt second = cart->at(cart->take_checkpoint("second").value());
  CHECK(second.held_bytes().value() == 0);
  REQUIRE(cart->put("key4", "new"));
  CHECK(first.held_bytes().value() == 4 * one);
  CHECK(second.held_bytes().value() == one);
  REQUIRE(cart->put("big", std::string(50'000, 'b')));
  const BlockAt third = cart->at(cart->take_checkpoint("third").value());
  REQUIRE(cart->erase("big"));
  CHECK(third.held_bytes().value() == 4 * 16'384);
}

TEST_CASE_METHOD(Fixture,
                 "what had expired is not in a checkpoint, and what expires later stays in it") {
  REQUIRE(cart->put("short", "s", Expiry::after(20ms)));
  REQUIRE(cart->put("long", "l", Expiry::after(2s)));
  std::this_thread::sleep_for(40ms);
  const BlockAt at = cart->at(cart->take_checkpoint("then").value());
  CHECK(code(at.get<std::string>("short")) == Errc::not_found);
  const auto entry = at.get<std::string>("long");
  REQUIRE(entry);
  REQUIRE(entry->expires_in);
  CHECK(*entry->expires_in <= 2s);
  CHECK(*entry->expires_in > 0s);
  while (cart->contains("long").value()) std::this_thread::sleep_for(20ms);
  CHECK(at.get<std::string>("long")->value == "l");
  CHECK(entries_at(at) == Entries{{"long", "l"}});
}
