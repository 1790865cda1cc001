#include "churn.hpp"

#include <signal.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "block_check.hpp"
#include "datablock/store.hpp"
#include "layout/block.hpp"
#include "platform/shared_segment.hpp"
#include "session/director_client.hpp"
#include "snapshot/reader.hpp"

namespace sessionblocks::deaths {
namespace {

using namespace std::chrono_literals;
using platform::SharedSegment;

BlockOptions options(const std::string& name, std::uint64_t quota_bytes = 4U << 20U,
                     const std::string& kind = "shared") {
  BlockOptions made;
  made.name = name;
  made.kind = kind;
  made.quota_bytes = quota_bytes;
  return made;
}

// Where a victim dies, so that the director has each kind of thing to put right.
constexpr std::array kVictimPoints = {"write.before_commit", "write.committed", "run.return_armed",
                                      "free.before_hint",    "run.before_head", "write.old_freed",
                                      "run.return_won",      "write.in_use",    "page.claimed"};

// The block's bytes, as somebody scribbles on them who has the file.
std::optional<platform::Mapping> map_writable(const std::string& prefix, std::uint32_t block) {
  const auto segment = SharedSegment::open_existing(
      prefix + "block." + std::to_string(block) + ".1", platform::Access::read_write);
  if (!segment) return std::nullopt;
  auto mapping = segment->map(platform::Access::read_write);
  return mapping ? std::optional(std::move(*mapping)) : std::nullopt;
}

bool is_zero(const std::string& prefix, std::uint32_t block) {
  const auto mapping = map_writable(prefix, block);
  REQUIRE(mapping);
  const auto* const bytes = mapping->data();
  return std::all_of(bytes, bytes + mapping->bytes(), [](std::byte b) { return b == std::byte{}; });
}

}  // namespace

bool Churn::step(bool (Churn::*what)()) {
  return scene_.is_directed() && (this->*what)() && scene_.is_directed();
}

void Churn::run(unsigned round) {
  round_ = round;
  const bool all = step(&Churn::attach) && (round % 2 == 0 || step(&Churn::lose_the_victim)) &&
                   step(&Churn::destroy_what_is_left) && step(&Churn::grow_a_block) &&
                   step(&Churn::keep_versions) && step(&Churn::work_in_flows) &&
                   step(&Churn::read_and_close) && step(&Churn::share_and_redeem) &&
                   step(&Churn::snapshot_and_restore) && step(&Churn::elevate_at_the_end) &&
                   step(&Churn::let_a_lifespan_pass) && step(&Churn::hand_a_block_over) &&
                   step(&Churn::spoil_a_block) && step(&Churn::seal_and_wipe_a_block) &&
                   step(&Churn::roll_back_and_fork) && step(&Churn::revoke_and_grant) &&
                   step(&Churn::attach_and_detach) &&
                   step(&Churn::lose_the_victim);  // what is left is for the next round
  block_.reset();
  static_cast<void>(all);
  scene_.read_log();
}

bool Churn::attach() {
  if (session_) return true;
  auto session = Session::attach(scene_.attach_options());
  if (!session) return false;
  session_.emplace(std::move(*session));
  BlockOptions shared = options("kept", 1U << 20U);
  shared.permit = {"share"};
  auto kept = session_->create(shared);
  // Made, and its maker not told: then it is there.
  if (!kept && kept.error() == Errc::exists) kept = session_->open("kept");
  auto flow = session_->enter_scope("kept");
  if (!kept || !flow) return session_.reset(), false;
  flow_.emplace(std::move(*flow));
  kept_.emplace(std::move(*kept));
  const auto count = kept_->increment("count", 0);
  REQUIRE(count);
  count_ = *count;
  return true;
}

void Churn::check_handles() {
  if (!session_) return;
  const auto count = kept_->increment("count");
  INFO((count ? std::string() : count.error().message()));
  REQUIRE(count);
  CHECK(*count == ++count_);
  // The director knows us as whom it knew before.
  const auto opened = session_->open("no-such-block");
  CHECK(opened.error() == Errc::no_such_block);
  CHECK(flow_->open("no-such-block").error() == Errc::no_such_block);  // it has not ended
}

// What was asked for and not heard of was taken back, or its name would be taken.
bool Churn::work_in_flows() {
  auto outer = session_->enter_scope("outer");
  auto inner = outer ? outer->enter_scope("inner") : tl::unexpected(outer.error());
  if (!inner) {
    CHECK(inner.error() == Errc::unreachable);
    return false;
  }
  auto draft = inner->create(options("draft-of-churn", 1U << 20U, "private"));
  if (!draft) return false;
  REQUIRE(draft->put("key", 1));
  if (!outer->leave()) return false;
  CHECK(draft->put("key", 2).error() == Errc::gone);
  return true;
}

// The index has grown, has tombstones, and begins to grow again: the director finishes that.
bool Churn::grow_a_block() {
  auto made = session_->create(options("churn"));
  if (!made && made.error() == Errc::exists) made = session_->open("churn");
  if (!made) return false;
  block_.emplace(std::move(*made));
  const auto mapping = map_writable(scene_.around().prefix(), block_->id());
  if (!mapping) return false;
  const auto& header = *reinterpret_cast<layout::BlockHeader*>(mapping->data());
  const auto put = [&](int number) {
    static_cast<void>(block_->put("key" + std::to_string(number), number));
  };
  const auto grows = [&] { return layout::TableWord{header.old_table.load()}.is_table(); };
  for (int i = 0; i < 1'500; ++i) {
    put(i);
    // Now and then a turn of the director's maintenance: it makes the next table ready.
    if (i % 500 == 400) std::this_thread::sleep_for(10ms);
  }
  for (int i = 1'500; i < 6'000 && !(grows() && i > 2'000); ++i) {
    put(i);
    // Few enough that the next growth meets them as they are.
    if (i > 2'000 && i % 32 == 0) static_cast<void>(block_->erase("key" + std::to_string(i / 2)));
  }
  while (scene_.is_directed() && grows()) std::this_thread::sleep_for(1ms);
  return true;
}

bool Churn::command(Command command) {
  scene_.board().command.store(static_cast<std::uint32_t>(command));
  while (scene_.is_directed() && scene_.board().command.load() != 0) {
    std::this_thread::sleep_for(200us);
  }
  return scene_.is_directed();
}

// Versions that a checkpoint keeps, and then no longer.
bool Churn::keep_versions() {
  const auto put_all = [this](char letter) {
    for (int i = 0; i < 100; ++i) {
      const bool is_long = i % 16 == 0;
      const auto text = std::string(is_long ? 30'000 : 100, letter);
      static_cast<void>(block_->put("text" + std::to_string(i), text));
    }
  };
  put_all('a');
  if (!command(Command::take_checkpoint)) return false;
  put_all('b');
  return command(Command::release_checkpoint);
}

bool Churn::read_and_close() {
  auto reader = session_->open("kept", AccessMode::read);
  if (!reader) return false;
  static_cast<void>(reader->visit("count", [](std::span<const std::byte>) {}));
  return true;  // and closed
}

// By its own scope, which may as well as any other; written, read and closed.
bool Churn::share_and_redeem() {
  ShareOptions once;
  once.rights = "rw";
  once.audience = "*";
  once.single_use = true;
  const auto reference = session_->share(*kept_, once);
  if (!reference) return false;
  auto redeemed = session_->redeem(*reference);
  if (!redeemed) return false;
  const auto count = redeemed->increment("count");
  REQUIRE(count);
  CHECK(*count == ++count_);
  return true;
}

// A file is there whole or not at all, and what a director that died left is gone.
bool Churn::snapshot_and_restore() {
  BlockOptions saved = options("saved", 1U << 20U);
  saved.permit = {"persist", "elevate"};
  auto made = session_->create(saved);
  if (!made) return made.error() == Errc::exists;
  REQUIRE(made->put("key", std::string(20'000, 's')));
  const std::string file = "of-" + std::to_string(made->id());
  if (!session_->snapshot("saved", file)) return false;
  auto restored = session_->restore(file, "restored");
  if (!restored) return false;
  CHECK(restored->get<std::string>("key")->value == std::string(20'000, 's'));
  const auto datablock = session_->elevate("saved");
  if (!datablock) return false;
  auto loaded = session_->load("saved", "loaded");
  if (!loaded) return false;
  CHECK(loaded->get<std::string>("key")->value == std::string(20'000, 's'));
  return session_->delete_snapshot(file) &&
         session_->delete_datablock("saved@" + std::to_string(*datablock));
}

// As a DataBlock, and once, also by a director that goes on with what another one began.
bool Churn::elevate_at_the_end() {
  auto flow = session_->enter_scope("ending");
  if (!flow) return false;
  BlockOptions kept = options("ending", 1U << 20U, "private");
  kept.permit = {"elevate"};
  kept.at_end = "elevate";
  auto made = flow->create(kept);
  if (!made) return false;
  REQUIRE(made->put("key", made->id()));  // no other has had this
  if (!flow->leave()) return false;
  CHECK(times_kept("ending", made->id()) == 1);
  return true;
}

long Churn::times_kept(const std::string& name, std::uint32_t block) const {
  auto store = datablock::Store::open_read(
      (scene_.around().runtime() / "state" / "datablocks.sqlite").native());
  if (!store) return 0;
  const auto listed = store->list();
  REQUIRE(listed);
  return std::count_if(listed->begin(), listed->end(), [&](const auto& one) {
    return one.about.name == name && raw(one.about.id) == block;
  });
}

void Churn::check_what_is_kept() {
  auto store = datablock::Store::open_read(
      (scene_.around().runtime() / "state" / "datablocks.sqlite").native());
  if (store) {
    const auto listed = store->list();
    REQUIRE(listed);
    std::set<std::uint32_t> ended;
    for (const auto& one : *listed) {
      CHECK(one.entries == 1);  // all of it or nothing
      if (one.about.name == "ending") CHECK(ended.insert(raw(one.about.id)).second);
    }
  }
  std::error_code ignored;
  const auto folder = scene_.around().runtime() / "state" / "snapshots";
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    INFO(entry.path().native());
    CHECK(entry.path().extension() == ".sbsnap");
    const auto file = snapshot::Reader::open(entry.path().native());
    REQUIRE(file);
    CHECK(file->damage().empty());
    fs::remove(entry.path());
  }
}

bool Churn::let_a_lifespan_pass() {
  BlockOptions brief = options("brief", 1U << 20U);
  brief.lifespan = 1ms;
  auto made = session_->create(brief);
  if (!made) return made.error() == Errc::exists || made.error() == Errc::no_such_block;
  while (scene_.is_directed() && made->put("key", 1)) std::this_thread::sleep_for(1ms);
  return true;
}

// Half handed over by a director that died on the way, it is handed over by the next one.
bool Churn::hand_a_block_over() {
  auto flow = session_->enter_scope("testator");
  if (!flow) return false;
  BlockOptions heirloom = options("heirloom", 1U << 20U, "private");
  heirloom.at_end = "heir";
  heirloom.heir = session_->scope();
  auto made = flow->create(heirloom);
  if (!made) return false;
  REQUIRE(made->put("key", 1));
  if (!flow->leave()) return false;
  REQUIRE(made->put("key", 2));
  const auto opened = session_->open("heirloom");
  if (!opened) return opened.error() == Errc::unreachable;
  CHECK(opened->id() == made->id());
  CHECK(opened->get<std::int64_t>("key")->value == 2);
  return true;
}

bool Churn::spoil_a_block() {
  auto made = session_->create(options("spoiled", 1U << 20U));
  if (!made) return false;
  static_cast<void>(made->put("key", 1));
  const auto mapping = map_writable(scene_.around().prefix(), made->id());
  if (!mapping) return false;
  std::memset(mapping->data(), 0xA5, 64);
  while (scene_.is_directed()) {
    const auto put = made->put("key", 2);
    if (!put && put.error() == Errc::quarantined) break;
    std::this_thread::sleep_for(1ms);
  }
  return true;
}

// Half done by a director that died on the way, it is done by the next one.
bool Churn::seal_and_wipe_a_block() {
  BlockOptions secret = options("wiped", 1U << 20U);
  secret.permit = {"persist"};
  auto made = session_->create(secret);
  if (!made) return made.error() == Errc::exists;
  wiped_ = made->id();
  REQUIRE(made->put("key", std::string(20'000, 's')));
  const std::string file = "of-wiped-" + std::to_string(wiped_);
  if (!session_->snapshot("wiped", file)) return false;
  if (!session_->seal("wiped")) return false;
  CHECK(made->put("key", 2).error() == Errc::sealed);
  CHECK(made->contains("key").value());
  if (!session_->wipe("wiped")) return false;
  CHECK(made->contains("key").error() == Errc::wiped);
  CHECK(is_zero(scene_.around().prefix(), wiped_));
  check_unreadable(file);
  return true;
}

// Its key is gone; the file itself may be, too.
void Churn::check_unreadable(const std::string& file) {
  const auto restored = session_->restore(file, "revived");
  REQUIRE(!restored);
  INFO(restored.error().message());
  CHECK((restored.error() == Errc::wiped || restored.error() == Errc::not_found ||
         restored.error() == Errc::unreachable));
}

// A block that is rolled back or not, and nothing in between; then a clone of it that is joined to
// it again, and its seal by swap, under a handle that was there before.
bool Churn::roll_back_and_fork() {
  BlockOptions undone = options("undone", 1U << 20U);
  undone.permit = {"fork"};
  undone.enforce = "swap";
  auto made = session_->create(undone);
  if (!made) return made.error() == Errc::exists;
  // Nothing: the next generation counts, and who would open it is dead.
  const auto number = [&]() -> std::optional<std::int64_t> {
    const auto entry = made->get<std::int64_t>("n");
    INFO((entry ? std::string() : entry.error().message()));
    REQUIRE((entry || entry.error() == Errc::unreachable));
    return entry ? std::optional(entry->value) : std::nullopt;
  };
  REQUIRE(made->put("n", 1));
  REQUIRE(made->put("long", std::string(40'000, 'l')));
  if (!made->take_checkpoint("one")) return false;
  REQUIRE(made->put("n", 2));
  const bool is_back = made->roll_back("one").has_value();
  const auto found = number();
  CHECK((!found || found == 1 || (found == 2 && !is_back)));
  if (!is_back || !found) return false;
  REQUIRE(made->put("n", 3));
  auto clone = session_->fork(*made, "clone");
  if (!clone) return false;
  REQUIRE(clone->increment("n", 10).value() == 13);
  REQUIRE(made->increment("n").value() == 4);
  is_joining_ = true;
  const auto trial = session_->join(*clone, {.policies = {}, .trial = true});
  if (!trial) return false;
  CHECK(trial->conflicts == 1);
  if (!session_->join(*clone, {.policies = {{"*", "add"}}, .trial = false})) return false;
  is_joining_ = false;
  if (const auto joined = number()) CHECK(*joined == 14);
  if (!session_->seal("undone")) return false;
  const auto sealed = number();
  if (!sealed) return false;
  CHECK(*sealed == 14);
  CHECK(made->put("n", 4).error() == Errc::sealed);
  CHECK(made->get<std::string>("long")->value.size() == 40'000);
  return true;
}

// Its director died at it: the origin has what the fork had, or the fork has it still. A director
// that dies while we look leaves it to the next.
void Churn::check_join() {
  const auto origin = session_->open("undone");
  auto clone = session_->open("clone");
  const auto entry = origin ? origin->get<std::int64_t>("n") : tl::unexpected(origin.error());
  if (!scene_.is_directed()) return;
  is_joining_ = false;
  REQUIRE(entry);
  if (entry->value == 14) {
    CHECK(clone.error() == Errc::no_such_block);
    return;
  }
  CHECK(entry->value == 4);
  REQUIRE(clone);
  CHECK(clone->get<std::int64_t>("n")->value == 13);
  CHECK(clone->put("n", 13));
}

bool Churn::ask_as_operator(const std::string& op, std::uint32_t block, const std::string& scope) {
  std::ifstream file(scene_.around().runtime() / "operator.key", std::ios::binary);
  const std::vector<std::uint8_t> key{std::istreambuf_iterator<char>(file), {}};
  DirectorClient client(scene_.attach_options().socket, 5s);
  client.introduce_with({{"op", "operator"}, {"key", Message::binary(key)}});
  const auto asked = client.request({{"op", op}, {"block", block}, {"scope", scope}});
  if (asked) return true;
  INFO(asked.error().message());
  CHECK((asked.error() == Errc::unreachable || asked.error() == Errc::invalid_argument));
  return asked.error() != Errc::unreachable;
}

// A flow scope loses what it has through its worker; a hard seal; and its rights are given back.
// Whatever of it a director left half done, what was written is there.
bool Churn::revoke_and_grant() {
  BlockOptions taken = options("taken", 1U << 20U);
  auto made = session_->create(taken);
  if (!made) return made.error() == Errc::exists;
  REQUIRE(made->put("n", 1));
  const std::string own = session_->scope();
  RevokeOptions read_only;
  read_only.from = own;
  read_only.left = "r";
  if (!session_->revoke("taken", read_only)) return false;
  const auto refused = made->put("n", 2);
  CHECK((refused.error() == Errc::read_only || refused.error() == Errc::unreachable));
  const auto entry = made->get<std::int64_t>("n");
  if (!entry) return entry.error() == Errc::unreachable;
  CHECK(entry->value == 1);
  if (!ask_as_operator("grant", made->id(), own)) return false;
  auto again = session_->open("taken", AccessMode::read_write);
  if (!again) return again.error() == Errc::unreachable;
  REQUIRE(again->put("n", 3));
  if (!session_->seal("taken", "swap")) return false;
  const auto sealed = again->get<std::int64_t>("n");
  if (!sealed) return sealed.error() == Errc::unreachable;
  CHECK(sealed->value == 3);
  CHECK(again->put("n", 4).error() == Errc::sealed);
  return true;
}

bool Churn::attach_and_detach() {
  auto second = Session::attach(scene_.attach_options());
  if (!second) return false;
  auto kept = second->open("kept");
  if (kept) static_cast<void>(kept->get<std::int64_t>("count"));
  return true;
}

// It dies at a point of its own, or where it happens to be.
bool Churn::lose_the_victim() {
  Board& board = scene_.board();
  // The suite's own has rests between its restarts, ours has not.
  if (round_ % 4 != 0) scene_.start_victim();
  Life* const victim = scene_.await_victim();
  if (victim == nullptr) return true;
  board.victim_dies_at.store(board.find(kVictimPoints[round_ % kVictimPoints.size()]));
  for (int times = 0; times < 100 && scene_.lives(*victim); ++times)
    std::this_thread::sleep_for(1ms);
  board.victim_dies_at.store(0);
  if (scene_.lives(*victim)) ::kill(victim->pid.load(), SIGKILL);
  std::this_thread::sleep_for(5ms);  // it is recovered, and started again
  return true;
}

// The one that a dead director was wiping: its successor has.
void Churn::check_wiped() {
  const auto left = session_->open("wiped");
  if (left || left.error() != Errc::wiped) return;
  CHECK(is_zero(scene_.around().prefix(), wiped_));
  check_unreadable("of-wiped-" + std::to_string(wiped_));
}

bool Churn::destroy_what_is_left() {
  block_.reset();
  check_wiped();
  if (scene_.is_directed()) check_what_is_kept();
  if (scene_.is_directed() && is_joining_) check_join();
  for (const char* name : {"churn", "brief", "spoiled", "wiped", "saved", "restored", "loaded",
                           "heirloom", "undone", "clone", "taken"}) {
    const auto destroyed = session_->destroy(name);
    if (!destroyed && destroyed.error() != Errc::no_such_block) return false;
  }
  return true;
}

}  // namespace sessionblocks::deaths
