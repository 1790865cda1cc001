#include "scene.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "layout/layout_hash.hpp"

namespace attacker {

using sessionblocks::AccessMode;
using sessionblocks::Message;
using sessionblocks::Version;

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  if (value == nullptr) give_up(std::string(name) + " is not set");
  return value;
}

void give_up(const std::string& why) {
  std::fprintf(stderr, "attacker: %s\n", why.c_str());
  std::exit(2);
}

std::string text_from(const sessionblocks::Block& block, const char* key) {
  while (true) {
    auto entry = block.get<std::string>(key);
    if (entry) return entry->value;
    if (!(entry.error() == sessionblocks::Errc::not_found)) give_up(entry.error().message());
    static_cast<void>(block.wait(key, Version{0}, std::chrono::milliseconds(1'000)));
  }
}

Message attach_request(const std::string& scope, const std::string& token) {
  Message request = {
      {"op", "attach"}, {"protocol", 1}, {"layout", sessionblocks::layout::layout_hash()}};
  if (!scope.empty()) request["scope"] = scope;
  if (!token.empty()) request["token"] = token;
  return request;
}

std::string abstract_name_of(pid_t pid) {
  return std::string(1, '\0') + "sessionblocks-victim-" + std::to_string(pid);
}

Scene::Scene()
    : socket(variable("SESSIONBLOCKS_SOCKET")),
      runtime(std::filesystem::path(socket).parent_path()),
      scope(variable("SESSIONBLOCKS_SCOPE")),
      token(variable("SESSIONBLOCKS_TOKEN")) {
  attach();
  open_blocks();
  find_victims();
  name_segments();
}

void Scene::attach() {
  client.emplace(socket, std::chrono::milliseconds(10'000));
  client->introduce_with(attach_request(scope, token));
  auto attached = take(client->connect(), "attach");
  if (!attached) give_up("attach: it was attached before");
  worker = attached->fields["worker"].get<std::uint32_t>();
  Held control;
  control.name = kHeldNames[0];
  control.fd = std::move(attached->descriptor);
  control.bytes = attached->fields["control_bytes"].get<std::size_t>();
  control.memory = static_cast<std::byte*>(
      ::mmap(nullptr, control.bytes, PROT_READ, MAP_SHARED, control.fd.get(), 0));
  held.push_back(std::move(control));
  session.emplace(take(sessionblocks::Session::attach(), "attach"));
  cart.emplace(take(session->open("cart", AccessMode::read_write), "open cart"));
}

void Scene::hold(Message request, const char* size_field, bool is_writable) {
  const std::string what = request["op"];
  auto reply = take(client->request(std::move(request)), what);
  Held segment;
  segment.name = kHeldNames[held.size()];
  segment.fd = std::move(reply.descriptor);
  segment.bytes = reply.fields[size_field].get<std::size_t>();
  segment.is_writable = is_writable;
  void* const memory = ::mmap(nullptr, segment.bytes, PROT_READ | (is_writable ? PROT_WRITE : 0),
                              MAP_SHARED, segment.fd.get(), 0);
  if (memory == MAP_FAILED) give_up("map " + segment.name);
  segment.memory = static_cast<std::byte*>(memory);
  held.push_back(std::move(segment));
}

void Scene::open_blocks() {
  hold({{"op", "open"}, {"name", "settings"}, {"mode", 1}}, "bytes", false);
  hold({{"op", "open"}, {"name", "cart"}, {"mode", 2}}, "bytes", true);
  hold({{"op", "worker_segment"}}, "bytes", true);
  hold({{"op", "readers"}, {"open", 1}}, "bytes", true);
}

void Scene::find_victims() {
  director.pid = ::getppid();
  director.own_file = runtime + "/operator.key";
  director.abstract_socket.assign(1, '\0').append(variable("OUTSIDE_SOCKET"));
  sibling.pid = std::stoi(text_from(*cart, "sibling.pid"));
  sibling.address = std::stoull(text_from(*cart, "sibling.address"));
  sibling.own_file = text_from(*cart, "sibling.file");
  sibling.abstract_socket = abstract_name_of(sibling.pid);
  sibling_token = text_from(*cart, "sibling.token");
  // Nobody tells where the director's memory is, but an unconfined attacker can look.
  std::ifstream maps("/proc/" + std::to_string(director.pid) + "/maps");
  director.address = 0x10000;
  maps >> std::hex >> director.address;
}

void Scene::name_segments() {
  struct stat status {};
  if (::stat(socket.c_str(), &status) != 0) give_up("look at the socket");
  const auto system = session->system();
  const std::string prefix = "sessionblocks." + std::to_string(status.st_uid) + "." + system + ".";
  std::string vault, settings, cart_segment;
  const auto blocks = take(client->request({{"op", "list"}, {"what", "blocks"}}), "list blocks");
  for (const Message& row : blocks.fields["rows"]) {
    const std::string numbers = std::to_string(row["block"].get<unsigned>()) + "." +
                                std::to_string(row["generation"].get<unsigned>());
    if (row["name"] == "vault") vault = numbers;
    if (row["name"] == "settings") settings = numbers;
    if (row["name"] == "cart") cart_segment = numbers;
  }
  const auto workers = take(client->request({{"op", "list"}, {"what", "workers"}}), "list workers");
  for (const Message& row : workers.fields["rows"]) {
    const auto pid = row["pid"].get<pid_t>();
    for (Victim* victim : {&director, &sibling}) {
      if (victim->pid != pid) continue;
      victim->worker = row["worker"].get<std::uint32_t>();
      victim->scope = row["scope"];
    }
  }
  if (vault.empty() || director.worker == 0 || sibling.worker == 0) give_up("a victim is missing");
  const auto of_worker = [&](std::uint32_t id) { return prefix + "worker." + std::to_string(id); };
  segments = {
      prefix + "control",        of_worker(director.worker),       of_worker(sibling.worker),
      of_worker(worker),         prefix + "block." + cart_segment, prefix + "block." + settings,
      prefix + "block." + vault, prefix + "readers." + vault};
  director.segment = segments[0];
  sibling.segment = segments[6];
}

}  // namespace attacker
