#include "generations.hpp"

#include "next_generation.hpp"
#include "shadow.hpp"
#include "stepper.hpp"

namespace sessionblocks::crash {
namespace {

void set_active(Scene& scene) {
  scene.system.life().store(System::active().word);
}

std::uint64_t pin(Scene& scene, Actor& actor, std::span<const IntentSource> writers) {
  const auto instant = scene.checkpoints_of(actor).take(writers);
  if (!instant) throw std::runtime_error("no checkpoint");
  return *instant;
}

// The path with a checkpoint before it, and changes since: something to roll back.
Path with_checkpoint(const Path& path) {
  Path pinned = path;
  pinned.setup = [setup = path.setup](Scene& scene) {
    setup(scene);
    (void)pin(scene, scene.another, {});
    (void)scene.another.put("since", "the checkpoint");
    (void)scene.another.put("key12", "changed");
    (void)scene.another.erase("key14");
  };
  return pinned;
}

// A writer that stands at one instruction, and a director beside it.
struct Beside {
  Purpose purpose;
  const Path& path;
  const Truth& truth;
  Scene& scene;
  NextBlock& next;
  Violations& violations;

  void operator()(Stepper writer, bool dies) {
    const std::uint64_t step = writer.steps();
    Worker worker(5);
    Actor director = scene.actor(worker);
    const IntentSource writers[] = {{&scene.victim.memory, test::kOpen}};
    next.format_anew();
    const bool forks = purpose == Purpose::fork;
    const std::uint64_t held = forks ? pin(scene, director, writers) : first_pin(scene);
    Maker maker(purpose, scene, next, held);
    expect(purpose != Purpose::swap || maker.stop_writers(writers), "no settle", step);
    if (forks) end(writer, dies);  // before it is copied: the moment stays what it was
    expect(maker.copy() == Errc{}, "no copy", step);
    expect(purpose != Purpose::roll_back || maker.stop_writers(writers), "no settle", step);
    const Entries present = entries_of(scene.system.memory);
    if (!forks) end(writer, dies);
    expect(entries_of(scene.system.memory) == present, "a commit after the settle", step);
    expect(maker.finish() == Errc{}, "no copy of what came last", step);
    maker.publish();
    check_next(purpose, next, present, held, step, violations);
    check_fsck(scene.system.memory, step, violations);
    judge(present, held, dies, step);
    if (forks) set_active(scene);
    director.writer.heap().hazard().leave();
    use_next(step);
  }

 private:
  void expect(bool fact, const char* what, std::uint64_t step) {
    if (!fact) violations.add(what, step);
  }
  void end(Stepper& writer, bool dies) {
    if (dies) {
      writer.kill();
      (void)scene.recover(scene.victim);
    } else {
      expect(writer.finish(), "the writer crashed", writer.steps());
    }
  }
  // Whole or not at all, and what was acknowledged is there.
  void judge(const Entries& present, std::uint64_t held, bool dies, std::uint64_t step) {
    const bool forks = purpose == Purpose::fork;
    const Entries moment = forks ? held_by(present, held) : live_of(present);
    const bool is_before = moment == live_of(truth.before);
    const bool is_after = moment == live_of(truth.after);
    expect(is_before || is_after, "neither before the operation nor after it", step);
    if (dies || forks || is_before == is_after) return;
    const bool acknowledged = scene.report().outcome.code == Errc{};
    expect(acknowledged == is_after, "what the writer was told is not what is there", step);
  }
  // Whoever goes on in the next one has versions that nobody has seen.
  void use_next(std::uint64_t step) {
    Worker worker(6);
    auto& system = next.system();
    Actor later(system.memory, system.readers_segment(), system, worker);
    expect(later.put("later", "l").code == Errc{}, "nobody can write to it", step);
    expect(later.put(path.key, "later").code == Errc{}, "nobody can write that key", step);
    expect(later.erase(path.key).code == Errc{}, "nobody can erase", step);
    later.writer.leave();
    check_fsck(system.memory, step, violations);
  }
};

// What others do in the present generation while the director stands.
void write_beside(Scene& scene) {
  Worker worker(4);
  Actor actor = scene.actor(worker);
  for (int i = 0; i < 3; ++i) (void)actor.put("mine", std::string(90, static_cast<char>('a' + i)));
  (void)actor.erase("theirs");
  (void)actor.put("long", "short");
  for (int i = 0; i < 60; ++i) (void)actor.put("more" + std::to_string(i), "m");
  if (actor.writer.growth().begin_now()) (void)actor.writer.growth().finish();
  for (int i = 0; i < 60; i += 2) (void)actor.erase("more" + std::to_string(i));
  actor.writer.heap().hazard().leave();
}

struct MakerScene {
  explicit MakerScene(Purpose p) : purpose(p) {
    path_named("put, keeps a run").setup(scene);  // with a checkpoint
    (void)scene.another.put("mine", "changed");
    (void)scene.another.put("long", "a run no more");
    (void)scene.another.erase("theirs");
    (void)scene.another.put("added", std::string(700, 'a'));
    next.format_anew();
    held = first_pin(scene);
    if (purpose == Purpose::fork) held = pin(scene, scene.another, {});
  }
  void run() {
    const IntentSource writers[] = {{&scene.other.memory, test::kOpen}};
    Maker(purpose, scene, next, held).run(writers);
  }
  [[nodiscard]] bool is_published() const {
    return layout::LifeWord{scene.system.life().load()}.generation() == Generation{2};
  }

