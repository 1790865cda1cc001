// Leaks: what is kept and never used again.
#include <atomic>
#include <latch>
#include <thread>

#include "attack.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr double kEntryBytes = 120;  // about what an entry takes besides its value
const std::vector<std::string> kGrowing = {"leak", "leak-goes-on", "unread"};

std::string text(std::size_t bytes) {
  return std::string(bytes, 'l');
}

// Fills a block of some MiB within a drawn time.
class Leak : public Intruder {
 public:
  Leak(Scene& scene, double least_minutes, double most_minutes)
      : Intruder(scene),
        quota_(draw().between(2, 12) * kMiB),
        value_bytes_(draw().between(50, 1'500)),
        minutes_(draw().spread(least_minutes, most_minutes)),
        per_s_(static_cast<double>(quota_) /
               ((static_cast<double>(value_bytes_) + kEntryBytes) * minutes_ * 60)),
        block_(create("jobs", quota_)) {
    tell(std::to_string(quota_ / kMiB) + " MiB full in " + std::to_string(int(minutes_)) +
         " min, values of " + std::to_string(value_bytes_) + " bytes");
  }

 protected:
  [[nodiscard]] Block& block() { return block_; }
  [[nodiscard]] std::size_t value_bytes() const { return value_bytes_; }
  [[nodiscard]] std::uint64_t count(double seconds) { return draw().events(per_s_ * seconds); }

 private:
  std::uint64_t quota_;
  std::size_t value_bytes_;
  double minutes_;
  double per_s_;
  Block block_;
};

class EverNewKeys final : public Leak {
 public:
  explicit EverNewKeys(Scene& scene) : Leak(scene, 12, 60) {}
  void strike(double seconds) override {
    for (auto left = count(seconds); left > 0; --left) {
      static_cast<void>(block().put("line:" + std::to_string(next_++), text(value_bytes())));
    }
  }

 private:
  std::uint64_t next_ = 0;
};

class BesideHotKeys final : public Intruder {
 public:
  explicit BesideHotKeys(Scene& scene)
      : Intruder(scene),
        value_bytes_(draw().between(20, 120)),
        minutes_(draw().spread(30, 90)),
        hot_(create("state", kMiB), draw().between(16, 96), 100) {
    tell("1 MiB full in " + std::to_string(int(minutes_)) + " min, values of " +
         std::to_string(value_bytes_) + " bytes");
  }
  void behave(double seconds) override {
    Intruder::behave(seconds);
    hot_.use(draw(), draw().events(40 * seconds));
  }
  void strike(double seconds) override {
    const double per_s =
        double(kMiB) / ((static_cast<double>(value_bytes_) + kEntryBytes) * minutes_ * 60);
    for (auto left = draw().events(per_s * seconds); left > 0; --left) {
      static_cast<void>(hot_.block().put("seen:" + std::to_string(next_++), text(value_bytes_)));
    }
  }

 private:
  std::size_t value_bytes_;
  double minutes_;
  HotKeys hot_;
  std::uint64_t next_ = 0;
};

// Each document is rewritten under the name of its new version, and only that is read.
class Renamed final : public Leak {
 public:
  explicit Renamed(Scene& scene) : Leak(scene, 12, 60), versions_(draw().between(20, 300)) {}
  void behave(double seconds) override {
    Leak::behave(seconds);
    for (auto left = draw().events(5 * seconds); left > 0; --left) {
      static_cast<void>(block().contains(key(draw().below(versions_.size()))));
    }
  }
  void strike(double seconds) override {
    for (auto left = count(seconds); left > 0; --left) {
      const std::size_t at = draw().below(versions_.size());
      ++versions_[at];
      static_cast<void>(block().put(key(at), text(value_bytes())));
    }
  }

 private:
  [[nodiscard]] std::string key(std::size_t at) const {
    return "document:" + std::to_string(at) + ":v" + std::to_string(versions_[at]);
  }
  std::vector<std::uint64_t> versions_;
};

class Unredeemed final : public Intruder {
 public:
  explicit Unredeemed(Scene& scene)
      : Intruder(scene), block_(create("offers", kMiB, {"share"})), per_s_(draw().spread(0.05, 2)) {
    must(block_.put("offer", 1));
    tell(std::to_string(int(per_s_ * 60)) + " a minute");
  }
  void strike(double seconds) override {
    ShareOptions options;
    options.audience = "embedded/mail";
    for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
      static_cast<void>(session().share(block_, options));
    }
  }

 private:
  Block block_;
  double per_s_;
};

class CheckpointStays final : public Intruder {
 public:
  explicit CheckpointStays(Scene& scene) : Intruder(scene) {}
  void strike(double /*seconds*/) override {
    if (!std::exchange(is_taken_, true)) {
      static_cast<void>(must(usual().block().take_checkpoint("before")));
    }
  }

