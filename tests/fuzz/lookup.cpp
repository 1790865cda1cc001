// Arbitrary bytes as a block, to those who read it and to one who writes to it.
#include <vector>

#include "scene.hpp"
#include "segment/chain.hpp"
#include "segment/scan.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::fuzz;

// What a reader does with a node: all lengths once, then every byte of the value.
struct Copy {
  std::vector<std::byte> bytes;
  void operator()(const segment::SlotView& view) {
    bytes.resize(view.shape.node_bytes());
    copy_out(bytes.data(), reinterpret_cast<const std::byte*>(view.node), bytes.size());
  }
};

void read(Scene& scene, segment::HazardSlot& hazard, Input& input) {
  const auto how = input.byte();
  const std::string text = Scene::key_text(input.byte());
  const segment::KeyView key = Scene::key_of(text);
  segment::SlotView view;
  Copy copy;
  switch (how % 7) {
    case 0:
      (void)segment::lookup_at_rest(scene.memory(), key, [&](const segment::SlotView& hit) {
        copy(hit);
        return true;
      });
      break;
    case 1:
      (void)segment::lookup(scene.memory(), key, nullptr, view, copy);
      break;
    case 2:
      (void)segment::lookup(scene.memory(), key, &hazard, view, copy);
      break;
    case 3:
      (void)segment::scan(scene.memory(), &hazard, copy, [] { return true; });
      break;
    case 4:
      (void)segment::lookup_at(
          scene.memory(), key, input.byte(), &hazard, [&](const segment::Version& version) {
            copy.bytes.resize(version.shape.node_bytes());
            copy_out(copy.bytes.data(), reinterpret_cast<const std::byte*>(version.node),
                     copy.bytes.size());
          });
      break;
    case 5:
      (void)scene.memory().authentic_gen(scene.offset_from(input));
      break;
    default:
      (void)segment::is_reachable(scene.memory(), scene.offset_from(input));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Scene scene;
  Input input(data, size);
  const auto begin = input.byte();
  scene.restore(static_cast<Image>(begin % kImages));
  if (begin >= 0xF0) scene.fill_block(input);
  segment::HazardSlot hazard(&scene.readers(), owner_of(Scene::kWorker, 1));
  for (int steps = 0; steps < 64 && !input.at_end(); ++steps) {
    const auto step = input.byte();
    if (step % 4 < 2) {
      scene.change(input);
    } else if (step % 4 == 2) {
      read(scene, hazard, input);
    } else {
      scene.write(input);
    }
  }
  // Whatever the input says: each way to look, and a write, on what it has made.
  constexpr std::uint8_t kReads[] = {0, 9, 1, 9, 2, 22, 3, 0, 4, 10, 1, 0, 30, 1, 31};
  Input every(kReads, sizeof kReads);
  while (!every.at_end()) read(scene, hazard, every);
  constexpr std::uint8_t kWrites[] = {0, 9, 20, 6, 11, 0, 1, 12, 255, 4, 13, 30, 0, 40, 9};
  Input writes(kWrites, sizeof kWrites);
  while (!writes.at_end()) scene.write(writes);
  scene.leave();
  return 0;
}
