// The parts of fsck: what it has seen so far, and the passes over index and heap. Private to fsck.
#pragma once

#include "segment/fsck.hpp"

#include <unordered_map>
#include <unordered_set>

namespace sessionblocks::segment::detail {

struct Place {
  std::uint64_t page = kNowhere;
  std::uint64_t slot = kNowhere;
  std::uint64_t offset = kNowhere;
};

enum class TableRole : std::uint8_t { current, old, next };

class Checker {
 public:
  Checker(const BlockMemory& memory, const FsckOptions& options);
  [[nodiscard]] std::vector<Finding> run(FsckSummary* summary);

 private:
  // How often the index leads to a node, and from where first.
  struct Reference {
    std::uint64_t slot = 0;
    TableRole role{};
    layout::Mark mark{};
    std::uint32_t times = 0;
  };
  struct Key {
    std::uint64_t hash = 0;
    std::uint64_t offset = 0;
    std::uint64_t slot = 0;
    std::uint32_t at = 0;  // bytes from the node to the key
    std::uint32_t bytes = 0;
  };

  void report(Invariant invariant, const Place& place, std::string text);
  [[nodiscard]] bool is_in_flight(std::uint64_t offset) const;
  [[nodiscard]] bool is_busy(OwnerId owner) const;
  [[nodiscard]] layout::PageEntry entry_of(std::uint64_t page) const;

  // fsck.cpp
  void header();
  void growth_words();
  [[nodiscard]] std::optional<TableView> table_pages(layout::TableWord word);

  // fsck_index.cpp
  void index();
  void table(const TableView& view, TableRole role);
  void next_table(const TableView& view);
  void slot(const TableView& view, TableRole role, std::uint64_t index, std::uint64_t since_stop);
  void reference(std::uint64_t slot, TableRole role, layout::SlotRef ref);
  void node(const TableView& view, std::uint64_t index, layout::SlotRef ref,
            std::uint64_t since_stop);
  void node_words(const layout::Node& node, const Place& place);
  [[nodiscard]] bool shape(const layout::Shape& shape, std::uint64_t word, const Place& place);
  void chain(std::uint64_t offset, const layout::Shape& shape);
  void duplicate_keys();
  [[nodiscard]] bool key_less(const Key& left, const Key& right) const;

  // fsck_heap.cpp
  void heap();
  void page(std::uint64_t page);
  void run(std::uint64_t head, layout::PageEntry entry);
  void part(std::uint64_t page, layout::PageEntry entry);
  void chunks(std::uint64_t page, layout::PageEntry entry);
  void chunk(std::uint64_t offset, layout::PageEntry entry, bool hinted);
  void above_watermark(std::uint64_t first);

  const BlockMemory& memory_;
  const FsckOptions& options_;
  std::uint64_t seed_;
  std::uint64_t top_;  // pages below were claimed at some time
  std::vector<Finding> findings_;
  FsckSummary summary_;
  std::unordered_set<std::uint64_t> named_tables_;  // first pages
  std::unordered_map<std::uint64_t, Reference> references_;
  std::unordered_set<std::uint64_t> chained_;
  std::unordered_set<std::uint64_t> incarnations_;
  std::vector<Key> keys_;
};

}  // namespace sessionblocks::segment::detail
