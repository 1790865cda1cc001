// Logs that are signed, and what somebody without the key does to them.
#include "flowlog/checkpoint.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "flowlog/file_scanner.hpp"
#include "small_disk.hpp"
#include "support.hpp"

namespace sessionblocks::flowlog {
namespace {

using namespace testing;
using Catch::Contains;
namespace fs = std::filesystem;

struct Piece {
  FrameHeader header;
  ByteBuffer payload;
};

// A signed log of small files; each commit is five records, every other one is signed.
class SignedLog {
 public:
  explicit SignedLog(int commits = 12) {
    LogFile log = open_log(config());
    name_worker(log);
    for (int i = 0; i < commits; ++i) {
      add_gets(log, static_cast<std::uint16_t>(i % 2), 5);
      if (i % 2 == 1) log.checkpoint();
      REQUIRE(log.commit());
      log.rotate_if_due(0);
    }
    log.checkpoint();
    REQUIRE(log.commit());
    fs::copy(folder_.path(), copy_.path(), fs::copy_options::recursive);
  }
  [[nodiscard]] LogConfig config() const {
    LogConfig config = config_in(folder_);
    config.key_file = state_.path() + "/log.key";
    config.rotate_bytes = 1'500;
    return config;
  }
  [[nodiscard]] std::string folder() const { return folder_.path(); }
  [[nodiscard]] std::string state() const { return state_.path(); }
  [[nodiscard]] std::string file(std::uint64_t number) const {
    return folder_.path() + "/" + log_file_name(number);
  }
  [[nodiscard]] std::string public_keys() const { return folder_.path() + "/" + kPublicKeyFile; }
  [[nodiscard]] std::string copied(const std::string& name) const {
    return copy_.path() + "/" + name;
  }
  [[nodiscard]] std::vector<std::uint64_t> files() const { return log_files(folder()).value(); }
  // As it was when it was made.
  void put_back() const {
    for (const auto& file : fs::directory_iterator(folder())) fs::remove(file);
    fs::copy(copy_.path(), folder_.path(), fs::copy_options::recursive);
  }

  [[nodiscard]] std::vector<Piece> pieces(std::uint64_t number) const {
    std::vector<Piece> pieces;
    FileScanner scanner(std::move(*platform::DiskFile::open_read(file(number))));
    Frame frame;
    while (scanner.next(frame).value() == Step::frame) {
      Piece& piece = pieces.emplace_back();
      piece.header = frame.header;
      piece.payload.put_bytes(frame.payload);
    }
    return pieces;
  }
  // With checksums and chains as if it had always been so, here and in all files behind.
  void forge(std::uint64_t number, std::vector<Piece> pieces) const {
    Chain chain = previous_of(pieces[0]);
    while (true) {
      ByteBuffer out;
      for (Piece& piece : pieces) {
        const std::size_t place = begin_frame(out);
        if (piece.header.kind == FrameKind::checkpoint && repairs_) repair(piece, chain);
        out.put_bytes(piece.payload.bytes());
        end_frame(out, place, piece.header, chain);
      }
      spill(file(number), {reinterpret_cast<const char*>(out.data()), out.size()});
      if (!fs::exists(file(++number))) return;
      pieces = this->pieces(number);
      LogIdentity identity = identity_of(pieces[0]);
      identity.previous = chain;
      pieces[0].payload.clear();
      encode(pieces[0].payload, identity);
    }
  }
  // What forge() does to checkpoints: leave them, or state the forged chain in them.
  void repair_checkpoints() { repairs_ = true; }

  static LogIdentity identity_of(const Piece& piece) {
    LogIdentity identity;
    REQUIRE(decode(piece.payload.bytes(), identity));
    return identity;
  }
  static Chain previous_of(const Piece& piece) { return identity_of(piece).previous; }
  static void repair(Piece& piece, const Chain& chain, const SigningKey* key = nullptr) {
    Checkpoint checkpoint;
    REQUIRE(decode(piece.payload.bytes(), checkpoint));
    checkpoint.chain = chain;
    const Signature kept = checkpoint.signature;
    piece.payload.clear();
    TemporaryFolder somewhere;
    const SigningKey other = key != nullptr ? *key : *SigningKey::open(somewhere.path() + "/key");
    encode(piece.payload, checkpoint, other);
    if (key != nullptr) return;
    piece.payload.cut(piece.payload.size() - kept.size());
    piece.payload.put_bytes(std::as_bytes(std::span(kept)));
  }

