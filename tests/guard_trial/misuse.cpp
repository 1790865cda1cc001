// Misuse: what a worker tries that it was not given, and what it says that is not true.
#include <array>

#include "attack.hpp"
#include "child.hpp"
#include "layout/block.hpp"
#include "layout/node.hpp"
#include "lockfree/audit_ring.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

constexpr std::array kWords = {"admin",   "root",     "secret", "secrets", "token",   "tokens",
                               "key",     "keys",     "login",  "user",    "users",   "account",
                               "payment", "payments", "card",   "cards",   "config",  "settings",
                               "session", "private",  "backup", "billing", "invoice", "customer"};

class DeniedOpens final : public Intruder {
 public:
  explicit DeniedOpens(Scene& scene) : Intruder(scene), per_s_(draw().spread(2, 50)) {
    tell(std::to_string(int(per_s_)) + " a second");
  }
  void strike(double seconds) override {
    static constexpr std::array kTheirs = {"vault", "carts", "stats"};
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
      const auto mode = draw().chance(0.5) ? AccessMode::read : AccessMode::read_write;
      static_cast<void>(session().open(kTheirs[draw().below(kTheirs.size())], mode));
    }
  }

 private:
  double per_s_;
};

// A word list, with endings.
class Probing final : public Intruder {
 public:
  explicit Probing(Scene& scene) : Intruder(scene), per_s_(draw().spread(0.8, 20)) {
    tell(std::to_string(per_s_) + " names a second");
  }
  void strike(double seconds) override {
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left, ++tried_) {
      std::string name = kWords[tried_ % kWords.size()];
      if (tried_ >= kWords.size()) name += std::to_string(tried_ / kWords.size());
      static_cast<void>(session().open(name));
    }
  }

 private:
  double per_s_;
  std::size_t tried_ = 0;
};

class WritesToSealed final : public Intruder {
 public:
  explicit WritesToSealed(Scene& scene)
      : Intruder(scene), block_(create("ledger", kMiB)), per_s_(draw().spread(2, 50)) {
    must(block_.put("sum", 1));
    tell(std::to_string(int(per_s_)) + " a second");
  }
  void strike(double seconds) override {
    if (!std::exchange(is_sealed_, true)) must(session().seal("ledger"));
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
      static_cast<void>(block_.put("sum", 2));
    }
  }

 private:
  Block block_;
  double per_s_;
  bool is_sealed_ = false;
};

// References that were meant for others, used up, or made up.
class OthersReferences final : public Intruder {
 public:
  explicit OthersReferences(Scene& scene)
      : Intruder(scene), seller_(system().attach("seller")), per_s_(draw().spread(0.4, 10)) {
    BlockOptions options;
    options.name = "goods";
    options.quota_bytes = kMiB;
    options.permit = {"share"};
    goods_.push_back(must(seller_.create(options)));
    tell(std::to_string(per_s_) + " a second");
  }
  void strike(double seconds) override {
    ShareOptions options;
    options.audience = "embedded/mail";
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
      if (stolen_.size() < 20) stolen_.push_back(must(seller_.share(goods_[0], options)));
      std::string reference = stolen_[draw().below(stolen_.size())];
      if (draw().chance(0.5)) {
        char& letter = reference[reference.size() / 2 + draw().below(reference.size() / 4)];
        letter = letter == 'A' ? 'B' : 'A';
      }
      static_cast<void>(session().redeem(reference));
    }
  }

 private:
  Session seller_;
  double per_s_;
  std::vector<Block> goods_;
  std::vector<std::string> stolen_;
};

// Bytes of its own segment, written as any worker can: through the mapping.
layout::LaneHead& lane_of(director::Worker& worker) {
  return *reinterpret_cast<layout::LaneHead*>(worker.segment->memory().data() +
                                              layout::lane_at(0, worker.ring_records));
}

// Records that no honest worker writes: beyond the ring, of no block, of no operation.
class ForgedRecords final : public Intruder {
 public:
  explicit ForgedRecords(Scene& scene) : Intruder(scene), way_(draw().between(0, 2)) {
    static constexpr std::array kWays = {"an index beyond the ring", "a record of no block",
                                         "a record of no operation"};
    tell(kWays.at(way_));
  }
  void behave(double seconds) override {
    if (!is_done_) Intruder::behave(seconds);
  }
  void strike(double /*seconds*/) override {
    if (std::exchange(is_done_, true)) return;
    system().call([this](director::Registry& registry) {
      director::Worker* const worker =
          registry.workers.find(static_cast<WorkerId>(session().worker_id()));
      if (worker == nullptr || !worker->segment) throw std::runtime_error("the intruder is gone");
      forge(*worker);
    });
  }

