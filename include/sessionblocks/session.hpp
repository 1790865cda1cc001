// Session: this process's membership of a session system, as one worker of one scope.
//
// A program that the director started finds everything in its environment:
//   SESSIONBLOCKS_SOCKET  the director's socket      SESSIONBLOCKS_SCOPE  the scope's path
//   SESSIONBLOCKS_TOKEN   for children of a worker: the launch token
// Data operations never need the director; attach, open, create and destroy ask it and answer
// `unreachable` while it is away. The session reconnects by itself.
//
// What a crash leaves: nothing that anyone must clean. The director sees the death, makes good
// what was under way, and frees what the worker held.
#pragma once

#include <sessionblocks/block.hpp>
#include <sessionblocks/error.hpp>
#include <sessionblocks/join.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sessionblocks {

class FlowScope;     // flow_scope.hpp
class SessionState;  // src/session

struct AttachOptions {
  std::string socket;  // empty: SESSIONBLOCKS_SOCKET, then that of system "default"
  std::string scope;   // empty: SESSIONBLOCKS_SCOPE; what the director knows of us comes first
  std::string token;   // empty: SESSIONBLOCKS_TOKEN
  std::chrono::milliseconds time_limit{5'000};
};

enum class AccessMode : std::uint8_t { best = 0, read = 1, read_write = 2 };

// A block that a script asks for. The suite says what it may create (may_create).
struct BlockOptions {
  std::string name;
  std::string kind = "private";  // private | shared
  std::uint64_t quota_bytes = 64ULL << 20U;
  std::chrono::milliseconds lifespan{0};  // 0: with the scope
  std::string audit = "full";             // full | writes | counted
  std::string on_full_ring = "wait";      // wait | fail | count
  // share, fork, persist, elevate. Under a suite a script may give the first two: what outlives
  // its scope is for the suite file to permit.
  std::vector<std::string> permit{};
  // Ends too when nobody has read, written or opened it for so long; 0: however long.
  std::chrono::milliseconds idle{0};
  // What becomes of it at its end, whichever that is: destroy | heir | snapshot | elevate. The last
  // two want "persist" and "elevate" in permit.
  std::string at_end = "destroy";
  // With "heir": the path of the scope that gets it, which must be there now. It goes on under the
  // same id; its lifespan then is that scope's. Under a suite a script names itself, its worker
  // slots or flow scopes.
  std::string heir = {};
  // What seal, quarantine, wipe and revoke do about processes that hold more than is allowed then,
  // or did and may have kept a mapping: cooperative (their libraries obey), swap (the contents move
  // away from under them) or kill.
  std::string enforce = "cooperative";
  // What a write does when the block, or a budget above it, has no memory for it: refuse
  // (out_of_memory) | evict-expired: takes out entries whose expiry has passed | evict-lru: these
  // and, when there are none, those that were not read or written for longest, as a sample shows
  // them. An evicted entry is gone as an erased one is; the log has it as "evict", by the worker
  // that needed the room. While a checkpoint is held nothing is evicted.
  std::string at_limit = "refuse";
  // Patterns over keys, '*' for any run of bytes: of entries whose key one of them matches, no tool
  // and no log shows key or value. At most 64.
  std::vector<std::string> sensitive{};
  // The log keeps what every change made of its entry, encrypted with a key of the block that a
  // wipe destroys: `sessionctl replay` rebuilds the block from it. Wants "persist" in permit, audit
  // full or writes, and a system that keeps a log.
  bool log_values = false;
};

// What is taken away from whom.
struct RevokeOptions {
  // The path of the scope that loses it, with all scopes below it, and everybody who has it by a
  // reference that one of these issued or redeemed. It must be there now; a scope that has this
  // path later has lost it too.
  std::string from;
  std::string left = "none";  // none | r: what it may do from now on
  std::string enforce = {};   // as of seal
};

// What a reference to a block is good for.
struct ShareOptions {
  std::string rights = "r";  // r | rw; never more than this scope may do itself
  // The path of the scope that may redeem it, with its worker slots and flow blocks; it must be
  // there now. "*": any scope of the system.
  std::string audience;
  std::chrono::milliseconds lifetime{60'000};  // 1 ms to 24 h; goes on while the machine sleeps
  bool single_use = false;
};

// What a snapshot holds, and where the director keeps it.
struct SnapshotInfo {
  std::string file;  // its path
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of the file: compressed and encrypted
};

class Session {
 public:
  // not_attached: no director is named or found; unreachable: it does not answer;
  // denied: it does not know this process; layout_mismatch: built against another layout.
  [[nodiscard]] static Result<Session> attach(AttachOptions options = {});
  explicit Session(std::shared_ptr<SessionState> state) noexcept;
  Session(Session&&) noexcept;
  Session& operator=(Session&&) noexcept;
  // Detaches once the last Block of the session has gone too.
  ~Session();

