// A client that attaches, opens a block and works on it, while everything that its director tells
// it and maps for it is arbitrary: replies, control, worker, block and readers segment.
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <sessionblocks/sessionblocks.hpp>
#include <thread>

#include "layout/control.hpp"
#include "layout/layout_hash.hpp"
#include "platform/socket.hpp"
#include "scene.hpp"
#include "segment/format.hpp"
#include "session/message.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::fuzz;

void must(bool well) {
  if (!well) std::abort();
}

// A segment that can be passed on, and our own mapping of it.
class Shared {
 public:
  explicit Shared(std::size_t bytes) : bytes_(bytes), fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    must(::ftruncate(fd_, static_cast<off_t>(bytes)) == 0);
    data_ =
        static_cast<std::byte*>(::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0));
    must(data_ != MAP_FAILED);
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::size_t size() const { return bytes_; }
  [[nodiscard]] std::byte* data() const { return data_; }
  void put(std::span<const std::byte> bytes) const {
    std::memcpy(data_, bytes.data(), bytes.size());
  }

 private:
  std::size_t bytes_;
  int fd_;
  std::byte* data_;
};

constexpr std::uint32_t kRow = 5;

class FakeDirector {
 public:
  FakeDirector() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fuzz-attach-XXXXXX").string();
    must(::mkdtemp(pattern.data()) != nullptr);
    folder_ = pattern;
    socket_ = (folder_ / "socket").native();
    auto listener = platform::Listener::listen(socket_, 0600);
    must(listener.has_value());
    thread_ = std::thread([this, at = std::move(*listener)]() mutable { serve(at); });
  }
  ~FakeDirector() {
    ends_ = true;
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  FakeDirector(const FakeDirector&) = delete;
  FakeDirector& operator=(const FakeDirector&) = delete;
  [[nodiscard]] const std::string& socket() const { return socket_; }

  // Everything as a director makes it.
  void begin() {
    const std::lock_guard lock(mutex_);
    std::memset(control_.data(), 0, sizeof(layout::ControlHeader));
    auto& control = *reinterpret_cast<layout::ControlSegment*>(control_.data());
    control.header.identity = layout::identity(layout::Magic::control, control_.size());
    control.header.hash_seed = kSeed;
    auto& row = control.blocks[kRow];
    row.life.store(layout::LifeWord::make(BlockId{7}, Generation{1}, BlockState::active).word);
    row.reserved_bytes.store(kBlockBytes);
    row.segment_bytes.store(kBlockBytes);
    row.policy.store(static_cast<std::uint64_t>(FullRing::fail) << 8U);
    std::memset(worker_.data(), 0, layout::lane_at(2, kRingRecords));
    (void)segment::format_worker({worker_.data(), worker_.size()}, WorkerId{3}, kRingRecords);
    wrong_ = {};
  }
  void take_image(Scene& scene) {
    block_.put({scene.memory().base(), kBlockBytes});
    readers_.put(
        {reinterpret_cast<const std::byte*>(&scene.readers()), sizeof(layout::ReadersSegment)});
  }
  // One word of control, of the worker's segment, of the two headers, or of a reply.
  void change(Input& input) {
    const std::lock_guard lock(mutex_);
    const auto what = input.byte();
    const std::uint64_t index = input.byte();
    const auto word = input.take<std::uint64_t>();
    auto& control = *reinterpret_cast<layout::ControlSegment*>(control_.data());
    std::byte* at = nullptr;
    switch (what % 7) {
      case 0:
        at = control_.data() + index % 30 * 8;
        break;
      case 1:
        at = reinterpret_cast<std::byte*>(&control.blocks[kRow]) + index % 8 * 8;
        break;
      case 2:
        at = worker_.data() + index % 16 * 8;
        break;
      case 3:
        at = worker_.data() + layout::lane_at(0, kRingRecords) + index % 48 * 8;
        break;
      case 4:
        at = block_.data() + index % 32 * 8;
        break;
      case 5:
        at = readers_.data() + index % 64 * 8;
        break;
      default:
        wrong_.field = static_cast<unsigned>(1 + index % kFields.size());
        wrong_.number = word;
        wrong_.kind = static_cast<unsigned>(index / kFields.size());
        return;
    }
    std::memcpy(at, &word, sizeof word);
  }

 private:
  static constexpr std::array kFields = {
      "system", "scope", "slot",       "worker", "control_bytes", "bytes", "ring_records",
      "row",    "block", "generation", "rights", "open",          "error", "id"};
  struct Wrong {
    unsigned field = 0;  // 0: none
    std::uint64_t number = 0;
    unsigned kind = 0;
  };

  Message reply_to(const std::string& op, int& fd) {
    if (op == "attach") {
      fd = control_.fd();
      return {{"system", "fuzz"},
              {"scope", "fuzz/one"},
              {"slot", 0},
              {"worker", 3},
              {"control_bytes", control_.size()}};
    }
    if (op == "worker_segment") {
      fd = worker_.fd();
      return {{"bytes", worker_.size()}, {"ring_records", kRingRecords}};
    }
    if (op == "open") {
      fd = block_.fd();
      return {{"row", kRow},
              {"block", 7},
              {"generation", 1},
              {"name", "cart"},
              {"bytes", block_.size()},
              {"rights", 2},
              {"open", 3}};
    }
    if (op == "readers") {
      fd = readers_.fd();
      return {{"bytes", readers_.size()}};
    }
    return Message::object();
  }

  void spoil(Message& reply) const {
    if (wrong_.field == 0) return;
    const char* field = kFields[wrong_.field - 1];
    const bool is_there = reply.contains(field) || wrong_.field > 12;
    if (!is_there) return;
    if (wrong_.kind % 4 == 0) reply[field] = wrong_.number;
    if (wrong_.kind % 4 == 1) reply[field] = "text";
    if (wrong_.kind % 4 == 2) reply[field] = -1;
    if (wrong_.kind % 4 == 3) reply.erase(field);
  }

  void answer(platform::Connection& client, std::span<const std::byte> bytes) {
    const std::lock_guard lock(mutex_);
    const auto request =
        decode_message({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
    must(request.has_value());
    int fd = -1;
    Message reply = reply_to(request->at("op").get<std::string>(), fd);
    reply["id"] = request->at("id");
    spoil(reply);
    const auto encoded = encode_message(reply);
    must(encoded.has_value());
    (void)client.send(std::as_bytes(std::span(*encoded)), fd);
  }

  void serve(platform::Listener& listener) {
    std::array<std::byte, kMaxMessageBytes> buffer{};
    std::optional<platform::Connection> client;
    while (!ends_) {
      std::array<pollfd, 2> waiting = {pollfd{listener.fd(), POLLIN, 0},
                                       pollfd{client ? client->fd() : -1, POLLIN, 0}};
      ::poll(waiting.data(), waiting.size(), 20);
      if (client && waiting[1].revents != 0) {
        const auto received = client->receive(buffer);
        if (!received || received->outcome == platform::ReceiveOutcome::peer_closed) {
          client.reset();
        } else if (received->outcome == platform::ReceiveOutcome::received) {
          answer(*client, std::span(buffer).first(received->bytes));
        }
        continue;  // who left comes before who comes
      }
      if (waiting[0].revents == 0) continue;
      auto accepted = listener.accept();
      if (accepted && accepted->has_value()) client = std::move(**accepted);
    }
  }

  std::filesystem::path folder_;
  std::string socket_;
  Shared control_{sizeof(layout::ControlSegment)};
  Shared worker_{(layout::worker_bytes(kRingRecords) + 4'095) / 4'096 * 4'096};
  Shared block_{kBlockBytes};
  Shared readers_{(sizeof(layout::ReadersSegment) + 4'095) / 4'096 * 4'096};
  std::mutex mutex_;
  Wrong wrong_;
  std::thread thread_;
  std::atomic<bool> ends_{false};
};

void work_on(Block& block) {
  using namespace std::chrono_literals;
  std::array<std::byte, 64> buffer{};
  for (std::uint8_t i = 0; i < 12; ++i) {
    const std::string key = Scene::key_text(static_cast<std::uint8_t>(i * 5));
    (void)block.get<Value>(key);
    (void)block.get_into(key, buffer);
  }
  (void)block.visit("key9", [](std::span<const std::byte> value) {
    std::size_t sum = 0;
    for (const std::byte byte : value) sum += std::to_integer<std::size_t>(byte);
    volatile std::size_t kept = sum;
    (void)kept;
  });
  (void)block.for_each("key", [](const EntryView&) { return true; });
  (void)block.wait("key9", Version{1}, 0ms);
  if (!block.is_writable()) return;
  (void)block.put("key9", "text");
  (void)block.append("key10", "more");
  (void)block.increment("key29");
  (void)block.get_and_erase<Value>("key11");
  (void)block.erase("key12");
  (void)block.put("new", std::string(20'000, 'r'));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static FakeDirector director;
  static Scene scene;
  Input input(data, size);
  const auto begin = input.byte();
  scene.restore(static_cast<Image>(begin % kImages));
  director.begin();
  for (int steps = 0; steps < 16 && !input.at_end(); ++steps) {
    if (input.byte() % 4 == 0) {
      scene.change(input);
    } else {
      if (steps == 0) director.take_image(scene);
      director.change(input);
    }
  }
  if (size < 2 || begin % 2 == 0) director.take_image(scene);
  AttachOptions options;
  options.socket = director.socket();
  options.scope = "fuzz/one";
  options.time_limit = std::chrono::milliseconds(200);
  auto session = Session::attach(options);
  if (!session) return 0;
  auto block = session->open("cart");
  if (block) work_on(*block);
  return 0;
}