 private:
  TemporaryFolder folder_;
  TemporaryFolder state_;
  TemporaryFolder copy_;
  bool repairs_ = false;
};

VerifyReport report_of(const std::string& folder, const VerifyOptions& options = {}) {
  auto report = verify(folder, options);
  REQUIRE(report);
  return *report;
}

// The first frame of a kind behind `from`.
std::size_t find(const std::vector<Piece>& pieces, FrameKind kind, std::size_t from = 0) {
  while (from < pieces.size() && pieces[from].header.kind != kind) ++from;
  REQUIRE(from < pieces.size());
  return from;
}

TEST_CASE("every file begins with a checkpoint, and all of an ended log is signed") {
  const SignedLog log;
  REQUIRE(log.files().size() >= 3);
  for (const std::uint64_t number : log.files()) {
    CHECK(log.pieces(number).at(2).header.kind == FrameKind::checkpoint);
  }
  const VerifyReport report = report_of(log.folder());
  INFO(report.text());
  CHECK(report.is_whole());
  CHECK(report.checkpoints.count == report.checkpoints.last_number);
  CHECK(report.checkpoints.records_behind + report.checkpoints.notes_behind == 0);
  CHECK(report.checkpoints.last_place.file == log_file_name(log.files().back()));
  REQUIRE(report.lane_reports.size() == 2);
  for (const LaneReport& lane : report.lane_reports) {
    CHECK(lane.first == 0);
    CHECK(lane.next == 30);
    CHECK(lane.signed_next == 30);
    CHECK(lane.records == 30);
    CHECK(lane.missing.empty());
  }
}

TEST_CASE("every altered byte of a signed log is found in its place") {
  const SignedLog log;
  for (const std::uint64_t number : log.files()) {
    const std::string whole = slurp(log.file(number));
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string altered = whole;
      altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 8)));
      spill(log.file(number), altered);
      const VerifyReport report = report_of(log.folder());
      CAPTURE(number, at, report.text());
      REQUIRE_FALSE(report.is_whole());
      REQUIRE(report.first_place.file == log_file_name(number));
      REQUIRE(report.first_place.offset <= at);
    }
    spill(log.file(number), whole);
  }
  const std::string keys = slurp(log.public_keys());
  for (std::size_t at = 0; at + 1 < keys.size(); ++at) {
    std::string altered = keys;
    altered[at] = static_cast<char>(altered[at] ^ (1 << (at % 5)));
    spill(log.public_keys(), altered);
    CAPTURE(at, altered);
    REQUIRE_FALSE(report_of(log.folder()).is_whole());
  }
}

TEST_CASE("a signed log cut at any byte is torn there, or proved up to there") {
  const SignedLog log;
  const std::uint64_t last = log.files().back();
  const std::string whole = slurp(log.file(last));
  const std::uint64_t newest = report_of(log.folder()).checkpoints.last_number;
  VerifyOptions since;
  since.since_checkpoint = newest;
  std::set<std::size_t> ends;
  std::size_t begun = 0;  // before that it is a file that has not begun
  std::size_t end = 0;
  const auto pieces = log.pieces(last);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    ends.insert(end);
    end += sizeof(FrameHeader) + pieces[i].payload.size();
    if (i == 2) begun = end;
  }
  for (std::size_t size = 0; size < whole.size(); ++size) {
    spill(log.file(last), whole.substr(0, size));
    CAPTURE(size);
    const bool is_whole = size < begun || ends.count(size) != 0;
    REQUIRE(report_of(log.folder()).is_whole() == is_whole);
    const VerifyReport report = report_of(log.folder(), since);
    REQUIRE_FALSE(report.is_whole());
    if (!is_whole) continue;
    REQUIRE_THAT(report.text(), Contains("there is no checkpoint " + std::to_string(newest)));
  }
  spill(log.file(last), whole);
  CHECK(report_of(log.folder(), since).is_whole());
  since.since_checkpoint = newest + 1;
  CHECK_FALSE(report_of(log.folder(), since).is_whole());
}

