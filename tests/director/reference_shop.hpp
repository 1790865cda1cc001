// A small shop whose director may die, for tests of references with no event loop around them.
#pragma once

#include <sodium.h>

#include "director/adoption.hpp"
#include "director/reference.hpp"
#include "platform/clock.hpp"
#include "raw_client.hpp"

namespace sessionblocks::director::test {

using Granted = sessionblocks::Rights;

inline constexpr std::uint64_t kMinute = 60'000;

// Keeps what a log and its reader would be told.
struct Heard final : AuditSink, EventSink {
  void worker_added(const WorkerMemory& /*worker*/, std::string_view /*scope*/) override {}
  void block_opened(WorkerId /*worker*/, unsigned /*open*/, BlockId block, Generation /*of*/,
                    std::string_view /*name*/) override {
    opened.push_back(block);
  }
  void drain_fully(WorkerId /*worker*/) override {}
  void worker_removed(WorkerId /*worker*/) override {}
  bool take_used(WorkerId /*worker*/, unsigned /*open*/) override { return has_records; }
  void note(std::string_view transition) override { notes.emplace_back(transition); }
  void on_event(const Event& event) override {
    events.push_back(std::string(word(event.kind)) + " " + event.subject + ": " + event.detail);
  }
  [[nodiscard]] bool mention(std::string_view what) const {
    const auto has = [what](const std::string& line) { return line.find(what) != line.npos; };
    return std::any_of(notes.begin(), notes.end(), has) ||
           std::any_of(events.begin(), events.end(), has);
  }

  bool has_records = false;  // of use
  std::vector<BlockId> opened;
  std::vector<std::string> notes;
  std::vector<std::string> events;
};

inline std::uint64_t now_ms() {
  return platform::boottime_ns() / 1'000'000;
}

// A director that may die: its names stay, and the next one over the same surroundings adopts them.
// checkout may write the cart, mail may read it, report and its child may not open it.
class Shop {
 public:
  explicit Shop(const Surroundings& around, RegistryOptions options = {}) : key(OperatorKey(), {}) {
    REQUIRE(::sodium_init() >= 0);
    options.paths = RuntimePaths::of(around.system(), around.runtime()).value();
    options.events = heard;
    options.make_audit = [this](const SystemInstance&) -> Result<std::shared_ptr<AuditSink>> {
      return std::shared_ptr<AuditSink>(heard);
    };
    const Suite suite = declared();
    auto adopted = adopt_or_create(std::move(options), &suite);
    REQUIRE(adopted);
    registry = std::move(adopted->registry);
    const auto other = around.director();
    registry->control.take_over(other, platform::pid_namespace().value());
    if (!adopted->goes_on) fill();
    REQUIRE(registry->attach_director(other));
    key = ReferenceKey(OperatorKey(), registry->instance);
  }

  [[nodiscard]] ScopeId scope(std::string_view path) const {
    const Scope* found = registry->scopes.find(path);
    REQUIRE(found != nullptr);
    return found->id;
  }
  [[nodiscard]] Worker& worker(std::string_view path) {
    const auto self = platform::ProcessIdentity::self().value();
    return *registry->attach(scope(path), self, {}).value();
  }
  [[nodiscard]] StoredBlock& block(std::string_view name) {
    return *registry->blocks.named(name).front();
  }
  [[nodiscard]] unsigned open(Worker& worker, std::string_view name = "cart") {
    return registry->open(worker, worker.scope, name, OpenMode::best).value().open;
  }
  [[nodiscard]] Result<std::string> share(Worker& worker, Registry::Sharing sharing,
                                          std::string_view name = "cart") {
    if (sharing.lifetime_ms == 0) sharing.lifetime_ms = kMinute;
    return registry->share(worker, open(worker, name), sharing, key);
  }
  // One that checkout has handed out, for everybody unless it is changed.
  [[nodiscard]] Reference reference() {
    return {.block = block("cart").id,
            .generation = block("cart").generation,
            .issuer = scope("shop/checkout"),
            .rights = Granted::read,
            .ends_at_ms = now_ms() + kMinute,
            .nonce = ++nonce};
  }
  [[nodiscard]] Result<Opening> redeem(Worker& worker, const Reference& reference) {
    return registry->redeem(worker, key.text_of(reference), key);
  }

  std::shared_ptr<Heard> heard = std::make_shared<Heard>();
  ReferenceKey key;
  std::unique_ptr<Registry> registry;
  std::uint64_t nonce = 7'000;

 private:
  static Suite declared() {
    Suite suite;
    suite.name = "shop";
    suite.blocks.resize(3);
    suite.blocks[0].name = "cart";
    suite.blocks[0].kind = BlockKind::shared;
    suite.blocks[0].grants = {{"checkout", Rights::read_write}, {"mail", Rights::read}};
    suite.blocks[1].name = "kept";
    suite.blocks[2].name = "result";
    suite.blocks[2].at_end = AtEnd::heir;
    suite.blocks[2].heir.emplace();
    return suite;
  }
  void fill() {
    using Kind = sessionblocks::ScopeKind;
    ScopeTree& scopes = registry->scopes;
    const ScopeId root = scopes.add_suite("shop").value();
    for (const char* script : {"checkout", "mail", "report"}) {
      REQUIRE(scopes.add(Kind::script, root, script));
    }
    REQUIRE(scopes.add(Kind::worker, scope("shop/report"), "report", 1));
    REQUIRE(scopes.add(Kind::script, scope("shop/report"), "child"));
    BlockRequest request;
    request.policy.name = "cart";
    request.policy.kind = sessionblocks::BlockKind::shared;
    request.policy.owner = root;
    request.policy.grants = {{"checkout", Granted::read_write}, {"mail", Granted::read}};
    request.quota_bytes = std::uint64_t{4} << 20U;
    request.permits = 15;
    REQUIRE(registry->create_block(request));
    request.policy.name = "kept";
    request.permits = 14;  // all but share
    REQUIRE(registry->create_block(request));
  }
};

inline Errc code(const auto& result) {
  return result ? Errc{} : result.error().code();
}

}  // namespace sessionblocks::director::test
