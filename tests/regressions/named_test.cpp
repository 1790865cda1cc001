// Failures that others had, by the names of their public reports. Each test shows that this store
// has it not, with processes that are killed or stopped.
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <list>

#include "../stage/confined.hpp"
#include "platform/membarrier.hpp"
#include "segment/checkpoints.hpp"
#include "segment/worker_memory.hpp"
#include "victim.hpp"

namespace sessionblocks::regressions {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr unsigned kMostPoints = 100;  // no operation here passes as many

using Act = std::function<void(Block&)>;

// Kills a worker at each crash point of `act`; `check` runs while it is dead and nobody has put
// anything right yet, and again when the director has. Returns how many points there were.
unsigned kill_at_each_point(Stage& stage, const Act& act, const std::function<void()>& check) {
  for (unsigned n = 0; n < kMostPoints; ++n) {
    Process process = victim(stage, "cart", n, act);
    const std::string said = process.read_line();
    REQUIRE((said == "there" || said == "done"));
    kill(process);
    INFO("killed at point " << n);
    check();
    stage.wait_for_workers(1);
    check();
    if (said == "done") return n;
  }
  FAIL("more points than any operation has");
  return 0;
}

void check_points(unsigned points) {
#if defined(SESSIONBLOCKS_CRASH_POINTS)
  CHECK(points > 3);
#else
  WARN("built without crash points: " << points);
#endif
}

}  // namespace