TEST_CASE("a director that goes on behind a cut at any byte leaves a signed log") {
  const SignedLog log(6);
  const std::uint64_t last = log.files().back();
  const std::string whole = slurp(log.file(last));
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    log.put_back();
    spill(log.file(last), whole.substr(0, size));
    {
      LogFile next = open_log(log.config());
      add_gets(next, 0, 1);
      next.checkpoint();
      REQUIRE(next.commit());
    }
    const VerifyReport report = report_of(log.folder());
    CAPTURE(size, report.text());
    REQUIRE(report.is_whole());
    REQUIRE(report.checkpoints.count == report.checkpoints.last_number);
    REQUIRE(report.checkpoints.records_behind == 0);
  }
}

TEST_CASE("files that are taken out, exchanged or put back from before are found") {
  const SignedLog log(16);
  const auto files = log.files();
  REQUIRE(files.size() >= 4);
  const auto expect = [&](const std::string& file, const std::string& what) {
    const VerifyReport report = report_of(log.folder());
    INFO(report.text());
    CHECK_FALSE(report.is_whole());
    CHECK(report.first_place.file == file);
    CHECK_THAT(report.first_problem, Contains(what));
  };
  SECTION("one in the middle is gone") {
    fs::remove(log.file(2));
    expect(log_file_name(3), log_file_name(2) + " is missing");
    // What is gone is known by its numbers.
    std::uint64_t missing = 0;
    for (const LaneReport& lane : report_of(log.folder()).lane_reports) {
      missing += lane.unstated_cells;
      CHECK(lane.records + lane.unstated_cells == lane.next);
    }
    CHECK(missing > 0);
  }
  SECTION("the first ones are gone: what is left is proved, and says where it begins") {
    fs::remove(log.file(1));
    fs::remove(log.file(2));
    const VerifyReport report = report_of(log.folder());
    INFO(report.text());
    CHECK(report.is_whole());
    CHECK(report.first_number == 3);
    CHECK_THAT(report.text(), Contains("begins with file 3, at 20") &&
                                  Contains("of files 1 to 2 nothing says where they are"));
    CHECK(report.checkpoints.count > 0);
    for (const LaneReport& lane : report.lane_reports) {
      CHECK(lane.first > 0);
      CHECK(lane.records == lane.next - lane.first);
    }
  }
  SECTION("two are exchanged") {
    fs::rename(log.file(2), log.folder() + "/aside");
    fs::rename(log.file(3), log.file(2));
    fs::rename(log.folder() + "/aside", log.file(3));
    expect(log_file_name(2), "the file's beginning was altered");
  }
  SECTION("one is there twice") {
    fs::copy_file(log.file(2), log.file(3), fs::copy_options::overwrite_existing);
    expect(log_file_name(3), "the file's beginning was altered");
  }
  SECTION("one is as it was before its end was written") {
    const auto pieces = log.pieces(2);
    std::size_t size = 0;
    for (std::size_t i = 0; i + 1 < pieces.size(); ++i) {
      size += sizeof(FrameHeader) + pieces[i].payload.size();
    }
    fs::resize_file(log.file(2), size);
    expect(log_file_name(3), "the file does not follow the one before it");
  }
  SECTION("one of another log of the same system is put in its place") {
    const SignedLog other(16);
    fs::copy_file(other.file(2), log.file(2), fs::copy_options::overwrite_existing);
    expect(log_file_name(2), "the file does not follow the one before it");
  }
}

TEST_CASE("what is forged with its chain is found at the next checkpoint") {
  SignedLog log;
  const bool repairs = GENERATE(false, true);
  if (repairs) log.repair_checkpoints();
  auto pieces = log.pieces(1);
  const std::size_t begun = find(pieces, FrameKind::checkpoint);
  std::size_t forged = find(pieces, FrameKind::records, begun);
  SECTION("a record says something else") {
    std::byte* const last = pieces[forged].payload.data() + pieces[forged].payload.size() - 1;
    *last ^= std::byte{1};
  }
  SECTION("a note was added") {
    Piece note;
    note.header.kind = FrameKind::note;
    note.header.first = 1;
    Note said;
    said.text = "nothing happened";
    encode(note.payload, said);
    pieces.insert(pieces.begin() + static_cast<std::ptrdiff_t>(forged), std::move(note));
  }
  SECTION("a note was taken out, and its number given to none") {
    forged = find(pieces, FrameKind::note, begun);
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(forged));
  }
  const std::size_t found = find(pieces, FrameKind::checkpoint, forged);
  std::size_t place = 0;
  for (std::size_t i = 0; i < found; ++i) {
    place += sizeof(FrameHeader) + pieces[i].payload.size();
  }
  log.forge(1, std::move(pieces));
  const VerifyReport report = report_of(log.folder());
  INFO(report.text());
  CHECK_FALSE(report.is_whole());
  CHECK(report.first_place.file == log_file_name(1));
  CHECK(report.first_place.offset == place);
  CHECK_THAT(report.first_problem,
             Contains(repairs ? "its signature does not hold: it, or something behind checkpoint 1"
                              : "what stands before it is not what was signed"));
  CHECK(report.checkpoints.last_number == 1);  // up to there it is proved
}

