#include "director/suite_check.hpp"

#include <catch2/catch.hpp>
#include <memory>

#include "suite_support.hpp"

using namespace suite_tests;

namespace {

std::string block(const std::string& name, const std::string& lines) {
  return "[block." + name + "]\n" + lines;
}

const std::string kShared = "kind = \"shared\"\n";

}  // namespace

TEST_CASE("a suite without problems passes") {
  std::string text = kFullSuite;
  const std::string program = "./checkout-worker";
  text.replace(text.find(program), program.size(), "sh");
  for (const auto& problem : problems_of(text)) UNSCOPED_INFO(problem.text());
  CHECK(problems_of(text).empty());
  CHECK(problems_of(kHead).empty());
}

TEST_CASE("names that are no names are refused where they stand") {
  expect({"schema = 1\n[suite]\nname = @\"9shop\"\n", "suite '9shop': a name is a letter"});
  expect({"schema = 1\n[suite]\nname = @\"\"\n", "suite '': a name is"});
  expect({"schema = 1\n@[suite]\n", "the suite has no name"});
  expect({kHead + "[block.@\"a/b\"]\n", "block 'a/b': a name is"});
  expect({kHead + "[script.@\"a#1\"]\ncommand = [\"sh\"]\n", "script 'a#1': a name is"});
  expect({kHead + "[guard.@\"a b\"]\nwhen = \"x\"\n", "guard 'a b': a name is"});
  expect({kHead + "[block.@" + std::string(49, 'b') + "]\n", "a name is"});
  expect({kHead + block("b", "owner = @\"flow.a/b\"\n"), "flow 'a/b': a name is"});
  expect({kHead + "[script.@shop]\ncommand = [\"sh\"]\n", "has the name of the suite"});
}

TEST_CASE("scripts and blocks that do not exist are named with the nearest one") {
  const std::string s = script("checkout");
  expect({kHead + s + block("b", kShared + "grants = { @chekcout = \"r\" }\n"),
          "a grant to script 'chekcout', which is not in the suite; did you mean 'checkout'?"});
  expect({kHead + s + block("b", "owner = @\"script.checkuot\"\n"),
          "owner names script 'checkuot', which is not in the suite; did you mean 'checkout'?"});
  expect({kHead + s + block("a", "") +
              block("b", "kind = \"inherited\"\nfrom = \"a\"\nheirs = { @mail = \"r\" }\n"),
          "an heir is script 'mail', which is not in the suite"});
  expect({kHead + s + block("b", "at_end = \"heir\"\nheir = @\"script.mail\"\n"),
          "heir names script 'mail'"});
  expect({kHead + script("s", "parent = @\"shopp\"\n"), "parent names script 'shopp'"});
  expect({kHead + s + block("cart", "") +
              block("b", "kind = \"inherited\"\nfrom = @\"crat\"\nheirs = { checkout = \"r\" }\n"),
          "from names block 'crat', which is not in the suite; did you mean 'cart'?"});
}

TEST_CASE("a cycle of blocks is reported once, at its first block, with its way") {
  const auto inherited = [](const std::string& name, const std::string& from) {
    return block(name, "kind = \"inherited\"\nfrom = " + from + "\nheirs = { s = \"r\" }\n");
  };
  expect({kHead + script("s") + inherited("a", "@\"a\""), "in a cycle: a -> a"});
  expect({kHead + script("s") + inherited("x", "\"b\"") + inherited("a", "@\"b\"") +
              inherited("b", "\"c\"") + inherited("c", "\"a\""),
          "in a cycle: a -> b -> c -> a"});
  expect({kHead + script("s") + inherited("a", "@\"b\"") + inherited("b", "\"a\"") +
              inherited("c", "@\"d\"") + inherited("d", "\"c\""),
          "in a cycle: "});
  // A fork of what it is inherited into is a cycle too.
  expect({kHead + script("s") + inherited("a", "@\"b\"") +
              block("b", "kind = \"forked\"\nfrom = \"a\"\npermit = [\"fork\"]\n"),
          "in a cycle: a -> b -> a"});
}

