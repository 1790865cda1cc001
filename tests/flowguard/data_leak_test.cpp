#include "flowguard/data_leak.hpp"

#include "flowguard/data_access.hpp"
#include "leak_scene.hpp"

namespace sessionblocks::flowguard {
namespace {

using namespace testing;

const director::ScriptRights kTill{{"till", Rights::read_write}};
const director::ScriptRights kBoth{{"till", Rights::read_write}, {"report", Rights::read}};

// Whether any of a finding's words holds a piece of the text.
bool shows(const LeakFound& found, std::string_view text) {
  return (found.text() + found.source_key + found.target_key).find(text) != std::string::npos;
}

TEST_CASE("a sensitive value that turns up where more may read is found in each form") {
  LeakScene scene;
  const BlockId vault = scene.create("vault", kTill, {"token:*"});
  const BlockId board = scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block from = open(till, "vault");
  Block to = open(till, "board");
  REQUIRE(from.put("token:anna", kSecret));
  REQUIRE(from.put("plain", "what anybody may know of it"));
  REQUIRE(to.put("plain", "what anybody may know of it"));
  CHECK(scene.passes().empty());
  struct Leak {
    std::string value;
    Form form;
    bool is_whole;
    std::size_t bytes;
  };
  const std::vector<Leak> leaks = {
      {std::string(kSecret), Form::plain, true, 32},
      {"log line: " + std::string(kSecret.substr(7, 20)) + " end", Form::plain, false, 20},
      {"54723075623464 6f7226332D686F7273652d62617474657279", Form::hex, false, 18},
      {"VHIwdWI0ZG9yJjMtaG9yc2UtYmF0dGVyeS1zdGFwbGU=", Form::base64, true, 32},
  };
  for (const Leak& leak : leaks) {
    CAPTURE(leak.value);
    const auto version = to.put("note", leak.value);
    REQUIRE(version);
    const auto found = scene.passes();
    REQUIRE(found.size() == 1);
    const LeakFound& one = found.front();
    CHECK(one.source == vault);
    CHECK(one.target == board);
    CHECK(one.form == leak.form);
    CHECK(one.is_whole == leak.is_whole);
    CHECK(one.bytes == leak.bytes);
    CHECK(one.version == raw_version(*version));
    CHECK(one.target_key == "note");
    CHECK_FALSE(one.is_in_key);
    CHECK(one.source_key.starts_with(director::kMaskedPrefix));
    CHECK(one.reader.find("report") != std::string::npos);
    CHECK_FALSE(shows(one, "anna"));
    CHECK(scene.passes().empty());  // of this version it was said
  }
}

TEST_CASE("it names the worker that wrote it") {
  LeakScene scene;
  scene.create("vault", kTill, {"token:*"});
  scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block board = open(till, "board");
  REQUIRE(open(till, "vault").put("token:1", kSecret));
  REQUIRE(board.put("note", kSecret));
  const auto found = scene.passes();
  REQUIRE(found.size() == 1);
  CHECK(found.front().writer == static_cast<WorkerId>(till.worker_id()));
}

TEST_CASE("a leak that was there before its source was is found too") {
  LeakScene scene;
  scene.create("board", kBoth);
  scene.create("vault", kTill, {"token:*"});
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block board = open(till, "board");
  Block vault = open(till, "vault");
  REQUIRE(board.put("note", kSecret));
  CHECK(scene.passes().empty());
  REQUIRE(vault.put("token:1", kSecret));
  CHECK(scene.passes().size() == 1);
}

TEST_CASE("between two walks, the source may come after the target") {
  LeakScene scene;
  scene.create("board", kBoth, {"masked:*"});  // looked at first: its id is lower
  scene.create("vault", kTill, {"token:*"});
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block board = open(till, "board");
  Block vault = open(till, "vault");
  CHECK(scene.passes().empty());
  REQUIRE(vault.put("token:1", kSecret));
  REQUIRE(board.put("masked:note", kSecret));
  // Without the walk over everything: that is not what finds it.
  std::vector<LeakFound> found = scene.pass();
  for (LeakFound& one : scene.pass()) found.push_back(std::move(one));
  REQUIRE(found.size() == 1);
  CHECK(found.front().target_key.starts_with(director::kMaskedPrefix));
}

TEST_CASE("a value that several blocks hold is found for the one whose access is narrower") {
  LeakScene scene;
  scene.create("mine", kBoth, {"token:*"});
  const BlockId narrow = scene.create("narrow", kTill, {"token:*"});
  scene.create("mine-too", kBoth, {"token:*"});
  scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  REQUIRE(open(till, "mine").put("token:1", kSecret));
  REQUIRE(open(till, "mine-too").put("token:1", kSecret));
  REQUIRE(open(till, "board").put("note", kSecret));
  CHECK(scene.passes().empty());
  REQUIRE(open(till, "narrow").put("token:1", kSecret));
  const auto found = scene.passes();
  CHECK(found.size() == 3);
  for (const LeakFound& one : found) CHECK(one.source == narrow);
}

TEST_CASE("what a pattern leaves open of a key is looked for, in keys and values") {
  LeakScene scene;
  scene.create("vault", kTill, {"session-of-the-customer:*"});
  scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block board = open(till, "board");
  REQUIRE(open(till, "vault").put("session-of-the-customer:8Zk2-93jd-QQ71-xyPP", 1));
  REQUIRE(board.put("a session-of-the-customer: none", 1));  // the pattern's own words
  CHECK(scene.passes().empty());
  REQUIRE(board.put("seen 8Zk2-93jd-QQ71-xyPP", 1));
  const auto found = scene.passes();
  REQUIRE(found.size() == 1);
  CHECK(found.front().is_in_key);
  CHECK_FALSE(shows(found.front(), "8Zk2"));
}

TEST_CASE("an erased or overwritten value is looked for some time longer, and not for ever") {
  LeakScene scene;
  scene.create("vault", kTill, {"token:*"});
  scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block vault = open(till, "vault");
  Block board = open(till, "board");
  REQUIRE(vault.put("token:1", kSecret));
  CHECK(scene.passes().empty());
  REQUIRE(vault.erase("token:1"));
  CHECK(scene.passes().empty());
  CHECK(scene.detector.counts().secrets == 0);
  REQUIRE(board.put("note", kSecret));
  CHECK(scene.passes().size() == 1);
  scene.call([](director::Registry& registry) {
    registry.destroy_block((*registry.visible_block("vault", registry.scopes.root().id))->id, "");
  });
  CHECK(scene.passes().empty());
  CHECK(scene.detector.counts().windows <= kSecret.size());
}

TEST_CASE("entries are found through growth of the index, large values through their pieces") {
  LeakScene scene;
  scene.create("vault", kTill, {"token:*"});
  scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block vault = open(till, "vault");
  Block board = open(till, "board");
  for (int i = 0; i < 5'000; ++i) REQUIRE(board.put("k" + std::to_string(i), i));
  for (int i = 0; i < 2'000; ++i) {
    const std::string value = i == 77 ? std::string(kSecret) : "another " + std::to_string(i);
    REQUIRE(vault.put("token:" + std::to_string(i), value));
    if (i == 1'000) CHECK(scene.passes().empty());
  }
  CHECK(scene.passes().empty());
  CHECK(scene.detector.counts().secrets == 2'000);
  std::string large(3 * kPieceBytes, '.');
  large.insert(2 * kPieceBytes - 10, kSecret);  // over the border of two pieces
  REQUIRE(board.put("large", large));
  REQUIRE(board.put("k4999", kSecret));
  const auto found = scene.passes();
  CHECK(found.size() == 2);
}

TEST_CASE("walks go on where the budget ended them, and the hinted block comes first") {
  LeakScene scene;
  scene.create("vault", kTill, {"token:*"});
  for (int i = 0; i < 20; ++i) scene.create("other-" + std::to_string(i), kBoth);
  const BlockId board = scene.create("board", kBoth);
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  REQUIRE(open(till, "vault").put("token:1", kSecret));
  REQUIRE(scene.passes().empty());
  REQUIRE(open(till, "board").put("note", kSecret));
  int passes = 0;
  while (scene.pass(0).empty()) REQUIRE(++passes < 10'000);
  CHECK(passes > 2);  // one step at a time
  REQUIRE(open(till, "board").put("note", kSecret));
  const std::uint64_t walks = scene.detector.counts().walks;
  scene.detector.note_written(board);
  // As long as a turn of one block takes; the walk over all has not come there.
  CHECK(scene.pass(1'000'000).size() == 1);
  CHECK(scene.detector.counts().walks <= walks + 1);
}

TEST_CASE("only a block that more may read than the source is a leak") {
  LeakScene scene;
  struct Case {
    director::ScriptRights source;
    director::ScriptRights target;
    bool is_wider;
  };
  const director::ScriptRights all{{"*", Rights::read}};
  const director::ScriptRights report{{"report", Rights::read}};
  const std::vector<Case> cases = {
      {kTill, kTill, false}, {kTill, kBoth, true},  {kBoth, kTill, false}, {kBoth, kBoth, false},
      {kTill, all, true},    {all, kTill, false},   {all, all, false},     {kTill, report, true},
      {report, kTill, true}, {kBoth, report, false}};
  Session till = scene.attach("till");
  Session other = scene.attach("report");
  int number = 0;
  for (const Case& one : cases) {
    CAPTURE(number);
    const auto name = std::to_string(number++);
    const BlockId source = scene.create("s" + name, one.source, {"*"});
    const BlockId target = scene.create("t" + name, one.target);
    scene.call([&](director::Registry& registry) {
      const auto reader =
          who_reads_only(registry, *registry.blocks.find(source), *registry.blocks.find(target));
      CHECK(reader.has_value() == one.is_wider);
      CHECK_FALSE(
          who_reads_only(registry, *registry.blocks.find(source), *registry.blocks.find(source)));
    });
  }
}

TEST_CASE("what a fork has of its origin's sensitive entries is no leak of the origin") {
  LeakScene scene;
  const BlockId vault = scene.create("vault", kBoth, {"token:*"});
  scene.call([&](director::Registry& registry) {
    registry.blocks.find(vault)->permits |= static_cast<std::uint32_t>(director::Permit::fork);
  });
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  Block from = open(till, "vault");
  REQUIRE(from.put("token:anna", kSecret));
  auto copy = till.fork(from, "copy");
  REQUIRE(copy);
  // That more may read the origin than the fork is how it was before.
  CHECK(scene.passes().empty());
  REQUIRE(from.put("token:anna", kSecret));
  CHECK(scene.passes().empty());
  // Where it was not sensitive, it is one.
  REQUIRE(from.put("note", kSecret));
  CHECK(scene.passes().size() == 1);
}

TEST_CASE("private blocks, revocations and references count for who may read") {
  LeakScene scene;
  Session till = scene.attach("till");
  Session report = scene.attach("report");
  const auto make = [](Session& session, const char* name) {
    BlockOptions options;
    options.name = name;
    options.permit = {"share"};
    auto block = session.create(options);
    REQUIRE(block);
    return std::pair(static_cast<BlockId>(block->id()), std::move(*block));
  };
  auto [mine, my_block] = make(till, "mine");
  auto [mine_too, my_other] = make(till, "mine-too");
  auto [others, other_block] = make(report, "others");
  const BlockId board = scene.create("board", kBoth);
  const auto reads_only = [&](BlockId source, BlockId target) {
    bool reads = false;
    scene.call([&, s = source, t = target](director::Registry& registry) {
      reads =
          who_reads_only(registry, *registry.blocks.find(s), *registry.blocks.find(t)).has_value();
    });
    return reads;
  };
  const BlockId vault = scene.create("vault", kTill);
  CHECK_FALSE(reads_only(mine, mine_too));
  CHECK_FALSE(reads_only(mine, vault));
  CHECK(reads_only(mine, others));
  CHECK(reads_only(vault, board));
  CHECK(reads_only(mine, board));
  CHECK_FALSE(reads_only(board, mine));
  scene.call([&, id = board](director::Registry& registry) {
    REQUIRE(registry.revocations.revoke(*registry.blocks.find(id),
                                        {"embedded/report", Rights::none, {}}, "test"));
  });
  CHECK_FALSE(reads_only(mine, board));
  CHECK_FALSE(reads_only(vault, board));
  ShareOptions options;
  options.audience = "embedded/report";
  const auto reference = till.share(my_other, options);
  REQUIRE(reference);
  CHECK_FALSE(reads_only(mine, mine_too));  // nobody redeemed it
  const auto redeemed = report.redeem(*reference);
  REQUIRE(redeemed);
  CHECK(reads_only(mine, mine_too));
}

}  // namespace
}  // namespace sessionblocks::flowguard