 private:
  bool is_taken_ = false;
};

// Loads in a batch what nobody ever asks for.
class NobodyReads final : public Intruder {
 public:
  explicit NobodyReads(Scene& scene)
      : Intruder(scene),
        entries_(draw().between(12'000, 30'000)),
        value_bytes_(draw().between(30, 200)),
        per_s_(static_cast<double>(entries_) / draw().spread(30, 900)),
        block_(create("cache",
                      (entries_ * (value_bytes_ + 200) * draw().between(2, 4) / kMiB + 1) * kMiB)) {
    tell(std::to_string(entries_) + " entries of " + std::to_string(value_bytes_) + " bytes");
  }
  void strike(double seconds) override {
    for (auto left = draw().events(per_s_ * seconds); left > 0 && next_ < entries_; --left) {
      static_cast<void>(block_.put("row:" + std::to_string(next_++), text(value_bytes_)));
    }
  }

 private:
  std::uint64_t entries_;
  std::uint64_t value_bytes_;
  double per_s_;
  Block block_;
  std::uint64_t next_ = 0;
};

// A job's block that stays when the job is done.
class Outlived final : public Intruder {
 public:
  explicit Outlived(Scene& scene)
      : Intruder(scene), entries_(draw().between(3'000, 10'000)), block_(create("job", 8 * kMiB)) {}
  void behave(double seconds) override {
    Intruder::behave(seconds);
    if (is_done_) return;
    for (auto left = draw().events(50 * seconds); left > 0; --left) {
      static_cast<void>(block_.put("part:" + std::to_string(next_++ % entries_), text(500)));
    }
  }
  void strike(double /*seconds*/) override { is_done_ = true; }

 private:
  std::uint64_t entries_;
  Block block_;
  std::uint64_t next_ = 0;
  bool is_done_ = false;
};

// A callback that does not come back, on a thread of its own.
class HeldVisit final : public Intruder {
 public:
  explicit HeldVisit(Scene& scene) : Intruder(scene) {
    must(usual().block().put("held", text(200)));
  }
  ~HeldVisit() override {
    is_over_ = true;
    is_over_.notify_all();
  }
  void strike(double /*seconds*/) override {
    if (visitor_.joinable()) return;
    std::latch inside(1);
    visitor_ = std::jthread([this, &inside] {
      const auto hold = [&](std::span<const std::byte>) {
        inside.count_down();
        is_over_.wait(false);
      };
      static_cast<void>(usual().block().visit("held", hold));
    });
    inside.wait();
  }

 private:
  std::atomic<bool> is_over_{false};
  std::jthread visitor_;
};

}  // namespace

void add_leaks(Attacks& attacks) {
  constexpr std::uint64_t kHour = 3'600;
  const auto add = [&](std::string name, std::string what, std::vector<std::string> rules,
                       std::uint64_t longest_s, std::uint64_t step_ms, auto maker) {
    attacks.push_back({Kind::leak, std::move(name), std::move(what), std::move(rules), longest_s,
                       step_ms, 120, maker});
  };
  add("new-keys", "ever new keys that nobody reads", kGrowing, kHour, 1'000, make<EverNewKeys>);
  add("beside-hot-keys", "small values, slowly, beside keys in use", kGrowing, 2 * kHour, 1'000,
      make<BesideHotKeys>);
  add("renamed", "values rewritten under new names", kGrowing, kHour, 1'000, make<Renamed>);
  add("unredeemed", "references that nobody redeems", {"unredeemed"}, kHour, 1'000,
      make<Unredeemed>);
  add("checkpoint-stays", "a checkpoint that is never released", {"old-checkpoint"}, 2 * kHour,
      2'000, make<CheckpointStays>);
  add("unread", "a load of entries that nobody reads", {"unread", "leak", "leak-goes-on"}, kHour,
      1'000, make<NobodyReads>);
  add("outlived", "a block that outlives its use", {"outlived"}, 2 * kHour, 2'000, make<Outlived>);
  add("held-visit", "a visit that keeps its entry", {"reader-holds", "stuck-read"}, 600, 1'000,
      make<HeldVisit>);
}

}  // namespace sessionblocks::guard_trial