TEST_CASE("a cycle of parents is reported once") {
  expect({kHead + script("a", "parent = @\"a\"\n"), "in a cycle: a -> a"});
  expect({kHead + script("z", "parent = \"b\"\n") + script("a", "parent = @\"b\"\n") +
              script("b", "parent = \"a\"\n"),
          "in a cycle: a -> b -> a"});
}

TEST_CASE("rights never widen on their way down") {
  const std::string scripts = script("top") + script("middle", "parent = \"top\"\n") +
                              script("leaf", "parent = \"middle\"\n");
  const auto inherited = [](const std::string& name, const std::string& from,
                            const std::string& heirs) {
    return block(name,
                 "kind = \"inherited\"\nfrom = \"" + from + "\"\nheirs = { " + heirs + " }\n");
  };
  const std::string suite_owned = kHead + scripts + block("root", "");
  // Narrowed or kept at each step.
  expect({suite_owned + inherited("one", "root", "top = \"rw\"") +
              inherited("two", "one", "middle = \"rw\", leaf = \"r\""),
          ""});
  expect({suite_owned + inherited("one", "root", "top = \"r\"") +
              inherited("two", "one", "@middle = \"rw\""),
          "script 'middle' would get \"rw\" on block 'one', which passes down no more than \"r\""});
  // The nearest scope counts: middle has less than top.
  expect({suite_owned + inherited("one", "root", "top = \"rw\", middle = \"r\"") +
              inherited("two", "one", "@leaf = \"rw\""),
          "would get \"rw\""});
  // A grant narrows what the suite passes down.
  expect({kHead + scripts + block("root", kShared + "grants = { top = \"r\" }\n") +
              inherited("one", "root", "@leaf = \"rw\""),
          "would get \"rw\" on block 'root'"});
  // Nobody on the way up holds it.
  expect({kHead + scripts + block("root", "owner = \"script.middle\"\n") +
              inherited("one", "root", "leaf = \"rw\", @top = \"r\""),
          "script 'top' is not below any scope that holds block 'root'"});
  expect({suite_owned + inherited("one", "root", "middle = \"r\"") +
              inherited("two", "one", "@top = \"r\""),
          "script 'top' is not below any scope"});
  // Each worker's own block, passed to the children of those workers only.
  expect({kHead + scripts + block("root", "owner = \"worker\"\ngrants = { middle = \"rw\" }\n") +
              inherited("one", "root", "leaf = \"rw\", @top = \"r\""),
          "script 'top' is not below any scope"});
}