  // All memory as it is now, and back to that.
  void keep() {
    kept_scene_.emplace(scene);
    kept_next_ = next.bytes();
    kept_life_ = scene.system.life().load();
  }
  void set_back() {
    kept_scene_->restore(scene);
    next.set_back(kept_next_);
    scene.system.life().store(kept_life_);
  }

  Purpose purpose;
  Scene scene{kBlockBytes * 2};
  NextBlock next{kBlockBytes * 2};
  std::uint64_t held = 0;

 private:
  std::optional<Snapshot> kept_scene_;
  std::vector<std::byte> kept_next_;
  std::uint64_t kept_life_ = 0;
};

// Nobody could change the present generation any more, or it may be changed: what it shows at the
// end is what counts.
void check_end(MakerScene& at, std::uint64_t step, Violations& violations) {
  check_next(at.purpose, at.next, entries_of(at.scene.system.memory), at.held, step, violations);
  check_fsck(at.scene.system.memory, step, violations);
}

void check_stopped_maker(MakerScene& at, Stepper maker, Violations& violations) {
  const std::uint64_t step = maker.steps();
  write_beside(at.scene);
  if (!maker.finish()) violations.add("the director crashed", step);
  check_end(at, step, violations);
}

void check_killed_maker(MakerScene& at, Stepper maker, const Entries& before,
                        Violations& violations) {
  const std::uint64_t step = maker.steps();
  maker.kill();
  if (entries_of(at.scene.system.memory) != before) {
    violations.add("its death changed the present generation", step);
  }
  set_active(at.scene);  // as adoption does
  write_beside(at.scene);
  at.next.format_anew();
  at.run();
  check_end(at, step, violations);
}

}  // namespace

GenerationTally check_beside_writer(Purpose purpose, const Path& plain, std::uint64_t stride) {
  GenerationTally tally;
  const Path path = with_checkpoint(plain);
  Scene scene(path.block_bytes * 2);
  NextBlock next(path.block_bytes * 2);
  const Truth truth = learn(path, scene);
  scene.report().outcome.code = Errc::io_error;
  Stepper writer([&] { path.act(scene); });
  while (writer.step(stride)) {
    const Snapshot here(scene);
    const Outcome told = scene.report().outcome;
    for (const bool dies : {false, true}) {
      Tally& of = dies ? tally.kills : tally.stops;
      ++of.cases;
      Beside{purpose, path, truth, scene, next, of.violations}(writer.clone(), dies);
      here.restore(scene);
      scene.report().outcome = told;
      set_active(scene);
    }
  }
  tally.stops.instructions = tally.kills.instructions = writer.steps();
  return tally;
}

GenerationTally check_maker(Purpose purpose, std::uint64_t stride) {
  GenerationTally tally;
  MakerScene at(purpose);
  const Entries before = entries_of(at.scene.system.memory);
  Shadow shadow(at.scene.ranges());
  Stepper maker([&] { at.run(); });
  bool was_published = false;
  while (maker.step()) {
    const bool publishes = at.is_published() && !was_published;
    if (publishes || shadow.changed()) {
      ++tally.images.cases;
      check_fsck(at.scene.system.memory, maker.steps(), tally.images.violations);
      if (entries_of(at.scene.system.memory) != before) {
        tally.images.violations.add("the present generation shows something else", maker.steps());
      }
    }
    if (publishes) {
      was_published = true;
      check_next(purpose, at.next, before, at.held, maker.steps(), tally.images.violations);
    }
    if (!was_published && maker.steps() % stride == 0) {
      at.keep();
      ++tally.stops.cases;
      check_stopped_maker(at, maker.clone(), tally.stops.violations);
      at.set_back();
      ++tally.kills.cases;
      check_killed_maker(at, maker.clone(), before, tally.kills.violations);
      at.set_back();
    }
  }
  if (!was_published) tally.images.violations.add("it was never published", maker.steps());
  tally.images.instructions = tally.stops.instructions = tally.kills.instructions = maker.steps();
  return tally;
}

std::size_t print_generations(const char* only) {
  static constexpr std::array kBeside = {"put, insert",
                                         "put, overwrite of another's node",
                                         "put, overwrite of a run by a chunk",
                                         "erase",
                                         "append",
                                         "increment",
                                         "put, insert during a growth",
                                         "put, hands a link on",
                                         "erase, keeps the version that a checkpoint needs"};
  constexpr std::uint64_t kMakerStride = 199;  // it takes hundreds of thousands
  std::size_t violations = 0;
  const auto print = [&](const std::string& name, auto&& check) {
    if (only != nullptr && name != only) return;
    const GenerationTally tally = check();
    violations += print_row(name, tally.images, {}, tally.stops, tally.kills);
  };
  for (const Purpose purpose : kPurposes) {
    print(std::string("the director makes ") + word(purpose),
          [&] { return check_maker(purpose, kMakerStride); });
    for (const char* path : kBeside) {
      print(std::string(word(purpose)) + " in: " + path,
            [&] { return check_beside_writer(purpose, path_named(path), 1); });
    }
  }
  return violations;
}

}  // namespace sessionblocks::crash
