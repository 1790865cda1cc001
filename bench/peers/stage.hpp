// One peer, opened for one dataset and loaded: its host process and its folders.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "case.hpp"
#include "child.hpp"
#include "peer.hpp"
#include "worker.hpp"

namespace sessionblocks::bench {

// The host makes its folders and removes them, also when the harness was killed. Should the host be
// killed, the harness removes them.
class LeftBehind {
 public:
  LeftBehind() = default;
  ~LeftBehind();
  LeftBehind(const LeftBehind&) = delete;
  LeftBehind& operator=(const LeftBehind&) = delete;
  void add(std::filesystem::path folder) { folders_.push_back(std::move(folder)); }

 private:
  std::vector<std::filesystem::path> folders_;
};

class Stage {
 public:
  Stage(const Peer& peer, const Dataset& data);

  // Afterwards the host is idle: what is left of loading is not part of what is measured.
  void load_all();
  // As many overwrites as there are entries, of random ones.
  void overwrite_all(std::uint64_t seed);
  [[nodiscard]] std::uint64_t memory_bytes();
  // Throws when the counters are not what `increments` more make of them.
  void check_counters(std::uint64_t increments);

  [[nodiscard]] const Peer& peer() const { return peer_; }
  [[nodiscard]] const std::string& address() const { return address_; }

 private:
  void wait_until_idle() const;
  template <typename Body>
  void with_client(const Body& body);

  const Peer& peer_;
  Dataset data_;
  LeftBehind folders_;
  std::optional<Child> host_;
  std::string address_;
  std::uint64_t counted_ = 0;
};

}  // namespace sessionblocks::bench