TEST_CASE("settings that contradict each other are named") {
  const std::string s = kHead + script("s");
  const std::string base = s + block("base", "");
  const std::string fork = s + block("base", "permit = [\"fork\"]\n") +
                           "[block.b]\nkind = \"forked\"\nfrom = \"base\"\n";
  const std::string inherited = "kind = \"inherited\"\nfrom = \"base\"\n";
  const std::string heirs = "heirs = { s = \"r\" }\n";
  const std::vector<Case> cases = {
      {s + "[block.@b]\nkind = \"inherited\"\n" + heirs, "inherited block 'b' has no 'from'"},
      {s + "[block.@b]\nkind = \"forked\"\n", "forked block 'b' has no 'from'"},
      {base + block("b", kShared + "from = @\"base\"\n"),
       "from has no meaning for kind \"shared\""},
      {base + block("b", "from = @\"base\"\n"), "from has no meaning for kind \"private\""},
      {base + "[block.@b]\n" + inherited, "inherited block 'b' has no heirs"},
      {s + block("b", kShared + "heirs = @{ s = \"r\" }\n"), "heirs belongs to kind \"inherited\""},
      {base + block("b", "kind = \"forked\"\nfrom = @\"base\"\n"), "'base' may not be forked"},
      {s + block("b", "grants = @{ s = \"r\" }\n"), "a private block is its owner's alone"},
      {s + block("b", "owner = \"worker\"\ngrants = { s = \"rw\" }\n"), ""},
      {base + block("b", inherited + heirs +
                             "@owner = \"suite\"\nquota = @\"1MiB\"\n@lifespan = \"1s\"\n"),
       "belongs to the block that 'b' is inherited from"},
      {s + block("b", "@at_end = \"heir\"\n"), "needs an heir"},
      {s + block("b", "@at_end = \"snapshot\"\n"), "needs \"persist\" in permit"},
      {s + block("b", "@at_end = \"elevate\"\n"), "needs \"elevate\" in permit"},
      {s + block("b", "@log_values = true\n"), "needs \"persist\" in permit"},
      {s + block("b", "@log_values = true\npermit = [\"persist\"]\nsensitive = [\"a\"]\n"),
       "no log shows those"},
      {s + block("b", "@log_values = true\npermit = [\"persist\"]\naudit = \"counted\"\n"),
       "needs audit = \"full\" or \"writes\""},
      {s + block("b", "@at_end = \"join\"\njoin = { \"*\" = \"ours\" }\n"),
       "is for kind \"forked\""},
      {s + block("b", "join = @{ \"*\" = \"ours\" }\n"), "join has no effect"},
      {fork + "@at_end = \"join\"\njoin = { \"a*\" = \"ours\" }\n", "needs a policy"},
      {fork + "at_end = \"join\"\njoin = { @\"*\" = \"best\" }\n", "not 'best'"},
      {fork + "at_end = \"join\"\njoin = { @\"*\" = \"refuse\" }\n", "would lose"},
      {s + block("b", "@at_start = \"load\"\n"), "needs \"elevate\" in permit"},
      {s + block("b", "at_start = \"load\"\npermit = [\"elevate\"]\n"), ""},
      {base + "permit = [\"fork\"]\n" +
           block("b", "kind = \"forked\"\nfrom = \"base\"\n@at_start = \"load\"\n" +
                          std::string("permit = [\"elevate\"]\n")),
       "a forked block begins as"},
      {base + block("b", inherited + heirs + "@at_start = \"load\"\n"),
       "belongs to the block that 'b' is inherited from"},
      {s + block("b", "heir = @\"script.s\"\n"), "heir has no effect"},
      {s + block("b", "at_end = \"heir\"\nheir = @\"suite\"\n"), "is the owner itself"},
      {s + block("b", "at_end = \"heir\"\nheir = @\"worker\"\n"), "one scope, not each of many"},
      {s + block("b", "lifespan = @\"0s\"\n"), "lifespan must be more than 0"},
      {s + block("b", "idle = @\"0ms\"\n"), "idle must be more than 0"},
      {s + block("b", "sensitive = [\"a\", @\"\"]\n"), "a sensitive pattern is 1 to 1024 bytes"},
      {s + "timeout = @\"0s\"\n", "timeout must be more than 0"},
      {s + "budget = { within = @\"0s\" }\n", "budget.within must be more than 0"},
      {s + "restart = \"never\"\nbudget = @{ count = 5 }\n", "budget has no effect"},
      {s + "start = @\"on-request\"\n", "needs a parent script"},
      {s + "may_create = [\"ok-*\", @\"a/*\"]\n", "may_create 'a/*' matches no name"},
      {kHead + "[director]\nring_records = @1000\n", "must be a power of two"},
      {kHead + "[guard.@g]\n", "guard 'g' has no 'when'"},
      {kHead + "[guard.g]\nwhen = @\" \"\n", "when is empty"},
  };
  for (Case fact : cases) {
    // Marks that stand before a key mean its value.
    for (const std::string key :
         {"at_start = ", "at_end = ", "log_values = ", "owner = ", "lifespan = "}) {
      const auto at = fact.text.find("@" + key);
      if (at != std::string::npos) fact.text.replace(at, key.size() + 1, key + "@");
    }
    expect(fact);
  }
}

