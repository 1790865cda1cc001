#include "campaign.hpp"
#include "segment/maintenance.hpp"
#include "shadow.hpp"

#include <array>

namespace sessionblocks::crash {
namespace {

struct Write {
  std::string value;
  std::uint64_t version = 0;
  bool erases = false;
};

// The other worker and the director, in this process, while the victim stands still.
class Intruder {
 public:
  Intruder(Scene& scene, const Path& path)
      : scene_(scene), path_(path), actor_(scene.actor(worker_)) {}
  ~Intruder() { actor_.writer.heap().hazard().leave(); }
  Intruder(const Intruder&) = delete;
  Intruder& operator=(const Intruder&) = delete;

  void write() {
    const bool counts = path_.op == Op::increment;
    const std::string value = "intruder" + std::to_string(writes_.size());
    const Outcome outcome = counts ? actor_.increment(path_.key) : actor_.put(path_.key, value);
    if (outcome.code == Errc{}) writes_.push_back({counts ? "" : value, outcome.version, false});
  }
  void erase() {
    const Outcome outcome = actor_.erase(path_.key);
    if (outcome.code == Errc{}) writes_.push_back({"", outcome.version, true});
  }
  void recycle() {
    for (int i = 0; i < 260; ++i) (void)actor_.put("intr" + std::to_string(i % 5), "n");
    for (int i = 0; i < 4; ++i) (void)actor_.put("intr_run", runs_);
    for (int i = 0; i < 3; ++i) (void)actor_.put("intr_a" + std::to_string(i), words_);
  }
  void grow() {
    if (actor_.writer.growth().begin_now()) (void)actor_.writer.growth().finish();
  }
  // The director gives outgrown tables back, and their pages are filled with what a mover that
  // takes them for a table would take for empty slots.
  void reuse_tables() {
    if (!path_.is_recorded) return;      // the victim is the director, and there is one
    (void)scene_.recover(scene_.other);  // it made the table that the growing paths grow out of
    Maintenance maintenance({&scene_.system.memory, &scene_.system.readers_segment(),
                             &director_.memory.lane(0), test::kOpen, owner_of(director_.id, 0)});
    const IntentSource sources[] = {{&scene_.victim.memory, test::kOpen},
                                    {&scene_.other.memory, test::kOpen},
                                    {&worker_.memory, test::kOpen},
                                    {&director_.memory, test::kOpen}};
    for (int i = 0; i < 3; ++i) (void)maintenance.run(sources);
    for (int i = 0; i < 60; ++i) (void)actor_.put("intr_w" + std::to_string(i), words_);
  }
  [[nodiscard]] const std::vector<Write>& writes() const { return writes_; }
  // Whether all that was written beside the key is whole: nobody stored into reused memory.
  [[nodiscard]] bool is_intact() const {
    for (const auto& [key, value] : entries_of(scene_.system.memory)) {
      const bool numbered = key.starts_with("intr_w") || key.starts_with("intr_a");
      if (numbered && value.bytes != words_) return false;
      if (key == "intr_run" && value.bytes != runs_) return false;
    }
    return true;
  }

 private:
  Scene& scene_;
  const Path& path_;
  Worker worker_{4};
  Worker director_{5};
  Actor actor_;
  std::vector<Write> writes_;
  // Words that a mover which took them for slots would take for empty ones, and zeros.
  const std::string words_ = [] {
    std::string words;
    for (int i = 0; i < 120; ++i)
      words += std::string(i % 8 == 7 ? "\0" : "\4", 1) + std::string(7, '\0');
    return words;
  }();
  const std::string runs_ = std::string(35'000, '\0');
};

struct Intrusion {
  const char* name;
  void (*act)(Intruder&);
};
constexpr std::array kIntrusions = {
    Intrusion{"recycles", [](Intruder& i) { i.recycle(); }},
    Intrusion{"overwrites", [](Intruder& i) { i.write(), i.write(); }},
    Intrusion{"overwrites and recycles", [](Intruder& i) { i.write(), i.recycle(), i.write(); }},
    Intrusion{"grows twice and overwrites",
              [](Intruder& i) { i.grow(), i.write(), i.grow(), i.recycle(); }},
    Intrusion{"erases and drops", [](Intruder& i) { i.erase(), i.grow(), i.recycle(); }},
    Intrusion{"erases, grows, reuses and puts anew", [](Intruder& i) {
                i.erase(), i.grow(), i.grow(), i.reuse_tables(), i.write(), i.recycle();
              }}};

class Judge {
 public:
  Judge(const Path& path, const Truth& truth) : path_(path), truth_(truth) {}

