// join: a fork that the worker has open goes into its origin.
//
// Who may write both blocks may join them: it changes the one and ends the other.
#include "director/requests.hpp"
#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::size_t kMostPolicies = 64;
constexpr std::size_t kMostPolicyBytes = 16'384;

// A list of patterns, each with its policy behind it.
Result<JoinRequest> request_of(const Fields& fields) {
  using sessionblocks::JoinPolicy;
  const auto texts = fields.texts("policies", 2 * kMostPolicies, kMostPolicyBytes);
  if (!texts) return tl::unexpected(texts.error());
  const auto trial = fields.number_or("trial", 1, 0);
  if (!trial) return tl::unexpected(trial.error());
  if (texts->size() % 2 != 0) return fail(Errc::malformed, "field policies: pairs of texts");
  JoinRequest request;
  request.is_trial = *trial == 1;
  for (std::size_t i = 0; i < texts->size(); i += 2) {
    const auto policy = value_of<JoinPolicy>((*texts)[i + 1]);
    if (!policy) {
      return fail(Errc::invalid_argument, "join: the policy " + quote((*texts)[i + 1]) +
                                              " of keys " + quote((*texts)[i]) + ": " +
                                              list_of(spellings<JoinPolicy>()));
    }
    request.policies.emplace_back((*texts)[i], *policy);
  }
  return request;
}

std::string_view text_of(const std::vector<std::byte>& key) {
  return {reinterpret_cast<const char*>(key.data()), key.size()};
}

// "2 keys: 'a' (both sides changed it), 'b' (the sum does not fit)"
std::string names_of(const MergeReport& report, const SharedMask& mask) {
  std::string names = std::to_string(report.conflicts) + (report.conflicts == 1 ? " key" : " keys");
  std::string_view before = ": ";
  for (const auto& conflict : report.named) {
    const std::string_view key = text_of(conflict.key);
    names += std::string(before) + quote(mask ? mask->shown(key) : std::string(key)) + " (" +
             std::string(conflict.why) + ")";
    before = ", ";
  }
  if (report.conflicts > report.named.size()) names += ", and more";
  return names;
}

Message body_of(const MergeReport& report) {
  Message conflicts = Message::array();
  for (const auto& conflict : report.named) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(conflict.key.data());
    conflicts.push_back(
        {{"key", Message::binary({bytes, bytes + conflict.key.size()})}, {"why", conflict.why}});
  }
  return {{"taken", report.taken},         {"erased", report.erased},
          {"combined", report.combined},   {"kept", report.kept},
          {"conflicts", report.conflicts}, {"named", std::move(conflicts)}};
}

// invalid_argument: no fork; read_only, denied: either is not the worker's to write.
Result<StoredBlock*> fork_behind(RequestContext& context, const Client& client,
                                 const Fields& fields) {
  using sessionblocks::Rights;
  const auto by = opened_by(context, client, fields);
  if (!by) return tl::unexpected(by.error());
  Registry& registry = context.registry;
  const OpenedBlock& opened = *by->worker->open_at(by->open);
  StoredBlock* const fork = registry.blocks.find(opened.block);
  if (fork == nullptr || fork->generation != opened.generation) {
    return fail(Errc::gone, "join: the block has ended");
  }
  if (fork->policy.kind != sessionblocks::BlockKind::forked) {
    return fail(Errc::invalid_argument, "join " + fork->text() + ": it is no fork");
  }
  if (opened.rights != Rights::read_write) {
    return fail(Errc::read_only, "join " + fork->text() + ": opened for reading");
  }
  const StoredBlock* const origin = registry.blocks.find(fork->origin);
  if (origin == nullptr) return fail(Errc::gone, "join " + fork->text() + ": its origin has ended");
  const Rights rights = registry.rights_through_any_name(*origin, *by->worker);
  if (rights == Rights::read_write) return fork;
  return fail(rights == Rights::none ? Errc::denied : Errc::read_only,
              "join " + fork->text() + " to " + origin->text() + ": its origin may not be written");
}

// A text may end in any log: it names no key that is sensitive on either side.
SharedMask mask_of(Registry& registry, const StoredBlock& fork) {
  SensitivePatterns all;
  if (fork.mask) add_patterns(all, fork.mask->patterns());
  const StoredBlock* const origin = registry.blocks.find(fork.origin);
  if (origin != nullptr && origin->mask) add_patterns(all, origin->mask->patterns());

  return registry.blocks.mask_of(all);
}

}  // namespace

Answer answer_join(RequestContext& context, Client& client, const Fields& fields) {
  const auto request = request_of(fields);
  if (!request) return tl::unexpected(request.error());
  const auto fork = fork_behind(context, client, fields);
  if (!fork) return tl::unexpected(fork.error());
  const std::string text = (*fork)->text();
  const SharedMask mask = mask_of(context.registry, **fork);
  MergeReport report;
  auto joined = context.registry.forks.join(**fork, *request, report, asked_for_by(client));
  if (!joined && joined.error() == Errc::join_conflict) {
    return fail(Errc::join_conflict, "join " + text + ": " + names_of(report, mask));
  }
  if (!joined) return tl::unexpected(joined.error());
  Reply reply;
  reply.body = body_of(report);
  return reply;
}

}  // namespace sessionblocks::director
