// Arbitrary bytes as a block, to fsck: it names what is wrong and touches nothing else.
#include "segment/fsck.hpp"

#include <cstdlib>

#include "scene.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace sessionblocks;
  using namespace sessionblocks::fuzz;
  static Scene scene;
  Input input(data, size);
  const auto begin = input.byte();
  scene.restore(static_cast<Image>(begin % kImages));
  if (begin >= 0xF0) {
    scene.fill_block(input);
  } else {
    for (int steps = 0; steps < 64 && !input.at_end(); ++steps) scene.change(input);
  }
  segment::FsckSummary summary;
  segment::FsckOptions options;
  options.most_findings = 50;
  if (begin % 8 < 4) options.hash_seed = kSeed;
  const auto findings = segment::fsck(scene.memory(), options, &summary);
  if (findings.size() > options.most_findings || summary.findings < findings.size()) std::abort();
  for (const auto& finding : findings) {
    if (finding.text.empty() || segment::name(finding.invariant) == "unknown") std::abort();
  }
  return 0;
}
