// Which session system a command is about, and as whom it asks.
//
// In a shell that the director started (SESSIONBLOCKS_TOKEN is set) commands act as that worker's
// scope, through the public library: grants hold and every access is logged. Anywhere else, and
// whenever --system or --runtime-dir is given, they act as the operator: the segments of this
// user are read directly, and to change something the operator key in the runtime folder opens
// the way through the director.
#pragma once

#include <chrono>
#include <sessionblocks/sessionblocks.hpp>
#include <string>

#include "control_image.hpp"
#include "director/runtime_paths.hpp"
#include "output.hpp"
#include "session/message.hpp"

namespace sessionblocks::ctl {

struct Options {
  std::string system = "default";
  std::string runtime_directory;
  std::string state_directory;
  std::string scope;
  Format format = Format::table;
  unsigned time_limit_ms = 5'000;
  bool names_system = false;  // --system or --runtime-dir was given
};

class System {
 public:
  // invalid_argument: no name for a system.
  [[nodiscard]] static Result<System> of(const Options& options);

  [[nodiscard]] bool is_worker() const noexcept { return is_worker_; }
  [[nodiscard]] const director::RuntimePaths& paths() const noexcept { return paths_; }

  // not_attached: nothing of this system is there; layout_mismatch.
  [[nodiscard]] Result<ControlImage> control() const;
  // The block that an operator means by a name (ControlImage::block), inherited ones followed.
  [[nodiscard]] Result<BlockInfo> block(const ControlImage& image, std::string_view name) const;

  // What hides the sensitive entries of a block from an operator: none for a worker, and for who
  // reads as --scope, whose reads are granted and logged.
  [[nodiscard]] Result<director::SharedMask> mask(const std::string& block) const;
  [[nodiscard]] director::SharedMask mask_of(const director::SensitivePatterns& patterns) const;

  // A session and the block, opened: as the worker, or as --scope, or as the scope that owns the
  // block. unreachable: no director answers; denied: no key, or no grant.
  struct Opened {
    Session session;
    Block block;
  };
  [[nodiscard]] Result<Opened> open(const std::string& block, AccessMode mode) const;
  // A session: as the worker, or, for an operator, as that scope.
  [[nodiscard]] Result<Session> attach(const std::string& scope) const;
  // What the director answers, to the worker or to the operator.
  [[nodiscard]] Result<Message> ask(const Message& request) const;

  // Puts into the request which block is meant, as a worker or as the operator says it.
  [[nodiscard]] Result<void> name_block(Message& request, const std::string& block) const;
  // A request about one block itself, not the one that it inherits from: seal, revoke ... What the
  // director answers.
  [[nodiscard]] Result<void> ask(const std::string& op, const std::string& block,
                                 Message fields = Message::object()) const;

 private:
  System() = default;
  [[nodiscard]] Result<Session> attach_as(const std::string& scope) const;
  [[nodiscard]] Result<ControlImage> control_as_worker() const;

  director::RuntimePaths paths_;
  std::string scope_;
  std::chrono::milliseconds time_limit_{5'000};
  bool is_worker_ = false;
};

// For commands that only an operator has. denied.
[[nodiscard]] Result<void> require_operator(const System& system, std::string_view command);

}  // namespace sessionblocks::ctl