TEST_CASE("a quota that the machine cannot hold is refused") {
  expect({kHead + block("b", "quota = @\"2GiB\"\n"),
          "quota 2GiB is more than this machine holds; /dev/shm has 1GiB"});
  expect({kHead + block("b", "quota = \"1GiB\"\n"), ""});
  expect({kHead + block("b", "quota = @\"1KiB\"\n"), "an empty block takes 64KiB"});
  expect({kHead + block("b", "quota = @\"0B\"\n"), "quota 0B is too small"});
  // Also when every worker slot has its own.
  const std::string scripts = script("a", "workers = 10\n") + script("c", "workers = 7\n");
  expect({kHead + scripts + block("b", "owner = \"worker\"\nquota = @\"64MiB\"\n"),
          "quota 64MiB for each of 17 workers"});
  expect({kHead + scripts +
              block("b", "owner = \"worker\"\nquota = \"64MiB\"\ngrants = { a = \"rw\" }\n"),
          ""});
  // The default counts where nothing is written.
  Machine small = machine();
  small.shm_bytes = 16U << 20U;
  expect({kHead + "[block.@b]\n", "quota 64MiB is more than this machine holds"}, small);
}

TEST_CASE("a command that cannot be run is refused") {
  const TemporaryFolder folder;
  const auto plain = folder.write("plain", "");
  fs::permissions(plain, fs::perms::owner_read);
  const auto command = [](const std::string& text) {
    return kHead + "[script.s]\ncommand = " + text + "\n";
  };
  expect({command("[@\"no-such-program-here\"]"), "is in no folder of programs"});
  expect({command("[@\"./nothing\"]"), "program '/suite/nothing' does not exist"});
  expect({command("[@\"" + plain.string() + "\"]"), "is not executable"});
  expect({command("[@\"" + folder.path().string() + "\"]"), "is not a file"});
  expect({command("@[]"), "has an empty command"});
  expect({command("[@\"\"]"), "has an empty command"});
  expect({command("[\"sh\", @\"a\\u0000b\"]"), "command has a zero byte"});
  expect({kHead + "[script.@s]\n", "has no command"});
  fs::permissions(plain, fs::perms::owner_all);
  expect({command("[\"" + plain.string() + "\"]"), ""});
}

TEST_CASE("unknown users and unusable variables are refused") {
  const std::string s = kHead + script("s");
  expect({s + "user = @\"nobody-here\"\n", "user 'nobody-here' is unknown on this machine"});
  expect({s + "user = @\"\"\n", "user '' is unknown"});
  expect({s + "user = \"shop\"\n", ""});
  Machine unchecked = machine();
  unchecked.user_exists = nullptr;
  expect({s + "user = \"nobody-here\"\n", ""}, unchecked);
  expect({s + "env = { @\"A=B\" = \"1\" }\n", "cannot be set"});
  expect({s + "env = { A = \"1\", @\"\" = \"1\" }\n", "cannot be set"});
  expect({s + "env = { @A = \"\\u0000\" }\n", "cannot be set"});
  expect({s + "env = { @SESSIONBLOCKS_SOCKET = \"x\" }\n", "is the director's own"});
}

