#include "director/suite_file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>

#include "suite_support.hpp"

using namespace suite_tests;

namespace {

Suite full_suite() {
  const auto suite = parse_suite(kFullSuite, "/suite/shop.toml");
  if (!suite) FAIL(suite.error().front().text());
  return *suite;
}

}  // namespace

TEST_CASE("a full suite file is read, block by block, in the order of the file") {
  const Suite suite = full_suite();
  CHECK(suite.name == "shop");
  CHECK(suite.file == "/suite/shop.toml");
  CHECK(suite.folder == "/suite");
  CHECK(suite.memory_bytes == std::uint64_t{1} << 30U);
  CHECK(suite.director.ring_records == 65'536);
  REQUIRE(suite.blocks.size() == 4);
  CHECK(suite.blocks[0].name == "defaults");
  CHECK(suite.blocks[0].kind == BlockKind::private_to_scope);

  const BlockSpec& cart = suite.blocks[1];
  CHECK(cart.name == "cart");
  CHECK(cart.kind == BlockKind::shared);
  CHECK(cart.owner == ScopeRef{});
  CHECK(cart.quota_bytes == 67'108'864);
  CHECK(cart.lifespan_ms == 1'800'000);
  CHECK(cart.idle_ms == 300'000);
  CHECK(cart.audit == AuditLevel::writes);
  CHECK(cart.on_full_ring == OnFullRing::fail);
  CHECK(cart.enforce == Enforce::swap);
  CHECK(cart.at_end == AtEnd::heir);
  CHECK(cart.at_limit == AtLimit::evict_lru);
  CHECK(cart.log_values);
  CHECK(cart.heir == ScopeRef{ScopeKind::script, "report"});
  CHECK(cart.grants == RightsByScript{{"checkout", Rights::read_write}, {"report", Rights::read}});
  CHECK(cart.permit == Permits{true, true, true, true});

  const BlockSpec& settings = suite.blocks[2];
  CHECK(settings.kind == BlockKind::inherited);
  CHECK(settings.from == "defaults");
  CHECK(settings.heirs == RightsByScript{{"checkout", Rights::read}});
  const BlockSpec& draft = suite.blocks[3];
  CHECK(draft.kind == BlockKind::forked);
  CHECK(draft.owner == ScopeRef{ScopeKind::flow, "charge"});
  CHECK_FALSE(draft.lifespan_ms.has_value());
  CHECK(draft.sensitive == std::vector<std::string>{"token:*"});
}

TEST_CASE("a full suite file is read, script by script, with paths from its own folder") {
  const Suite suite = full_suite();
  REQUIRE(suite.scripts.size() == 3);
  CHECK(suite.scripts[0].name == "report");
  CHECK(suite.scripts[0].command == std::vector<std::string>{"sh", "-c", "true"});
  const ScriptSpec& checkout = suite.scripts[1];
  CHECK(checkout.command == std::vector<std::string>{"/suite/checkout-worker", "--fast"});
  CHECK(checkout.workers == 4);
  CHECK(checkout.parent.empty());
  CHECK(checkout.user == "shop");
  CHECK(checkout.read_paths == std::vector<fs::path>{"/suite/data"});
  CHECK(checkout.write_paths == std::vector<fs::path>{"/suite/out", "/var/tmp/shop"});
  CHECK(checkout.may_create == std::vector<std::string>{"cart-*"});
  CHECK(checkout.timeout_ms == 600'000);
  CHECK(checkout.memory_bytes == std::uint64_t{128} << 20U);
  CHECK(checkout.restart == RestartPolicy::always);
  CHECK(checkout.budget == RestartBudget{7, 90'000});
  CHECK(checkout.shm == ShmAccess::deny);
  CHECK(checkout.env == std::map<std::string, std::string>{{"MODE", "fast"}});
  CHECK(checkout.cwd == fs::path("/suite/work"));
  CHECK(checkout.start == StartWhen::with_suite);
  CHECK(suite.scripts[2].parent == "checkout");
  CHECK(suite.scripts[2].start == StartWhen::on_request);

  REQUIRE(suite.guards.size() == 1);
  CHECK(suite.guards[0].name == "write-burst");
  CHECK(suite.guards[0].when == "block.writes_per_s > 100000");
  CHECK(suite.guards[0].action == GuardAction::quarantine);
  CHECK(suite.guards[0].priority == -3);
  CHECK(suite.guards[0].for_ms == 2'000);
}

TEST_CASE("what a file leaves out has the default of the structs") {
  const auto suite = parse_suite(kHead + "[block.b]\n" + script("s"), "/suite/shop.toml");
  REQUIRE(suite.has_value());
  const BlockSpec& block = suite->blocks.front();
  CHECK(block.kind == BlockKind::private_to_scope);
  CHECK(block.owner == ScopeRef{});
  CHECK(block.quota_bytes == 67'108'864);
  CHECK(block.audit == AuditLevel::full);
  CHECK(block.on_full_ring == OnFullRing::wait);
  CHECK(block.enforce == Enforce::cooperative);
  CHECK(block.permit == Permits{});
  const ScriptSpec& plain = suite->scripts.front();
  CHECK(plain.workers == 1);
  CHECK(plain.restart == RestartPolicy::on_failure);
  CHECK(plain.budget == RestartBudget{5, 60'000});
  CHECK(plain.shm == ShmAccess::automatic);
  CHECK_FALSE(plain.timeout_ms.has_value());
  CHECK_FALSE(plain.memory_bytes.has_value());
  CHECK_FALSE(plain.cwd.has_value());
  CHECK(suite->director.ring_records == 1'048'576);
}

TEST_CASE("every value keeps its place for errors that are found later") {
  const Suite suite = full_suite();
  const BlockSpec& cart = suite.blocks[1];
  CHECK(cart.where.self == SourceLocation{14, 8});
  CHECK(cart.where.at("quota") == SourceLocation{17, 9});
  CHECK(cart.where.at("grants.report") == SourceLocation{27, 29});
  CHECK(cart.where.at("from") == cart.where.self);
  CHECK(suite.scripts[1].where.at("budget.within") == SourceLocation{55, 32});
  CHECK(suite.guards[0].where.at("when") == SourceLocation{66, 8});
}

TEST_CASE("what cannot be read is named with its line and column") {
  const std::string s = script("s");
  const std::vector<Case> cases = {
      // The file as a whole.
      {"@[suite]\nname = \"shop\"\n", "missing key 'schema'"},
      {"schema = @2\n[suite]\nname = \"shop\"\n", "this program reads schema 1"},
      {"schema = @\"1\"\n[suite]\nname = \"shop\"\n", "schema must be an integer, not a text"},
      {"@schema = 1\n", "missing table [suite]"},
      {"schema = 1\nsuite = @\"shop\"\n", "suite must be a table, not a text"},
      {"schema = 1\n[suite]\nname = @1979-05-27\n", "name must be a text, not a date or time"},
      {"schema = 1\nblock = @3\n[suite]\nname = \"shop\"\n",
       "block must be a table, not an integer"},
      // Unknown keys.
      {"schema = 1\n@scripts = 2\n[suite]\nname = \"shop\"\n", "did you mean 'script'?"},
      {kHead + "@nmae = 3\n", "unknown key 'nmae'; did you mean 'name'?"},
      {kHead + "[@blok.cart]\n", "unknown key 'blok'; did you mean 'block'?"},
      {kHead + "[block.b]\n@qouta = \"1MiB\"\n", "unknown key 'qouta'; did you mean 'quota'?"},
      {kHead + "[block.b]\n@zebra = 1\n@apple = 2\n", "unknown key"},
      {kHead + s + "@comand = 1\n", "did you mean 'command'?"},
      {kHead + s + "budget = { @cuont = 5 }\n", "'budget.cuont'; did you mean 'count'?"},
      {kHead + s + "paths = { @wirte = [] }\n", "'paths.wirte'; did you mean 'write'?"},
      {kHead + "[guard.g]\nwhen = \"x\"\n@acton = \"log\"\n", "did you mean 'action'?"},
      {kHead + "[director]\n@ring_record = 64\n", "did you mean 'ring_records'?"},
      // Tables that are something else.
      {kHead + "[block]\n@quota = \"1MiB\"\n", "'block.quota' must be a table"},
      {kHead + "@[[block]]\n", "block must be a table, not an array"},
      {kHead + s + "budget = @5\n", "budget must be a table, not an integer"},
      {kHead + s + "paths = @[]\n", "paths must be a table, not an array"},
  };
  for (const Case& fact : cases) expect(fact);
}

TEST_CASE("values of a wrong type, unit, range or word are named with their line and column") {
  const std::string b = kHead + "[block.b]\n";
  const std::string s = kHead + script("s");
  const std::vector<Case> cases = {
      {b + "quota = @64\n", "quota must be a text, not an integer"},
      {b + "quota = @\"64MB\"\n", "quota is '64MB': expected a whole number with B, KiB"},
      {b + "quota = @\"99999999999TiB\"\n", "too large"},
      {b + "kind = @\"sharde\"\n",
       "kind must be \"private\", \"shared\", \"inherited\" or "
       "\"forked\", not 'sharde'; did you mean 'shared'?"},
      {b + "owner = @\"scripts.x\"\n", "owner must be \"suite\", \"script.NAME\""},
      {b + "lifespan = @\"30\"\n", "lifespan is '30': expected a whole number with ms"},
      {b + "lifespan = @30\n", "lifespan must be a text, not an integer"},
      {b + "idle = @\"soon\"\n", "idle is 'soon'"},
      {b + "audit = @\"all\"\n", "audit must be"},
      {b + "on_full_ring = @\"drop\"\n", "on_full_ring must be"},
      {b + "enforce = @true\n", "enforce must be a text, not a boolean"},
      {b + "at_start = @\"full\"\n", "at_start must be"},
      {b + "at_end = @\"keep\"\n", "at_end must be"},
      {b + "at_limit = @\"evict\"\n", "at_limit must be"},
      {b + "log_values = @\"yes\"\n", "log_values must be a boolean, not a text"},
      {b + "heir = @1.5\n", "heir must be a text, not a float"},
      {b + "permit = @\"share\"\n", "permit must be an array, not a text"},
      {b + "permit = [\"share\", @\"forks\", @\"frok\"]\n", "did you mean 'fork'?"},
      {b + "permit = [@1]\n", "permit must be an array of texts, not an integer"},
      {b + "sensitive = [\"a\", @{}]\n", "sensitive must be an array of texts, not a table"},
      {b + "kind = \"shared\"\ngrants = { s = @\"w\" }\n" + script("s"), "grants.s must be"},
      {b + "kind = \"shared\"\ngrants = { s = @1 }\n" + script("s"), "grants.s must be"},
      {b + "kind = \"shared\"\ngrants = @[\"s\"]\n", "grants must be a table, not an array"},
      {kHead + "[script.s]\ncommand = @\"sh\"\n", "command must be an array, not a text"},
      {kHead + "[script.s]\ncommand = [\"sh\", @1]\n", "command must be an array of texts"},
      {s + "workers = @0\n", "workers must be 1 to 1024, not 0"},
      {s + "workers = @1025\n", "workers must be 1 to 1024, not 1025"},
      {s + "workers = @\"4\"\n", "workers must be an integer, not a text"},
      {s + "timeout = @\"10 m\"\n", "timeout is '10 m'"},
      {s + "restart = @\"allways\"\n", "did you mean 'always'?"},
      {s + "start = @\"later\"\n", "start must be"},
      {s + "shm = @\"none\"\n", "shm must be"},
      {s + "budget = { count = @0 }\n", "budget.count must be 1 to"},
      {s + "budget = { within = @\"x\" }\n", "budget.within is 'x'"},
      {s + "env = { A = @1 }\n", "env.A must be a text, not an integer"},
      {s + "cwd = @[]\n", "cwd must be a text, not an array"},
      {s + "user = @0\n", "user must be a text, not an integer"},
      {s + "paths = { read = @\"data\" }\n", "paths.read must be an array, not a text"},
      {kHead + "[guard.g]\nwhen = \"x\"\npriority = @9999999999\n", "priority must be"},
      {kHead + "[guard.g]\nwhen = \"x\"\naction = @\"stop\"\n", "action must be \"log\""},
      {kHead + "[guard.g]\nwhen = \"x\"\nfor = @\"2\"\n", "for is '2'"},
      {kHead + "[director]\nring_records = @10\n", "ring_records must be 64 to 16777216"},
  };
  for (const Case& fact : cases) expect(fact);
}

TEST_CASE("all problems are reported together, from top to bottom") {
  std::string text = kHead +
                     "[block.cart]\nkind = \"shared\"\nquota = @\"lots\"\ngrants = { @nobody = "
                     "\"rw\" }\n[script.s]\n@colour = 1\nworkers = @-1\ncommand = [@\"no-such-"
                     "program\"]\n";
  const auto places = take_marks(text);
  const auto problems = problems_of(text);
  REQUIRE(problems.size() == places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    CHECK(SourceLocation{problems[i].line, problems[i].column} == places[i]);
  }
}

TEST_CASE("a diagnostic is one line with file, line and column") {
  const auto suite = parse_suite(kHead + "extra = 1\n", "shop.toml");
  REQUIRE_FALSE(suite.has_value());
  CHECK(suite.error().front().text() == "shop.toml:4:1: unknown key 'extra'");
  CHECK(Diagnostic{"x.toml", 0, 0, "gone"}.text() == "x.toml: gone");
  const auto odd = parse_suite(kHead + "\"new\\nline\\u0000\\u00e9\" = 1\n", "shop.toml");
  REQUIRE_FALSE(odd.has_value());
  CHECK(odd.error().front().message == "unknown key 'new\\x0aline\\x00\\xc3\\xa9'");
}

TEST_CASE("a suite is loaded from a file and its commands start at the file's folder") {
  const TemporaryFolder folder;
  const auto program = folder.write("worker", "#!/bin/sh\n");
  fs::permissions(program, fs::perms::owner_all);
  const auto file = folder.write("suite.toml", kHead + "[script.w]\ncommand = [\"./worker\"]\n");
  const auto suite = open_suite(file, machine());
  if (!suite) FAIL(suite.error().front().text());
  CHECK(suite->folder == folder.path());
  CHECK(suite->scripts.front().command.front() == program.string());
  CHECK(find_program(suite->scripts.front(), machine()) == program);
}

TEST_CASE("open_suite reports what reading and checking found, in one list") {
  const TemporaryFolder folder;
  const auto file = folder.write(
      "suite.toml",
      kHead + "[script.w]\ncommand = [\"./missing\"]\nworkers = 0\nuser = \"nobody!\"\n");
  const auto suite = open_suite(file, machine());
  REQUIRE_FALSE(suite.has_value());
  REQUIRE(suite.error().size() == 3);
  CHECK(suite.error()[0].text() == file.string() + ":5:12: program '" +
                                       (folder.path() / "missing").string() + "' does not exist");
  CHECK(suite.error()[1].line == 6);
  CHECK(suite.error()[2].line == 7);
}

TEST_CASE("what is no readable file is refused without waiting for it") {
  const TemporaryFolder folder;
  ::alarm(20);
  const auto refused = [](const fs::path& path) {
    const auto suite = load_suite(path);
    REQUIRE_FALSE(suite.has_value());
    REQUIRE(suite.error().size() == 1);
    CHECK(suite.error().front().line == 0);
    CHECK(suite.error().front().file == path.string());
    return suite.error().front().message;
  };
  CHECK(refused(folder.path() / "absent.toml") == "there is no such file");
  CHECK(refused(folder.path()) == "is not a regular file");
  CHECK(refused("/dev/zero") == "is not a regular file");
  const auto pipe = folder.path() / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(refused(pipe) == "is not a regular file");
  fs::create_symlink("loop", folder.path() / "loop");
  CHECK(refused(folder.path() / "loop").find("cannot be read") == 0);
  const auto secret = folder.write("secret.toml", kHead);
  fs::permissions(secret, fs::perms::none);
  if (::geteuid() != 0) CHECK(refused(secret).find("cannot be read") == 0);
  ::alarm(0);
}