 private:
  void forge(director::Worker& worker) {
    layout::LaneHead& lane = lane_of(worker);
    const std::uint64_t written = lane.ring_written.load();
    if (way_ == 0) {
      lane.ring_written.store(written + worker.ring_records * draw().between(2, 1'000));
      return;
    }
    auto* const cells = reinterpret_cast<RingCell*>(
        reinterpret_cast<std::byte*>(&lane) + layout::kLaneHeadBytes + layout::kLaneCounterBytes);
    RingCell record = make_record(0, Op::put, Errc{}, 77, 1, 10, 0);
    if (way_ == 1) record.open = static_cast<std::uint16_t>(draw().between(300, 40'000));
    if (way_ == 2) record.op = static_cast<std::uint8_t>(draw().between(40, 250));
    cells[(written + lane.ring_shift.load()) & (worker.ring_records - 1)] = record;
    lane.ring_written.store(written + 1);
  }
  std::uint64_t way_;
  bool is_done_ = false;
};

// A process that leaves behind an operation which its block contradicts, and dies.
class ForgedIntent final : public Attack {
 public:
  explicit ForgedIntent(Scene& scene) : Attack(scene), child_(scene.system, "intruder") {
    add_worker(child_.worker_id());
    add_culprit("scope embedded/intruder");
  }
  void behave(double /*seconds*/) override {
    if (!is_done_) child_.order(Order::work);
  }
  void strike(double /*seconds*/) override {
    if (std::exchange(is_done_, true)) return;
    system().call([this](director::Registry& registry) {
      director::Worker* const worker =
          registry.workers.find(static_cast<WorkerId>(child_.worker_id()));
      if (worker == nullptr || !worker->segment) throw std::runtime_error("the intruder is gone");
      forge(registry, *worker);
    });
    child_.kill_and_reap();
    // Its death is seen by its pidfd, in the director's time and not in the guard's.
    bool is_there = true;
    while (is_there) {
      system().call([&](director::Registry& registry) {
        is_there = registry.workers.find(static_cast<WorkerId>(child_.worker_id())) != nullptr;
      });
    }
  }

 private:
  // Entries that are there and not its own to free, nodes where none can be, no operation at all.
  // An intent that nothing contradicts is not told from an honest one, and frees nothing.
  void forge(director::Registry& registry, director::Worker& worker) {
    layout::Intent& intent = lane_of(worker).intent;
    const auto& [open, opened] = *worker.opens.begin();
    const auto heap = registry.blocks.find(opened.block)->segment->memory();
    const std::uint64_t way = draw().between(0, 2);
    const auto op = way == 2 ? draw().between(20, 250) : static_cast<std::uint64_t>(Op::put);
    const std::uint64_t first = live(heap, layout::Geometry::of(heap.size()).heap_at);
    const std::uint64_t old = live(heap, first + 16);
    const std::uint64_t fresh = way == 1 ? draw().between(1, 1'000) * 16 + heap.size() : first;
    intent.what.store(op | (std::uint64_t{open} << 16U));
    intent.table.store(draw().between(1, UINT32_MAX));
    intent.slot.store(draw().between(0, 100'000));
    intent.old.store(old);
    intent.old_gen.store(word_at(heap, old + offsetof(layout::Node, gen)));
    intent.fresh.store(fresh);
    intent.fresh_gen.store(way == 1 ? 4'711 : word_at(heap, fresh + offsetof(layout::Node, gen)));
    intent.op.store(intent.done.load() + 1);
  }
  static std::uint64_t word_at(std::span<std::byte> memory, std::uint64_t at) {
    return reinterpret_cast<const std::atomic<std::uint64_t>*>(memory.data() + at)->load();
  }
  // Of a worker that is at rest: a node in use is in its slot.
  static std::uint64_t live(std::span<std::byte> memory, std::uint64_t from) {
    for (std::uint64_t at = from; at + sizeof(layout::Node) <= memory.size(); at += 16) {
      const auto gen = word_at(memory, at + offsetof(layout::Node, gen));
      const auto mark = word_at(memory, at + offsetof(layout::Node, commit_mark));
      const std::uint64_t incarnation = layout::incarnation_of(gen);
      const bool is_node =
          incarnation != 0 && (mark == incarnation || mark == layout::not_marked(incarnation));
      if (is_node && layout::state_of(gen) == layout::NodeState::in_use) return at;
    }
    throw std::runtime_error("the intruder's block holds no entry");
  }
  ChildWorker child_;
  bool is_done_ = false;
};

class UnlikeItsPast final : public Intruder {
 public:
  explicit UnlikeItsPast(Scene& scene) : Intruder(scene), times_(draw().spread(25, 150)) {
    tell(std::to_string(int(usual_per_s())) + " operations a second, then " +
         std::to_string(int(times_)) + " times that");
  }
  void strike(double seconds) override {
    usual().use(draw(), draw().events(usual_per_s() * times_ * seconds));
  }

 private:
  double times_;
};

}  // namespace

void add_misuse(Attacks& attacks) {
  const auto add = [&](std::string name, std::string what, std::vector<std::string> rules,
                       std::uint64_t calm_s, auto maker) {
    attacks.push_back({Kind::misuse, std::move(name), std::move(what), std::move(rules), 600, 1'000,
                       calm_s, maker});
  };
  add("denied-opens", "others' blocks, asked for again and again", {"denied", "probing"}, 60,
      make<DeniedOpens>);
  add("probing", "names from a word list", {"probing", "denied"}, 60, make<Probing>);
  add("sealed-writes", "writes to a sealed block", {"refused-writes", "denied"}, 60,
      make<WritesToSealed>);
  add("others-references", "references of others, and made up ones", {"misused-references"}, 60,
      make<OthersReferences>);
  add("forged-records", "records of its own that cannot be true", {"forged"}, 60,
      make<ForgedRecords>);
  add("forged-intent", "an operation under way that cannot be true", {"forged"}, 60,
      make<ForgedIntent>);
  add("unlike-its-past", "a rate far from the scope's own", {"unlike-its-past"}, 330,
      make<UnlikeItsPast>);
}

}  // namespace sessionblocks::guard_trial