  // best: read-write where the grants allow it, else read-only.
  // no_such_block: no block of this name is visible to the scope; denied: no grant; unreachable.
  [[nodiscard]] Result<Block> open(std::string_view name, AccessMode mode = AccessMode::best);
  // not_permitted: the suite does not let this script create such a block; exists: taken;
  // no_such_scope: the heir; invalid_argument: what contradicts itself, such as an heir that is the
  // owner; out_of_memory: the machine or a budget cannot hold the quota. The block is opened
  // read-write.
  [[nodiscard]] Result<Block> create(const BlockOptions& options);
  // Only a block that this scope owns. denied otherwise; no_such_block.
  [[nodiscard]] Result<void> destroy(std::string_view name);

  // Only a block that this scope owns, as above. Nobody writes to it any more (`sealed`); an
  // operator may unseal it. `enforce`: what is done about processes that hold more, this one time;
  // empty: what the block's own `enforce` says. "swap" is the hard seal of any block: what a
  // program that bypasses the library writes through its mapping is seen by nobody once this has
  // returned. Where that cannot be done (out_of_memory) the writers of a block whose policy is
  // "cooperative" are not killed: it is sealed, and its libraries obey.
  // invalid_argument: not active, or no such word; not_permitted: neither "swap" nor the policy.
  [[nodiscard]] Result<void> seal(std::string_view name, std::string_view enforce = {});
  // The same; rights on it are taken away from a scope and all below it, for good: their handles
  // answer `denied`, or `read_only` to writing when "r" is left. An operator may give it back
  // (sessionctl grant). Everybody else goes on, after a moment in which writers wait for the next
  // generation of the block, and loses nothing that was acknowledged.
  // no_such_scope; invalid_argument: less than that is left already, or no such word; too_many: 64
  // revocations of a block; not_permitted, denied, no_such_block; out_of_memory: no room for
  // another generation: nobody is given these rights any more, and what was open goes on.
  [[nodiscard]] Result<void> revoke(std::string_view name, const RevokeOptions& options);
  // The same; nothing is left of what it held, in checkpoints and unused memory neither, and its
  // handles answer `wiped`. What is left to do with it is destroying it.
  [[nodiscard]] Result<void> wipe(std::string_view name);
  // Only a block that this scope owns, as above. Its entries move together, and what it no longer
  // needs of its memory is given back; its users go on. out_of_memory: no room for both meanwhile.
  [[nodiscard]] Result<void> compact(std::string_view name);

  // A block that this scope owns, as it is at one instant, into a file of this name in the
  // director's folder, while its writers go on. The file is there whole or not at all, and outlives
  // the system; when the block is wiped it cannot be read any more.
  // not_permitted: the block's permit lacks "persist"; exists: a snapshot has this name;
  // invalid_argument: no name; denied, no_such_block; out_of_memory: the disk is full; unreachable:
  // the director took longer than the time limit, and writes it all the same.
  [[nodiscard]] Result<SnapshotInfo> snapshot(std::string_view block, std::string_view file);
  // A new block of this scope, private, with what such a file holds of `block` (empty: it holds
  // one), opened read-write. What has expired meanwhile is left out; versions begin anew.
  // denied: another scope owned it; wiped; corrupt: the file is damaged; malformed: it is none;
  // not_found; besides what create says.
  [[nodiscard]] Result<Block> restore(std::string_view file, std::string_view name,
                                      std::string_view block = {});
  // A block that this scope owns, as it is at one instant, to a DataBlock: rows of an SQLite file
  // that outlives the system, in one transaction. Returns the DataBlock's number.
  // not_permitted: the block's permit lacks "elevate"; timed_out: another program holds the file;
  // denied, no_such_block, out_of_memory, unreachable as for snapshot.
  [[nodiscard]] Result<std::uint64_t> elevate(std::string_view block);
  // A new block of this scope with what a DataBlock holds, as restore. By number, or the youngest
  // of a name.
  [[nodiscard]] Result<Block> load(std::string_view datablock, std::string_view name);
  // Deletes a snapshot of blocks that this scope owned, and those of its keys that no other
  // snapshot in the director's folder needs, nor one that was written elsewhere: copies of it
  // cannot be read any more then. denied, not_found, invalid_argument as for restore; unreachable:
  // it may be done all the same, or its keys alone are gone; ask again.
  [[nodiscard]] Result<void> delete_snapshot(std::string_view file);
  // Deletes a DataBlock of what this scope owned: by number, as NAME@NUMBER, or by a name that only
  // one has. denied, not_found, timed_out; invalid_argument: several have the name.
  [[nodiscard]] Result<void> delete_datablock(std::string_view datablock);
  // A clone of the block as it is at one instant, while its writers go on: a block of this scope,
  // separate from then on, that ends with it. `name` empty: the origin's, with "-fork-" and a
  // number. Its checkpoint "base" is that instant; in the origin it is called "fork-ID". A fork is
  // as large as its origin may be. not_permitted: the block's permit lacks "fork"; too_many: it has
  // 32 forks that live, or is one of a fork seven times over; exists; out_of_memory.
  [[nodiscard]] Result<Block> fork(const Block& block, std::string_view name = {});
  // What a fork changed goes into its origin, and the fork ends (join.hpp); this session must be
  // allowed to write both. join_conflict: keys that both sides changed, without a policy for them;
  // the message names the first 32, and both sides are as they were; invalid_argument: it is no
  // fork, or one of the two is not active, or no such policy; no_such_checkpoint: the origin was
  // rolled back to before the fork; too_many: it has forks itself; read_only, denied;
  // out_of_memory: no room for another generation of the origin; unreachable: it may have been
  // joined all the same.
  [[nodiscard]] Result<JoinReport> join(const Block& fork, const JoinOptions& options = {});