TEST_CASE("a log without its checkpoints is not taken for one that was never signed") {
  SignedLog log;
  auto pieces = log.pieces(1);
  SECTION("a checkpoint in the middle is taken out: the next one has the wrong number") {
    const std::size_t first = find(pieces, FrameKind::checkpoint);
    const std::size_t second = find(pieces, FrameKind::checkpoint, first + 1);
    pieces.erase(pieces.begin() + static_cast<std::ptrdiff_t>(second));
    log.forge(1, std::move(pieces));
  }
  SECTION("that of a file's beginning") {
    pieces.erase(pieces.begin() + 2);
    log.forge(1, std::move(pieces));
  }
  SECTION("that of the newest file, which has no other") {
    {
      LogConfig config = log.config();
      config.instance[0] = 9;  // begins a file
      LogFile more = open_log(config);
      add_gets(more, 0, 2);
      REQUIRE(more.commit());
    }
    const std::uint64_t last = log.files().back();
    pieces = log.pieces(last);
    REQUIRE(pieces.size() == 4);
    pieces.erase(pieces.begin() + 2);
    log.forge(last, std::move(pieces));
  }
  SECTION("all of them, and what says that the files are signed") {
    for (const std::uint64_t number : log.files()) {
      auto all = log.pieces(number);
      std::erase_if(all,
                    [](const Piece& piece) { return piece.header.kind == FrameKind::checkpoint; });
      LogIdentity identity = SignedLog::identity_of(all[0]);
      identity.signer.reset();
      all[0].payload.clear();
      encode(all[0].payload, identity);
      LogState state;
      REQUIRE(decode(all[1].payload.bytes(), state));
      state.next_checkpoint = 1;
      all[1].payload.clear();
      encode(all[1].payload, state);
      log.forge(number, std::move(all));
    }
    CHECK_THAT(report_of(log.folder()).text(), Contains("this file is not signed"));
    // With the public key beside it gone too, only a copy of that tells.
    fs::remove(log.public_keys());
    CHECK(report_of(log.folder()).is_whole());
    CHECK_THAT(report_of(log.folder()).text(), Contains("not signed: chained only"));
    VerifyOptions options;
    options.public_key_file = log.copied(kPublicKeyFile);
    CHECK_FALSE(report_of(log.folder(), options).is_whole());
    return;
  }
  const VerifyReport report = report_of(log.folder());
  INFO(report.text());
  CHECK_FALSE(report.is_whole());
}

TEST_CASE("a log that somebody signed anew is found with a copy of the public key") {
  SignedLog log;
  const SigningKey own = *SigningKey::open(log.state() + "/somebody's");
  Chain chain{};
  for (const std::uint64_t number : log.files()) {
    auto pieces = log.pieces(number);
    LogIdentity identity = SignedLog::identity_of(pieces[0]);
    identity.signer = own.public_key();
    identity.previous = chain;
    pieces[0].payload.clear();
    encode(pieces[0].payload, identity);
    ByteBuffer out;
    for (Piece& piece : pieces) {
      if (piece.header.kind == FrameKind::checkpoint) SignedLog::repair(piece, chain, &own);
      const std::size_t place = begin_frame(out);
      out.put_bytes(piece.payload.bytes());
      end_frame(out, place, piece.header, chain);
    }
    spill(log.file(number), {reinterpret_cast<const char*>(out.data()), out.size()});
  }
  CHECK_THAT(report_of(log.folder()).text(), Contains("signed with another key"));
  REQUIRE(publish(log.public_keys(), own.public_key()));
  CHECK(report_of(log.folder()).is_whole());  // which is why there should be a copy
  VerifyOptions options;
  options.public_key_file = log.copied(kPublicKeyFile);
  const VerifyReport report = report_of(log.folder(), options);
  CHECK_FALSE(report.is_whole());
  CHECK(report.first_place.file == log_file_name(1));
}

