// sessionbench enforce: how long it takes until a seal, a quarantine or a wipe holds against every
// process, and until a fork is there; each time beside a bare copy of the same live bytes.
//
// Two processes write to the block, one of which is stopped in the middle of it. A director with
// its log on disk, as a suite has it; the time of a request is that of its event loop's answer.
#include <sessionblocks/sessionblocks.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "director/embedded.hpp"
#include "director/logs.hpp"
#include "director/permits.hpp"
#include "enforce_report.hpp"
#include "enforce_writers.hpp"
#include "local.hpp"
#include "platform/clock.hpp"
#include "workload.hpp"

namespace sessionblocks::bench {
namespace {

using director::Registry;
using director::StoredBlock;
using director::Transition;

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;

struct EnforceOptions {
  std::vector<std::uint64_t> sizes_mib = {1, 16, 64, 256};
  std::uint64_t value_bytes = 1'024;
  unsigned times = 7;
  std::string only;
  bool quick = false;
  std::string json;
};

template <typename T>
T must(Result<T> result) {
  if (!result) Workload::die(result.error());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

double ms_since(std::uint64_t start_ns) {
  return static_cast<double>(platform::monotonic_ns() - start_ns) / 1e6;
}

std::uint64_t available_bytes() {
  std::ifstream in("/proc/meminfo");
  for (std::string word; in >> word;) {
    std::uint64_t kib = 0;
    if (word == "MemAvailable:" && in >> kib) return kib * 1'024;
  }
  return 0;
}

// Into a segment that nobody has touched, as any copy of a block has to do at the least.
double copy_ms(const std::vector<char>& from) {
  const std::uint64_t start = platform::monotonic_ns();
  platform::UniqueFd fd(static_cast<int>(::memfd_create("copy", MFD_CLOEXEC)));
  if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(from.size())) != 0) std::abort();
  void* const to = ::mmap(nullptr, from.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (to == MAP_FAILED) std::abort();
  std::memcpy(to, from.data(), from.size());
  const double ms = ms_since(start);
  ::munmap(to, from.size());
  return ms;
}

class Scene {
 public:
  explicit Scene(std::uint64_t value_bytes) : value_(value_bytes, 'v') {
    folder_ = std::filesystem::temp_directory_path() / "sessionbench-enforce-XXXXXX";
    if (::mkdtemp(folder_.data()) == nullptr) std::abort();
    auto logs = director::make_logs({folder_ + "/log", "bench", nullptr});
    director::EmbeddedSetup setup;
    setup.runtime_directory = folder_ + "/run";
    setup.events = logs.events;
    setup.make_audit = logs.make_audit;
    director_ = must(director::EmbeddedDirector::start(std::move(setup)));
    const std::string token = must(director_->director().token_for_scope("embedded/writer"));
    writers_.emplace(std::vector<std::string>{
        "SESSIONBLOCKS_SOCKET=" + director_->director().socket(),
        "SESSIONBLOCKS_SCOPE=embedded/writer", "SESSIONBLOCKS_TOKEN=" + token});
  }
  ~Scene() {
    writers_.reset();
    director_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Scene(const Scene&) = delete;
  Scene& operator=(const Scene&) = delete;

  // A full block, and both writers at work in it.
  void begin(std::uint64_t live_bytes, Enforce enforce) {
    const std::uint64_t entries = live_bytes / (enforce_key(0).size() + value_.size());
    director::BlockRequest request;
    request.policy.name = "bench" + std::to_string(++blocks_);
    request.policy.kind = BlockKind::shared;
    request.policy.grants.emplace("*", Rights::read_write);
    request.quota_bytes = live_bytes * 2 + 16 * kMiB;
    request.enforce = enforce;
    request.permits = static_cast<std::uint32_t>(director::Permit::fork);
    in_director([&](Registry& registry) {
      request.policy.owner = registry.scopes.root().id;
      block_ = must(registry.create_filled(
          request, [&](const director::TakeEntry& put) { return fill(entries, put); }));
    });
    writers_->start(request.policy.name, entries, value_.size());
  }
  void end() {
    writers_->end();
    in_director([&](Registry& registry) { registry.destroy_block(block_, "measured"); });
  }
  double change(Transition what) {
    return timed([&](Registry& registry) {
      must(registry.states.change(*registry.blocks.find(block_), what, "bench"));
    });
  }
  double fork() {
    BlockId made{};
    director::BlockRequest request;
    request.policy.name = "fork";
    request.policy.kind = BlockKind::forked;
    request.from = "bench" + std::to_string(blocks_);
    const double ms = timed([&](Registry& registry) {
      const StoredBlock& origin = *registry.blocks.find(block_);
      request.policy.owner = registry.scopes.root().id;
      request.quota_bytes = origin.quota_bytes;
      made = must(registry.forks.fork(block_, request));
    });
    in_director([&](Registry& registry) { registry.destroy_block(made, "measured"); });
    return ms;
  }
  double checkpoint() {
    const double ms = timed([&](Registry& registry) {
      static_cast<void>(must(registry.take_checkpoint(*registry.blocks.find(block_), "instant")));
    });
    in_director([&](Registry& registry) {
      must(registry.release_checkpoint(*registry.blocks.find(block_), "instant"));
    });
    return ms;
  }
  // What a checkpoint is to the writers: the director puts it into the block beside them. It is
  // released at once: no row names it.
  double pin() {
    double ms = 0;
    in_director([&](Registry& registry) {
      const auto memory = registry.blocks.find(block_)->memory();
      segment::BlockMemory block(memory.block.data(), memory.block.size(), memory.reserved.get(),
                                 {});
      auto& header = block.header();
      auto& pin = *std::find_if(std::begin(header.pins), std::end(header.pins),
                                [](const auto& one) { return one.load() == 0; });
      const std::uint64_t start = platform::monotonic_ns();
      pin.store(layout::kPinTaking, std::memory_order_release);
      header.pin_count.fetch_add(1, std::memory_order_acq_rel);
      pin.store(header.snapshot_clock.fetch_add(1, std::memory_order_acq_rel),
                std::memory_order_release);
      ms = ms_since(start);
      pin.store(0, std::memory_order_release);
      header.pin_count.fetch_sub(1, std::memory_order_acq_rel);
    });
    return ms;
  }

 private:
  void in_director(const std::function<void(Registry&)>& work) { director_->director().call(work); }
  double timed(const std::function<void(Registry&)>& work) {
    const std::uint64_t start = platform::monotonic_ns();
    in_director(work);
    return ms_since(start);
  }
  Result<void> fill(std::uint64_t entries, const director::TakeEntry& put) {
    for (std::uint64_t i = 0; i < entries; ++i) {
      const std::string key = enforce_key(i);
      director::EntryBytes entry;
      entry.key = std::as_bytes(std::span(key));
      entry.type = layout::ValueType::text;
      entry.value = std::as_bytes(std::span(value_));
      if (auto done = put(entry); !done) return done;
    }
    return {};
  }

  const std::string value_;
  std::string folder_;
  std::unique_ptr<director::EmbeddedDirector> director_;
  std::optional<EnforceWriters> writers_;
  BlockId block_{};
  unsigned blocks_ = 0;
};

struct Request {
  const char* what;
  Enforce enforce;
  double most_copies;
  double most_ms;
  double (*run)(Scene&);
};
constexpr Request kRequests[] = {
    {"seal, swap", Enforce::swap, 2, 10, [](Scene& s) { return s.change(Transition::seal); }},
    {"quarantine, swap", Enforce::swap, 2, 10,
     [](Scene& s) { return s.change(Transition::quarantine); }},
    {"wipe, swap", Enforce::swap, 2, 10, [](Scene& s) { return s.change(Transition::wipe); }},
    {"seal, kill", Enforce::kill, 0, 5, [](Scene& s) { return s.change(Transition::seal); }},
    {"quarantine, kill", Enforce::kill, 0, 5,
     [](Scene& s) { return s.change(Transition::quarantine); }},
    {"wipe, kill", Enforce::kill, 0, 5, [](Scene& s) { return s.change(Transition::wipe); }},
    {"fork", Enforce::cooperative, 1 / 0.6, 0, [](Scene& s) { return s.fork(); }},
    {"checkpoint, the request", Enforce::cooperative, 0, 0,
     [](Scene& s) { return s.checkpoint(); }},
    {"checkpoint, the pin", Enforce::cooperative, 0, 0.001, [](Scene& s) { return s.pin(); }},
};

int run(const EnforceOptions& options) {
  Scene scene(options.value_bytes);
  std::vector<EnforceRow> rows;
  print_head();
  for (const std::uint64_t mib : options.sizes_mib) {
    const std::uint64_t live = mib * kMiB;
    // Block, next generation and copy, each with room to spare.
    if (live * 8 > available_bytes()) {
      std::fprintf(stderr, "sessionbench: %llu MiB left out: too little memory is available\n",
                   static_cast<unsigned long long>(mib));
      continue;
    }
    const std::vector<char> from(live, 'f');
    for (const Request& request : kRequests) {
      if (std::string_view(request.what).find(options.only) == std::string_view::npos) continue;
      EnforceRow row{live, request.what, {}, {}, request.most_copies, request.most_ms};
      for (unsigned i = 0; i < options.times; ++i) {
        scene.begin(live, request.enforce);
        row.copy_ms.push_back(copy_ms(from));
        row.ms.push_back(request.run(scene));
        scene.end();
      }
      print_row(row);
      rows.push_back(std::move(row));
    }
  }
  if (options.json.empty() || write_json(options.json, rows, options.value_bytes)) return 0;
  std::fprintf(stderr, "sessionbench: cannot write %s\n", options.json.c_str());
  return 1;
}

}  // namespace

int run_enforce(int argc, char** argv) {
  EnforceOptions options;
  CLI::App app("How long until a seal, a quarantine, a wipe holds, and until a fork is there.");
  app.add_option("--mib", options.sizes_mib, "live bytes, in MiB")->check(CLI::Range(1, 4'096));
  app.add_option("--value-bytes", options.value_bytes, "of each value")
      ->check(CLI::Range(1, 1'000'000));
  app.add_option("--times", options.times, "repetitions; medians are shown")
      ->check(CLI::Range(1, 1'000));
  app.add_option("--request", options.only, "only those whose name has this in it");
  app.add_flag("--quick", options.quick, "1 MiB, once: whether it runs");
  app.add_option("--json", options.json, "write all times to this file too");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (options.quick) {
    options.sizes_mib = {1};
    options.times = 1;
  }
  return run(options);
}

}  // namespace sessionblocks::bench
