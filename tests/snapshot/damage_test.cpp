// A snapshot file to which something happened: every byte of a small one, every length.
#include "file_fixture.hpp"

namespace sessionblocks::snapshot {
namespace {

using test::KeptEntries;
using test::SmallFile;

struct FramePlace {
  FrameHeader header;
  std::size_t begin = 0;
  std::size_t end = 0;
  KeptEntries entries;  // in it
};

// The frames of a file that is whole; what each holds is learned by leaving it out.
std::vector<FramePlace> frames_of(const SmallFile& file) {
  const std::string contents = file.contents();
  std::vector<FramePlace> frames;
  for (std::size_t at = 0; at < contents.size(); at = frames.back().end) {
    FramePlace frame;
    std::memcpy(&frame.header, contents.data() + at, sizeof frame.header);
    frame.begin = at;
    frame.end = at + sizeof frame.header + frame.header.payload_bytes;
    frames.push_back(frame);
  }
  for (FramePlace& frame : frames) {
    if (frame.header.kind != FrameKind::entries) continue;
    file.replace(contents.substr(0, frame.begin) + contents.substr(frame.end));
    auto reader = Reader::open(file.path());
    REQUIRE(reader);
    const auto left = file.read(*reader, frame.header.block);
    for (const auto& [key, kept] : SmallFile::entries_of(frame.header.block)) {
      if (!left.contains(key)) frame.entries[key] = kept;
    }
    REQUIRE(!frame.entries.empty());
  }
  file.replace(contents);
  return frames;
}

KeptEntries without(KeptEntries all, const KeptEntries& lost) {
  for (const auto& [key, kept] : lost) all.erase(key);
  return all;
}

const FramePlace& frame_at(const std::vector<FramePlace>& frames, std::size_t byte) {
  for (const FramePlace& frame : frames) {
    if (byte < frame.end) return frame;
  }
  FAIL("no frame there");
  return frames.front();
}

}  // namespace

TEST_CASE("whatever byte is changed, its frame and block are named and the rest can be read") {
  const SmallFile file;
  const auto frames = frames_of(file);
  REQUIRE(frames.size() >= 12);
  const std::string contents = file.contents();
  for (std::size_t byte = 0; byte < contents.size(); ++byte) {
    const FramePlace& hit = frame_at(frames, byte);
    for (const unsigned mask : {0x01U, 0x80U}) {
      INFO("byte " << byte << " of frame " << hit.header.number << ", mask " << mask);
      std::string spoilt = contents;
      spoilt[byte] = static_cast<char>(static_cast<unsigned char>(spoilt[byte]) ^ mask);
      file.replace(spoilt);
      auto reader = Reader::open(file.path());
      REQUIRE(reader);
      REQUIRE(reader->damage().size() == 1);
      const Damage& damage = reader->damage().front();
      CHECK(damage.frame == hit.header.number);
      CHECK(damage.offset == hit.begin);
      const bool of_block = hit.header.block != kNoBlock;
      CHECK(damage.block == (of_block ? file.blocks[hit.header.block].name : ""));
      REQUIRE(reader->file());
      REQUIRE(reader->blocks().size() == 2);
      for (std::size_t block = 0; block < 2; ++block) {
        const auto all = SmallFile::entries_of(block);
        CHECK(file.read(*reader, block) ==
              (hit.header.block == block ? without(all, hit.entries) : all));
      }
      CHECK(reader->damage().size() == 1);
    }
  }
}

TEST_CASE("wherever a file is cut off, that is said and what stands before can be read") {
  const SmallFile file;
  const auto frames = frames_of(file);
  const std::string contents = file.contents();
  for (std::size_t length = 0; length < contents.size(); ++length) {
    INFO("cut to " << length << " bytes");
    file.replace(contents.substr(0, length));
    auto reader = Reader::open(file.path());
    if (length < frames.front().end) {
      REQUIRE(!reader);
      CHECK(reader.error() == Errc::malformed);
      continue;
    }
    REQUIRE(reader);
    const FramePlace& cut = frame_at(frames, length);
    REQUIRE(reader->damage().size() == 1);
    CHECK(reader->damage().front().frame == cut.header.number);
    CHECK(reader->damage().front().text().find(length == cut.begin ? "cut off" : "ends in it") !=
          std::string::npos);
    for (std::size_t block = 0; block < reader->blocks().size(); ++block) {
      KeptEntries whole;
      for (const FramePlace& frame : frames) {
        if (frame.end <= length && frame.header.block == block)
          whole.merge(KeptEntries(frame.entries));
      }
      CHECK(file.read(*reader, block) == whole);
    }
  }
}

TEST_CASE("a frame that is left out, or stands there twice, is named") {
  const SmallFile file;
  const auto frames = frames_of(file);
  const std::string contents = file.contents();
  for (std::size_t i = 0; i + 1 < frames.size(); ++i) {
    INFO("frame " << i);
    const FramePlace& frame = frames[i];
    file.replace(contents.substr(0, frame.begin) + contents.substr(frame.end));
    auto reader = Reader::open(file.path());
    REQUIRE(reader);
    REQUIRE(reader->damage().size() == 1);
    CHECK(reader->damage().front().frame == i);
    file.replace(contents.substr(0, frame.end) + contents.substr(frame.begin));
    auto doubled = Reader::open(file.path());
    REQUIRE(doubled);
    REQUIRE(doubled->damage().size() == 1);
    CHECK(doubled->damage().front().text().find("second time") != std::string::npos);
    for (std::size_t block = 0; block < 2; ++block) {
      CHECK(file.read(*doubled, block) == SmallFile::entries_of(block));
    }
  }
}

TEST_CASE("a frame of another file of the same block does not pass for one of this") {
  const SmallFile file;
  const std::string first = file.contents();
  const auto frames = frames_of(file);
  std::filesystem::remove(file.path());
  auto writer = Writer::create(file.path(), {}, 48);
  REQUIRE(writer);
  REQUIRE(writer->begin_block(file.blocks[0], file.keys[0]));
  for (const auto& [key, kept] : SmallFile::entries_of(0)) {
    REQUIRE(writer->put({test::bytes_of(key), kept.type, test::bytes_of("another"), 1, 0}));
  }
  REQUIRE(writer->end_block());
  REQUIRE(writer->finish());
  const std::string second = file.contents();
  const auto others = frames_of(file);
  REQUIRE(frames[2].header.kind == FrameKind::entries);
  REQUIRE(others[2].header.kind == FrameKind::entries);
  // Given the file's id and a checksum that holds, it is still another file's nonce.
  FrameHeader header = others[2].header;
  header.file = frames[2].header.file;
  const std::string payload = second.substr(others[2].begin + sizeof header, header.payload_bytes);
  ByteBuffer frame;
  append_frame(frame, header, test::bytes_of(payload));
  file.replace(first.substr(0, frames[2].begin) + test::text_of(frame.bytes()) +
               first.substr(frames[2].end));
  auto reader = Reader::open(file.path());
  REQUIRE(reader);
  CHECK(reader->damage().empty());
  CHECK(file.read(*reader, 0) == without(SmallFile::entries_of(0), frames[2].entries));
  CHECK(reader->damage().size() == 1);
}

}  // namespace sessionblocks::snapshot