  // A reference to the block: printable text, good in URLs, by which a worker of another scope
  // opens it. It counts as long as this scope lives and may open the block so itself, also after
  // the director was replaced. Whoever has the text and belongs to the audience can use it: hand it
  // on as a secret.
  // not_permitted: the block's permit lacks "share"; read_only: rights "rw", and the grant is "r";
  // denied: no grant, for instance because the block was itself redeemed; no_such_scope: no such
  // audience; invalid_argument: rights or lifetime; gone, quarantined; unreachable.
  [[nodiscard]] Result<std::string> share(const Block& block, const ShareOptions& options);
  // The block, opened with the reference's rights for as long as the Block lives; that the
  // reference ends meanwhile changes nothing.
  // reference_forged, reference_expired, reference_wrong_audience, reference_revoked (who shared it
  // has ended or lost its rights); reference_used: it was for a single use; gone: the block has
  // ended; denied: it was revoked from this session's scope; quarantined; too_many; unreachable:
  // one for a single use may have been used up by this.
  [[nodiscard]] Result<Block> redeem(std::string_view reference);
  // A scope below this session's own, e.g. "shop/checkout#2/charge", for one piece of work: blocks
  // opened and created through it end with it (flow_scope.hpp).
  // exists: a scope of this name was entered here and not left; too_many: 64 flow scopes of a
  // session, 16 within each other, or 400 bytes of path; invalid_argument: no name; what create
  // says, for the blocks that the suite declares for it; unreachable: nothing stays entered.
  [[nodiscard]] Result<FlowScope> enter_scope(std::string_view name);

  // Starts a script that the suite declares as a child of this one, to be started on request
  // (parent, start = "on-request"); `arguments` come after those of its command, at most 64 and 32
  // KiB in all. Its scope's path, e.g. "shop/checkout/mail"; the script goes on without this
  // session, and its parent's scope ends after it.
  // no_such_scope: the suite has no such script, or this one is ending; not_permitted: another
  // script's child, or one that starts with the suite; exists: it was started and has not ended;
  // unsupported: a system without a suite; unreachable: it may have been started all the same;
  // invalid_argument; what a start can fail with: not_found, denied, out_of_memory, too_many.
  [[nodiscard]] Result<std::string> start_script(std::string_view name,
                                                 const std::vector<std::string>& arguments = {});

  // The key with its hash, for every block of this system.
  [[nodiscard]] Key hashed(Key key) const noexcept;

  [[nodiscard]] const std::string& scope() const noexcept;  // e.g. "shop/checkout#2"
  [[nodiscard]] unsigned worker_slot() const noexcept;      // 2 in that example; 0 outside slots
  [[nodiscard]] std::uint32_t worker_id() const noexcept;
  [[nodiscard]] const std::string& system() const noexcept;

 private:
  std::shared_ptr<SessionState> state_;
};

}  // namespace sessionblocks
