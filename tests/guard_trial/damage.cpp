// Damage: what the holder of a read-write mapping and its descriptor can do to a block, past the
// library.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "attack.hpp"
#include "layout/block.hpp"

namespace sessionblocks::guard_trial {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

// A block that the intruder shares with others, and that is in use.
class OnBlock : public Intruder {
 public:
  explicit OnBlock(Scene& scene)
      : Intruder(scene), name_(create_board()), board_(must(session().open(name_)), 400, 100) {
    add_culprit(system().text_of(board_.block()));
  }
  void behave(double seconds) override {
    Intruder::behave(seconds);
    board_.use(draw(), draw().events(30 * seconds));
  }

 protected:
  // With what a worker that has the block open read-write holds: these bytes, such a descriptor.
  void with_block(const std::function<void(director::Registry&, director::StoredBlock&)>& work) {
    std::string problem;
    system().call([&](director::Registry& registry) {
      director::StoredBlock* const block =
          registry.blocks.find(static_cast<BlockId>(board_.block().id()));
      if (block == nullptr || !block->segment) {
        problem = "the block is gone";
        return;
      }
      work(registry, *block);
    });
    if (!problem.empty()) throw std::runtime_error(problem);
  }
  void with_descriptor(const std::function<bool(int fd, std::uint64_t bytes)>& work) {
    std::string problem;
    with_block([&](director::Registry& registry, director::StoredBlock& block) {
      const auto held = block.segment->descriptor(platform::Access::read_write, registry.opener);
      if (!held) problem = held.error().message();
      if (held && !work(held->get(), block.segment->bytes())) problem = std::strerror(errno);
    });
    if (!problem.empty()) throw std::runtime_error("the attack was not possible: " + problem);
  }

 private:
  std::string create_board() {
    system().create({"board", 4 * kMiB, {{"intruder", Rights::read_write}}, AtLimit::refuse, 0});
    return "board";
  }
  std::string name_;
  HotKeys board_;
};

// Words here and there, every second.
class WildWords final : public OnBlock {
 public:
  WildWords(Scene& scene, bool is_in_heap)
      : OnBlock(scene), is_in_heap_(is_in_heap), per_s_(draw().spread(0.5, 64)) {
    tell(std::to_string(per_s_) + " words a second");
  }
  void strike(double seconds) override {
    with_block([&](director::Registry& registry, director::StoredBlock& block) {
      const auto memory = block.segment->memory();
      const auto geometry = layout::Geometry::of(memory.size());
      const std::uint64_t used = registry.options.data_plane->used_bytes(block.memory());
      const std::uint64_t from = is_in_heap_ ? geometry.heap_at : layout::kPageTableAt;
      const std::uint64_t pages = (used - geometry.heap_at) / layout::kPageBytes;
      const std::uint64_t to =
          is_in_heap_ ? used : layout::kPageTableAt + pages * sizeof(layout::PageDescriptor);
      for (auto left = draw().events(per_s_ * seconds); left > 0; --left) {
        const std::uint64_t at = from + draw().below((to - from) / 8) * 8;
        auto& word = *reinterpret_cast<std::atomic<std::uint64_t>*>(memory.data() + at);
        word.store(draw().between(0, UINT64_MAX - 1), std::memory_order_relaxed);
      }
    });
  }

 private:
  bool is_in_heap_;
  double per_s_;
};

class LongerThanQuota final : public OnBlock {
 public:
  explicit LongerThanQuota(Scene& scene) : OnBlock(scene), more_(draw().between(1, 2'000'000)) {
    tell(std::to_string(more_) + " bytes behind its end");
  }
  void strike(double /*seconds*/) override {
    if (std::exchange(is_done_, true)) return;
    with_descriptor([this](int fd, std::uint64_t bytes) {
      return ::pwrite(fd, "x", 1, static_cast<off_t>(bytes + more_ - 1)) == 1;
    });
  }

 private:
  std::uint64_t more_;
  bool is_done_ = false;
};

class ChangedMode final : public OnBlock {
 public:
  explicit ChangedMode(Scene& scene)
      : OnBlock(scene), mode_(static_cast<mode_t>(0600 | draw().between(1, 077))) {}
  void strike(double /*seconds*/) override {
    if (std::exchange(is_done_, true)) return;
    with_descriptor([this](int fd, std::uint64_t) { return ::fchmod(fd, mode_) == 0; });
  }

 private:
  mode_t mode_;
  bool is_done_ = false;
};

// Takes memory out of the middle of it, as only a worker without a sandbox can.
class PunchedHole final : public OnBlock {
 public:
  explicit PunchedHole(Scene& scene) : OnBlock(scene) {}
  void strike(double /*seconds*/) override {
    if (std::exchange(is_done_, true)) return;
    with_descriptor([this](int fd, std::uint64_t bytes) {
      const auto from = static_cast<off_t>(layout::Geometry::of(bytes).heap_at);
      const auto count = static_cast<off_t>(draw().between(1, 4) * layout::kPageBytes);
      return ::fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, from, count) == 0;
    });
  }

 private:
  bool is_done_ = false;
};

}  // namespace

void add_damage(Attacks& attacks) {
  const auto add = [&](std::string name, std::string what, std::vector<std::string> rules,
                       auto maker) {
    attacks.push_back(
        {Kind::damage, std::move(name), std::move(what), std::move(rules), 600, 1'000, 60, maker});
  };
  add("wild-heap", "wild words in slots and nodes", {"damage"},
      [](Scene& scene) { return std::make_unique<WildWords>(scene, true); });
  add("wild-pages", "wild words in the page table", {"damage"},
      [](Scene& scene) { return std::make_unique<WildWords>(scene, false); });
  add("too-long", "a segment made longer than its quota", {"too-long"}, make<LongerThanQuota>);
  add("changed-mode", "a segment opened to others", {"changed-mode"}, make<ChangedMode>);
  add("punched-hole", "memory taken out of a segment", {"damage"}, make<PunchedHole>);
}

}  // namespace sessionblocks::guard_trial
