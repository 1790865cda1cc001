// The peers of this build, and those that it was built without.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "peer.hpp"

namespace sessionblocks::bench {

struct LeftOut {
  std::string name;
  std::string reason;  // names the package or option that it needs
};

struct Registry {
  std::vector<std::unique_ptr<Peer>> peers;  // SessionBlocks first, the floor last
  std::vector<LeftOut> left_out;

  // nullptr: there is none of this name.
  [[nodiscard]] const Peer* find(const std::string& name) const;
};

[[nodiscard]] Registry make_registry();

// One file each.
using Peers = std::vector<std::unique_ptr<Peer>>;
void add_sessionblocks(Peers& peers);
void add_studied(Peers& peers);  // after add_sessionblocks
void add_boost(Peers& peers);
void add_lmdb(Peers& peers);
void add_sqlite(Peers& peers);
void add_memcached(Peers& peers);
void add_redis(Peers& peers);
void add_sharedhashfile(Peers& peers);
void add_cas(Peers& peers);
void add_floor(Peers& peers);

}  // namespace sessionblocks::bench
