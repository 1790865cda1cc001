// The session system under torture: a director on a thread of the driver, with named segments and
// a log on disk as in production, one shared block that writers hold "rw" and readers "r".
#pragma once

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "director/director.hpp"
#include "oracle.hpp"

namespace sessionblocks::torture {

struct SystemOptions {
  std::uint64_t quota_bytes = std::uint64_t{8} << 20U;
  bool recovers = true;  // false: a dead worker is left as it is
  AuditLevel audit = AuditLevel::full;
  AtLimit at_limit = AtLimit::refuse;
};

// What the driver sees of the block while nobody works.
struct Rest {
  std::vector<std::string> findings;
  std::vector<FoundEntry> entries;
  std::uint64_t table_slots = 0;
  std::uint64_t table_id = 0;
  std::uint64_t growing_from = 0;  // id of the table that the index grows out of; 0: none
  std::uint64_t pages = 0;         // ever used
  std::uint64_t free_pages = 0;
  std::uint64_t chained = 0;  // versions that only a checkpoint needs
};

class System {
 public:
  explicit System(const SystemOptions& options);
  ~System();
  System(const System&) = delete;
  System& operator=(const System&) = delete;

  [[nodiscard]] std::string socket() const { return director_->socket(); }
  [[nodiscard]] std::string token(const std::string& scope);
  [[nodiscard]] bool evicts() const noexcept { return request_.at_limit != AtLimit::refuse; }
  [[nodiscard]] std::uint64_t quota_bytes() const noexcept { return request_.quota_bytes; }
  [[nodiscard]] std::string log_folder() const { return folder_ / "log"; }
  // Whether the workers of the director are exactly these: every dead one is reclaimed.
  [[nodiscard]] bool has_only(const std::set<std::uint32_t>& workers);
  // Drains every ring, then looks at the block: fsck, conservation, what the dead may have left,
  // names in /dev/shm.
  [[nodiscard]] Rest look();
  // What takes checkpoints of the block needs; as Registry says.
  [[nodiscard]] director::BlockMemory block();
  [[nodiscard]] Result<std::uint64_t> take_checkpoint(const std::string& name);
  [[nodiscard]] Result<void> release_checkpoint(const std::string& name);
  // Back to a checkpoint, for all who have the block open.
  [[nodiscard]] Result<void> roll_back(const std::string& checkpoint);
  [[nodiscard]] Result<void> compact();
  [[nodiscard]] Result<void> change(director::Transition what, Enforce by);
  [[nodiscard]] std::vector<FoundEntry> entries();
  // A fork as it is when nobody has opened it yet.
  struct Fork {
    BlockId id{};
    std::uint64_t base = 0;  // the instant of the block that it is of
    Rest rest;
  };
  [[nodiscard]] Result<Fork> fork();
  [[nodiscard]] Result<void> destroy(BlockId block);
  // Whose lane the log hears of the director's own changes by.
  [[nodiscard]] std::uint32_t own_worker();
  [[nodiscard]] std::uint32_t block_id();
  // Another block with the same terms, nobody's yet.
  [[nodiscard]] Result<void> create_twin(const std::string& name);
  // Ends the director. What is left in /dev/shm then.
  [[nodiscard]] std::vector<std::string> stop();

 private:
  void check_segments(director::Registry& registry, Rest& rest) const;

  director::BlockRequest request_;
  std::filesystem::path folder_;
  std::string segment_prefix_;
  std::unique_ptr<director::Director> director_;
  std::thread thread_;
};

}  // namespace sessionblocks::torture
