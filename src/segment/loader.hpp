// Loader: puts entries into a block that was formatted and that nobody else has open yet: the next
// generation of a block, a fork, what comes back from a file.
//
// One thread. What it makes counts when the block is published; a death before leaves a segment
// that no row names.
#pragma once

#include "platform/clock.hpp"
#include "segment/entry_bytes.hpp"
#include "segment/writer.hpp"

#include <functional>
#include <memory>

namespace sessionblocks::segment {

// Whom the log says that the entries came from: a ring of the loader's own, and its index there.
// Without a ring nothing is recorded.
struct LoadRecords {
  AuditRingWriter* ring = nullptr;
  std::uint16_t open = 0;
  std::function<bool()> make_room;  // for the longest record; false: it is lost, and counted
  bool logs_values = false;         // of all that is put, whether it is new or not
};

class Loader {
 public:
  struct Place {
    BlockMemory* memory = nullptr;
    layout::ReadersSegment* readers = nullptr;
    OwnerId owner{};  // of no thread that lives beside it
    LoadRecords records;
  };
  explicit Loader(const Place& place);
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;
  ~Loader();

  // Room in the index for so many, before the first put: it need not grow then.
  void expect(std::uint64_t entries);
  // As many as the index of this block, whose bytes are not trusted, can have.
  void expect_like(const BlockMemory& block);
  // `is_new`: recorded as a put; else only the key's name is, for the records of those who follow.
  // What Writer::apply says; invalid_key.
  [[nodiscard]] Errc put(const EntryBytes& entry, bool is_new);
  // Of what a tombstone shows. 0: the next version of the block; now.
  struct Origin {
    std::uint64_t version = 0;
    std::uint64_t written_ms = 0;
  };
  // An absent key stays absent. `is_new` as above.
  [[nodiscard]] Errc erase(std::span<const std::byte> key, const Origin& origin, bool is_new);
  // A key that is absent here: who puts it next gets a version above this one, whatever its
  // tombstone says.
  [[nodiscard]] Errc forget(std::span<const std::byte> key, std::uint64_t version);
  // Of an entry that was never put here: the log hears of its end.
  void record_erase(std::span<const std::byte> key, std::uint64_t version);
  // What was put is shown by a checkpoint of this instant from now on, which is above all others.
  void pin(std::uint64_t instant);
  // Instants that are drawn, and versions that new keys get, begin here; they never go back.
  void begin_at(std::uint64_t instant, std::uint64_t version);

  [[nodiscard]] BlockMemory& memory() noexcept { return *place_.memory; }

 private:
  [[nodiscard]] KeyView view_of(std::span<const std::byte> key) const noexcept;
  [[nodiscard]] Errc apply(const KeyView& key, const Mutation& mutation, const Origin& origin,
                           Outcome& outcome);
  void record(Op op, const KeyView& key, const Outcome& outcome, bool is_new);
  // Its name, with what it is now in records of bounded length: a tombstone, or an entry.
  void define(const KeyView& key, const Outcome& outcome, const EntryBytes& entry);
  [[nodiscard]] bool has_room(const KeyView& key, std::uint64_t value_bytes = 0);

  Place place_;
  std::unique_ptr<layout::LaneHead> lane_;  // nobody recovers it
  std::atomic<std::uint64_t> life_{0};
  layout::LifeWord active_;
  Writer writer_;
};

}  // namespace sessionblocks::segment
