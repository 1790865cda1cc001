// What a log must know besides its records: names, what `open` means, how far each lane got.
//
// The writer keeps it while it appends and writes it at the start of each file, so that a file can
// be read when those before it have been removed; readers keep it while they read. It changes only
// by what stands in frames.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "core/bytes.hpp"
#include "flowlog/frame.hpp"
#include "flowlog/log_record.hpp"
#include "flowlog/signing_key.hpp"

namespace sessionblocks::flowlog {

// Which session system a log belongs to; a new one under the same name has another.
using Instance = std::array<std::uint8_t, 16>;

enum class NoteKind : std::uint8_t {
  event = 1,           // text: a line for people
  worker_added = 2,    // worker; text: its scope
  worker_removed = 3,  // worker: all that it wrote stands before this
  opened = 4,          // worker, open, block; text: the block's name,
                       // empty for one that has gone
  lane_forged = 5,     // worker, lane, number: the cell from which on nothing was taken; text: why
  damage = 6,          // text: what adoption found wrong in the file before
  undrained = 8,       // worker, lane, number: cells that a removed worker's ring still held
  files_removed = 9,   // number, second: the first and the last file that the disk budget took;
                       // text: the same for people
  counted = 7,         // worker, open, block, number: reads, second: writes that have no records by
                       // the audit level, beside what was said before; block 0 and kLostOpen:
                       // number of operations lost to full rings
  transition = 10,     // what, subject, by, unix_ms, and worker and block where there is one;
                       // text: why; number: of the transition, they have no holes; second: refused
                       // requests that no note of their own says
  interrupted = 11,    // the same of what a director was about when it died
  values_kept = 12,    // block, the generation that it is from here on: its values are logged; text:
                       // its name; number: 1, 0 when a later director says it again
  values_dropped = 13,  // block: wiped; its key is gone, and with it all values logged of it
  values_ended = 14,    // block: destroyed
};
[[nodiscard]] constexpr bool is_transition(NoteKind kind) noexcept {
  return kind == NoteKind::transition || kind == NoteKind::interrupted;
}
[[nodiscard]] std::string_view word(NoteKind kind) noexcept;

struct Note {
  NoteKind kind = NoteKind::event;
  std::uint32_t worker = 0;
  std::uint16_t lane = 0;
  std::uint16_t open = 0;
  BlockRef block;
  std::uint64_t number = 0;
  std::uint64_t second = 0;
  std::string text;
  // Of a transition.
  std::string what{};        // director::word of its EventKind
  std::string subject{};     // such as block cart (7)
  std::string by{};          // who asked; empty: nobody
  std::int64_t unix_ms = 0;  // when
};

// The payload of file_begin.
struct LogIdentity {
  std::uint64_t file_number = 0;
  Chain previous{};  // the last chain of the file before; zero for the first
  Instance instance{};
  std::string system;
  // Whose checkpoints are in this file, the first of them right behind the state; none: it is not
  // signed.
  std::optional<PublicKey> signer;
};

inline constexpr std::uint16_t kLostOpen = UINT16_MAX;

struct LogState {
  std::map<LaneRef, std::uint64_t> next;  // the first ring cell not yet in the log
  std::map<std::uint32_t, std::string> workers;
  std::map<std::pair<std::uint32_t, std::uint16_t>, BlockRef> opens;
  std::map<std::uint32_t, std::string> blocks;
  // Which generation each block is whose values are logged.
  std::map<std::uint32_t, std::uint32_t> with_values;
  std::set<std::uint32_t> removed;  // workers that have gone since the file began
  // What `counted` notes have said of a worker's open, or of kLostOpen: reads and writes. So that
  // nothing is said twice, also of a worker whose end a director did not live to finish.
  std::map<std::pair<std::uint32_t, std::uint16_t>, std::pair<std::uint64_t, std::uint64_t>>
      counted;
  std::uint64_t next_note = 0;
  std::uint64_t next_checkpoint = 1;
  std::uint64_t next_transition = 1;

  void apply(const Note& note);
  // Before a new file begins: forgets removed workers, and blocks that nobody has open.
  void forget_removed();
  // The scope of a worker; empty when it is not known.
  [[nodiscard]] std::string_view scope_of(std::uint32_t worker) const noexcept;
  [[nodiscard]] std::string_view name_of(BlockId block) const noexcept;
};

void encode(ByteBuffer& out, const Note& note);
void encode(ByteBuffer& out, const LogIdentity& identity);
void encode(ByteBuffer& out, const LogState& state);
// False: malformed; `out` is then of no use.
[[nodiscard]] bool decode(std::span<const std::byte> payload, Note& out);
[[nodiscard]] bool decode(std::span<const std::byte> payload, LogIdentity& out);
[[nodiscard]] bool decode(std::span<const std::byte> payload, LogState& out);

// Rows of a keys frame.
void encode_key(ByteBuffer& out, KeyRef key, std::string_view bytes);
[[nodiscard]] bool decode_key(ByteReader& in, KeyRef& key, std::string& bytes);

}  // namespace sessionblocks::flowlog
