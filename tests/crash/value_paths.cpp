// Changes in a block that logs values: the record of what was committed carries the value, whoever
// writes it.
#include "checks.hpp"

namespace sessionblocks::crash {
namespace {

void logging(Scene& s) {
  s.log_values();
  for (int i = 0; i < 10; ++i) {
    if (s.another.put("key" + std::to_string(i), "v").code != Errc{}) std::abort();
  }
  s.self.put("mine", "old");
  s.self.increment("number");
  s.another.put("theirs", "old");
}

// The cells of the value that comes next are the last ones of the ring, and some of its first.
void logging_at_the_end(Scene& s) {
  logging(s);
  while ((s.self.ring.next() & (kRing - 1)) < kRing - 7) s.self.erase("none");
}

Path logged(std::string name, std::string key, Op op, std::function<Outcome(Actor&)> act) {
  Path path;
  path.name = "logged value: " + std::move(name);
  path.key = std::move(key);
  path.op = op;
  path.has_value = true;
  path.setup = logging;
  path.act = [act = std::move(act)](Scene& s) { s.report().outcome = act(s.self); };
  return path;
}

Outcome touch(Actor& actor) {
  Mutation mutation;
  mutation.op = Op::touch;
  mutation.expiry = ExpiryRule::at;
  mutation.expires_at_ms = 5'000;
  return actor.apply("mine", mutation);
}

}  // namespace

void add_logged_values(std::vector<Path>& all) {
  const std::string value(100, 'n');
  all.push_back(
      logged("put, insert", "new", Op::put, [=](Actor& a) { return a.put("new", value); }));
  all.push_back(
      logged("put, overwrite", "mine", Op::put, [=](Actor& a) { return a.put("mine", value); }));
  all.push_back(
      logged("put of nothing", "mine", Op::put, [](Actor& a) { return a.put("mine", ""); }));
  all.push_back(logged("put, over the ring's end", "theirs", Op::put,
                       [=](Actor& a) { return a.put("theirs", value + value); }));
  all.back().setup = logging_at_the_end;
  all.push_back(logged("append", "mine", Op::append,
                       [](Actor& a) { return a.put("mine", std::string(40, 'a'), Op::append); }));
  all.push_back(
      logged("increment", "number", Op::increment, [](Actor& a) { return a.increment("number"); }));
  all.push_back(logged("touch", "mine", Op::touch, touch));
  all.push_back(logged("erase", "mine", Op::erase, [](Actor& a) { return a.erase("mine"); }));
  all.back().has_value = false;
  all.push_back(logged("put, refused before the commit", "mine", Op::put,
                       [=](Actor& a) { return a.put_late("mine", value); }));
}

}  // namespace sessionblocks::crash
