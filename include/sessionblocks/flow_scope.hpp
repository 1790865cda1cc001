// FlowScope: a scope of a session for one piece of work, such as one order or one retry.
//
// Its blocks are those that the suite declares for it (owner = "flow.NAME") and those that are
// created through it; all of them end with it, so that nothing of one piece of work is left for the
// next. Names mean the nearest block: its own, then those of the flow scopes around it, then what
// the session sees.
//
// It ends by leave(), by the end of this object, with the flow scope around it, or with its
// session's worker, however that ends; inner ones first. Handles to its blocks answer `gone` then.
// Threads: one at a time for each FlowScope; its blocks may be used by several.
//
// What a crash leaves: nothing. The director ends the flow scopes of a worker that died, and the
// next director those that it finds without one.
#pragma once

#include <sessionblocks/block.hpp>
#include <sessionblocks/error.hpp>
#include <sessionblocks/session.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sessionblocks {

class [[nodiscard]] FlowScope {
 public:
  FlowScope(std::shared_ptr<SessionState> state, std::uint64_t number, std::string path) noexcept;
  FlowScope(FlowScope&& other) noexcept;
  FlowScope& operator=(FlowScope&& other) noexcept;  // what this held before is left
  ~FlowScope();                                      // leaves

  // Each as the function of that name of Session, and gone: the flow scope has ended.
  [[nodiscard]] Result<Block> open(std::string_view name, AccessMode mode = AccessMode::best);
  // A private block of this flow scope. invalid_argument: kind "shared", whose blocks outlive it.
  [[nodiscard]] Result<Block> create(const BlockOptions& options);
  [[nodiscard]] Result<void> destroy(std::string_view name);
  [[nodiscard]] Result<Block> fork(const Block& block, std::string_view name = {});
  [[nodiscard]] Result<FlowScope> enter_scope(std::string_view name);

  // Done when it had ended before. unreachable: the director is away; the flow scope is left before
  // this session enters the next one, or with its worker.
  [[nodiscard]] Result<void> leave();

  [[nodiscard]] const std::string& path() const noexcept { return path_; }

 private:
  std::shared_ptr<SessionState> state_;  // none: left
  std::uint64_t number_ = 0;
  std::string path_;
};

}  // namespace sessionblocks
