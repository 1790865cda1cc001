// Every way through the data plane that changes shared bytes, as one operation each.
#include "checks.hpp"
#include "segment/eviction.hpp"
#include "segment/maintenance.hpp"
#include "segment/waiters.hpp"

#include <algorithm>
#include <array>

namespace sessionblocks::crash {
namespace {

const std::string kLong(18'000, 'l');    // a run of two pages
const std::string kLonger(34'000, 'm');  // of three

void keys(Actor& actor, int from, int to, std::string_view value = "v") {
  for (int i = from; i < to; ++i) {
    if (actor.put("key" + std::to_string(i), value).code != Errc{}) std::abort();
  }
}

void some(Scene& s) {
  keys(s.self, 0, 10);
  keys(s.another, 10, 20);
  s.self.increment("number");
  s.self.put("mine", "old");
  s.another.put("theirs", "old");
}

// Fills the block to the last page with values of another worker.
int fill(Scene& s, std::string_view value) {
  for (int i = 0;; ++i) {
    if (s.another.put("full" + std::to_string(i), value).code != Errc{}) return i;
  }
}

void growing_after(Scene& s, const std::function<void(Scene&)>& before) {
  keys(s.self, 0, 300);
  keys(s.another, 300, 500);
  before(s);
  for (int i = 0; i < 40; ++i) s.self.erase("key" + std::to_string(i * 3));
  // Out of a table that the other worker made, not out of the first one, which nobody owns.
  Growth& growth = s.another.writer.growth();
  if (!growth.begin_now() || !growth.finish()) std::abort();
  for (int i = 0; i < 40; ++i) s.self.erase("key" + std::to_string(i * 3 + 1));
  if (!growth.begin_now()) std::abort();
}

void growing(Scene& s) {
  growing_after(s, [](Scene&) {});
}

void result(Scene& s, const Outcome& outcome) {
  s.report().outcome = outcome;
}

Path simple(std::string name, std::string key, Op op, std::function<Outcome(Actor&)> act) {
  Path path;
  path.name = std::move(name);
  path.key = std::move(key);
  path.op = op;
  path.setup = some;
  path.act = [act = std::move(act)](Scene& s) { result(s, act(s.self)); };
  return path;
}

Path with(Path path, std::function<void(Scene&)> setup) {
  path.setup = std::move(setup);
  return path;
}

void add_writes(std::vector<Path>& all) {
  all.push_back(simple("put, insert", "new", Op::put, [](Actor& a) { return a.put("new", "n"); }));
  all.push_back(simple("put, overwrite of an own page's node", "mine", Op::put,
                       [](Actor& a) { return a.put("mine", "n"); }));
  all.push_back(simple("put, overwrite of another's node", "theirs", Op::put,
                       [](Actor& a) { return a.put("theirs", "n"); }));
  all.push_back(
      simple("put, insert of a run", "new", Op::put, [](Actor& a) { return a.put("new", kLong); }));
  all.push_back(with(simple("put, overwrite of a run by a run", "long", Op::put,
                            [](Actor& a) { return a.put("long", kLonger); }),
                     [](Scene& s) {
                       some(s);
                       s.another.put("long", kLong);
                     }));
  all.push_back(with(simple("put, overwrite of a run by a chunk", "long", Op::put,
                            [](Actor& a) { return a.put("long", "short"); }),
                     [](Scene& s) {
                       some(s);
                       s.self.put("long", kLong);
                     }));
  all.push_back(simple("put, first of its class", "new", Op::put,
                       [](Actor& a) { return a.put("new", std::string(900, 'c')); }));
  all.push_back(simple("erase", "theirs", Op::erase, [](Actor& a) { return a.erase("theirs"); }));
  all.push_back(simple("erase of what is absent", "none", Op::erase,
                       [](Actor& a) { return a.erase("none"); }));
  all.push_back(simple("get_and_erase", "mine", Op::get_and_erase, [](Actor& a) {
    std::vector<std::byte> taken;
    return a.erase("mine", &taken);
  }));
  all.push_back(
      simple("increment", "number", Op::increment, [](Actor& a) { return a.increment("number"); }));
  all.push_back(simple("increment of what is absent", "count", Op::increment,
                       [](Actor& a) { return a.increment("count"); }));
  all.push_back(simple("append", "mine", Op::append,
                       [](Actor& a) { return a.put("mine", std::string(300, 'a'), Op::append); }));
  all.push_back(simple("compare_and_set, won", "mine", Op::compare_and_set,
                       [](Actor& a) { return a.put("mine", "n", Op::compare_and_set, 1); }));
  all.push_back(simple("compare_and_set, lost", "mine", Op::compare_and_set,
                       [](Actor& a) { return a.put("mine", "n", Op::compare_and_set, 7); }));
  all.push_back(simple("add of what is there", "mine", Op::add,
                       [](Actor& a) { return a.put("mine", "n", Op::add); }));
  all.push_back(simple("put, refused before the commit", "mine", Op::put,
                       [](Actor& a) { return a.put_late("mine", "n"); }));
  all.push_back(simple("put of a run, refused before the commit", "mine", Op::put,
                       [](Actor& a) { return a.put_late("mine", kLong); }));
}

Outcome put_until(Actor& actor, std::string_view key, std::string_view value,
                  std::uint64_t expires_at_ms, Op op = Op::put) {
  Mutation mutation;
  mutation.op = op;
  mutation.type = layout::ValueType::text;
  mutation.value = test::bytes_of(value);
  mutation.expiry = ExpiryRule::at;
  mutation.expires_at_ms = expires_at_ms;
  return actor.apply(key, mutation);
}

void expired(Scene& s) {
  some(s);
  put_until(s.another, "mine", "stale", 500);  // actors live at 1,000 ms
}

void add_more_writes(std::vector<Path>& all) {
  all.push_back(simple("replace by a larger value", "mine", Op::replace,
                       [](Actor& a) { return a.put("mine", std::string(700, 'r'), Op::replace); }));
  all.push_back(with(simple("replace by a smaller value", "mine", Op::replace,
                            [](Actor& a) { return a.put("mine", "r", Op::replace); }),
                     [](Scene& s) {
                       some(s);
                       s.self.put("mine", std::string(700, 'r'));
                     }));
  all.push_back(simple("add of what is absent", "new", Op::add,
                       [](Actor& a) { return a.put("new", "n", Op::add); }));
  all.push_back(simple("replace of what is absent", "none", Op::replace,
                       [](Actor& a) { return a.put("none", "n", Op::replace); }));
  all.push_back(simple("put with an expiry", "mine", Op::put,
                       [](Actor& a) { return put_until(a, "mine", "brief", 5'000); }));
  all.push_back(simple("touch", "mine", Op::touch,
                       [](Actor& a) { return put_until(a, "mine", "", 5'000, Op::touch); }));
  all.push_back(with(simple("put over what has expired", "mine", Op::put,
                            [](Actor& a) { return a.put("mine", "n"); }),
                     expired));
  all.push_back(with(simple("erase of what has expired", "mine", Op::erase,
                            [](Actor& a) { return a.erase("mine"); }),
                     expired));
  all.push_back(with(simple("append that makes a run", "mine", Op::append,
                            [](Actor& a) { return a.put("mine", kLong, Op::append); }),
                     some));
  all.push_back(
      with(simple("erase of a run", "long", Op::erase, [](Actor& a) { return a.erase("long"); }),
           [](Scene& s) {
             some(s);
             s.another.put("long", kLong);
           }));
}

// Takes out the one entry that may go: what has expired, or, of all, what a run can be made of.
Path eviction(std::string name, std::string key, AtLimit policy) {
  Path path = simple(std::move(name), std::move(key), Op::evict, nullptr);
  path.act = [policy](Scene& s) {
    const WriterPlace place{&s.system.memory,
                            &s.system.readers_segment(),
                            &s.system.life(),
                            &s.self.lane,
                            &s.self.ring,
                            test::kOpen,
                            owner_of(s.victim.id, 0),
                            policy};
    Evictor evictor(place, s.self.writer);
    const bool is_out =
        evictor.make_room({kMaxChunkBytes + 1, System::active(), true, 1'000}).evicted == 1;
    Outcome outcome;
    outcome.code = is_out ? Errc{} : Errc::not_found;
    outcome.version = 3;  // each is put twice
    result(s, outcome);
  };
  return path;
}

void add_evictions(std::vector<Path>& all) {
  all.push_back(with(eviction("evict what has expired", "mine", AtLimit::evict_expired), expired));
  all.push_back(with(eviction("evict a run", "long", AtLimit::evict_lru), [](Scene& s) {
    some(s);
    s.self.put("long", "short");
    s.another.put("long", kLong);
  }));
  all.push_back(
      with(eviction("evict during a growth", "key400", AtLimit::evict_expired), [](Scene& s) {
        growing_after(s, [](Scene& before) { put_until(before.self, "key400", "stale", 500); });
        s.self.lane.ring_drained.store(s.self.ring.next());  // room for the record
      }));
}

void add_growth(std::vector<Path>& all) {
  all.push_back(with(
      simple("put, begins a growth", "new", Op::put, [](Actor& a) { return a.put("new", "n"); }),
      [](Scene& s) {
        keys(s.self, 0, 700);
        keys(s.another, 700, 767);
        if (!s.another.writer.growth().prepare_next(11)) std::abort();
      }));
  all.push_back(with(simple("put, insert during a growth", "new", Op::put,
                            [](Actor& a) { return a.put("new", "n"); }),
                     growing));
  all.push_back(with(simple("put, overwrite during a growth", "key400", Op::put,
                            [](Actor& a) { return a.put("key400", "n"); }),
                     growing));
  all.push_back(with(simple("put, of an erased key during a growth", "key4", Op::put,
                            [](Actor& a) { return a.put("key4", "n"); }),
                     growing));
  Path prepare = simple("prepare a table", "mine", Op::drop, nullptr);
  prepare.act = [](Scene& s) { (void)s.self.writer.growth().prepare_next(10); };
  all.push_back(prepare);
  Path finish = with(simple("finish a growth", "key400", Op::drop, nullptr), growing);
  finish.act = [](Scene& s) { (void)s.self.writer.growth().finish(); };
  all.push_back(finish);
  Path full = simple("drop tombstones in a full block", "full0", Op::drop, nullptr);
  full.is_full = true;
  full.setup = [](Scene& s) {
    const int count = fill(s, std::string(2'000, 'f'));
    for (int i = 0; i < count; i += 2) s.another.erase("full" + std::to_string(i));
  };
  full.act = [](Scene& s) { (void)s.self.writer.growth().drop_tombstones(); };
  all.push_back(full);
}

void add_heap(std::vector<Path>& all) {
  Path steal = simple("put, into a stolen chunk", "full0", Op::put,
                      [](Actor& a) { return a.put("full0", std::string(1'950, 's')); });
  steal.is_full = true;
  steal.setup = [](Scene& s) {
    const int count = fill(s, std::string(1'950, 'f'));
    for (int i = 0; i < count; i += 5) s.self.erase("full" + std::to_string(i));
  };
  all.push_back(steal);
  steal.name = "put, into a stolen chunk, refused";
  steal.act = [](Scene& s) { result(s, s.self.put_late("full0", std::string(1'950, 's'))); };
  all.push_back(steal);
  all.push_back(with(simple("put, into an adopted page", "new", Op::put,
                            [](Actor& a) { return a.put("new", std::string(500, 'a')); }),
                     [](Scene& s) {
                       some(s);
                       for (int i = 0; i < 6; ++i) {
                         s.another.put("big" + std::to_string(i), std::string(500, 'b'));
                         s.self.erase("big" + std::to_string(i / 2));
                       }
                       (void)s.recover(s.other);
                     }));
  Path recut = simple("put, into a page that is cut anew", "new", Op::put,
                      [](Actor& a) { return a.put("new", std::string(1'300, 'n')); });
  recut.is_full = true;
  recut.setup = [](Scene& s) {
    s.self.put("mine", "own");
    for (int i = 0; s.self.put("full" + std::to_string(i), std::string(700, 'f')).code == Errc{};
         ++i) {
    }
    for (int i = 0; i < 60; ++i) s.self.erase("full" + std::to_string(i));
  };
  all.push_back(recut);
  Path leave = simple("a thread leaves", "mine", Op::drop, nullptr);
  leave.act = [](Scene& s) { s.self.writer.leave(); };
  all.push_back(leave);
  Path look = simple("lookup with a hazard", "mine", Op::get, nullptr);
  look.act = [](Scene& s) {
    HazardSlot hazard(&s.system.readers_segment(), owner_of(s.victim.id, 0));
    SlotView view;
    std::uint64_t node = 0;
    (void)lookup(s.system.memory, test::key_of("mine"), &hazard, view,
                 [&](const SlotView& hit) { node = hit.ref.offset(); });
    (void)hazard.protect(node);
    hazard.leave();
  };
  all.push_back(look);
}

std::uint64_t pin(Scene& s) {
  const auto instant = s.checkpoints_of(s.another).take({});
  if (!instant) std::abort();
  return *instant;
}

void pinned(Scene& s) {
  some(s);
  (void)pin(s);
}

// Of "mine" a version that a checkpoint needs, one that none needs any more, and the newest.
void surplus(Scene& s) {
  pinned(s);
  s.self.put("mine", "second");
  const std::uint64_t brief = pin(s);
  s.another.put("mine", "third");
  if (!s.checkpoints_of(s.another).release(brief, {})) std::abort();
}

Path of_director(std::string name, std::function<void(Scene&)> setup,
                 std::function<void(Scene&)> act) {
  Path path;
  path.name = std::move(name);
  path.key = "mine";
  path.op = Op::drop;
  path.setup = std::move(setup);
  path.act = [act = std::move(act)](Scene& s) {
    act(s);
    Outcome none;
    none.code = Errc::not_found;
    result(s, none);
  };
  path.is_recorded = false;
  return path;
}

// The victim is the director: what it does in turns, and what it does to writers that stand still.
void maintain(Scene& s) {
  Maintenance maintenance({&s.system.memory, &s.system.readers_segment(), &s.victim.memory.lane(0),
                           test::kOpen, owner_of(s.victim.id, 0)});
  const IntentSource writers[] = {{&s.other.memory, test::kOpen}};
  for (int turn = 0; turn < 2; ++turn) (void)maintenance.run(writers);
}

// Another's writer that stopped right before its commit.
void stopped_writer(Scene& s) {
  some(s);
  SlotView view;
  if (lookup(s.system.memory, test::key_of("theirs"), nullptr, view, [](const SlotView&) {}) !=
      Found::hit) {
    std::abort();
  }
  auto& intent = s.other.memory.lane(0).intent;
  intent.what.store(static_cast<std::uint64_t>(Op::put) | (std::uint64_t{test::kOpen} << 16U));
  intent.slot.store(view.index);
  intent.table.store(s.system.memory.header().table.load());
  intent.op.store(intent.op.load() + 1);
}

void add_director(std::vector<Path>& all) {
  all.push_back(of_director(
      "the director prepares a table",
      [](Scene& s) {
        keys(s.another, 0, 520);
        s.another.put("mine", "old");
      },
      maintain));
  all.push_back(
      of_director("the director finishes a growth and gives the table back", growing, maintain));
  all.push_back(of_director("settle", stopped_writer, [](Scene& s) {
    const IntentSource writers[] = {{&s.other.memory, test::kOpen}};
    (void)settle(s.system.memory, writers);
  }));
  Path wait = of_director("wait", some, [](Scene& s) {
    SlotView view;
    if (lookup(s.system.memory, test::key_of("mine"), nullptr, view, [](const SlotView&) {}) !=
        Found::hit) {
      return;
    }
    waiter_flag(s.system.readers_segment(), view.index).store(1, std::memory_order_seq_cst);
    (void)platform::futex_wait_for(wait_word(*view.slot), static_cast<std::uint32_t>(view.ver),
                                   std::chrono::milliseconds(1));
  });
  all.push_back(wait);
}

void add_checkpoints(std::vector<Path>& all) {
  all.push_back(with(simple("put, keeps the version that a checkpoint needs", "theirs", Op::put,
                            [](Actor& a) { return a.put("theirs", "n"); }),
                     pinned));
  all.push_back(with(
      simple("put, hands a link on", "mine", Op::put, [](Actor& a) { return a.put("mine", "n"); }),
      [](Scene& s) {
        pinned(s);
        s.another.put("mine", "second");
      }));
  all.push_back(with(simple("erase, keeps the version that a checkpoint needs", "theirs", Op::erase,
                            [](Actor& a) { return a.erase("theirs"); }),
                     pinned));
  all.push_back(with(
      simple("put, keeps a run", "long", Op::put, [](Actor& a) { return a.put("long", kLonger); }),
      [](Scene& s) {
        some(s);
        s.self.put("long", kLong);
        (void)pin(s);
      }));
  all.push_back(of_director(
      "finish a growth with versions kept",
      [](Scene& s) {
        growing(s);
        (void)pin(s);
        for (int i = 400; i < 410; ++i) s.another.put("key" + std::to_string(i), "new");
        for (int i = 410; i < 420; ++i) s.another.erase("key" + std::to_string(i));
      },
      [](Scene& s) { (void)s.self.writer.growth().finish(); }));
  all.push_back(of_director("take a checkpoint", some,
                            [](Scene& s) { (void)s.checkpoints_of(s.self).take({}); }));
  all.push_back(of_director("release a checkpoint", pinned,
                            [](Scene& s) { (void)s.checkpoints_of(s.self).release(1, {}); }));
  all.push_back(of_director("release every pin without a name", pinned,
                            [](Scene& s) { (void)s.checkpoints_of(s.self).keep_only({}, {}); }));
  all.push_back(of_director("trim, from the middle of a chain", surplus,
                            [](Scene& s) { (void)s.checkpoints_of(s.self).trim(); }));
  all.push_back(of_director(
      "trim, the rest of a chain",
      [](Scene& s) {
        surplus(s);
        s.self.put("long", kLong);
        const std::uint64_t brief = pin(s);
        s.self.erase("long");
        if (!s.checkpoints_of(s.another).release(brief, {})) std::abort();
        if (!s.checkpoints_of(s.another).release(1, {})) std::abort();
      },
      [](Scene& s) { (void)s.checkpoints_of(s.self).trim(); }));
}

// What others can get in the way of: a change of one entry, and the director among writers.
constexpr std::array kInterfered =
    std::to_array<std::string_view>({"replace by a larger value",
                                     "touch",
                                     "put over what has expired",
                                     "erase of a run",
                                     "append that makes a run",
                                     "put, into a page that is cut anew",
                                     "evict what has expired",
                                     "evict during a growth",
                                     "settle",
                                     "put, insert",
                                     "put, overwrite of an own page's node",
                                     "put, overwrite of another's node",
                                     "put, insert of a run",
                                     "put, overwrite of a run by a chunk",
                                     "erase",
                                     "increment",
                                     "increment of what is absent",
                                     "append",
                                     "compare_and_set, won",
                                     "put, begins a growth",
                                     "put, insert during a growth",
                                     "put, overwrite during a growth",
                                     "put, of an erased key during a growth",
                                     "put, refused before the commit",
                                     "put of a run, refused before the commit",
                                     "put, into a stolen chunk",
                                     "put, into a stolen chunk, refused",
                                     "put, into an adopted page",
                                     "put, keeps the version that a checkpoint needs",
                                     "put, hands a link on",
                                     "erase, keeps the version that a checkpoint needs",
                                     "trim, from the middle of a chain"});

}  // namespace

const std::vector<Path>& paths() {
  static const std::vector<Path> all = [] {
    std::vector<Path> list;
    add_writes(list);
    add_evictions(list);
    add_more_writes(list);
    add_growth(list);
    add_heap(list);
    add_director(list);
    add_checkpoints(list);
    add_logged_values(list);
    for (Path& path : list) {
      path.is_interfered =
          std::find(kInterfered.begin(), kInterfered.end(), path.name) != kInterfered.end();
    }
    return list;
  }();
  return all;
}

}  // namespace sessionblocks::crash
