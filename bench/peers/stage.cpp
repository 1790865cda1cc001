#include "stage.hpp"

#include <poll.h>
#include <stdlib.h>
#include <time.h>

#include <charconv>

#include "failure.hpp"
#include "values.hpp"
#include "window.hpp"

namespace sessionblocks::bench {
namespace {

std::filesystem::path fresh_folder(const std::filesystem::path& where) {
  std::string pattern = (where / "sessionbench-XXXXXX").native();
  if (::mkdtemp(pattern.data()) == nullptr) give_up_errno("make a folder in " + where.native());
  return pattern;
}

void discard(const std::filesystem::path& folder) noexcept {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
}

struct Folder {
  explicit Folder(const std::filesystem::path& where) : path(fresh_folder(where)) {}
  ~Folder() { discard(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path path;
};

// Until the channel closes.
void be_host(const Peer& peer, const Dataset& data, Channel& channel) {
  const Folder disk(std::filesystem::temp_directory_path());
  const Folder memory("/dev/shm");
  channel.send("=" + disk.path.native());
  channel.send("=" + memory.path.native());
  Plan plan;
  plan.disk_folder = disk.path;
  plan.memory_folder = memory.path;
  plan.entries = data.entries;
  plan.key_bytes = data.key_bytes;
  plan.value_bytes = data.value_bytes;
  plan.expires = data.expires;
  plan.blocks = data.blocks;
  const auto host = peer.open(plan);
  channel.send("=" + host->address());
  for (std::string wish = channel.receive(); !wish.empty(); wish = channel.receive()) {
    if (wish == "loaded") host->loaded();
    channel.send("=" + std::to_string(host->memory_bytes()));
  }
}

}  // namespace

LeftBehind::~LeftBehind() {
  for (const auto& folder : folders_) discard(folder);
}

Stage::Stage(const Peer& peer, const Dataset& data) : peer_(peer), data_(data) {
  host_.emplace(Child::End::by_channel, [&](Channel& channel) { be_host(peer, data, channel); });
  for (int folder = 0; folder < 2; ++folder) folders_.add(host_->expect().substr(1));
  address_ = host_->expect().substr(1);
}

template <typename Body>
void Stage::with_client(const Body& body) {
  Child child(Child::End::killed, [&](Channel& channel) {
    const auto client = peer_.connect(address_);
    body(*client, channel);
  });
  child.finish();
}

void Stage::load_all() {
  with_client([&](Client& client, Channel&) { load(client, data_); });
  host_->send("loaded");
  static_cast<void>(host_->expect());
  wait_until_idle();
}

// A director may still drain what was logged. Idle: under a tenth of a core, twice in a row.
void Stage::wait_until_idle() const {
  constexpr int kLookMs = 20;
  constexpr int kMostLooks = 500;
  clockid_t clock{};
  if (::clock_getcpuclockid(host_->pid(), &clock) != 0) return;
  timespec before{};
  int idle = 0;
  for (int look = 0; look < kMostLooks && idle < 2; ++look) {
    timespec now{};
    ::clock_gettime(clock, &now);
    const auto spent_ns =
        (now.tv_sec - before.tv_sec) * 1'000'000'000 + now.tv_nsec - before.tv_nsec;
    idle = spent_ns < kLookMs * 1'000'000 / 10 ? idle + 1 : 0;
    before = now;
    throw_if_interrupted();
    ::poll(nullptr, 0, kLookMs);
  }
}

void Stage::overwrite_all(std::uint64_t seed) {
  with_client([&](Client& client, Channel&) {
    Case one;
    one.data = data_;
    one.spread = Spread::uniform;
    one.mix = {0, 1'000};
    Window window(one, 0, make_schedule(one, 0, seed));
    for (std::uint64_t done = 0; done < data_.entries; done += window.steps_filled()) {
      const auto operations = window.fill(Window::kMostSteps, Spoil::ends);
      client.prepare(operations);
      client.load(operations);
      window.check();
    }
  });
}

std::uint64_t Stage::memory_bytes() {
  host_->send("memory");
  const std::string text = host_->expect().substr(1);
  std::uint64_t bytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), bytes);
  return bytes;
}

void Stage::check_counters(std::uint64_t increments) {
  counted_ += increments + data_.entries;  // this check is one increment of each
  with_client([&](Client& client, Channel&) {
    std::uint64_t sum = 0;
    std::vector<char> text(data_.key_bytes);
    for (std::uint64_t key = 0; key < data_.entries; ++key) {
      Operation operation;
      operation.kind = OpKind::increment;
      write_key(text, key);
      operation.key = {text.data(), text.size()};
      client.prepare({&operation, 1});
      client.run({&operation, 1});
      if (operation.outcome != Outcome::done) give_up("a counter could not be read");
      sum += static_cast<std::uint64_t>(operation.sum);
    }
    if (sum != counted_) {
      give_up("the counters add up to " + std::to_string(sum) + ", not to the " +
              std::to_string(counted_) + " increments that were answered");
    }
  });
}

}  // namespace sessionblocks::bench
