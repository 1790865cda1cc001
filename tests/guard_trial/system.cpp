#include "system.hpp"

#include <unistd.h>

#include <cstring>
#include <mutex>

#include "../support/stepped_guard.hpp"
#include "flowlog/director_sinks.hpp"

namespace sessionblocks::guard_trial {

// Damage that an examination finds is the director's to quarantine; no rule is needed for it.
class Quarantines final : public director::EventSink {
 public:
  void on_event(const director::Event& event) override {
    if (event.kind != director::EventKind::quarantined) return;
    if (event.detail.find("FlowGuard") != std::string::npos) return;  // a rule's, and found by it
    const std::lock_guard lock(mutex_);
    events_.push_back(event);
  }
  [[nodiscard]] std::vector<director::Event> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<director::Event> events_;
};

namespace {

namespace fs = std::filesystem;

fs::path fresh_folder() {
  std::string pattern = (fs::temp_directory_path() / "sessionblocks-trial-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  return pattern;
}

director::MakeAuditSink log_into(const std::string& folder) {
  return [folder](const director::SystemInstance& instance)
             -> Result<std::shared_ptr<director::AuditSink>> {
    flowlog::FlowLogConfig config;
    config.log.folder = folder;
    config.log.system = "trial";
    config.log.budget_bytes = std::uint64_t{64} << 20U;
    config.log.rotate_bytes = std::uint64_t{8} << 20U;
    auto sink = std::make_shared<flowlog::FlowLogSink>(std::move(config), nullptr);
    flowlog::Instance known{};
    std::memcpy(known.data(), instance.data(), sizeof known);
    if (auto begun = sink->begin(known); !begun) return tl::unexpected(begun.error());
    return std::shared_ptr<director::AuditSink>(std::move(sink));
  };
}

}  // namespace

System::System() : folder_(fresh_folder()), quarantines_(std::make_shared<Quarantines>()) {
  director::EmbeddedSetup setup;
  setup.runtime_directory = folder_ / "run";
  setup.events = quarantines_;
  setup.make_audit = log_into(folder_ / "log");
  setup.guard_clock = [this] { return now_ms_.load(); };
  setup.make_guard = [this](const auto& rules, auto clock) {
    auto made = std::make_unique<SteppedGuard>(director::make_guard(rules, std::move(clock)));
    guard_ = made.get();
    return made;
  };
  embedded_ = must(director::EmbeddedDirector::start(std::move(setup)));
  step(0);
}

System::~System() {
  embedded_.reset();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

AttachOptions System::place(const std::string& script) {
  AttachOptions options;
  options.socket = director().socket();
  options.scope = "embedded/" + script;
  options.token = must(director().token_for_scope(options.scope));
  return options;
}

Session System::attach(const std::string& script) {
  return must(Session::attach(place(script)));
}

void System::create(const SharedBlock& wanted) {
  Result<BlockId> made;
  director().call([&](director::Registry& registry) {
    director::BlockRequest request;
    request.policy.name = wanted.name;
    request.policy.kind = BlockKind::shared;
    request.policy.owner = registry.scopes.root().id;
    for (const auto& [script, rights] : wanted.grants) request.policy.grants[script] = rights;
    request.quota_bytes = wanted.quota_bytes;
    request.at_limit = wanted.at_limit;
    request.permits = wanted.permits;
    made = registry.create_block(request);
  });
  static_cast<void>(must(std::move(made)));
}

void System::call(const std::function<void(director::Registry&)>& work) {
  std::exception_ptr thrown;
  director().call([&](director::Registry& registry) {
    try {
      work(registry);
    } catch (...) {
      thrown = std::current_exception();
    }
  });
  if (thrown) std::rethrow_exception(thrown);
}

std::string System::text_of(const Block& block) const {
  return "block " + block.name() + " (" + std::to_string(block.id()) + ")";
}

void System::step(std::uint64_t ms) {
  constexpr std::uint64_t kBetweenHousekeeping = 200;
  now_ms_ += ms;
  call([&](director::Registry& registry) {
    for (const auto& [id, worker] : registry.workers.all()) {
      if (worker.segment) registry.options.audit->drain_fully(id);
    }
    const std::uint64_t turns = std::min<std::uint64_t>(ms / kBetweenHousekeeping, 16);
    for (std::uint64_t turn = 0; turn < turns; ++turn) static_cast<void>(registry.housekeep());
    guard_->look();
    hear();
  });
}

void System::hear() {
  constexpr std::size_t kAtOnce = 1'000;
  const Message rows = guard_->findings(heard_, kAtOnce);
  for (const Message& row : rows) {
    heard_ = row["number"].get<std::uint64_t>();
    found_.push_back({now_ms_.load(), row["rule"], row["what"], row["evidence"], row["action"]});
  }
  for (const director::Event& event : quarantines_->take()) {
    found_.push_back({now_ms_.load(), "damage", event.subject, event.detail, "quarantine"});
  }
}

}  // namespace sessionblocks::guard_trial