  void operator()(const Scene& scene, std::vector<Write> writes, const std::string& how,
                  std::uint64_t step, bool committed, std::uint64_t version,
                  Violations& violations) const {
    const auto fault = [&](const std::string& what) { violations.add(how + ": " + what, step); };
    Entries now = entries_of(scene.system.memory);
    const auto found = now.find(path_.key);
    const bool erases =
        path_.op == Op::erase || path_.op == Op::get_and_erase || path_.op == Op::evict;
    if (committed) writes.push_back({"", version, erases});
    const Write* last = nullptr;
    std::set<std::uint64_t> versions;
    unsigned erased = 0;
    for (const Write& write : writes) {
      if (!versions.insert(write.version).second) fault("two writes have one version");
      if (last == nullptr || write.version > last->version) last = &write;
      if (write.erases) ++erased;
    }
    const auto old = truth_.before.find(path_.key);
    const bool existed = old != truth_.before.end();
    if (last == nullptr) {
      if (existed != (found != now.end()) || (existed && found->second != old->second)) {
        fault("nobody wrote, and the entry is another");
      }
    } else if (last->erases != (found == now.end())) {
      fault("the last write does not show");
    } else if (!last->erases) {
      if (found->second.version != last->version) fault("a lost write: not the last version");
      if (!last->value.empty() && found->second.bytes != last->value) fault("not the last value");
    }
    if (existed && versions.size() > 0 && *versions.begin() <= old->second.version) {
      fault("a version that was there before");
    }
    if (existed && erased == 0 && found != now.end() &&
        found->second.version != old->second.version + writes.size()) {
      fault("versions do not count the writes");
    }
    if (path_.op == Op::increment && erased == 0 && found != now.end()) {
      const std::int64_t before = existed ? test::as_integer(old->second.bytes) : 0;
      if (test::as_integer(found->second.bytes) !=
          before + static_cast<std::int64_t>(writes.size())) {
        fault("a lost increment");
      }
    }
    others(now, fault);
    Violations found_by_fsck;
    check_fsck(scene.system.memory, step, found_by_fsck);
    if (found_by_fsck.count() != 0) fault(found_by_fsck.text());
  }

 private:
  template <typename Fault>
  void others(Entries& now, Fault&& fault) const {
    Entries before = truth_.before;
    before.erase(path_.key);
    now.erase(path_.key);
    std::erase_if(now, [](const auto& entry) { return entry.first.starts_with("intr"); });
    if (now != before) fault("another entry changed");
  }

  const Path& path_;
  const Truth& truth_;
};

bool is_expected(const Path& path, Errc code) {
  if (code == Errc{}) return true;
  if (code == Errc::gone) return path.name.find("refused") != std::string::npos;
  if (code == Errc::not_found) return path.op != Op::put && path.op != Op::increment;
  if (code == Errc::conflict) return path.op == Op::compare_and_set;
  if (code == Errc::exists) return path.op == Op::add;
  return code == Errc::out_of_memory && path.is_full;
}

// The victim never runs again: for all others that is a death.
void die(const Path& path, Scene& scene, const Truth& truth, const Intrusion& intrusion,
         std::uint64_t stop, Violations& violations) {
  Intruder intruder(scene, path);
  intrusion.act(intruder);
  (void)scene.recover(scene.victim);
  const std::string how = std::string(intrusion.name) + ", victim killed";
  if (!intruder.is_intact()) violations.add(how + ": bytes of another value changed", stop);
  const Recorded recorded = records_in(scene.victim.memory, truth.ring_start, path.op);
  if (recorded.succeeded > 1) violations.add(how + ": more than one record", stop);
  Judge(path, truth)(scene, intruder.writes(), how, stop, recorded.succeeded == 1, recorded.version,
                     violations);
}

void go_on(const Path& path, Scene& scene, const Truth& truth, const Intrusion& intrusion,
           Stepper victim, Violations& violations) {
  const std::uint64_t stop = victim.steps();
  Intruder intruder(scene, path);
  intrusion.act(intruder);
  const std::string how = std::string(intrusion.name) + ", victim goes on";
  if (!victim.finish()) violations.add(how + ": the victim crashed", stop);
  const Outcome& outcome = scene.report().outcome;
  if (!is_expected(path, outcome.code)) {
    const std::string code = std::to_string(static_cast<int>(outcome.code));
    violations.add(how + ": the victim got error " + code, stop);
  }
  const bool committed = outcome.code == Errc{};
  if (!intruder.is_intact()) violations.add(how + ": bytes of another value changed", stop);
  const Recorded recorded = records_in(scene.victim.memory, truth.ring_start, path.op);
  if (recorded.succeeded != (committed ? 1U : 0U)) {
    violations.add(how + ": the record does not agree with the outcome", stop);
  }
  Judge(path, truth)(scene, intruder.writes(), how, stop, committed, outcome.version, violations);
}

void stop_everywhere(const Path& path, Scene& scene, const Truth& truth,
                     const std::set<std::uint64_t>& stops, Violations& violations) {
  scene.report().outcome.code = Errc::io_error;
  Stepper victim([&] { path.act(scene); });
  for (const std::uint64_t stop : stops) {
    if (!victim.step(stop - victim.steps())) return;
    const Snapshot here(scene);
    for (const Intrusion& intrusion : kIntrusions) {
      die(path, scene, truth, intrusion, stop, violations);
      here.restore(scene);
      go_on(path, scene, truth, intrusion, victim.clone(), violations);
      here.restore(scene);
    }
  }
}

}  // namespace

bool can_be_interfered_with(const Path& path) {
  return path.is_interfered;
}

Tally check_stops(const Path& path) {
  Tally tally;
  Scene scene(path.block_bytes * 2);
  const Truth truth = learn(path, scene);
  const Snapshot snapshot(scene);
  std::set<std::uint64_t> stops;
  {
    Shadow shadow(scene.ranges());
    Stepper victim([&] { path.act(scene); });
    while (victim.step()) {
      if (shadow.changed_anew(victim)) stops.insert({victim.steps() - 1, victim.steps()});
    }
    tally.instructions = victim.steps();
  }
  snapshot.restore(scene);
  stop_everywhere(path, scene, truth, stops, tally.violations);
  tally.cases = stops.size();
  return tally;
}

}  // namespace sessionblocks::crash
