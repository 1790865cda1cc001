#include "churn.hpp"

#include <signal.h>

#include <array>
#include <chrono>
#include <thread>

#include "block_check.hpp"
#include "layout/block.hpp"
#include "platform/shared_segment.hpp"

namespace sessionblocks::deaths {
namespace {

using namespace std::chrono_literals;
using platform::SharedSegment;

BlockOptions options(const std::string& name, std::uint64_t quota_bytes = 4U << 20U) {
  BlockOptions made;
  made.name = name;
  made.kind = "shared";
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

}  // namespace

bool Churn::step(bool (Churn::*what)()) {
  return scene_.is_directed() && (this->*what)() && scene_.is_directed();
}

void Churn::run(unsigned round) {
  round_ = round;
  const bool all = step(&Churn::attach) && step(&Churn::destroy_what_is_left) &&
                   step(&Churn::grow_a_block) && step(&Churn::keep_versions) &&
                   step(&Churn::read_and_close) && step(&Churn::let_a_lifespan_pass) &&
                   step(&Churn::spoil_a_block) && step(&Churn::attach_and_detach) &&
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
  auto kept = session_->create(options("kept", 1U << 20U));
  // Made, and its maker not told: then it is there.
  if (!kept && kept.error() == Errc::exists) kept = session_->open("kept");
  if (!kept) return session_.reset(), false;
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

bool Churn::let_a_lifespan_pass() {
  BlockOptions brief = options("brief", 1U << 20U);
  brief.lifespan = 1ms;
  auto made = session_->create(brief);
  if (!made) return made.error() == Errc::exists || made.error() == Errc::no_such_block;
  while (scene_.is_directed() && made->put("key", 1)) std::this_thread::sleep_for(1ms);
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
  for (int times = 0; times < 30 && scene_.lives(*victim); ++times)
    std::this_thread::sleep_for(1ms);
  board.victim_dies_at.store(0);
  if (scene_.lives(*victim)) ::kill(victim->pid.load(), SIGKILL);
  std::this_thread::sleep_for(5ms);  // it is recovered, and started again
  return true;
}

bool Churn::destroy_what_is_left() {
  block_.reset();
  for (const char* name : {"churn", "brief", "spoiled"}) {
    const auto destroyed = session_->destroy(name);
    if (!destroyed && destroyed.error() != Errc::no_such_block) return false;
  }
  return true;
}

}  // namespace sessionblocks::deaths
