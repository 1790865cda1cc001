// The keys of snapshots: made once, there before they are needed, gone with a wipe.
#include <sys/stat.h>

#include "file_fixture.hpp"

namespace sessionblocks::snapshot {
namespace {

constexpr SystemInstance kOne{std::byte{1}};
constexpr SystemInstance kOther{std::byte{2}};
constexpr std::size_t kRecordBytes = 128;

struct Ring {
  TemporaryFolder folder;
  std::string path = (folder.path() / "keys").string();
  KeyFile file{path};

  [[nodiscard]] std::string contents() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void replace(const std::string& contents) const {
    std::ofstream(path, std::ios::binary) << contents;
  }
  [[nodiscard]] bool holds(const Key& key) const {
    const std::string bytes(reinterpret_cast<const char*>(key.bytes.data()), key.bytes.size());
    return contents().find(bytes) != std::string::npos;
  }
};

}  // namespace

TEST_CASE("a block has one key, which nobody but this user can read") {
  const Ring ring;
  const auto first = ring.file.of({kOne, BlockId{7}});
  REQUIRE(first);
  CHECK(ring.holds(*first));
  CHECK(ring.file.of({kOne, BlockId{7}})->bytes == first->bytes);
  CHECK(ring.file.of({kOne, BlockId{8}})->bytes != first->bytes);
  CHECK(ring.file.of({kOther, BlockId{7}})->bytes != first->bytes);
  CHECK(ring.file.find(first->id)->bytes == first->bytes);
  struct stat status {};
  REQUIRE(::stat(ring.path.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
  REQUIRE(::chmod(ring.path.c_str(), 0644) == 0);
  CHECK(ring.file.find(first->id).error() == Errc::denied);
  CHECK(ring.file.of({kOne, BlockId{7}}).error() == Errc::denied);
}

TEST_CASE("a key that was removed is nowhere in the file, and its snapshots are known as wiped") {
  const Ring ring;
  const auto kept = ring.file.of({kOne, BlockId{1}});
  const auto gone = ring.file.of({kOne, BlockId{2}});
  REQUIRE((kept && gone));
  CHECK(ring.file.find(KeyId{9}).error() == Errc::denied);
  REQUIRE(ring.file.remove({kOne, BlockId{2}}));
  CHECK_FALSE(ring.holds(*gone));
  CHECK(ring.holds(*kept));
  CHECK(ring.file.find(gone->id).error() == Errc::wiped);
  CHECK(ring.file.find(kept->id));
  CHECK(ring.file.remove({kOne, BlockId{2}}));
  CHECK(ring.file.remove({kOther, BlockId{1}}));
  CHECK(ring.file.find(kept->id));
  const Ring empty;
  CHECK(empty.file.remove({kOne, BlockId{1}}));
  CHECK_FALSE(std::filesystem::exists(empty.path));
  CHECK(empty.file.find(kept->id).error() == Errc::denied);
}

TEST_CASE("a damaged record of the key file costs that key, and is removed all the same") {
  const Ring ring;
  const auto first = ring.file.of({kOne, BlockId{1}});
  const auto second = ring.file.of({kOne, BlockId{2}});
  REQUIRE((first && second));
  const std::string contents = ring.contents();
  REQUIRE(contents.size() == 2 * kRecordBytes);
  for (std::size_t byte = 0; byte < kRecordBytes; ++byte) {
    INFO("byte " << byte);
    std::string spoilt = contents;
    spoilt[byte] = static_cast<char>(spoilt[byte] ^ 0x10);
    ring.replace(spoilt);
    CHECK(ring.file.find(first->id).error() == Errc::denied);
    CHECK(ring.file.find(second->id)->bytes == second->bytes);
  }
  std::string spoilt = contents;
  spoilt[kRecordBytes - 1] = static_cast<char>(spoilt[kRecordBytes - 1] ^ 0x10);
  ring.replace(spoilt);
  REQUIRE(ring.file.remove({kOne, BlockId{1}}));
  CHECK_FALSE(ring.holds(*first));
}

TEST_CASE("a record that was cut off is no key, and the next one takes its place") {
  const Ring ring;
  const auto first = ring.file.of({kOne, BlockId{1}});
  const auto second = ring.file.of({kOne, BlockId{2}});
  REQUIRE((first && second));
  const std::string contents = ring.contents();
  for (std::size_t length = kRecordBytes; length < contents.size(); ++length) {
    INFO("cut to " << length);
    ring.replace(contents.substr(0, length));
    CHECK(ring.file.find(second->id).error() == Errc::denied);
    const auto again = ring.file.of({kOne, BlockId{2}});
    REQUIRE(again);
    CHECK(ring.file.find(again->id)->bytes == again->bytes);
    CHECK(ring.file.find(first->id)->bytes == first->bytes);
    CHECK(ring.contents().size() == 2 * kRecordBytes);
  }
}

TEST_CASE("a key that was released is nowhere in the file, and its record is used again") {
  const Ring ring;
  const auto kept = ring.file.of({kOne, BlockId{1}});
  const auto gone = ring.file.of({kOne, BlockId{2}});
  const auto wiped = ring.file.of({kOne, BlockId{3}});
  REQUIRE((kept && gone && wiped));
  REQUIRE(ring.file.remove({kOne, BlockId{3}}));
  CHECK(ring.file.release({}).value() == 0);
  CHECK(ring.file.release({KeyId{9}}).value() == 0);
  CHECK(ring.file.release({gone->id, wiped->id}).value() == 2);
  CHECK(ring.file.release({gone->id, wiped->id}).value() == 0);
  CHECK_FALSE(ring.holds(*gone));
  CHECK(ring.file.find(gone->id).error() == Errc::denied);
  CHECK(ring.file.find(wiped->id).error() == Errc::denied);
  CHECK(ring.file.find(kept->id)->bytes == kept->bytes);
  CHECK(ring.file.find(KeyId{}).error() == Errc::denied);
  const auto again = ring.file.of({kOne, BlockId{2}});
  const auto other = ring.file.of({kOther, BlockId{9}});
  REQUIRE((again && other));
  CHECK(again->bytes != gone->bytes);
  CHECK(ring.contents().size() == 3 * kRecordBytes);
  CHECK(ring.file.of({kOne, BlockId{2}})->bytes == again->bytes);
  REQUIRE(ring.file.of({kOne, BlockId{4}}));
  CHECK(ring.contents().size() == 4 * kRecordBytes);
}

TEST_CASE("a key that is needed elsewhere is not released, and is removed with its block") {
  const Ring ring;
  const bool from_the_first = GENERATE(true, false);
  const auto key = ring.file.of({kOne, BlockId{1}}, from_the_first);
  REQUIRE(ring.file.of({kOne, BlockId{1}}, true)->bytes == key->bytes);
  REQUIRE(ring.file.of({kOne, BlockId{1}})->bytes == key->bytes);
  CHECK(ring.contents().size() == kRecordBytes);
  CHECK(ring.file.release({key->id}).value() == 0);
  CHECK(ring.file.find(key->id)->bytes == key->bytes);
  REQUIRE(ring.file.remove({kOne, BlockId{1}}));
  CHECK_FALSE(ring.holds(*key));
  CHECK(ring.file.find(key->id).error() == Errc::wiped);
}

}  // namespace sessionblocks::snapshot
