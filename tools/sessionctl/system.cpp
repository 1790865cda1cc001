#include "system.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <array>
#include <cstdlib>

#include "director/operator_key.hpp"
#include "layout/layout_hash.hpp"
#include "platform/os_error.hpp"
#include "session/director_client.hpp"

namespace sessionblocks::ctl {
namespace {

constexpr int kMaxInherited = 64;  // a suite has no cycle; a damaged control segment might

std::string from_environment(const char* name) {
  const char* const value = std::getenv(name);
  return value != nullptr ? value : "";
}

// Reads the key and never makes one: a key that a director did not make opens nothing.
Result<Message::binary_t> operator_key(const director::RuntimePaths& paths) {
  const std::string path = paths.operator_key().native();
  const platform::UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!fd && errno == ENOENT) {
    return fail(Errc::unreachable, "session system " + paths.system + ": no director runs it");
  }
  if (!fd) return platform::fail_errno("read the operator key", path);
  std::vector<std::uint8_t> bytes(director::kOperatorKeyBytes);
  const ssize_t length = ::read(fd.get(), bytes.data(), bytes.size());
  if (length == static_cast<ssize_t>(bytes.size())) return Message::binary_t(std::move(bytes));
  return fail(Errc::malformed, "operator key " + path);
}

Message attach_message() {
  Message hello = {{"op", "attach"},
                   {"protocol", 1},
                   {"layout", layout::layout_hash()},
                   {"layout_version", {layout::kLayoutMajor, layout::kLayoutMinor}}};
  hello["scope"] = from_environment("SESSIONBLOCKS_SCOPE");
  hello["token"] = from_environment("SESSIONBLOCKS_TOKEN");
  return hello;
}

}  // namespace

director::SharedMask System::mask_of(const director::SensitivePatterns& patterns) const {
  if (patterns.empty()) return nullptr;
  const auto bytes = operator_key(paths_);
  const auto key = bytes ? director::OperatorKey::of(*bytes) : std::nullopt;
  // Of a system whose key is not there: entries are told apart, and not found in its log.
  return director::make_mask(patterns,
                             key ? director::mask_key_of(*key) : director::random_mask_key());
}

Result<director::SharedMask> System::mask(const std::string& name) const {
  if (is_worker_ || !scope_.empty()) return director::SharedMask();
  const auto image = control();
  if (!image) return tl::unexpected(image.error());
  const auto found = block(*image, name);
  if (!found) return tl::unexpected(found.error());
  return mask_of(found->sensitive);
}

Result<System> System::of(const Options& options) {
  System system;
  system.is_worker_ = !options.names_system && !from_environment("SESSIONBLOCKS_TOKEN").empty();
  std::filesystem::path folder = options.runtime_directory;
  // A shell that names a socket but has no token: its system's operator, if it can read the key.
  if (!options.names_system && folder.empty()) {
    folder = std::filesystem::path(from_environment("SESSIONBLOCKS_SOCKET")).parent_path();
  }
  auto paths = director::RuntimePaths::of(options.system, folder);
  if (!paths) return tl::unexpected(paths.error());
  system.paths_ = std::move(*paths);
  system.scope_ = options.scope;
  system.time_limit_ = std::chrono::milliseconds(options.time_limit_ms);
  if (system.is_worker_ && !options.scope.empty()) {
    return fail(Errc::denied, "--scope: a worker acts as its own scope");
  }
  return system;
}

Result<ControlImage> System::control() const {
  if (is_worker_) return control_as_worker();
  auto segment = SegmentReader::open(paths_.control_segment());
  if (segment) return ControlImage::read(*segment);
  if (!(segment.error() == Errc::not_found)) return tl::unexpected(segment.error());
  return fail(Errc::not_attached,
              "session system " + paths_.system + " is not running, and left nothing behind");
}

// Workers may read control: the director gives its descriptor to whoever attaches.
Result<ControlImage> System::control_as_worker() const {
  DirectorClient client(from_environment("SESSIONBLOCKS_SOCKET"), time_limit_);
  client.introduce_with(attach_message());
  auto attached = client.connect();
  if (!attached) return tl::unexpected(attached.error());
  auto segment = SegmentReader::over(std::move((*attached)->descriptor), "control");
  if (!segment) return tl::unexpected(segment.error());
  auto image = ControlImage::read(*segment);
  static_cast<void>(client.request({{"op", "detach"}}));  // else the end of the connection does it
  return image;
}

