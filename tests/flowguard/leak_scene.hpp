// A directed system without a suite in this process, and what a leak detector says of it. Walks are
// run to their end, however long that takes: nothing here depends on time.
#pragma once

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <sessionblocks/sessionblocks.hpp>

#include "director/embedded.hpp"
#include "flowguard/data_leak.hpp"

namespace sessionblocks::flowguard::testing {

class LeakScene {
 public:
  static constexpr std::uint64_t kAmpleUs = 60'000'000;

  LeakScene() {
    ::alarm(200);
    auto started = director::EmbeddedDirector::start({});
    REQUIRE(started);
    director_ = std::move(*started);
  }

  [[nodiscard]] Session attach(const std::string& scope) {
    const std::string path = "embedded/" + scope;
    const auto token = director_->director().token_for_scope(path);
    REQUIRE(token);
    AttachOptions options;
    options.socket = director_->director().socket();
    options.scope = path;
    options.token = *token;
    auto session = Session::attach(std::move(options));
    REQUIRE(session);
    return std::move(*session);
  }
  // `grants`: scripts that may use it, all of them as "*".
  BlockId create(const std::string& name, const director::ScriptRights& grants,
                 director::SensitivePatterns sensitive = {}) {
    BlockId made{};
    call([&](director::Registry& registry) {
      director::BlockRequest request;
      request.policy.name = name;
      request.policy.kind = BlockKind::shared;
      request.policy.owner = registry.scopes.root().id;
      request.policy.grants = grants;
      request.quota_bytes = std::uint64_t{8} << 20U;
      request.sensitive = std::move(sensitive);
      const auto block = registry.create_block(request);
      REQUIRE(block);
      made = *block;
    });
    return made;
  }
  void call(const std::function<void(director::Registry&)>& work) {
    director_->director().call(work);
  }
  std::vector<LeakFound> pass(std::uint64_t budget_us = kAmpleUs) {
    std::vector<LeakFound> found;
    call([&](director::Registry& registry) { found = detector.pass(registry, budget_us); });
    return found;
  }
  // Until nothing is left to look at: what was written before is found by then.
  std::vector<LeakFound> passes(int count = 4) {
    std::vector<LeakFound> all;
    for (int i = 0; i < count; ++i) {
      for (LeakFound& one : pass()) all.push_back(std::move(one));
    }
    return all;
  }

  DataLeakDetector detector;

 private:
  std::unique_ptr<director::EmbeddedDirector> director_;
};

inline Block open(Session& session, const char* name) {
  auto block = session.open(name);
  REQUIRE(block);
  return std::move(*block);
}

inline constexpr std::string_view kSecret = "Tr0ub4dor&3-horse-battery-staple";

}  // namespace sessionblocks::flowguard::testing
