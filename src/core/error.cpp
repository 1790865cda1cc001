#include <sessionblocks/error.hpp>

#include <array>

namespace sessionblocks {
namespace {

struct Text {
  Errc code;
  std::string_view name;
  std::string_view advice;
};

// In the order of the codes, so that a code is its own index.
constexpr std::array kTexts = {
    Text{Errc::not_found, "not_found",
         "there is no such entry; it was erased, expired or never put"},
    Text{Errc::conflict, "conflict", "the entry has another version; read it again and retry"},
    Text{Errc::exists, "exists", "it is there already; use put or replace, or another name"},
    Text{Errc::wrong_type, "wrong_type", "ask for the type that the entry has, or put it anew"},
    Text{Errc::overflow, "overflow",
         "the result leaves the range of its type; nothing was changed"},
    Text{Errc::invalid_key, "invalid_key", "a key is 1 to 1,024 bytes"},
    Text{Errc::value_too_large, "value_too_large", "raise the block's quota or split the value"},
    Text{Errc::buffer_too_small, "buffer_too_small", "pass a buffer of at least the needed bytes"},
    Text{Errc::out_of_memory, "out_of_memory",
         "nothing was changed; erase entries, raise the quota or free /dev/shm"},
    Text{Errc::denied, "denied", "ask for a grant in the suite file"},
    Text{Errc::read_only, "read_only",
         "the grant is \"r\"; writing needs \"rw\" in the suite file"},
    Text{Errc::sealed, "sealed", "the block is sealed; read it, or have the director unseal it"},
    Text{Errc::quarantined, "quarantined",
         "the director holds the block back; see sessionctl describe"},
    Text{Errc::wiped, "wiped", "the contents were wiped"},
    Text{Errc::gone, "gone", "the block has ended; open it again or create a new one"},
    Text{Errc::no_such_block, "no_such_block", "see sessionctl ls for the names that exist"},
    Text{Errc::no_such_scope, "no_such_scope", "see sessionctl ls scopes for those that exist"},
    Text{Errc::unreachable, "unreachable",
         "the director does not answer; retry, or see sessionctl doctor"},
    Text{Errc::not_attached, "not_attached",
         "start the program through flowdirector, or use SessionSystem::embedded()"},
    Text{Errc::audit_full, "audit_full", "the audit ring is full; the director is not draining it"},
    Text{Errc::corrupt, "corrupt",
         "shared bytes break an invariant; run sessionctl fsck on the block"},
    Text{Errc::layout_mismatch, "layout_mismatch",
         "run library and director of the same layout version"},
    Text{Errc::timed_out, "timed_out", "the time limit passed"},
    Text{Errc::cancelled, "cancelled", "the wait was cancelled"},
    Text{Errc::forked, "forked", "a forked child must attach a session of its own"},
    Text{Errc::reentrant, "reentrant", "a callback must not call back into its own session"},
    Text{Errc::too_many, "too_many", "a fixed limit is reached"},
    Text{Errc::invalid_argument, "invalid_argument", "correct the argument"},
    Text{Errc::already_running, "already_running",
         "stop the running director, or use another system name"},
    Text{Errc::io_error, "io_error", "the operating system refused"},
    Text{Errc::not_permitted, "not_permitted", "the suite file does not permit this"},
    Text{Errc::malformed, "malformed", "the input cannot be read as what it should be"},
    Text{Errc::unsupported, "unsupported", "this kernel or build lacks it; see sessionctl doctor"},
    Text{Errc::no_such_checkpoint, "no_such_checkpoint",
         "list the block's checkpoints; it may have been released"},
    Text{Errc::reference_forged, "reference_forged",
         "pass it on exactly as share returned it, within the system that made it"},
    Text{Errc::reference_expired, "reference_expired",
         "have it shared again, with a longer lifetime if need be"},
    Text{Errc::reference_used, "reference_used", "it was good for one use; have it shared again"},
    Text{Errc::reference_wrong_audience, "reference_wrong_audience",
         "have it shared with the scope that redeems it"},
    Text{Errc::reference_revoked, "reference_revoked",
         "have it shared again by a scope that may open the block so"},
    Text{Errc::join_conflict, "join_conflict",
         "both sides changed the same keys; give a policy for them"},
};

const Text* text_of(Errc code) noexcept {
  const auto index = static_cast<std::size_t>(code) - 1;
  return index < kTexts.size() && kTexts[index].code == code ? &kTexts[index] : nullptr;
}

}  // namespace

std::string_view errc_name(Errc code) noexcept {
  const Text* text = text_of(code);
  return text != nullptr ? text->name : "unknown";
}

std::string Error::message() const {
  const Text* text = text_of(code_);
  std::string line(errc_name(code_));
  if (!context_.empty()) line.append(": ").append(context_);
  if (code_ == Errc::conflict && number_ != 0)
    line.append(": current version ").append(std::to_string(number_));
  if (code_ == Errc::buffer_too_small)
    line.append(": ").append(std::to_string(number_)).append(" bytes needed");
  if (text != nullptr) line.append(" (").append(text->advice).append(")");
  return line;
}

}  // namespace sessionblocks
