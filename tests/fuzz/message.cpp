// Arbitrary messages to a director, from a stranger, a worker and an operator: decoding, and what
// each request does with its fields. Also a director's replies, as far as all of them are alike.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

#include "director/requests.hpp"
#include "input.hpp"
#include "layout/layout_hash.hpp"

namespace {

using namespace sessionblocks;
using namespace sessionblocks::director;

void must(bool well) {
  if (!well) std::abort();
}

template <typename T>
T must_have(Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().message().c_str());
  must(result.has_value());
  return std::move(*result);
}

// A session system without processes and without a data plane: what requests change is undone.
class System {
 public:
  System() : folder_(make_folder()) {
    ::atexit([] { the_one()->clear(); });
    must(paths_.make(0700).has_value());
    key_ = OperatorKey::load_or_create(paths_.operator_key()).value();
    listener_.emplace(platform::Listener::listen(paths_.socket().native(), 0600).value());
    must(platform::ProcessIdentity::of(::getpid()).has_value());
    begin();
  }
  static System*& the_one() {
    static System* system = nullptr;
    return system;
  }
  void clear() {
    registry_->remove_all();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  Reply ask(const Message& request, unsigned who) {
    Client client(platform::Connection::connect(paths_.socket().native()).value(), {});
    auto accepted = listener_->accept();
    client.credentials = {::getpid(), ::geteuid(), ::getegid()};
    client.process = platform::ProcessIdentity::of(::getpid()).value();
    client.is_operator = who % 4 >= 2;
    if (who % 2 == 1) client.worker = worker_;
    RequestContext context = make_context();
    Reply reply = answer(context, client, request);
    const bool changed = registry_->workers.all().size() != 1 || !registry_->blocks.all().empty() ||
                         registry_->scopes.all().size() != scopes_;
    if (changed) begin();
    return reply;
  }

 private:
  static std::filesystem::path make_folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "fuzz-message-XXXXXX").string();
    must(::mkdtemp(pattern.data()) != nullptr);
    return pattern;
  }
  void begin() {
    if (registry_) registry_->remove_all();
    RegistryOptions options;
    options.paths = paths_;
    options.naming = Naming::nameless;
    options.ring_records = layout::kMinRingRecords;
    options.data_plane = make_bare_data_plane();
    registry_ = must_have(Registry::create(std::move(options)));
    const auto root = must_have(registry_->scopes.add_suite("shop"));
    const auto script =
        must_have(registry_->scopes.add(sessionblocks::ScopeKind::script, root, "checkout"));
    const auto process = platform::ProcessIdentity::of(::getpid()).value();
    worker_ = must_have(registry_->attach(script, process, WorkerId{}))->id;
    scopes_ = registry_->scopes.all().size();
  }
  RequestContext make_context() {
    return {
        .registry = *registry_,
        .key = key_,
        .may_create = [](std::string_view, std::string_view name) { return name != "denied"; },
        .blocks_of_flow = [](const Scope&) { return std::vector<BlockRequest>(); },
        .makes_scopes = true,
        .started_as = [](const Client&) { return std::nullopt; },
        .launched = [](WorkerId) { return std::nullopt; },
        .on_attached = [](Client&, WorkerId) {},
        .end_worker = [this](WorkerId id, std::string_view why) { registry_->end_worker(id, why); },
        .end_scope = [](ScopeId) { return Result<void>(); },
        .start_script = [](const StartRequest& request) -> Result<std::string> {
          return request.script;
        },
        .script_status = [](const std::string&, std::uint64_t) { return StartStatus{}; },
        .stop = [] {}};
  }

  std::filesystem::path folder_;
  RuntimePaths paths_ = RuntimePaths::of("fuzz" + std::to_string(::getpid()), folder_).value();
  OperatorKey key_;
  std::optional<platform::Listener> listener_;
  std::unique_ptr<Registry> registry_;
  WorkerId worker_{};
  std::size_t scopes_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (System::the_one() == nullptr) System::the_one() = new System();
  if (size == 0) return 0;
  const auto message = decode_message({data + 1, size - 1});
  if (!message) {
    must(message.error() == Errc::malformed);
    return 0;
  }
  must(encode_message(*message).has_value());
  (void)error_of(*message);
  const Reply reply = System::the_one()->ask(*message, data[0]);
  const auto sent = encode_message(reply.body);
  must(sent.has_value() && decode_message(*sent).has_value());
  return 0;
}
