// Child scripts that workers have started, with real processes, and blocks that outlive scripts.
// What runs as a script is this program again, as one of the hidden cases at the end.
#include <sessionblocks/sessionblocks.hpp>

#include "run_scene.hpp"

namespace sessionblocks::director::test {
namespace {

const std::string kWrites = "paths = { write = [\"out\"] }\n";
const std::string kOnRequest =
    "parent = \"checkout\"\nstart = \"on-request\"\nrestart = \"never\"\n";

std::string words_in(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

// `child` writes what it was called with, a word a line.
std::string prints(const std::string& name, const std::string& more) {
  return "[script." + name + "]\ncommand = [\"sh\", \"-c\", '''printf '%s\\n' \"$@\" >> out/" +
         name + "; echo $SESSIONBLOCKS_SCOPE >> out/scopes''', \"sh\", \"first\"]\n" + kWrites +
         more + "\n";
}

TEST_CASE("a worker starts a child script with its arguments, as the suite permits") {
  Scene scene(child("checkout", ".starts-mail", kWrites) + prints("mail", kOnRequest) +
              prints("other", "") +
              prints("foreign", "parent = \"other\"\nstart = \"on-request\"") +
              prints("along", "parent = \"mail\""));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(words_in(scene.out("mail")) == "first\na b\n\nc\n");
  CHECK(words_in(scene.out("along")) == "first\n");
  CHECK_FALSE(fs::exists(scene.out("foreign")));
  const std::string scopes = words_in(scene.out("scopes"));
  CHECK(scopes.find("shop/checkout/mail#1\n") != std::string::npos);
  CHECK(scopes.find("shop/checkout/mail/along#1\n") != std::string::npos);
  CHECK(scene.said.find("started   scope shop/checkout/mail") != std::string::npos);
  CHECK(scene.left_nothing());
}

TEST_CASE("a child script is started again when it has ended, and not before") {
  Scene scene(child("checkout", ".starts-mail-ten-times", kWrites) + prints("mail", kOnRequest));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(words_in(scene.out("mail")) ==
        "first\n0\nfirst\n1\nfirst\n2\nfirst\n3\nfirst\n4\n"
        "first\n5\nfirst\n6\nfirst\n7\nfirst\n8\nfirst\n9\n");
  CHECK(scene.left_nothing());
}

TEST_CASE("a request that is repeated starts nothing a second time") {
  Scene scene(child("checkout", ".repeats-itself", kWrites) + prints("mail", kOnRequest));
  scene.start();
  CHECK(scene.exit_code() == 0);
  CHECK(words_in(scene.out("mail")) == "first\none\nfirst\ntwo\n");
}

TEST_CASE("a child script that cannot be started is an error for who asked") {
  Scene scene(child("checkout", ".starts-what-is-not-there", kWrites) +
              "[script.mail]\ncommand = [\"./out/gone\"]\n" + kOnRequest +
              "[block.note]\nowner = \"script.mail\"\nquota = \"1MiB\"\n");
  std::ofstream(scene.out("gone")) << "#!/bin/sh\n";
  fs::permissions(scene.out("gone"), fs::perms::owner_all);
  scene.start();
  CHECK(scene.exit_code() == 1);  // a script has failed
  CHECK(words_in(scene.out("told")) == "not_found");
  CHECK(scene.left_nothing());
}

TEST_CASE("child scripts end before their parent, also when that is told to") {
  Scene scene(child("checkout", ".starts-mail-and-sleeps", kWrites + "timeout = \"300ms\"\n") +
              script("mail", "sleep 1000", kOnRequest));
  scene.start({"--grace-ms", "200"});
  CHECK(scene.exit_code() == 124);
  const auto child_ended = scene.said.find("ended     scope shop/checkout/mail:");
  const auto parent_ended = scene.said.find("ended     scope shop/checkout:");
  CHECK(child_ended != std::string::npos);
  CHECK(parent_ended != std::string::npos);
  CHECK(child_ended < parent_ended);
  CHECK(scene.left_nothing());
}

TEST_CASE("a child script is taken over, and started again with its arguments when it died") {
  Scene scene(child("checkout", ".starts-mail-and-sleeps", kWrites) +
              script("mail", "echo \"$1\" >> out/mail; sleep 1000", kWrites + kOnRequest));
  std::ifstream file(scene.suite_file());
  std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::string command = "sleep 1000'''";
  text.insert(text.find(command) + command.size(), ", \"sh\"");
  std::ofstream(scene.suite_file()) << text;
  scene.start();
  const pid_t checkout = scene.pid_of("shop/checkout#1");
  const pid_t mail = scene.pid_of("shop/checkout/mail#1");
  const auto identity = platform::ProcessIdentity::of(mail);
  REQUIRE(identity);
  REQUIRE(scene.wait_for("asked for it"));
  scene.kill(SIGKILL);
  static_cast<void>(scene.wait());
  SECTION("it lives") {
    scene.start();
    REQUIRE(scene.wait_for("director of system"));
    CHECK(identity->alive());
    CHECK(scene.said.find("started   shop/checkout/mail#1") == std::string::npos);
  }
  SECTION("it died") {
    const auto lines = [&] {
      const std::string words = words_in(scene.out("mail"));
      return std::count(words.begin(), words.end(), '\n');
    };
    while (lines() < 1) ::sched_yield();
    ::kill(-mail, SIGKILL);
    wait_for_end_of_group(mail);
    scene.start();
    CHECK(scene.pid_of("shop/checkout/mail#1") != mail);
    while (lines() < 2) ::sched_yield();
    CHECK(words_in(scene.out("mail")) == "an argument\nan argument\n");
  }
  scene.kill(SIGTERM);
  CHECK(scene.exit_code() == 1);
  CHECK(scene.left_nothing());
  CHECK_FALSE(identity->alive());
  wait_for_end_of_group(checkout);
}

TEST_CASE("a suite's own block outlives ten generations of its scripts") {
  const std::string count =
      "[block.count]\nkind = \"shared\"\nowner = \"suite\"\nquota = \"1MiB\"\n"
      "grants = { checkout = \"rw\", step = \"rw\" }\n";
  SECTION("of processes") {
    Scene scene(count +
                child("step", ".counts-to-ten", "budget = { count = 20, within = \"60s\" }") +
                script("checkout", "exit 0"));
    scene.start();
    CHECK(scene.exit_code() == 0);
    CHECK(scene.left_nothing());
  }
  SECTION("of scopes") {
    Scene scene(count + child("checkout", ".starts-ten-steps") +
                child("step", ".counts-one", kOnRequest));
    scene.start();
    CHECK(scene.exit_code() == 0);
    CHECK(scene.left_nothing());
  }
}

// What follows runs as a script, under the sandbox, by name only.

template <typename T>
Errc code(const Result<T>& result) {
  return result ? Errc{} : result.error().code();
}

// Once it may be, if it still runs.
void start_after(Session& session, const std::string& name, const std::string& argument) {
  auto started = session.start_script(name, {argument});
  while (code(started) == Errc::exists) {
    ::sched_yield();
    started = session.start_script(name, {argument});
  }
  INFO((started ? std::string() : started.error().message()));
  REQUIRE(started);
}

TEST_CASE("as a script: starts mail", "[.starts-mail]") {
  auto session = Session::attach();
  REQUIRE(session);
  const auto started = session->start_script("mail", {"a b", "", "c"});
  INFO((started ? std::string() : started.error().message()));
  REQUIRE(started);
  CHECK(*started == "shop/checkout/mail");
  const auto wrong = [&](const char* name) { return session->start_script(name).error(); };
  CHECK(wrong("mial") == Errc::no_such_scope);
  CHECK(wrong("mial").message().find("did you mean 'mail'") != std::string::npos);
  CHECK(wrong("other") == Errc::not_permitted);
  CHECK(wrong("other").message().find("starts with the suite") != std::string::npos);
  CHECK(wrong("foreign") == Errc::not_permitted);
  CHECK(wrong("foreign").message().find("a child of script 'other'") != std::string::npos);
  CHECK(wrong("") == Errc::no_such_scope);
  const std::string half(20'000, 'x');
  CHECK(code(session->start_script("mail", {half, half})) == Errc::invalid_argument);
  CHECK(code(session->start_script("mail", std::vector<std::string>(65))) ==
        Errc::invalid_argument);
  CHECK(code(session->start_script("mail", {std::string("a\0b", 3)})) == Errc::invalid_argument);
}

TEST_CASE("as a script: starts mail ten times", "[.starts-mail-ten-times]") {
  auto session = Session::attach();
  REQUIRE(session);
  for (int n = 0; n < 10; ++n) start_after(*session, "mail", std::to_string(n));
}

TEST_CASE("as a script: repeats itself", "[.repeats-itself]") {
  RawClient client(variable("SESSIONBLOCKS_SOCKET"));
  REQUIRE(client.attach().ok());
  const auto start = [&client](unsigned number, const char* argument) {
    return client.ask(
        {{"op", "start_script"}, {"name", "mail"}, {"number", number}, {"args", {argument}}});
  };
  const auto first = start(7, "one");
  REQUIRE(first.ok());
  CHECK(start(7, "one").body["scope"] == first.body["scope"]);
  auto second = start(8, "two");
  while (second.error() == Errc::exists) second = start(8, "two");
  CHECK(second.ok());
  CHECK(start(8, "two").ok());
  CHECK(client.ask({{"op", "start_script"}, {"name", "mail"}}).error() == Errc::malformed);
  CHECK(
      client.ask({{"op", "start_script"}, {"name", "mail"}, {"number", 9}, {"args", 1}}).error() ==
      Errc::malformed);
}

TEST_CASE("as a script: starts what is not there", "[.starts-what-is-not-there]") {
  auto session = Session::attach();
  REQUIRE(session);
  fs::remove("out/gone");
  std::ofstream("out/told") << errc_name(code(session->start_script("mail")));
}

TEST_CASE("as a script: starts mail and sleeps", "[.starts-mail-and-sleeps]") {
  auto session = Session::attach();
  REQUIRE(session);
  const auto started = session->start_script("mail", {"an argument"});
  INFO((started ? "" : started.error().message()));
  REQUIRE(started);
  while (true) ::pause();
}

TEST_CASE("as a script: counts to ten", "[.counts-to-ten]") {
  auto session = Session::attach();
  REQUIRE(session);
  const auto count = session->open("count")->increment("generations");
  REQUIRE(count);
  if (*count < 10 && *count % 2 == 0) ::kill(::getpid(), SIGKILL);
  if (*count < 10) ::_exit(3);
  CHECK(*count == 10);
}

TEST_CASE("as a script: counts one", "[.counts-one]") {
  auto session = Session::attach();
  REQUIRE(session);
  REQUIRE(session->open("count")->increment("generations"));
}

TEST_CASE("as a script: starts ten steps", "[.starts-ten-steps]") {
  auto session = Session::attach();
  REQUIRE(session);
  for (int n = 0; n < 10; ++n) start_after(*session, "step", "");
  auto count = session->open("count");
  while (count->get<std::int64_t>("generations")->value < 10) ::sched_yield();
  CHECK(count->get<std::int64_t>("generations")->value == 10);
}

}  // namespace
}  // namespace sessionblocks::director::test