TEST_CASE("what stands behind the last checkpoint is said to be chained only") {
  SignedLog log;
  {
    LogFile more = open_log(log.config());
    add_gets(more, 0, 3);
    Note note;
    more.add_note(note);
    REQUIRE(more.commit());
  }
  const VerifyReport report = report_of(log.folder());
  CHECK(report.is_whole());
  CHECK(report.checkpoints.records_behind == 3);
  CHECK(report.checkpoints.notes_behind == 1);
  CHECK_THAT(report.text(),
             Contains("behind it 3 records and 1 note are chained only") &&
                 Contains("lane 0 (shop/checkout#1): numbers 0 to 32, signed up to 29"));
}

TEST_CASE("without the public key a signed log is not called proved") {
  const SignedLog log;
  fs::remove(log.public_keys());
  const VerifyReport report = report_of(log.folder());
  CHECK_FALSE(report.is_whole());
  CHECK_THAT(report.first_problem, Contains("--public-key"));
  VerifyOptions options;
  options.public_key_file = log.copied(kPublicKeyFile);
  CHECK(report_of(log.folder(), options).is_whole());
  options.public_key_file = log.folder() + "/none";
  CHECK(verify(log.folder(), options).error() == Errc::not_found);
  spill(options.public_key_file, "no key\n");
  CHECK(verify(log.folder(), options).error() == Errc::malformed);
}

TEST_CASE("a log whose key was lost goes on with a new one, and says so") {
  const SignedLog log;
  const std::uint64_t before = log.files().back();
  const std::uint64_t number = report_of(log.folder()).checkpoints.last_number;
  fs::remove(log.state() + "/log.key");
  {
    LogFile next = open_log(log.config());
    const auto findings = next.take_findings();
    REQUIRE(findings.size() == 1);
    CHECK(findings[0].kind == LogEvent::Kind::key_changed);
    CHECK(next.file_number() == before + 1);  // a file is signed with one key
    add_gets(next, 0, 2);
    REQUIRE(next.commit());
  }
  const VerifyReport report = report_of(log.folder());
  INFO(report.text());
  CHECK(report.is_whole());
  CHECK(report.checkpoints.last_number == number + 1);
  VerifyOptions options;
  options.public_key_file = log.copied(kPublicKeyFile);
  const VerifyReport old = report_of(log.folder(), options);
  CHECK_FALSE(old.is_whole());
  CHECK(old.first_place.file == log_file_name(before + 1));
}

TEST_CASE("checkpoints are counted on over session systems and over what is dropped") {
  SignedLog log;
  const std::uint64_t number = report_of(log.folder()).checkpoints.last_number;
  LogConfig config = log.config();
  config.instance[0] = 9;
  {
    LogFile next = open_log(config);
    add_gets(next, 0, 2);
    next.checkpoint();
    next.drop();
    next.checkpoint();
    REQUIRE(next.commit());
  }
  const VerifyReport report = report_of(log.folder());
  INFO(report.text());
  CHECK(report.is_whole());
  CHECK(report.checkpoints.last_number == number + 2);
  CHECK(report.lane_reports.back().system == 2);
  CHECK_THAT(report.text(),
             Contains("session system 2: numbers 0 to 1; counted but not kept 2: 0 to 1"));
}

TEST_CASE("an unsigned log that is signed from now on is not signed before") {
  TemporaryFolder folder;
  TemporaryFolder state;
  LogConfig config = config_in(folder);
  {
    LogFile log = open_log(config);
    add_gets(log, 0, 2);
    REQUIRE(log.commit());
  }
  CHECK_THAT(report_of(folder.path()).text(), Contains("not signed: chained only"));
  config.key_file = state.path() + "/log.key";
  {
    LogFile log = open_log(config);
    CHECK(log.file_number() == 2);
    add_gets(log, 0, 2);
    REQUIRE(log.commit());
  }
  const VerifyReport report = report_of(folder.path());
  CHECK(report.problems == 1);
  CHECK(report.first_place.file == log_file_name(1));
  CHECK(report.first_problem == "this file is not signed");
}

