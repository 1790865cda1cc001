#include "schedule.hpp"

#include <optional>

#include "values.hpp"
#include "zipf.hpp"

namespace sessionblocks::bench {
namespace {

constexpr std::size_t kSteps = std::size_t{1} << 20U;
constexpr double kYcsbTheta = 0.99;

StepKind draw_kind(const Mix& mix, Random& random) {
  auto at = static_cast<unsigned>(random() % mix.sum());
  if (at < mix.reads) return StepKind::read;
  at -= mix.reads;
  if (at < mix.updates) return StepKind::update;
  at -= mix.updates;
  if (at < mix.inserts) return StepKind::insert;
  at -= mix.inserts;
  return at < mix.modifies ? StepKind::modify : StepKind::increment;
}

class KeyChooser {
 public:
  KeyChooser(const Case& one, unsigned process)
      : spread_(one.spread), entries_(one.data.entries), process_(process) {
    if (spread_ == Spread::zipf || spread_ == Spread::latest) zipf_.emplace(entries_, kYcsbTheta);
  }

  [[nodiscard]] std::uint64_t operator()(Random& random) const {
    switch (spread_) {
      case Spread::hot:
        return 0;
      case Spread::own:
        return process_ % entries_;
      case Spread::uniform:
        return random() % entries_;
      case Spread::zipf:
        return mixed((*zipf_)(random)) % entries_;  // scrambled
      case Spread::latest:
        return (*zipf_)(random);
    }
    return 0;
  }

 private:
  Spread spread_;
  std::uint64_t entries_;
  unsigned process_;
  std::optional<YcsbZipf> zipf_;
};

}  // namespace

std::vector<Step> make_schedule(const Case& one, unsigned process, std::uint64_t seed) {
  Random random(mixed(seed) ^ mixed(process + 1));
  const KeyChooser choose(one, process);
  const bool is_single = one.spread == Spread::hot || one.spread == Spread::own;
  const bool is_plain = one.mix.reads % 1'000 == 0 && one.mix.updates % 1'000 == 0;
  std::vector<Step> steps(is_single && is_plain ? 1 : kSteps);
  for (Step& step : steps) {
    step.kind = draw_kind(one.mix, random);
    step.key = static_cast<std::uint32_t>(choose(random));
  }
  return steps;
}

}  // namespace sessionblocks::bench
