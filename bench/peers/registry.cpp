#include "registry.hpp"

namespace sessionblocks::bench {
namespace {

#ifdef SESSIONBLOCKS_PEER_LMDB
constexpr auto kLmdb = add_lmdb;
#else
constexpr void (*kLmdb)(Peers&) = nullptr;
#endif
#ifdef SESSIONBLOCKS_PEER_SQLITE
constexpr auto kSqlite = add_sqlite;
#else
constexpr void (*kSqlite)(Peers&) = nullptr;
#endif
#ifdef SESSIONBLOCKS_PEER_MEMCACHED
constexpr auto kMemcached = add_memcached;
#else
constexpr void (*kMemcached)(Peers&) = nullptr;
#endif
#ifdef SESSIONBLOCKS_PEER_REDIS
constexpr auto kRedis = add_redis;
#else
constexpr void (*kRedis)(Peers&) = nullptr;
#endif
#ifdef SESSIONBLOCKS_PEER_SHAREDHASHFILE
constexpr auto kSharedHashFile = add_sharedhashfile;
#else
constexpr void (*kSharedHashFile)(Peers&) = nullptr;
#endif
#ifdef SESSIONBLOCKS_PEER_FLOOR
constexpr auto kFloor = add_floor;
#else
constexpr void (*kFloor)(Peers&) = nullptr;
#endif

struct Offer {
  const char* name;
  void (*add)(Peers&);  // nullptr: not in this build
  const char* needs;
};
constexpr Offer kOffers[] = {
    {"sessionblocks", add_sessionblocks, ""},
    {"studied", add_studied, ""},
    {"boost", add_boost, ""},
    {"lmdb", kLmdb, "Debian package liblmdb-dev when it is built"},
    {"sqlite", kSqlite, "Debian package libsqlite3-dev when it is built"},
    {"memcached", kMemcached, "Debian package memcached when it is built"},
    {"redis", kRedis, "Debian packages redis-server and libhiredis-dev when it is built"},
    {"sharedhashfile", kSharedHashFile,
     "its sources: cmake -DSESSIONBLOCKS_PEER_SHAREDHASHFILE=FOLDER "
     "(github.com/simonhf/sharedhashfile)"},
    {"lightning", nullptr, "an adapter that nobody has written; bench/README.md"},
    {"yac", nullptr, "an adapter that nobody has written; bench/README.md"},
    {"cas", add_cas, ""},
    {"floor", kFloor, "Debian package robin-map-dev when it is built"},
};

}  // namespace

Registry make_registry() {
  Registry registry;
  for (const Offer& offer : kOffers) {
    if (offer.add != nullptr) {
      offer.add(registry.peers);
    } else {
      registry.left_out.push_back({offer.name, offer.needs});
    }
  }
  return registry;
}

const Peer* Registry::find(const std::string& name) const {
  for (const auto& peer : peers) {
    if (peer->name() == name) return peer.get();
  }
  return nullptr;
}

}  // namespace sessionblocks::bench
