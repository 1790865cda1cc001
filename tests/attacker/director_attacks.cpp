// On the director: requests that the suite does not allow, and other workers' places.
#include <unistd.h>

#include "attack.hpp"
#include "scene.hpp"

namespace attacker {
namespace {

using sessionblocks::DirectorClient;
using sessionblocks::Errc;
using sessionblocks::Message;

Outcome ask(const Scene& scene, Message request) {
  const auto reply = const_cast<Scene&>(scene).client->request(std::move(request));
  return reply ? succeeded() : refused_with(reply.error().code());
}

// Whether a worker that asks for another place may be given its own instead.
enum class OwnPlace : std::uint8_t { is_refusal, is_success };

// A new connection that introduces itself like this.
Outcome attach_anew(const Scene& scene, Message hello, OwnPlace own = OwnPlace::is_refusal) {
  DirectorClient other(scene.socket, std::chrono::milliseconds(10'000));
  other.introduce_with(std::move(hello));
  const auto attached = other.connect();
  if (!attached) return refused_with(attached.error().code());
  const bool is_own = (*attached)->fields["scope"] == scene.scope;
  return is_own && own == OwnPlace::is_refusal ? refused_with(Errc::denied) : succeeded();
}

Outcome reconnect_as(const Scene& scene, std::uint32_t worker) {
  Message hello = attach_request({}, {});
  hello["worker"] = worker;
  return attach_anew(scene, std::move(hello), OwnPlace::is_success);
}

// The sibling's numbers with the proof of the own token.
std::string forged_token(const Scene& scene) {
  return scene.sibling_token.substr(0, scene.sibling_token.rfind('.')) +
         scene.token.substr(scene.token.rfind('.'));
}

void add_requests(Attacks& attacks) {
  struct Request {
    const char* name;
    Message message;
    Errc refusal;
  };
  const std::vector<std::uint8_t> no_key(32, 0);
  const std::vector<Request> requests = {
      {"open another scope's private block", {{"op", "open"}, {"name", "vault"}}, Errc::denied},
      {"open a read-only block to write",
       {{"op", "open"}, {"name", "settings"}, {"mode", 2}},
       Errc::read_only},
      {"create what may_create does not name",
       {{"op", "create"}, {"name", "other"}},
       Errc::not_permitted},
      {"create under a name that only begins like a permitted one's pattern",
       {{"op", "create"}, {"name", "mine"}},
       Errc::not_permitted},
      {"create an inherited block",
       {{"op", "create"}, {"name", "mine-1"}, {"kind", "inherited"}},
       Errc::invalid_argument},
      {"create a block that is there", {{"op", "create"}, {"name", "vault"}}, Errc::not_permitted},
      {"destroy a block that it holds read-write",
       {{"op", "destroy"}, {"name", "cart"}},
       Errc::denied},
      {"destroy a block that it holds read-only",
       {{"op", "destroy"}, {"name", "settings"}},
       Errc::denied},
      {"destroy another's private block", {{"op", "destroy"}, {"name", "vault"}}, Errc::denied},
      {"grant", {{"op", "grant"}, {"name", "cart"}, {"scope", "sibling"}}, Errc::denied},
      {"revoke another's block",
       {{"op", "revoke"}, {"name", "cart"}, {"scope", "sibling"}},
       Errc::denied},
      {"compact another's block", {{"op", "compact"}, {"name", "cart"}}, Errc::denied},
      {"seal another's block", {{"op", "seal"}, {"name", "cart"}}, Errc::denied},
      {"wipe another's block", {{"op", "wipe"}, {"name", "cart"}}, Errc::denied},
      {"unseal", {{"op", "unseal"}, {"name", "cart"}}, Errc::denied},
      {"quarantine", {{"op", "quarantine"}, {"name", "cart"}}, Errc::denied},
      {"release from quarantine", {{"op", "release"}, {"name", "cart"}}, Errc::denied},
      {"redeem what nobody made",
       {{"op", "redeem"}, {"token", "sbref1.AA"}},
       Errc::reference_forged},
      {"start another's script",
       {{"op", "start_script"}, {"name", "sibling"}, {"number", 1}},
       Errc::not_permitted},
      {"change a quota", {{"op", "set_quota"}, {"name", "cart"}}, Errc::invalid_argument},
      {"use an open that is not there", {{"op", "readers"}, {"open", 77}}, Errc::invalid_argument},
      {"be an operator with a key of zeros",
       {{"op", "operator"}, {"key", Message::binary(no_key)}},
       Errc::denied},
      {"be an operator with an empty key",
       {{"op", "operator"}, {"key", Message::binary({})}},
       Errc::denied},
      {"act as another scope", {{"op", "act_as"}, {"scope", "shop/sibling#1"}}, Errc::denied},
      {"end another scope", {{"op", "end_scope"}, {"scope", "shop/sibling#1"}}, Errc::denied},
      {"end its own script", {{"op", "end_scope"}, {"scope", "shop/attacker"}}, Errc::denied},
      {"stop the director", {{"op", "stop"}}, Errc::denied},
      {"attach a second time", attach_request("shop/sibling#1", {}), Errc::invalid_argument},
  };
  for (const Request& request : requests) {
    attacks.push_back(
        {std::string("director: ") + request.name,
         [message = request.message](const Scene& scene) { return ask(scene, message); },
         {refused_with(request.refusal)},
         Where::worker});
  }
}

}  // namespace

void add_director_attacks(Attacks& attacks) {
  add_requests(attacks);
  const std::vector<Outcome> denied = {refused_with(Errc::denied)};
  const auto add = [&](const char* name, Where where,
                       std::function<Outcome(const Scene&)> attempt) {
    attacks.push_back({std::string("place: ") + name, std::move(attempt), denied, where});
  };
  add("name another scope", Where::worker, [](const Scene& scene) {
    return attach_anew(scene, attach_request(scene.sibling.scope, {}));
  });
  add("another worker's launch token", Where::worker, [](const Scene& scene) {
    return attach_anew(scene, attach_request({}, scene.sibling_token));
  });
  add("a child with another worker's launch token", Where::child, [](const Scene& scene) {
    return attach_anew(scene, attach_request({}, scene.sibling_token));
  });
  add("a child with a forged token", Where::child, [](const Scene& scene) {
    return attach_anew(scene, attach_request({}, forged_token(scene)), OwnPlace::is_success);
  });
  add("a child with its own token for another scope", Where::child, [](const Scene& scene) {
    return attach_anew(scene, attach_request(scene.sibling.scope, scene.token));
  });
  add("a child without a token", Where::child, [](const Scene& scene) {
    return attach_anew(scene, attach_request(scene.scope, {}), OwnPlace::is_success);
  });
  add("come back as the sibling's worker", Where::worker,
      [](const Scene& scene) { return reconnect_as(scene, scene.sibling.worker); });
  add("come back as the director's worker", Where::worker,
      [](const Scene& scene) { return reconnect_as(scene, scene.director.worker); });
  add("a child comes back as its parent's worker", Where::child,
      [](const Scene& scene) { return reconnect_as(scene, scene.worker); });
  attacks.push_back({"library: put into a read-only block",
                     [](const Scene& scene) {
                       auto block = const_cast<Scene&>(scene).session->open("settings");
                       if (!block) return refused_with(EIO);
                       const auto put = block->put("k", 1);
                       return put ? succeeded() : refused_with(put.error().code());
                     },
                     {refused_with(Errc::read_only)},
                     Where::worker});
}

}  // namespace attacker
