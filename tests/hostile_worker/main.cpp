// A worker that reads or writes two blocks without end while somebody changes their bytes, and
// says what its operations answered:
//
//   hostile-worker SOCKET TOKEN reader|writer BLOCK...
//
// A byte at stdin: 's' a line of JSON with what each block answered since the last one, at least
// one round of operations after the byte; 'q' the end. Exits 3 when a block that answered
// `corrupt` ever answers anything else through the same handle.
#include <poll.h>
#include <unistd.h>

#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <sessionblocks/sessionblocks.hpp>
#include <string>
#include <vector>

namespace {

using namespace sessionblocks;

constexpr unsigned kWatchdogSeconds = 240;
constexpr int kKeys = 40;

struct Watched {
  std::string name;
  std::optional<Block> block;
  std::map<Errc, std::uint64_t> answers;
  bool is_latched = false;
};

template <typename T>
void count(Watched& watched, const Result<T>& result) {
  const Errc code = result ? Errc{} : result.error().code();
  ++watched.answers[code];
  if (watched.is_latched && code != Errc::corrupt) ::_exit(3);
  watched.is_latched = watched.is_latched || code == Errc::corrupt;
}

void read_from(Watched& watched, int round) {
  using namespace std::chrono_literals;
  const Block& block = *watched.block;
  std::array<std::byte, 256> buffer{};
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "key" + std::to_string(i);
    count(watched, block.get_into(key, buffer));
    count(watched, block.get<Value>(key));
  }
  count(watched, block.visit("key1", [](std::span<const std::byte> bytes) {
    volatile std::byte last{};
    for (const std::byte byte : bytes) last = byte;
    (void)last;
  }));
  if (round % 16 == 0) count(watched, block.size());
  count(watched, block.wait("key2", Version{}, 0ms));
}

void write_to(Watched& watched, int round) {
  Block& block = *watched.block;
  for (int i = 0; i < kKeys; ++i) {
    const std::string key = "key" + std::to_string(i);
    const auto size = static_cast<std::size_t>((i * 37 + round) % 900);
    if (i % 8 == 7) {
      count(watched, block.increment("count" + std::to_string(i)));
    } else if (i % 8 == 6) {
      count(watched, block.erase(key));
    } else {
      count(watched, block.put(key, std::string(i == 5 ? 20'000 : size, 'v')));
    }
  }
  for (int i = 0; i < 20; ++i) {  // the index grows
    count(watched, block.put("more" + std::to_string((round * 20 + i) % 3'000), round));
  }
}

void say(std::vector<Watched>& blocks) {
  nlohmann::json line = nlohmann::json::object();
  for (Watched& watched : blocks) {
    auto& row = line[watched.name] = nlohmann::json::object();
    for (const auto& [code, times] : watched.answers) {
      row[std::to_string(static_cast<unsigned>(code))] = times;
    }
    watched.answers.clear();
  }
  const std::string text = line.dump() + "\n";
  if (::write(1, text.data(), text.size()) < 0) ::_exit(4);
}

// What the test has to say; 0: nothing now.
char told() {
  pollfd waiting{0, POLLIN, 0};
  if (::poll(&waiting, 1, 0) <= 0) return 0;
  char word = 'q';
  return ::read(0, &word, 1) == 1 ? word : 'q';
}

}  // namespace

int main(int argument_count, char** arguments) {
  ::alarm(kWatchdogSeconds);
  if (argument_count < 5) return 2;
  AttachOptions options;
  options.socket = arguments[1];
  options.token = arguments[2];
  const bool writes = std::string(arguments[3]) == "writer";
  auto session = Session::attach(options);
  if (!session) return 5;
  std::vector<Watched> blocks(static_cast<std::size_t>(argument_count) - 4);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks[i].name = arguments[i + 4];
    auto block = session->open(blocks[i].name, writes ? AccessMode::read_write : AccessMode::read);
    if (!block) return 6;
    blocks[i].block.emplace(std::move(*block));
  }
  char asked = 0;
  for (int round = 0;; ++round) {
    for (Watched& watched : blocks) {
      if (writes) {
        write_to(watched, round);
      } else {
        read_from(watched, round);
      }
    }
    if (asked == 's') say(blocks);
    asked = told();
    if (asked == 's') {
      for (Watched& watched : blocks) watched.answers.clear();
    }
    if (asked == 'q') return 0;
  }
}
