// Replay of a block that processes wrote to under a real director: byte for byte what the block
// itself shows, whatever was done to it and whoever died.
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <random>
#include <sstream>

#include "../stage/stage.hpp"
#include "flowlog/replay.hpp"

namespace sessionblocks::flowlog {
namespace {

using stage::Link;
using stage::Process;
using stage::Stage;

constexpr const char* kMarker = "in no file as it is";

// What a block shows of an entry. Of its expiry only that it has one: how long it lasts is told
// against a clock that goes on.
struct Shown {
  std::uint8_t type = 0;
  std::string value;
  std::uint64_t version = 0;
  bool expires = false;
  friend bool operator==(const Shown&, const Shown&) = default;
};
using AllShown = std::map<std::string, Shown>;

AllShown shown_by(const Block& block) {
  AllShown all;
  REQUIRE(block.for_each("", [&](const EntryView& entry) {
    all[std::string(entry.key)] = {
        static_cast<std::uint8_t>(entry.type),
        {reinterpret_cast<const char*>(entry.value.data()), entry.value.size()},
        raw_version(entry.version),
        entry.expires_in.has_value()};
    return true;
  }));
  return all;
}

std::int64_t unix_ms() {
  using namespace std::chrono;
  return duration_cast<milliseconds>(system_clock::now().time_since_epoch()).count();
}

AllShown shown_by(const Replay& replay) {
  AllShown all;
  for (const auto& [key, entry] : replay.entries_at(unix_ms())) {
    CHECK(entry.is_known);
    all[key] = {entry.type, entry.value, entry.version, entry.expiry_ms != 0};
  }
  return all;
}

void check_same(const AllShown& replayed, const AllShown& live) {
  CHECK(replayed.size() == live.size());
  for (const auto& [key, entry] : live) {
    const auto at = replayed.find(key);
    INFO("key " << key << ", version " << entry.version);
    REQUIRE(at != replayed.end());
    CHECK(at->second == entry);
  }
}

Expiry random_expiry(std::mt19937& random) {
  switch (random() % 8) {
    case 0:
      return Expiry::after(std::chrono::milliseconds(5));
    case 1:
      return Expiry::after(std::chrono::hours(1));
    case 2:
      return Expiry::keep();
    default:
      return Expiry::never();
  }
}

std::string random_text(std::mt19937& random) {
  std::string text = kMarker;
  text.resize(random() % 400);
  for (char& c : text) {
    if (c == 0) c = static_cast<char>(random());
  }
  return text;
}

// One operation of any kind; what it answers does not matter.
void operate(Block& block, std::mt19937& random) {
  const std::string key = "key" + std::to_string(random() % 40) + std::string(random() % 3, '\0');
  const std::string number = "number" + std::to_string(random() % 5);
  const Expiry expiry = random_expiry(random);
  switch (random() % 11) {
    case 0:
      return static_cast<void>(block.add(key, random_text(random), expiry));
    case 1:
      return static_cast<void>(block.replace(key, random_text(random), expiry));
    case 2:
      if (const auto entry = block.get<Value>(key)) {
        (void)block.compare_and_set(key, entry->version, random_text(random), expiry);
      }
      return;
    case 3:
      return static_cast<void>(block.increment(number, static_cast<int>(random() % 7) - 3, expiry));
    case 4:
      return static_cast<void>(block.append(key, random_text(random), expiry));
    case 5:
      return static_cast<void>(block.erase(key));
    case 6:
      return static_cast<void>(block.get_and_erase<std::string>(key));
    case 7:
      return static_cast<void>(block.touch(key, expiry));
    case 8:
      return static_cast<void>(block.put(key, 0.5 * static_cast<double>(random() % 100), expiry));
    default:
      return static_cast<void>(block.put(key, random_text(random), expiry));
  }
}

// Does so many operations, or goes on until it is killed.
Process writer(Stage& stage, const std::string& block, unsigned seed, unsigned operations) {
  return Process([place = stage.place("writer"), block, seed, operations](Link& link) {
    auto session = Session::attach(place);
    auto opened = session ? session->open(block) : tl::unexpected(session.error());
    if (!opened) return 1;
    std::mt19937 random(seed);
    for (unsigned i = 0; operations == 0 || i < operations; ++i) {
      if (i == 100) link.say("at work");
      operate(*opened, random);
    }
    return 0;
  });
}

struct Replaying : Stage {
  Replaying() {
    Session maker = attach();
    BlockOptions options;
    options.name = "cart";
    options.kind = "shared";
    options.quota_bytes = std::uint64_t{4} << 20U;
    options.permit = {"persist", "fork"};
    options.log_values = true;
    REQUIRE(maker.create(options));
  }

