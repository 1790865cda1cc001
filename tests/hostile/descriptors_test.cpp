// What a worker that has only the library around it can do with its descriptors and mappings, while
// a reader, a writer, the director and an inspector go on.
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <random>

#include "stage.hpp"

namespace sessionblocks::hostile {
namespace {

struct Attempt {
  const char* name;
  std::function<bool(const Held&)> attempt;  // whether the system let it happen
};

bool worked(long answer) {
  return answer >= 0;
}

bool allocate(const Held& held, int mode, std::size_t from, std::size_t bytes) {
  return worked(
      ::fallocate(held.fd.get(), mode, static_cast<off_t>(from), static_cast<off_t>(bytes)));
}

// What changes no byte that anybody looks at, whether the system lets it happen or not.
const std::vector<Attempt>& harmless() {
  static const std::vector<Attempt> attempts = {
      {"flock", [](const Held& held) { return worked(::flock(held.fd.get(), LOCK_EX | LOCK_NB)); }},
      {"fcntl lock",
       [](const Held& held) {
         struct flock all {};
         all.l_type = held.is_writable ? F_WRLCK : F_RDLCK;
         return worked(::fcntl(held.fd.get(), F_OFD_SETLK, &all));
       }},
      {"lease",
       [](const Held& held) { return worked(::fcntl(held.fd.get(), F_SETLEASE, F_RDLCK)); }},
      {"fchmod to nothing", [](const Held& held) { return worked(::fchmod(held.fd.get(), 0)); }},
      {"fchmod to everything",
       [](const Held& held) { return worked(::fchmod(held.fd.get(), 0777)); }},
      {"fchmod back", [](const Held& held) { return worked(::fchmod(held.fd.get(), 0600)); }},
      {"grow by ftruncate",
       [](const Held& held) {
         return worked(::ftruncate(held.fd.get(), static_cast<off_t>(held.bytes + 1'000'000)));
       }},
      {"grow by fallocate", [](const Held& held) { return allocate(held, 0, held.bytes, 65'536); }},
      {"write behind the end",
       [](const Held& held) {
         return worked(::pwrite(held.fd.get(), "x", 1, static_cast<off_t>(held.bytes) + 5'000));
       }},
      {"collapse",
       [](const Held& held) { return allocate(held, FALLOC_FL_COLLAPSE_RANGE, 4'096, 4'096); }},
      {"shrink by ftruncate",
       [](const Held& held) {
         // Refused by the kernel where the descriptor was opened under Landlock; elsewhere this
         // is what the SIGBUS guards are for, and the test beside this one.
         return !held.is_writable && worked(::ftruncate(held.fd.get(), 0));
       }},
      {"mprotect to write",
       [](const Held& held) {
         return !held.is_writable && worked(::mprotect(held.memory, 4'096, PROT_READ | PROT_WRITE));
       }},
      {"MADV_REMOVE without the right to write",
       [](const Held& held) {
         return !held.is_writable && worked(::madvise(held.memory, held.bytes, MADV_REMOVE));
       }},
      {"punch without the right to write",
       [](const Held& held) {
         return !held.is_writable &&
                allocate(held, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, held.bytes);
       }},
      {"write without the right to",
       [](const Held& held) {
         return !held.is_writable && worked(::pwrite(held.fd.get(), "garbage", 7, 64));
       }},
  };
  return attempts;
}

// What takes or spoils bytes of a block for everybody who has it.
const std::vector<Attempt>& harmful() {
  static const std::vector<Attempt> attempts = {
      {"punch all of it",
       [](const Held& held) {
         return allocate(held, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, held.bytes);
       }},
      {"zero all but the header",
       [](const Held& held) {
         return allocate(held, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 4'096,
                         held.bytes - 4'096);
       }},
      {"MADV_REMOVE",
       [](const Held& held) { return worked(::madvise(held.memory, held.bytes, MADV_REMOVE)); }},
      {"store zeroes", [](const Held& held) { return std::memset(held.memory, 0, held.bytes); }},
      {"store ones", [](const Held& held) { return std::memset(held.memory, 0xFF, held.bytes); }},
      {"store noise",
       [](const Held& held) {
         std::mt19937_64 random(7);
         for (std::size_t i = 0; i < held.word_count(); ++i) held.words()[i] = random();
         return true;
       }},
      {"write noise through the descriptor",
       [](const Held& held) {
         std::mt19937_64 random(8);
         std::vector<std::uint64_t> noise(held.word_count());
         for (auto& word : noise) word = random();
         return worked(::pwrite(held.fd.get(), noise.data(), held.bytes, 0));
       }},
      {"ftruncate to nothing",
       [](const Held& held) { return worked(::ftruncate(held.fd.get(), 0)); }},
      {"ftruncate to half",
       [](const Held& held) {
         return worked(::ftruncate(held.fd.get(), static_cast<off_t>(held.bytes / 2)));
       }},
  };
  return attempts;
}

}  // namespace

TEST_CASE("locks and modes and sizes and forbidden writes on a descriptor disturb nobody") {
  Stage stage;
  const auto reader = stage.worker("reader", {"cart", "other"});
  const auto writer = stage.worker("writer", {"cart", "other"});
  auto hostile = stage.hostile("cart");
  for (const Attempt& attempt : harmless()) {
    INFO(attempt.name);
    for (const Held* held : hostile.all()) (void)attempt.attempt(*held);
    stage.check_others(*reader, *writer);
    for (Worker* worker : {reader.get(), writer.get()}) {
      const auto answers = worker->ask()["cart"];
      CHECK(answers.contains(Errc{}));
      CHECK(!answers.contains(Errc::corrupt));
    }
    // A new worker gets everything in spite of locks and modes.
    auto late = stage.worker("reader", {"cart", "other"});
    CHECK(late->ask()["cart"].contains(Errc{}));
    CHECK(late->ends_well());
  }
  stage.inspect("cart");
  CHECK(stage.state_of("cart") == BlockState::active);
  CHECK(reader->ends_well());
  CHECK(writer->ends_well());
}

TEST_CASE("taking or spoiling a block's memory quarantines that block and no other") {
  for (const Attempt& attempt : harmful()) {
    INFO(attempt.name);
    Stage stage;
    const auto reader = stage.worker("reader", {"cart", "other"});
    const auto writer = stage.worker("writer", {"cart", "other"});
    auto hostile = stage.hostile("cart");
    if (!attempt.attempt(hostile.block)) continue;  // the kernel refused it
    stage.inspect("cart");
    stage.check_quarantined("cart", *reader, *writer);
    stage.check_others(*reader, *writer);
    stage.inspect("cart");
    CHECK(hostile.client->open("cart", 1).error() == Errc::quarantined);
    CHECK(reader->ends_well());
    CHECK(writer->ends_well());
  }
}

TEST_CASE("spoiling its own worker segment and the readers segment harms no value") {
  for (const Attempt& attempt : harmful()) {
    INFO(attempt.name);
    Stage stage;
    const auto reader = stage.worker("reader", {"cart", "other"});
    const auto writer = stage.worker("writer", {"cart", "other"});
    auto hostile = stage.hostile("cart");
    (void)attempt.attempt(hostile.worker);
    (void)attempt.attempt(hostile.readers);
    stage.inspect("cart");
    stage.check_others(*reader, *writer);
    hostile.client.reset();  // the director recovers what it left
    stage.check_others(*reader, *writer);
    CHECK(reader->ends_well());
    CHECK(writer->ends_well());
  }
}

}  // namespace sessionblocks::hostile