Result<BlockInfo> System::block(const ControlImage& image, std::string_view name) const {
  auto found = image.block(name, scope_);
  for (int step = 0; found && !(*found)->has_memory() && (*found)->origin != BlockId{}; ++step) {
    if (step == kMaxInherited) return fail(Errc::corrupt, "block " + std::string(name));
    found = image.block("#" + std::to_string(raw((*found)->origin)), "");
  }
  if (!found) return tl::unexpected(found.error());
  return **found;
}

Result<void> System::ask(const std::string& op, const std::string& name, Message request) const {
  request["op"] = op;
  Message hello = attach_message();
  std::string socket = from_environment("SESSIONBLOCKS_SOCKET");
  if (is_worker_) {
    request["name"] = name;
  } else {
    const auto image = control();
    if (!image) return tl::unexpected(image.error());
    const auto found = image->block(name, scope_);
    if (!found) return tl::unexpected(found.error());
    auto key = operator_key(paths_);
    if (!key) return tl::unexpected(key.error());
    request["block"] = raw((*found)->id);
    hello = {{"op", "operator"}, {"key", std::move(*key)}};
    socket = paths_.socket().native();
  }
  DirectorClient client(std::move(socket), time_limit_);
  client.introduce_with(std::move(hello));
  const auto reply = client.request(std::move(request));
  if (!reply) return tl::unexpected(reply.error());
  return {};
}

Result<Session> System::attach_as(const std::string& scope) const {
  auto key = operator_key(paths_);
  if (!key) return tl::unexpected(key.error());
  DirectorClient client(paths_.socket().native(), time_limit_);
  client.introduce_with({{"op", "operator"}, {"key", std::move(*key)}});
  auto reply = client.request({{"op", "act_as"}, {"scope", scope}});
  if (!reply) return tl::unexpected(reply.error());
  AttachOptions options;
  options.socket = paths_.socket().native();
  options.scope = scope;
  options.token = reply->fields.value("token", "");
  options.time_limit = time_limit_;
  return Session::attach(std::move(options));
}

Result<Message> System::ask(const Message& request) const {
  const std::string socket =
      is_worker_ ? from_environment("SESSIONBLOCKS_SOCKET") : paths_.socket().native();
  DirectorClient client(socket, time_limit_);
  if (is_worker_) {
    client.introduce_with(attach_message());
  } else {
    auto key = operator_key(paths_);
    if (!key) return tl::unexpected(key.error());
    client.introduce_with({{"op", "operator"}, {"key", std::move(*key)}});
  }
  auto reply = client.request(request);
  if (is_worker_) static_cast<void>(client.request({{"op", "detach"}}));
  if (!reply) return tl::unexpected(reply.error());
  return std::move(reply->fields);
}

Result<Session> System::attach(const std::string& scope) const {
  if (!is_worker_) return attach_as(scope);
  AttachOptions options;
  options.time_limit = time_limit_;
  return Session::attach(std::move(options));
}

Result<void> System::name_block(Message& request, const std::string& name) const {
  if (is_worker_) {
    request["name"] = name;
    return {};
  }
  const auto image = control();
  if (!image) return tl::unexpected(image.error());
  const auto found = block(*image, name);
  if (!found) return tl::unexpected(found.error());
  request["block"] = raw(found->id);
  return {};
}

Result<System::Opened> System::open(const std::string& name, AccessMode mode) const {
  std::string block = name;
  const auto attach_for_block = [&]() -> Result<Session> {
    if (is_worker_) return attach({});
    const auto image = control();
    if (!image) return tl::unexpected(image.error());
    if (!scope_.empty()) return attach_as(scope_);
    const auto found = image->block(name, scope_);
    if (!found) return tl::unexpected(found.error());
    block = (*found)->name;
    return attach_as((*found)->owner_path);
  };
  auto session = attach_for_block();
  if (!session) return tl::unexpected(session.error());
  auto opened = session->open(block, mode);
  if (!opened) return tl::unexpected(opened.error());
  return Opened{std::move(*session), std::move(*opened)};
}

Result<void> require_operator(const System& system, std::string_view command) {
  if (!system.is_worker()) return {};
  return fail(Errc::denied, std::string(command) +
                                ": an operator's command; a worker may use get, "
                                "put, incr, erase, keys, dump, ls, describe");
}

}  // namespace sessionblocks::ctl