// A blackboard gives the right to write an entry to one writer, in shared memory. A writer that was
// killed with it took it along: nobody could write that entry again while the service lived.
TEST_CASE("iceoryx2#2008: an entry whose writer was killed is written by the next one at once") {
  Stage stage;
  stage.create("cart", kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  REQUIRE(cart.put("entry", 0));
  int number = 0;
  const auto check = [&] {
    const auto before = cart.get<Value>("entry");
    REQUIRE(before);
    REQUIRE(cart.compare_and_set("entry", before->version, ++number));
    REQUIRE(cart.get<std::int64_t>("entry")->value == number);
    REQUIRE(cart.put("entry", ++number));
  };
  check_points(kill_at_each_point(
      stage, [](Block& block) { (void)block.put("entry", "the victim's"); }, check));
  check_points(kill_at_each_point(
      stage, [](Block& block) { (void)block.increment("entry"); }, check));
  stage.check_in_order(1);
}

// The cache had one read-write lock without an owner. Whoever was killed while it held the lock,
// a reader in every fetch, poisoned the segment for good: writers hung, and clearing it hung too.
TEST_CASE("apcu#632: whoever is killed inside the store poisons it for nobody") {
  Stage stage;
  stage.create("cart", kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  const auto check = [&] {
    for (int i = 0; i < 20; ++i) REQUIRE(cart.put("k" + std::to_string(i), std::string(300, 'v')));
    REQUIRE(cart.get<std::string>("k7"));
    std::vector<std::string> keys;
    REQUIRE(cart.for_each("", [&](const EntryView& entry) {
      keys.emplace_back(entry.key);
      return true;
    }));
    for (const std::string& key : keys) REQUIRE(cart.erase(key));  // clearing it
    REQUIRE(cart.size() == 0);
    REQUIRE(cart.put("k0", std::string(300, 'v')));
  };
  check();
  Process reader = readers(stage, "cart", {"k0"});
  REQUIRE(reader.read_line() == "there");
  check();
  kill(reader);
  check();
  check_points(kill_at_each_point(
      stage, [](Block& block) { (void)block.put("k0", std::string(40'000, 'w')); }, check));
  check_points(kill_at_each_point(
      stage, [](Block& block) { (void)block.erase("k0"); }, check));
  stage.check_in_order(1);
}

// Several workers could hold the read lock, and the detector of dead holders knew the last one
// only: the death of another left the lock held for ever.
TEST_CASE("uwsgi#1202: of many readers any may die, in any order, and writers never wait") {
  Stage stage;
  stage.create("cart", kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  const auto fill = [&] {  // all that fits, and gone again
    int count = 0;
    while (cart.put("more" + std::to_string(count), std::string(30'000, 'm'))) ++count;
    for (int i = 0; i < count; ++i) REQUIRE(cart.erase("more" + std::to_string(i)));
    return count;
  };
  REQUIRE(cart.put("shared", std::string(30'000, 'r')));
  (void)fill();
  const int free = fill();
  std::vector<Process> all;
  for (int i = 0; i < 8; ++i) {
    all.push_back(readers(stage, "cart", {"shared", "shared"}));
    REQUIRE(all.back().read_line() == "there");
  }
  for (const int next : {3, 0, 7, 1, 6, 2, 5, 4}) {
    for (int i = 0; i < 10; ++i) REQUIRE(cart.put("shared", std::string(30'000, 'r')));
    kill(all[static_cast<std::size_t>(next)]);
  }
  stage.wait_for_workers(1);
  // What the dead were reading is memory again: as many fit as before.
  for (int i = 0; i < 10; ++i) REQUIRE(cart.put("shared", std::string(30'000, 'r')));
  CHECK(fill() >= free);
  stage.check_in_order(1);
}

// A table of reader slots, shared by all processes, filled up with those of workers that had been
// killed, until nobody could begin to read.
TEST_CASE("frappe/mail#559: more readers are killed than there are slots, and others read on") {
  constexpr int kThreads = 30;
  constexpr int kRounds = 40;
  static_assert(kThreads * kRounds > layout::kHazards);
  Stage stage;
  stage.create("cart", kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  REQUIRE(cart.put("k", "value"));
  const std::vector<std::string> keys(kThreads, "k");
  for (int round = 0; round < kRounds; ++round) {
    Process process = readers(stage, "cart", keys);
    REQUIRE(process.read_line() == "there");
    kill(process);
    REQUIRE(cart.put("k", "value"));
  }
  stage.wait_for_workers(1);
  Process last = readers(stage, "cart", keys);
  REQUIRE(last.read_line() == "there");
  std::string seen;
  REQUIRE(cart.visit("k", [&](std::span<const std::byte> bytes) {
    seen.assign(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }));
  CHECK(seen == "value");
  kill(last);
  stage.check_in_order(1);
}

// A process that was killed after it had created a segment and before it had marked it as ready
// left all who opened it in a loop that waits for the mark.
TEST_CASE("interprocess#128: a block whose maker was killed half way is waited for by nobody") {
  Stage stage;
  stage.create("cart", kMiB);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    if (!cart) return 1;
    while (true) {
      link.say(cart->increment("turns") ? "well" : "badly");
      (void)link.hear();
    }
  });
  REQUIRE(worker.read_line() == "well");
  const auto names = [&] { return stage.segment_names(); };
  for (int round = 0; round < 12; ++round) {
    // The director makes a block's segments; it dies as soon as the first has its name.
    const std::size_t before = names().size();
    const std::string name = "half" + std::to_string(round);
    stage.ask_without_waiting(
        {{"op", "create"}, {"name", name}, {"kind", "shared"}, {"quota", 16 * kMiB}});
    while (names().size() == before) {
    }
    stage.kill_director();
    worker.tell('t');
    REQUIRE(worker.read_line() == "well");
    REQUIRE(stage.start_director({}) == 0);
    // It is there, whole, or it is not; and its name is free then.
    Session session = stage.attach("main");
    const auto opened = session.open(name);
    INFO("round " << round << ": " << (opened ? "there" : opened.error().message()));
    if (!opened) {
      REQUIRE(code(opened) == Errc::no_such_block);
      stage.create(name, kMiB);
    }
    REQUIRE(session.open(name)->put("k", 1));
    stage.destroy(name);
  }
  kill(worker);
  stage.check_in_order(0);
}

namespace {

// A segment of the stage's system, by its name, as its director has it.
struct Segment {
  explicit Segment(const std::string& name) {
    const int fd = ::shm_open(("/" + name).c_str(), O_RDWR | O_CLOEXEC, 0);
    REQUIRE(fd >= 0);
    bytes = static_cast<std::size_t>(::lseek(fd, 0, SEEK_END));
    memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ::close(fd);
    REQUIRE(memory != MAP_FAILED);
  }
  ~Segment() { ::munmap(memory, bytes); }
  Segment(const Segment&) = delete;
  Segment& operator=(const Segment&) = delete;
  [[nodiscard]] std::byte* data() const { return static_cast<std::byte*>(memory); }

  void* memory = nullptr;
  std::size_t bytes = 0;
};

}  // namespace

// A checkpoint needed every session to pass a barrier by itself; one that was silent, because it
// had nothing to do, kept the checkpoint from completing, with a core busy waiting for it.
TEST_CASE("FASTER#227: sessions that are silent or stopped do not keep a checkpoint waiting") {
  Stage stage;
  stage.create("cart", kMiB);
  Session session = stage.attach("main");
  Block cart = session.open("cart").value();
  REQUIRE(cart.put("k", "old"));
  std::vector<Process> silent;
  for (unsigned n = 0; n < 12; ++n) {
    silent.push_back(victim(stage, "cart", n, [](Block& block) { (void)block.put("k", "new"); }));
    const std::string said = silent.back().read_line();
    REQUIRE((said == "there" || said == "done"));
    silent.back().signal(SIGSTOP);
  }
  // As the director takes it.
  REQUIRE(platform::register_for_membarrier());
  const Segment block(stage.prefix() + "block.1.1");
  const Segment readers_file(stage.prefix() + "readers.1.1");
  segment::BlockMemory memory(block.data(), block.bytes, nullptr, nullptr);
  auto& readers_segment = *reinterpret_cast<layout::ReadersSegment*>(readers_file.data());
  std::list<Segment> files;
  std::list<segment::WorkerMemory> workers;
  std::vector<segment::IntentSource> sources;
  for (const std::string& name : stage.segment_names()) {
    if (name.find(".worker.") == std::string::npos) continue;
    files.emplace_back(name);
    const auto* header = reinterpret_cast<const layout::WorkerHeader*>(files.back().data());
    workers.emplace_back(files.back().data(), header->ring_records);
    for (unsigned open = 0; open < layout::kOpens; ++open) {
      if (header->opens[open].load() != 0) {
        sources.push_back({&workers.back(), static_cast<std::uint16_t>(open)});
      }
    }
  }
  REQUIRE(sources.size() >= silent.size());
  layout::SideIntent side{};
  segment::ThreadHeap heap(memory, &readers_segment, side, 0, owner_of(WorkerId{0xFF'FFFF}, 0));
  segment::Checkpoints checkpoints(memory, readers_segment, heap);
  for (int round = 0; round < 100; ++round) {
    const auto instant = checkpoints.take(sources);
    REQUIRE(instant);
    REQUIRE(cart.put("other", round));  // nor does the checkpoint keep a writer waiting
    REQUIRE(checkpoints.release(*instant, sources));
  }
  REQUIRE(cart.get<std::string>("k"));
  for (Process& process : silent) kill(process);
  REQUIRE(cart.erase("other"));
  stage.check_in_order(1);
}

// A store that maps more than /dev/shm has, because others fill it too, got SIGBUS at a store into
// a page that could not be had.
TEST_CASE("ray#14182: others fill /dev/shm, and writers get an error instead of SIGBUS") {
  stage::run_hidden("[.ray-14182]", [] { return stage::enter_small_shm(16 * kMiB); });
}

TEST_CASE("in a small /dev/shm that others fill", "[.ray-14182]") {
  Stage stage;
  stage.create("cart", 8 * kMiB);
  Process worker([place = stage.place("main")](Link& link) {
    auto session = Session::attach(place);
    auto cart = session ? session->open("cart") : tl::unexpected(session.error());
    if (!cart || !cart->put("first", "kept")) return 1;
    link.say("ready");
    (void)link.hear();
    int count = 0;
    Errc end{};
    for (; end == Errc{}; ++count) {
      end = code(cart->put("k" + std::to_string(count), std::string(20'000, 'v')));
    }
    if (end != Errc::out_of_memory || cart->get<std::string>("first")->value != "kept") return 2;
    for (int i = 0; i + 1 < count; ++i) {
      if (!cart->get<std::string>("k" + std::to_string(i))) return 3;
    }
    link.say(std::to_string(count));
    (void)link.hear();
    return code(cart->put("more", std::string(20'000, 'v'))) == Errc{} ? 0 : 4;
  });
  REQUIRE(worker.read_line() == "ready");
  const stage::Balloon others;
  others.blow_up();
  worker.tell('w');
  const std::string line = worker.read_line();
  if (line.empty()) FAIL("the worker ended with " << worker.wait());
  CHECK(std::stoi(line) < 300);  // far from its quota
  others.let_out();
  worker.tell('w');
  CHECK(worker.wait() == 0);
  stage.check_in_order(0);
}

}  // namespace sessionblocks::regressions
