#include <unistd.h>

#include <cstdio>

#include "roles.hpp"

namespace sessionblocks::torture {
namespace {

// A worker that finds no director, or no block, has nothing to report: the warden sees its exit.
constexpr int kCannotAttach = 10;
constexpr int kCannotOpen = 11;
constexpr int kOtherRights = 12;

int fails(const Error& error, int code) {
  std::fprintf(stderr, "torture: a worker fails: %s\n", error.message().c_str());
  return code;
}

std::uint64_t seed_of(const Board& board, unsigned slot) {
  return mixed(board.seed + 1'000'003ULL * slot + board.slots[slot].life.load());
}

}  // namespace

int live(Board& board, const KeySet& keys, unsigned slot) {
  const RoleOfSlot role = role_of(slot);
  const Role& part = kRoles[role.role];
  AttachOptions options;
  options.socket = board.socket;
  options.scope = std::string("torture/") + part.scope;
  options.token = board.tokens[role.role];
  options.time_limit = std::chrono::seconds(60);
  auto session = Session::attach(options);
  if (!session) return fails(session.error(), kCannotAttach);
  Recorder recorder(board, slot);
  recorder.add(note_of(Act::attached, session->worker_id()));
  auto block = session->open(kBlockName);
  while (!block && block.error() == Errc::quarantined && recorder.may_go_on()) {
    nap(std::chrono::milliseconds(1));
    block = session->open(kBlockName);
  }
  if (!block && block.error() == Errc::quarantined) return 0;
  if (!block) return fails(block.error(), kCannotOpen);
  // Who opens it while it is sealed writes as soon as it no longer is.
  if (block->is_writable() && part.grant != std::string_view("rw")) return kOtherRights;
  std::mt19937_64 random(seed_of(board, slot));
  Place place{board, keys, recorder, *block, random, role.number};
  part.run(place);
  return 0;
}

}  // namespace sessionblocks::torture
