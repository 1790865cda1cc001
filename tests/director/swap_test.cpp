// enforce = swap: what somebody does through a mapping of the old generation changes nothing, and
// shows nothing.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "director/adoption.hpp"
#include "raw_client.hpp"
#include "segment/format.hpp"
#include "sleeper.hpp"

namespace sessionblocks::director {
namespace {

using sessionblocks::BlockState;
using Enforced = sessionblocks::Enforce;
using test::Sleeper;
using test::Surroundings;
using Entries = std::map<std::string, std::string>;

constexpr std::string_view kSecret = "a secret of 24 letters..";

std::span<const std::byte> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

// A block with entries and a checkpoint, and a process that has all of it mapped for writing and
// does not care for the library.
struct Scene {
  Scene() {
    RegistryOptions options;
    options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
    registry = std::move(adopt_or_create(std::move(options), nullptr)->registry);
    root = registry->scopes.add_suite("root").value();
    REQUIRE(registry->attach_director(platform::ProcessIdentity::self().value()));
    BlockRequest request;
    request.policy.name = "cart";
    request.policy.owner = root;
    request.quota_bytes = std::uint64_t{8} << 20U;
    request.enforce = Enforced::swap;
    REQUIRE(registry->create_filled(request, [](const TakeEntry& put) -> Result<void> {
      for (int i = 0; i < 500; ++i) {
        const std::string key = "k" + std::to_string(i);
        EntryBytes entry;
        entry.key = bytes_of(key);
        entry.type = layout::ValueType::text;
        entry.value = bytes_of(kSecret);
        if (auto done = put(entry); !done) return done;
      }
      return {};
    }));
    REQUIRE(registry->take_checkpoint(cart(), "first"));
    const auto process = platform::ProcessIdentity::of(hostile.pid()).value();
    worker = (*registry->attach(root, process, {}))->id;
    auto opening = open(OpenMode::read_write);
    mapped = static_cast<std::byte*>(::mmap(nullptr, opening.bytes, PROT_READ | PROT_WRITE,
                                            MAP_SHARED, opening.descriptor.get(), 0));
    REQUIRE(mapped != MAP_FAILED);
    mapped_bytes = opening.bytes;
  }
  ~Scene() {
    ::munmap(mapped, mapped_bytes);
    registry->remove_all();
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  StoredBlock& cart() { return *registry->blocks.named("cart").front(); }
  Opening open(OpenMode mode) {
    auto opening = registry->open(*registry->workers.find(worker), root, "cart", mode);
    REQUIRE(opening);
    return std::move(*opening);
  }
  [[nodiscard]] bool holds_secret() const {
    const auto* const text = reinterpret_cast<const char*>(mapped);
    return std::search(text, text + mapped_bytes, kSecret.begin(), kSecret.end()) !=
           text + mapped_bytes;
  }
  void scribble() { std::memset(mapped, 0x5A, mapped_bytes); }
  Entries entries() {
    Entries found;
    REQUIRE(registry->options.data_plane->show_at(
        cart().memory(), {segment::kNow, 0}, [&](const EntryBytes& entry) -> Result<void> {
          const auto text = [](std::span<const std::byte> bytes) {
            return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          };
          found.emplace(text(entry.key), text(entry.value));
          return {};
        }));
    return found;
  }
  void check_whole() {
    const Entries found = entries();
    CHECK(found.size() == 500);
    for (const auto& [key, value] : found) CHECK(value == kSecret);
    REQUIRE(cart().checkpoints.size() == 1);
    CHECK(cart().checkpoints[0].name == "first");
  }

  Surroundings around;
  Sleeper hostile;
  std::unique_ptr<Registry> registry;
  ScopeId root{};
  WorkerId worker{};
  std::byte* mapped = nullptr;
  std::size_t mapped_bytes = 0;
};

}  // namespace

TEST_CASE_METHOD(Scene, "who opens a block while it is sealed is told that it is for that") {
  CHECK_FALSE(open(OpenMode::best).is_narrowed);
  REQUIRE(registry->states.change(cart(), Transition::seal, "test"));
  const Opening sealed = open(OpenMode::best);
  CHECK(sealed.rights == sessionblocks::Rights::read);
  CHECK(sealed.is_narrowed);
  CHECK_FALSE(open(OpenMode::read).is_narrowed);
  REQUIRE(registry->states.change(cart(), Transition::unseal, "test"));
  CHECK(open(OpenMode::best).rights == sessionblocks::Rights::read_write);
}

TEST_CASE_METHOD(Scene, "a block that is sealed by swap is out of reach of old mappings") {
  REQUIRE(holds_secret());
  REQUIRE(registry->states.change(cart(), Transition::seal, "the test"));
  CHECK(cart().state == BlockState::sealed);
  CHECK(cart().generation == Generation{2});
  CHECK_FALSE(holds_secret());
  CHECK_FALSE(hostile.was_killed());
  scribble();
  check_whole();
  CHECK(open(OpenMode::best).rights == sessionblocks::Rights::read);
  REQUIRE(registry->states.change(cart(), Transition::unseal, "the test"));
  const Opening again = open(OpenMode::read_write);
  CHECK(again.generation == Generation{2});
  check_whole();
}

TEST_CASE_METHOD(Scene, "a block that is quarantined by swap shows nothing to old mappings") {
  REQUIRE(registry->states.change(cart(), Transition::quarantine, "the test"));
  CHECK(cart().state == BlockState::quarantined);
  CHECK_FALSE(holds_secret());
  scribble();
  REQUIRE(registry->states.change(cart(), Transition::release, "the test"));
  CHECK(cart().state == BlockState::active);
  check_whole();
  CHECK_FALSE(hostile.was_killed());
}

TEST_CASE_METHOD(Scene, "without memory for a copy the holders are killed instead") {
  // All of the next generation's name is taken.
  const auto name = registry->options.paths.block_segment(cart().id, Generation{2});
  auto in_the_way = SegmentFile::create(name, 4'096, Naming::named, registry->opener);
  REQUIRE(in_the_way);
  REQUIRE(registry->states.change(cart(), Transition::seal, "the test"));
  CHECK(hostile.was_killed());
  CHECK(cart().generation == Generation{1});
  in_the_way->unlink();
}

TEST_CASE_METHOD(Scene, "what a hostile worker made of a block is not carried over as sound") {
  scribble();
  REQUIRE(registry->states.change(cart(), Transition::seal, "the test"));
  // Nothing of it could be read: nobody who wrote it goes on.
  CHECK(hostile.was_killed());
}

}  // namespace sessionblocks::director
