#include "flowlog/trace.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

struct Scene {
  Scene() {
    state.workers[3] = "shop/checkout#1";
    state.workers[4] = "shop/checkout#2";
    state.workers[5] = "shop/checkout#1";  // the slot's next process
    state.blocks[7] = "cart";
  }
  void add(const Entry& entry) { text += trace.add(entry, state); }
  [[nodiscard]] nlohmann::json events() const {
    return nlohmann::json::parse(Trace::begin() + text + Trace::end());
  }
  LogState state;
  Trace trace;
  std::string text;
};

Entry record_of(std::uint32_t worker, Op op, std::string key, std::int64_t unix_ms) {
  Entry entry;
  entry.record.lane.worker = worker;
  entry.record.op = op;
  entry.record.key = std::move(key);
  entry.record.has_key = true;
  entry.record.block = testing::kBlock;
  entry.record.version = 12;
  entry.record.value_bytes = 99;
  entry.record.unix_ms = unix_ms;
  return entry;
}

TEST_CASE("a trace without entries is a JSON document") {
  CHECK(Scene().events() == nlohmann::json::array());
}

TEST_CASE("an operation is an instant on its worker's thread in its scope's process") {
  Scene scene;
  const std::string raw_key("\x00\xFF", 2);
  scene.add(record_of(3, Op::put, "cart:\"1\"", 1'795'338'328'123));
  scene.add(record_of(4, Op::get, raw_key, 1'795'338'328'127));
  scene.add(record_of(5, Op::drop, "k", 1'795'338'328'131));
  scene.add(record_of(3, Op::put, "k", 1'795'338'328'131));
  scene.add(record_of(9, Op::put, "k", 1'795'338'328'131));
  std::map<std::uint64_t, std::string> processes;
  std::map<std::pair<std::uint64_t, std::uint64_t>, std::string> threads;
  std::vector<nlohmann::json> instants;
  for (const auto& event : scene.events()) {
    if (event.at("ph") == "M") {
      const std::string name = event.at("args").at("name");
      const auto thread = std::pair(event.at("pid").get<std::uint64_t>(), event.at("tid"));
      const bool is_new = event.at("name") == "process_name"
                              ? processes.emplace(thread.first, name).second
                              : threads.emplace(thread, name).second;
      CHECK(is_new);
      continue;
    }
    // Named before it is used.
    CHECK(processes.contains(event.at("pid")));
    CHECK(threads.at({event.at("pid"), event.at("tid")}) ==
          "worker " + std::to_string(event.at("tid").get<int>()));
    CHECK(event.at("ph") == "i");
    CHECK(event.at("s") == "t");
    instants.push_back(event);
  }
  CHECK(processes.size() == 3);
  CHECK(threads.size() == 4);
  REQUIRE(instants.size() == 5);
  CHECK(processes.at(instants[0].at("pid")) == "shop/checkout#1");
  CHECK(processes.at(instants[1].at("pid")) == "shop/checkout#2");
  CHECK(instants[2].at("pid") == instants[0].at("pid"));
  CHECK(processes.at(instants[4].at("pid")) == "scope not known");
  CHECK(instants[0].at("name") == "put");
  CHECK(instants[0].at("cat") == "write");
  CHECK(instants[1].at("cat") == "read");
  CHECK(instants[2].at("cat") == "other");
  CHECK(instants[0].at("ts") == 1'795'338'328'123'000);
  const auto& args = instants[0].at("args");
  CHECK(args.at("block") == "cart");
  CHECK(args.at("key") == "cart:\"1\"");
  CHECK(args.at("op") == "put");
  CHECK(args.at("outcome") == "ok");
  CHECK(args.at("version") == 12);
  CHECK(args.at("size") == 99);
  CHECK(instants[1].at("args").at("key_base64") == "AP8=");
}

TEST_CASE("what the director notes, what is missing and what is damaged are global instants") {
  Scene scene;
  Entry note;
  note.kind = EntryKind::note;
  note.note.kind = NoteKind::worker_added;
  note.note.worker = 3;
  note.note.text = "shop/checkout#1";
  note.record.unix_ms = 5'000;
  scene.add(note);
  Entry gap = record_of(3, Op::put, "", 6'000);
  gap.kind = EntryKind::gap;
  gap.cells = 8;
  scene.add(gap);
  Entry problem;
  problem.kind = EntryKind::problem;
  problem.problem = "altered";
  scene.add(problem);
  Entry late = record_of(3, Op::get, "k", INT64_MAX);  // of a log that somebody made up
  scene.add(late);
  std::vector<nlohmann::json> instants;
  for (const auto& event : scene.events()) {
    if (event.at("ph") == "i") instants.push_back(event);
  }
  REQUIRE(instants.size() == 4);
  const char* const names[] = {"worker_added", "missing", "problem"};
  for (std::size_t at = 0; at < 3; ++at) {
    CHECK(instants[at].at("name") == names[at]);
    CHECK(instants[at].at("s") == "g");
    CHECK(instants[at].at("pid") == instants[0].at("pid"));
  }
  CHECK(instants[0].at("ts") == 5'000'000);
  CHECK(instants[0].at("args").at("text") == "shop/checkout#1");
  CHECK(instants[1].at("args").at("missing") == 8);
  CHECK(instants[2].at("ts") == 6'000'000);
  CHECK(instants[2].at("args").at("problem") == "altered");
  CHECK(instants[3].at("pid") != instants[0].at("pid"));
}

}  // namespace
}  // namespace sessionblocks::flowlog
