// What sessionctl exits with; scripts branch on it. Append-only, as the codes of Errc.
#pragma once

#include <sessionblocks/error.hpp>

namespace sessionblocks::ctl {

enum class ExitCode : int {
  ok = 0,
  error = 1,
  usage = 2,        // the command line or a suite file is wrong; nothing was done
  not_found = 3,    // no such entry, block, scope or log; or the system is not running
  unreachable = 4,  // a director that should answer does not
  denied = 5,
  findings = 6,  // fsck, doctor, log verify, replay: something does not hold
  layout_mismatch = 7,
  timed_out = 124,
};

[[nodiscard]] constexpr ExitCode exit_code_of(Errc code) noexcept {
  switch (code) {
    case Errc::not_found:
    case Errc::no_such_block:
    case Errc::no_such_scope:
    case Errc::no_such_checkpoint:
    case Errc::not_attached:
    case Errc::gone:
    case Errc::wiped:
      return ExitCode::not_found;
    case Errc::invalid_key:
    case Errc::invalid_argument:
      return ExitCode::usage;
    case Errc::unreachable:
      return ExitCode::unreachable;
    case Errc::denied:
    case Errc::not_permitted:
    case Errc::read_only:
    case Errc::quarantined:
    case Errc::reference_forged:
    case Errc::reference_expired:
    case Errc::reference_used:
    case Errc::reference_wrong_audience:
    case Errc::reference_revoked:
      return ExitCode::denied;
    case Errc::corrupt:
    case Errc::join_conflict:
      return ExitCode::findings;
    case Errc::layout_mismatch:
      return ExitCode::layout_mismatch;
    case Errc::timed_out:
      return ExitCode::timed_out;
    default:
      return ExitCode::error;
  }
}

}  // namespace sessionblocks::ctl