TEST_CASE("what is new is signed by itself after a while") {
  TemporaryFolder folder;
  TemporaryFolder state;
  FlowLogConfig config;
  config.log = config_in(folder);
  config.log.key_file = state.path() + "/log.key";
  config.log.checkpoint_ms = 20;
  auto log = FlowLog::open(config);
  REQUIRE(log);
  (*log)->note("the only one");
  while (report_of(folder.path()).notes == 0) std::this_thread::yield();
  while (report_of(folder.path()).checkpoints.notes_behind != 0) std::this_thread::yield();
}

TEST_CASE("a log that is ended is signed to its end") {
  TemporaryFolder folder;
  TemporaryFolder state;
  FlowLogConfig config;
  config.log = config_in(folder);
  config.log.key_file = state.path() + "/log.key";
  config.log.checkpoint_ms = 3'600'000;
  {
    auto log = FlowLog::open(config);
    REQUIRE(log);
    (*log)->note("the only one");
    while (report_of(folder.path()).notes == 0) std::this_thread::yield();
    CHECK(report_of(folder.path()).checkpoints.last_number == 1);
    CHECK(report_of(folder.path()).checkpoints.notes_behind == 1);
  }
  const VerifyReport report = report_of(folder.path());
  INFO(report.text());
  CHECK(report.is_whole());
  CHECK(report.checkpoints.last_number == 2);
  CHECK(report.checkpoints.notes_behind == 0);
}

TEST_CASE("a disk that refuses costs a signed log no signature of what it keeps") {
  TemporaryFolder folder;
  TemporaryFolder state;
  const OnFullDisk policy = GENERATE(OnFullDisk::wait, OnFullDisk::count);
  FlowLogConfig config;
  config.log = config_in(folder);
  config.log.key_file = state.path() + "/log.key";
  config.log.checkpoint_ms = 1;
  config.on_full_disk = policy;
  const int status = in_small_disk(2'000, [&] {
    FakeWorker worker(4'096);
    auto log = FlowLog::open(config);
    if (!log) return 1;
    auto added = (*log)->add_worker(WorkerId{3}, worker.segment(), 4'096, "s");
    auto opened = (*log)->open_block(WorkerId{3}, 1, kBlock, "cart");
    if (!added || !opened) return 2;
    auto ring = worker.writer(0);
    for (std::uint64_t i = 0; i < 3'000; ++i) ring.push(cell(Op::put, i * 977, i * 1'000));
    (void)(*log)->drain_fully(WorkerId{3});
    const bool is_counting = policy == OnFullDisk::count;
    if (is_counting ? (*log)->totals().lost_cells == 0 : !(*log)->is_refused()) return 3;
    raise_limit();
    while ((*log)->is_refused()) std::this_thread::yield();
    if (!(*log)->drain_fully(WorkerId{3})) return 4;
    return 0;
  });
  REQUIRE(status == 0);
  const VerifyReport report = report_of(folder.path());
  INFO(report.text());
  CHECK(report.is_whole());
  CHECK(report.checkpoints.count == report.checkpoints.last_number);
  CHECK(report.checkpoints.records_behind == 0);
  CHECK(report.records + report.missing_cells == 3'000);
  if (policy == OnFullDisk::wait) CHECK(report.missing_cells == 0);
}

TEST_CASE("the public key comes beside the log as soon as the disk takes it") {
  TemporaryFolder folder;
  TemporaryFolder state;
  LogConfig config = config_in(folder);
  config.key_file = state.path() + "/log.key";
  REQUIRE(SigningKey::open(config.key_file));
  fs::create_directory(folder.path() + "/log.pub");
  LogFile log = open_log(config);
  CHECK(log.take_findings().at(0).kind == LogEvent::Kind::not_signed);
  fs::remove(folder.path() + "/log.pub");
  add_gets(log, 0, 1);
  REQUIRE(log.commit());
  CHECK(log.take_findings().empty());
  CHECK(report_of(folder.path()).is_whole());
}

}  // namespace
}  // namespace sessionblocks::flowlog