  [[nodiscard]] std::size_t worker_segments() const {
    std::size_t count = 0;
    for (const std::string& name : segment_names()) count += name.find(".worker.") != name.npos;
    return count;
  }
  // The segment of a worker that ended goes when the log has all of it.
  void wait_until_logged() const {
    while (worker_segments() > others) ::usleep(1'000);
  }
  [[nodiscard]] Result<Replay> load(const std::string& block) const {
    const snapshot::KeyFile keys((logs().parent_path() / "state" / "keys").native());
    return Replay::load(logs().native(), block,
                        [&](const snapshot::KeyId& id) { return keys.find(id); });
  }
  // What the block shows, and that a replay of the whole log is that.
  AllShown check_replay(const std::string& block) {
    ::usleep(20'000);  // what was put for 5 ms has expired on both sides
    wait_until_logged();
    AllShown live;
    {
      Session session = attach();
      live = shown_by(session.open(block, AccessMode::read).value());
    }
    wait_until_logged();
    auto replay = load(block);
    REQUIRE(replay);
    INFO("remarks: " << replay->remarks().size());
    CHECK(replay->remarks().empty());
    check_same(shown_by(*replay), live);
    steps = replay->steps();
    return live;
  }
  void with_cart(const std::function<void(Session&, Block&)>& act) {
    Session session = attach();
    Block cart = session.open("cart").value();
    act(session, cart);
  }

  std::size_t steps = 0;   // of the last replay
  std::size_t others = 2;  // segments of the director and of the stage itself
};

std::string all_logs(const Stage& stage) {
  std::string bytes;
  for (const auto& file : std::filesystem::directory_iterator(stage.logs())) {
    std::ostringstream text;
    text << std::ifstream(file.path(), std::ios::binary).rdbuf();
    bytes += text.str();
  }
  return bytes;
}

}  // namespace

TEST_CASE_METHOD(Replaying, "a replay is the block, whatever its workers did and when they died") {
  const auto run = [&](unsigned seed) {
    Process first = writer(*this, "cart", seed, 1'500);
    Process second = writer(*this, "cart", seed + 1, 1'500);
    Process killed = writer(*this, "cart", seed + 2, 0);
    REQUIRE(killed.read_line() == "at work");
    ::usleep((seed * 7'919) % 20'000);
    killed.signal(SIGKILL);
    REQUIRE(killed.wait() == 128 + SIGKILL);
    REQUIRE(first.wait() == 0);
    REQUIRE(second.wait() == 0);
  };
  std::vector<std::pair<std::size_t, AllShown>> moments;
  for (unsigned round = 0; round < 3; ++round) {
    run(round * 10 + 1);
    const AllShown live = check_replay("cart");
    moments.emplace_back(steps, live);
  }
  with_cart([](Session&, Block& cart) { REQUIRE(cart.take_checkpoint("then")); });
  run(101);
  const AllShown before = check_replay("cart");
  with_cart([](Session&, Block& cart) { REQUIRE(cart.roll_back("then")); });
  const AllShown after = check_replay("cart");
  CHECK(after != before);
  run(201);
  (void)check_replay("cart");

  kill_director();
  REQUIRE(start_director({}) == 0);
  ++others;  // the stage's of before: its process lives
  run(301);
  (void)check_replay("cart");
  with_cart([](Session& session, Block& cart) { REQUIRE(session.fork(cart, "copy")); });
  with_cart([](Session&, Block& cart) {
    std::mt19937 random(5);
    for (int i = 0; i < 100; ++i) operate(cart, random);
  });
  (void)check_replay("cart");

  // Any moment again, back from the end and forward from there.
  auto replay = load("cart");
  REQUIRE(replay);
  for (auto at = moments.rbegin(); at != moments.rend(); ++at) {
    replay->seek(at->first);
    AllShown then;
    // What lasted for an hour then has not expired since.
    for (const auto& [key, entry] : replay->entries_at(unix_ms())) {
      then[key] = {entry.type, entry.value, entry.version, entry.expiry_ms != 0};
    }
    check_same(then, at->second);
  }
  replay->seek(replay->steps());
  const AllShown forward = shown_by(*replay);
  check_same(forward, shown_by(*load("cart")));
}

TEST_CASE_METHOD(Replaying, "a replay of a fork begins with what it was forked with") {
  with_cart([](Session& session, Block& cart) {
    std::mt19937 random(1);
    for (int i = 0; i < 200; ++i) operate(cart, random);
    // Longer than one record of the director's is.
    REQUIRE(cart.put("long", std::string(300'000, 'l')));
    REQUIRE(session.fork(cart, "copy"));
  });
  with_cart([](Session& session, Block&) {
    Block copy = session.open("copy").value();
    REQUIRE(copy.append("long", "er"));
    REQUIRE(copy.put("of the copy", 1));
  });
  const AllShown live = check_replay("copy");
  CHECK(live.at("long").value.size() == 300'002);
  auto replay = load("copy");
  REQUIRE(replay);
  CHECK(replay->step(1).kind == StepKind::generation);
  (void)check_replay("cart");
}

TEST_CASE_METHOD(Replaying, "a full block that evicts is replayed with what it evicted") {
  {
    Session maker = attach();
    BlockOptions options;
    options.name = "small";
    options.kind = "shared";
    options.quota_bytes = 512 << 10U;
    options.permit = {"persist"};
    options.at_limit = "evict-lru";
    options.log_values = true;
    REQUIRE(maker.create(options));
  }
  {
    Session session = attach();
    Block small = session.open("small").value();
    for (int i = 0; i < 4'000; ++i) {
      REQUIRE(small.put("key" + std::to_string(i), std::string(300, 'v')));
    }
  }
  const AllShown live = check_replay("small");
  CHECK(live.size() < 4'000);
}

TEST_CASE_METHOD(Replaying, "nothing logged of a block can be read once it is wiped") {
  with_cart([](Session&, Block& cart) {
    REQUIRE(cart.put("secret", kMarker));
    REQUIRE(cart.append("secret", kMarker));
  });
  const AllShown live = check_replay("cart");
  CHECK(live.at("secret").value == std::string(kMarker) + kMarker);
  CHECK(all_logs(*this).find(kMarker) == std::string::npos);
  const std::size_t before = steps;
  {
    Session late = attach();
    Block cart = late.open("cart").value();
    REQUIRE(attach().wipe("cart"));
    CHECK(cart.put("late", "v").error() == Errc::wiped);
  }
  wait_until_logged();
  auto replay = load("cart");
  REQUIRE(replay);
  CHECK(replay->steps() == before + 1);
  CHECK(replay->step(replay->steps()).kind == StepKind::wiped);
  CHECK(replay->entries().empty());
  replay->seek(before);
  REQUIRE(replay->entries().size() == 1);
  CHECK_FALSE(replay->entries().at("secret").is_known);
  REQUIRE(replay->remarks().size() == 1);
  CHECK(replay->remarks()[0].find("wiped") != std::string::npos);
  CHECK(all_logs(*this).find(kMarker) == std::string::npos);
}

TEST_CASE_METHOD(Replaying, "a value that its ring cannot hold is refused, and says the bound") {
  {
    Session session = attach();
    BlockOptions options;
    options.name = "large";
    options.quota_bytes = std::uint64_t{64} << 20U;
    options.kind = "shared";
    options.permit = {"persist"};
    options.log_values = true;
    Block large = session.create(options).value();
    REQUIRE(large.put("most", std::string(16'000'000, 'm')));
    const auto refused = large.put("big", std::string(17'000'000, 'b'));
    REQUIRE_FALSE(refused);
    CHECK(refused.error() == Errc::value_too_large);
    CHECK(refused.error().message().find("ring_records") != std::string::npos);
  }
  CHECK(check_replay("large").size() == 1);
}

TEST_CASE_METHOD(Replaying, "values are logged where permit, audit and log allow it") {
  Session session = attach();
  BlockOptions options;
  options.name = "other";
  options.log_values = true;
  CHECK(session.create(options).error() == Errc::not_permitted);
  options.permit = {"persist"};
  options.audit = "counted";
  CHECK(session.create(options).error() == Errc::invalid_argument);
  options.audit = "writes";
  CHECK(session.create(options));
}

}  // namespace sessionblocks::flowlog
