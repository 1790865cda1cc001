// A snapshot file that nothing happened to.
#include "file_fixture.hpp"

namespace sessionblocks::snapshot {
namespace {

using test::SmallFile;

}  // namespace

TEST_CASE("what was put into a snapshot file is read from it, and what it says of its blocks") {
  const SmallFile file;
  auto reader = Reader::open(file.path());
  REQUIRE(reader);
  CHECK(reader->damage().empty());
  REQUIRE(reader->file());
  CHECK(reader->file()->system == "test");
  CHECK(reader->file()->instance == file.instance);
  CHECK(reader->file()->of == "shop");
  CHECK(reader->file()->blocks == 2);
  CHECK(reader->file()->is_exact);
  CHECK(reader->file()->left_out == std::vector<std::string>{"secret"});
  REQUIRE(reader->blocks().size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    const BlockDescription& block = reader->blocks()[i].description;
    CHECK(block.id == file.blocks[i].id);
    CHECK(block.name == file.blocks[i].name);
    CHECK(block.kind == BlockKind::shared);
    CHECK(block.audit == AuditLevel::full);
    CHECK(block.owner == "shop");
    CHECK(block.quota_bytes == 1U << 20U);
    CHECK(block.permits == 4);
    CHECK(block.instant == 12);
    CHECK(block.taken_unix_ms == 1'700'000'000'000);
    CHECK(block.key == file.keys[i].id);
    CHECK(file.read(*reader, i) == SmallFile::entries_of(i));
  }
  CHECK(reader->damage().empty());
  CHECK(reader->find("prices") == 1U);
  CHECK(reader->find("#7") == 0U);
  CHECK(reader->find("none").error() == Errc::no_such_block);
  CHECK(reader->find("").error() == Errc::invalid_argument);
}

TEST_CASE("an entry that is larger than a frame is kept whole, and an empty block is one") {
  const SmallFile around;
  const std::string path = (around.folder.path() / "large").string();
  const std::string large(3U << 20U, 'x');
  auto writer = Writer::create(path, {});
  REQUIRE(writer);
  REQUIRE(writer->begin_block(around.blocks[0], around.keys[0]));
  for (const char* key : {"a", "b"}) {
    REQUIRE(writer->put({test::bytes_of(key), Type::text, test::bytes_of(large), 1, 0}));
  }
  REQUIRE(writer->end_block());
  REQUIRE(writer->begin_block(around.blocks[1], around.keys[1]));
  REQUIRE(writer->end_block());
  REQUIRE(writer->finish());
  CHECK(writer->entries() == 2);
  auto reader = Reader::open(path);
  REQUIRE(reader);
  CHECK(around.read(*reader, 0).at("b").value == large);
  CHECK(around.read(*reader, 1).empty());
  CHECK(reader->damage().empty());
  CHECK(writer->bytes() < large.size());  // compressed
}

TEST_CASE("nothing of an entry stands in the file as it is") {
  const SmallFile file;
  const std::string contents = file.contents();
  CHECK(contents.find("the value") == std::string::npos);
  CHECK(contents.find("key 0") == std::string::npos);
  CHECK(contents.find("cart") != std::string::npos);
}

TEST_CASE("another block's key opens nothing, and neither does another block's description") {
  const SmallFile file;
  auto reader = Reader::open(file.path());
  REQUIRE(reader);
  std::uint64_t shown = 0;
  REQUIRE(reader->read(0, file.keys[1], [&](const FileEntry&) {
    ++shown;
    return Result<void>();
  }));
  CHECK(shown == 0);
  CHECK_FALSE(reader->damage().empty());
  // Both descriptions of the block say another owner, with checksums that hold.
  std::string contents = file.contents();
  for (auto at = contents.find("SBS1"); at != std::string::npos; at = contents.find("SBS1", at)) {
    FrameHeader header;
    std::memcpy(&header, contents.data() + at, sizeof header);
    const std::string payload = contents.substr(at + sizeof header, header.payload_bytes);
    std::string other = payload;
    const auto owner = other.find("shop");
    if (header.block == 0 && owner != std::string::npos) other.replace(owner, 4, "evil");
    ByteBuffer frame;
    append_frame(frame, header, test::bytes_of(other));
    contents.replace(at, frame.size(), test::text_of(frame.bytes()));
    at += frame.size();
  }
  file.replace(contents);
  auto altered = Reader::open(file.path());
  REQUIRE(altered);
  CHECK(altered->damage().empty());
  CHECK(altered->blocks()[0].description.owner == "evil");
  CHECK(file.read(*altered, 0).empty());
  CHECK_FALSE(altered->damage().empty());
  CHECK(file.read(*altered, 1) == SmallFile::entries_of(1));
}

TEST_CASE("a file of a later version is refused as that, and one that is none as none") {
  const SmallFile file;
  std::string contents = file.contents();
  FrameHeader header;
  std::memcpy(&header, contents.data(), sizeof header);
  const std::string payload = contents.substr(sizeof header, header.payload_bytes);
  header.version = kFormatVersion + 1;
  ByteBuffer frame;
  append_frame(frame, header, test::bytes_of(payload));
  file.replace(test::text_of(frame.bytes()) + contents.substr(frame.size()));
  CHECK(Reader::open(file.path()).error() == Errc::unsupported);
  file.replace("This is a letter, and no snapshot. SBS1");
  CHECK(Reader::open(file.path()).error() == Errc::malformed);
  CHECK(Reader::open((file.folder.path() / "none").string()).error() == Errc::not_found);
}

}  // namespace sessionblocks::snapshot
