// A session system, a worker and one shared block in this process, for a benchmark that needs no
// more. What cannot be made ends the program with the reason.
#pragma once

#include <sessionblocks/sessionblocks.hpp>

#include "workload.hpp"

#include <cstdint>

namespace sessionblocks::bench {

class EmbeddedBlock {
 public:
  explicit EmbeddedBlock(std::uint64_t quota_bytes)
      : system_(must(SessionSystem::embedded())), session_(attached(quota_bytes)) {}

  [[nodiscard]] Session& session() noexcept { return session_; }
  [[nodiscard]] Block& block() noexcept { return block_; }

 private:
  template <typename T>
  static T must(Result<T> result) {
    if (!result) Workload::die(result.error());
    return std::move(*result);
  }
  Session attached(std::uint64_t quota_bytes) {
    BlockOptions options;
    options.name = "bench";
    options.kind = "shared";
    options.quota_bytes = quota_bytes;
    if (auto created = system_.create(options); !created) Workload::die(created.error());
    return must(system_.attach("bench"));
  }

  SessionSystem system_;
  Session session_;
  Block block_ = must(session_.open("bench"));
};

}  // namespace sessionblocks::bench