TEST_CASE("no path of a script may reach the runtime folder") {
  const std::string s = kHead + script("s");
  const std::vector<std::string> bad = {"/run",
                                        "/run/sessionblocks/default",
                                        "/run/sessionblocks/default/",
                                        "/run/sessionblocks/default/workers",
                                        "/run/sessionblocks/x/../default",
                                        "../run/sessionblocks",
                                        "/"};
  for (const std::string& path : bad) {
    expect(
        {s + "paths = { write = [\"out\", @\"" + path + "\"] }\n", "overlaps the runtime folder"});
    expect({s + "paths = { read = [@\"" + path + "\"] }\n", "overlaps the runtime folder"});
    expect({s + "cwd = @\"" + path + "\"\n", "overlaps the runtime folder"});
  }
  for (const std::string path :
       {"/run/sessionblocks/default2", "/run/sessionblocks/defaul", "/var"}) {
    expect({s + "paths = { write = [\"" + path + "\"] }\n", ""});
  }
  expect({s + "paths = { write = [@\"\"] }\n", "is not a path"});
  expect({s + "paths = { read = [@\"a\\u0000\"] }\n", "is not a path"});
}

TEST_CASE("a symbolic link to the runtime folder is seen through") {
  const TemporaryFolder folder;
  Machine here = machine();
  fs::create_directory(folder.path() / "runtime");
  fs::create_directory_symlink(folder.path() / "runtime", folder.path() / "link");
  here.protected_folders = {{folder.path() / "runtime", "runtime folder"}};
  const std::string link = (folder.path() / "link" / "deep").string();
  expect({kHead + script("s") + "paths = { write = [@\"" + link + "\"] }\n", "overlaps"}, here);
}

TEST_CASE("workers may read the suite's folder, so it must not hold the runtime folder") {
  Machine here = machine();
  here.protected_folders = {{"/suite/run", "runtime folder"}};
  expect({"schema = 1\n@[suite]\nname = \"shop\"\n" + script("s"),
          "the suite's folder '/suite' contains the runtime folder '/suite/run'"},
         here);
  expect({kHead, ""}, here);
}

TEST_CASE("one mistake gives one report, not a second one for what it left empty") {
  expect(
      {kHead + script("s") + block("b", "kind = @\"sharde\"\ngrants = { s = \"r\" }\n"), "kind"});
  expect({kHead + block("b", "kind = \"forked\"\nfrom = @3\n"), "from must be a text"});
  expect({kHead + block("b", "at_end = \"heir\"\nheir = @3\n"), "heir must be a text"});
  expect({kHead + block("b", "at_end = \"snapshot\"\npermit = [@\"prsist\"]\n"), "did you mean"});
  expect({kHead + "[script.s]\ncommand = @3\n", "command must be an array"});
  expect({kHead + script("s", "start = \"on-request\"\nparent = @3\n"), "parent must be a text"});
  expect({kHead + "[guard.g]\nwhen = @3\n", "when must be a text"});
  expect({kHead + script("s") + block("a", "owner = @3\n") +
              block("b", "kind = \"inherited\"\nfrom = \"a\"\nheirs = { s = \"rw\" }\n"),
          "owner must be a text"});
}

TEST_CASE("a suite built by a program is judged alike, without places") {
  Suite suite;
  suite.name = "embedded";
  suite.blocks.resize(2);
  suite.blocks[0].name = "cart";
  suite.blocks[0].owner = {ScopeKind::script, "nobody"};
  suite.blocks[1].name = "cart";
  ScriptSpec& script = suite.scripts.emplace_back();
  script.name = "s";
  script.command = {"bin/relative"};
  script.workers = 0;
  script.cwd = "relative";
  const auto problems = check_suite(suite, machine());
  std::string all;
  for (const auto& problem : problems) all += problem.text() + "\n";
  CAPTURE(all);
  CHECK(problems.size() == 5);
  CHECK(all.find("suite: block 'cart' is there already") != std::string::npos);
  CHECK(all.find("owner names script 'nobody'") != std::string::npos);
  CHECK(all.find("program 'bin/relative' must be an absolute path") != std::string::npos);
  CHECK(all.find("workers must be 1 to 1024") != std::string::npos);
  CHECK(all.find("working folder 'relative' must be an absolute path") != std::string::npos);
  CHECK(check_suite(Suite{}, machine()).size() == 1);
}
