#include "segment/fsck.hpp"

#include "fixture.hpp"
#include "segment/maintenance.hpp"

#include <random>
#include <set>
#include <vector>

using namespace sessionblocks;
using namespace sessionblocks::segment;
using namespace sessionblocks::segment::test;

namespace {

using layout::BlockHeader;
using layout::Mark;
using layout::Node;
using layout::NodeState;
using layout::PageEntry;
using layout::PageKind;
using layout::SlotRef;
using layout::TableWord;
using Set = std::set<std::string>;

// A block with something of everything: texts, a number, a tombstone, a value of many pages, and
// a freed chunk that waits for its owner.
struct Sample {
  Sample() {
    for (int i = 0; i < 20; ++i) thread.put("key" + std::to_string(i), "value");
    thread.increment("number", 5);
    thread.put("gone", "x");
    thread.erase("gone");
    thread.put("run", std::string(40'000, 'r'));
    other.put("key7", "by another");  // frees a chunk in the first worker's page
    copy.assign(system.block.span().begin(), system.block.span().end());
    copy.resize(system.block.size() + 4096);
    const auto address = reinterpret_cast<std::uintptr_t>(copy.data());
    aligned = copy.data() + (4096 - address % 4096) % 4096;
    std::memcpy(aligned, system.block.data(), system.block.size());
    memory.emplace(aligned, system.block.size(), nullptr, nullptr);
  }
  [[nodiscard]] BlockHeader& header() const { return memory->header(); }
  [[nodiscard]] SlotView find(std::string_view key) const {
    SlotView view;
    REQUIRE(lookup(*memory, key_of(key), nullptr, view, [](const SlotView&) {}) == Found::hit);
    return view;
  }
  // The owned page of chunks in which the node of this key lies.
  [[nodiscard]] std::uint64_t page_of(std::string_view key) const {
    return memory->page_of(find(key).ref.offset());
  }
  [[nodiscard]] layout::PageDescriptor& descriptor(std::uint64_t page) const {
    return memory->descriptor(page);
  }
  void set_entry(std::uint64_t page, const PageEntry& entry) const {
    descriptor(page).entry.store(entry.pack());
  }
  [[nodiscard]] PageEntry entry(std::uint64_t page) const {
    return PageEntry::unpack(descriptor(page).entry.load());
  }
  // The chunk whose gen has this state, in a page with an owner.
  [[nodiscard]] std::uint64_t chunk_in(NodeState state) const {
    const std::uint64_t page = page_of("key1");
    const std::uint32_t bytes = kClassBytes[entry(page).size_class];
    for (std::uint64_t at = 0; at + bytes <= layout::kPageBytes; at += bytes) {
      const std::uint64_t offset = memory->geometry().page_at(page) + at;
      if (layout::state_of(memory->node(offset)->gen.load()) == state) return offset;
    }
    FAIL("no chunk in that state");
    return 0;
  }
  [[nodiscard]] std::uint64_t free_slot() const {
    const auto table = memory->table(TableWord{header().table.load()});
    for (std::uint64_t i = 0;; ++i) {
      if (table->slots[i].low.load() == layout::kEmptyRef) return i;
    }
  }
  [[nodiscard]] Set names(const FsckOptions& options = {}) const {
    Set set;
    for (const Finding& finding : fsck(*memory, options)) {
      set.insert(std::string(name(finding.invariant)));
    }
    return set;
  }

  System system{2 << 20};
  Worker one{system, 1};
  Worker two{system, 2};
  Thread thread{one, 0};
  Thread other{two, 0};
  std::vector<std::byte> copy;
  std::byte* aligned = nullptr;
  std::optional<BlockMemory> memory;
};

}  // namespace

TEST_CASE("fsck finds nothing in a sound block and counts what is in it") {
  Sample sample;
  FsckSummary summary;
  const auto findings = fsck(*sample.memory, {}, &summary);
  for (const auto& finding : findings) UNSCOPED_INFO(name(finding.invariant) << finding.text);
  CHECK(findings.empty());
  CHECK(summary.entries == 22);
  CHECK(summary.tombstones == 1);
  CHECK(summary.nodes[static_cast<int>(NodeState::in_use)] == 23);
  CHECK(summary.nodes[0] + summary.nodes[1] + summary.nodes[2] + summary.nodes[3] ==
        summary.chunks);
  CHECK(summary.pages[static_cast<int>(PageKind::run_head)] == 1);
  CHECK(summary.pages[static_cast<int>(PageKind::run_part)] == 2);
  CHECK(summary.findings == 0);
}

TEST_CASE("every invariant has a name of its own") {
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < kInvariants; ++i) names.insert(name(static_cast<Invariant>(i)));
  CHECK(names.size() == kInvariants);
  CHECK(names.count("unknown") == 0);
  CHECK(name(static_cast<Invariant>(kInvariants)) == "unknown");
}

TEST_CASE("fsck names exactly the word of the header that was damaged") {
  Sample s;
  BlockHeader& header = s.header();
  SECTION("identity") {
    header.identity.layout_hash ^= 1;
    CHECK(s.names() == Set{"identity"});
  }
  SECTION("old_table that is neither idle nor a neighbour") {
    header.old_table.store(TableWord::idle(77).word);
    CHECK(s.names() == Set{"growth-words"});
  }
  SECTION("next_table far ahead") {
    header.next_table.store(TableWord::make(9, layout::kMinTableLog2, 1).word);
    CHECK(s.names() == Set{"growth-words"});
  }
  SECTION("a table that does not fit: all that it led to is leaked with it") {
    header.table.store(TableWord::make(1, layout::kMaxTableLog2, 0).word);
    CHECK(s.names() == Set{"table-word", "leaked-node"});
  }
  SECTION("a table page without its id") {
    s.descriptor(0).run_head.store(99);
    CHECK(s.names() == Set{"table-pages"});
  }
  SECTION("a watermark below what is in use") {
    header.page_watermark.store(header.page_watermark.load() - 1);
    const Set names = s.names();  // the last page holds a node, which is no longer counted there
    CHECK(names.count("above-watermark") == 1);
  }
  SECTION("a page claimed above the watermark") {
    s.set_entry(header.page_watermark.load() + 1, {PageKind::claimed, 0, 1, OwnerId{1}});
    CHECK(s.names() == Set{"above-watermark"});
  }
  SECTION("the next thread's number was used") {
    header.next_thread_number.store(2);
    CHECK(s.names() == Set{"thread-number"});
  }
  SECTION("another hash seed hides every key") {
    FsckOptions options;
    options.hash_seed = kSeed + 1;
    CHECK(s.names(options) == Set{"node-hash", "slot-tag", "unreachable-key"});
  }
}

TEST_CASE("fsck names exactly the word of a slot that was damaged") {
  Sample s;
  const SlotView view = s.find("key3");
  SECTION("zero: never the content of a made table; its node is leaked with it") {
    view.slot->low.store(0);
    CHECK(s.names() == Set{"slot-mark", "leaked-node"});
  }
  SECTION("a mark that only an old table may hold") {
    view.slot->low.store(view.ref.with(Mark::frozen).word);
    CHECK(s.names() == Set{"slot-mark", "leaked-node"});
  }
  SECTION("an offset inside a chunk; its node is leaked with it") {
    view.slot->low.store(view.ref.word + 8);
    CHECK(s.names() == Set{"slot-node", "leaked-node"});
  }
  SECTION("an offset outside the segment; its node is leaked with it") {
    view.slot->low.store(SlotRef::make(0, std::uint64_t{1} << 44U, Mark::live).word);
    CHECK(s.names() == Set{"slot-node", "leaked-node"});
  }
  SECTION("a node that is freed") {
    auto& gen = view.node->gen;
    gen.store(layout::make_gen(layout::incarnation_of(gen.load()), NodeState::collected));
    CHECK(s.names() == Set{"slot-state"});
  }
  SECTION("the tag") {
    view.slot->low.store(view.ref.word ^ (std::uint64_t{1} << 60U));
    CHECK(s.names() == Set{"slot-tag"});
  }
  SECTION("a slot that its readers never come to") {
    const std::uint64_t far = (view.index + 512) & view.table.mask;
    REQUIRE(view.table.slots[far].low.load() == layout::kEmptyRef);
    view.table.slots[far].low.store(view.ref.word);
    view.slot->low.store(layout::kEmptyRef);
    CHECK(s.names() == Set{"unreachable-key"});
  }
  SECTION("two slots lead to one node") {
    view.table.slots[s.free_slot()].low.store(view.ref.word);
    CHECK(s.names().count("shared-node") == 1);
    CHECK(s.names().count("duplicate-key") == 0);
  }
  SECTION("a key twice: a whole copy of its node, where its readers pass") {
    std::uint64_t next = (view.index + 1) & view.table.mask;
    while (view.table.slots[next].low.load() != layout::kEmptyRef) {
      next = (next + 1) & view.table.mask;
    }
    const std::uint64_t chunk = s.chunk_in(NodeState::untouched);
    std::memcpy(static_cast<void*>(s.memory->node(chunk)), view.node, view.shape.node_bytes());
    const std::uint64_t incarnation = layout::make_incarnation(1, 4'000'000);
    s.memory->node(chunk)->gen.store(layout::make_gen(incarnation, NodeState::in_use));
    s.memory->node(chunk)->commit_mark.store(incarnation);
    view.table.slots[next].low.store(SlotRef::make(key_of("key3").hash, chunk, Mark::live).word);
    CHECK(s.names() == Set{"duplicate-key"});
  }
}

TEST_CASE("fsck names exactly the word of a node that was damaged") {
  Sample s;
  const SlotView view = s.find("number");
  Node& node = *view.node;
  const auto with_shape = [&](auto change) {
    layout::Shape shape = view.shape;
    change(shape);
    node.shape.store(shape.pack());
    return s.names();
  };
  SECTION("hash") {
    node.hash.store(node.hash.load() ^ 1);
    CHECK(s.names() == Set{"node-hash"});
  }
  SECTION("a key of no bytes") {
    CHECK(with_shape([](auto& shape) { shape.key_bytes = 0; }) == Set{"node-shape"});
  }
  SECTION("a key that is too long") {
    CHECK(with_shape([](auto& shape) { shape.key_bytes = 1025; }) == Set{"node-shape"});
  }
  SECTION("a value longer than the chunk") {
    CHECK(with_shape([](auto& shape) {
            shape.type = layout::ValueType::text;
            shape.value_bytes = 20'000;
          }) == Set{"node-shape"});
  }
  SECTION("a number of 7 bytes") {
    CHECK(with_shape([](auto& shape) { shape.value_bytes = 7; }) == Set{"node-shape"});
  }
  SECTION("a boolean of 8 bytes") {
    CHECK(with_shape([](auto& shape) { shape.type = layout::ValueType::boolean; }) ==
          Set{"node-shape"});
  }
  SECTION("a type that is none") {
    CHECK(with_shape([](auto& shape) { shape.type = static_cast<layout::ValueType>(9); }) ==
          Set{"node-shape"});
  }
  SECTION("bits that mean nothing") {
    node.shape.store(node.shape.load() | (std::uint64_t{1} << 60U));
    CHECK(s.names() == Set{"node-shape"});
  }
  SECTION("version") {
    node.version.store(0);
    CHECK(s.names() == Set{"node-version"});
  }
  SECTION("stamp") {
    node.stamp.store(sessionblocks::layout::Stamp{99, 0}.pack());
    CHECK(s.names() == Set{"node-stamp"});
  }
  SECTION("commit mark") {
    node.commit_mark.store(1);
    CHECK(s.names() == Set{"commit-mark"});
  }
  SECTION("a key byte: hash, tag and place are those of another key") {
    reinterpret_cast<char*>(&node)[view.shape.key_at()] ^= 1;
    CHECK(s.names().count("node-hash") == 1);
  }
  SECTION("an incarnation that another node has") {
    const std::uint64_t incarnation = layout::incarnation_of(s.find("key1").node->gen.load());
    node.gen.store(layout::make_gen(incarnation, NodeState::in_use));
    node.commit_mark.store(incarnation);
    CHECK(s.names() == Set{"incarnation-reused"});
  }
}

TEST_CASE("fsck names exactly the page that was damaged") {
  Sample s;
  const std::uint64_t run = s.page_of("run");
  const std::uint64_t chunks = s.page_of("key1");
  SECTION("a kind that is none") {
    const std::uint64_t page = s.header().page_watermark.load();
    s.header().page_watermark.store(page + 1);
    s.set_entry(page, {static_cast<PageKind>(6), 0, 1, OwnerId{}});
    CHECK(s.names() == Set{"page-entry"});
  }
  SECTION("a class that is none; the nodes in it no longer begin anywhere") {
    PageEntry entry = s.entry(chunks);
    entry.size_class = 30;
    s.set_entry(chunks, entry);
    CHECK(s.names() == Set{"page-entry", "slot-node"});
  }
  SECTION("a claimed page, unless its owner is busy") {
    const std::uint64_t page = s.header().page_watermark.load();
    s.header().page_watermark.store(page + 1);
    s.set_entry(page, {PageKind::claimed, 0, 1, OwnerId{256}});
    CHECK(s.names() == Set{"claimed-page"});
    const OwnerId busy[] = {OwnerId{256}};
    FsckOptions options;
    options.busy_owners = busy;
    CHECK(s.names(options).empty());
  }
  SECTION("a part that is none: the run is not whole") {
    PageEntry entry = s.entry(run + 1);
    entry.kind = PageKind::free;
    s.set_entry(run + 1, entry);
    CHECK(s.names() == Set{"run-pages"});
  }
  SECTION("a head that counts one page less: its last part has no head, its node no room") {
    s.descriptor(run).run_pages.store(2);
    CHECK(s.names() == Set{"run-part", "node-shape"});
  }
  SECTION("a part without a head") {
    const std::uint64_t page = s.header().page_watermark.load();
    s.header().page_watermark.store(page + 1);
    s.descriptor(page).run_head.store(static_cast<std::uint32_t>(page - 1));
    s.set_entry(page, {PageKind::run_part, 0, 1, OwnerId{}});
    CHECK(s.names() == Set{"run-part"});
  }
  SECTION("a node in use that nothing leads to, unless an intent names it") {
    const std::uint64_t offset = s.chunk_in(NodeState::untouched);
    s.memory->node(offset)->gen.store(
        layout::make_gen(layout::make_incarnation(1, 5'000'000), NodeState::in_use));
    CHECK(s.names() == Set{"leaked-node"});
    const std::uint64_t offsets[] = {offset};
    FsckOptions options;
    options.in_flight = offsets;
    CHECK(s.names(options).empty());
  }
  SECTION("a hint for a chunk that is none") {
    s.descriptor(chunks).freed_hints[3].store(std::uint64_t{1} << 63U);
    CHECK(s.names() == Set{"hint-without-chunk"});
  }
  SECTION("a freed chunk without a hint, in a page that has an owner") {
    (void)s.chunk_in(NodeState::freed);
    for (auto& hints : s.descriptor(chunks).freed_hints) hints.store(0);
    CHECK(s.names() == Set{"freed-without-hint"});
    PageEntry entry = s.entry(chunks);
    entry.owner = OwnerId{};  // who adopts it looks at every chunk
    s.set_entry(chunks, entry);
    CHECK(s.names().empty());
  }
}

TEST_CASE("a block in the middle of a growth is sound") {
  System system(4 << 20);
  Worker worker(system, 1);
  Thread thread(worker, 0);
  for (int i = 0; i < 760; ++i) thread.put("key" + std::to_string(i), "v");
  for (int i = 0; i < 50; ++i) thread.erase("key" + std::to_string(i));
  REQUIRE(thread.writer.growth().prepare_next(11));
  CHECK(fsck(system.memory).empty());
  for (int i = 0; i < 60; ++i) {
    thread.put("more" + std::to_string(i), "v");
    REQUIRE(fsck(system.memory).empty());
  }
  CHECK(system.memory.header().table.load() != 0);
  REQUIRE(thread.writer.growth().finish());
  FsckSummary summary;
  CHECK(fsck(system.memory, {}, &summary).empty());
  CHECK(summary.entries == 770);
}

TEST_CASE("what the director prepares stays until it is used, and what is outgrown comes back") {
  System system(4 << 20);
  Worker worker(system, 1);
  Worker director(system, 2);
  Thread thread(worker, 0);
  Maintenance maintenance({&system.memory, &system.readers_segment(), &director.memory.lane(0),
                           kOpen, owner_of(director.worker_id, 0)});
  const IntentSource sources[] = {{&worker.memory, kOpen}, {&director.memory, kOpen}};
  for (int i = 0; i < 3'000; ++i) {
    REQUIRE(thread.put("key" + std::to_string(i), "v").code == Errc{});
    if (i % 50 != 0) continue;
    for (int turn = 0; turn < 3; ++turn) (void)maintenance.run(sources);
    const auto findings = fsck(system.memory);
    for (const auto& finding : findings) UNSCOPED_INFO(name(finding.invariant) << finding.text);
    REQUIRE(findings.empty());
  }
  FsckSummary summary;
  (void)maintenance.run(sources);
  CHECK(fsck(system.memory, {}, &summary).empty());
  CHECK(summary.entries == 3'000);
  CHECK(summary.idle_tables == 0);
}

TEST_CASE("no bytes whatever make fsck crash, hang or look outside") {
  Sample s;
  const std::vector<std::byte> sound(s.aligned, s.aligned + s.system.block.size());
  std::mt19937_64 random(7);
  const auto word_at = [&](std::uint64_t at) {
    return reinterpret_cast<std::uint64_t*>(s.aligned + at);
  };
  const std::uint64_t used = s.memory->geometry().page_at(s.header().page_watermark.load());
  for (int round = 0; round < 600; ++round) {
    std::memcpy(s.aligned, sound.data(), sound.size());
    const int changes = 1 + static_cast<int>(random() % 40);
    for (int i = 0; i < changes; ++i) {
      const std::uint64_t area = random() % 3 == 0 ? 704 : random() % 2 == 0 ? 8'192 : used;
      std::uint64_t* word = word_at(random() % (area / 8) * 8);
      const std::uint64_t kinds[] = {random(),  ~std::uint64_t{0},
                                     0,         *word ^ (1ULL << random() % 64),
                                     *word + 8, random() % sound.size()};
      *word = kinds[random() % 6];
    }
    (void)fsck(*s.memory);
  }
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t at = 0; at < sound.size(); at += 8) *word_at(at) = random();
    s.header().page_watermark.store(~std::uint64_t{0});
    s.header().table.store(TableWord::make(5, 15, 1).word);
    CHECK(!fsck(*s.memory).empty());
  }
  // Every slot of a large table leads to one node: the work must not grow with its square.
  for (std::uint64_t at = 0; at < sound.size(); at += 8) {
    *word_at(at) = at % 16 == 0 ? s.memory->geometry().page_at(1) : 0;
  }
  s.header().table.store(TableWord::make(1, 16, 1).word);
  CHECK(!fsck(*s.memory).empty());
}
