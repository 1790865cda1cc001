#include "neighbour.hpp"

#include "window.hpp"

namespace sessionblocks::bench {
namespace {

constexpr int kBetweenDeathsMs = 20;

}  // namespace

Neighbour::Neighbour(Stage& stage, const Case& one, std::uint64_t seed)
    : stage_(stage), case_(one), seed_(seed) {
  case_.mix = {0, 1'000};
  case_.spread = Spread::uniform;
  if (one.deaths != Deaths::none) start();
}

void Neighbour::start() {
  process_.emplace(Child::End::killed, [this](Channel& channel) {
    const auto client = stage_.peer().connect(stage_.address());
    Window window(case_, 1, make_schedule(case_, 1, seed_ + deaths_));
    channel.send("works");
    for (;;) {
      const auto operations = window.fill(16, Spoil::ends);
      client->prepare(operations);
      client->run(operations);
      window.check();
    }
  });
  static_cast<void>(process_->expect());
}

void Neighbour::live_and_die_until_ready(const Child& worker) {
  if (!process_) return;
  while (!worker.is_ready_within(kBetweenDeathsMs)) {
    if (case_.deaths == Deaths::spared) continue;
    process_.reset();  // by SIGKILL
    ++deaths_;
    start();
  }
}

}  // namespace sessionblocks::bench
