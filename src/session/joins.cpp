// Asking the director to join a fork to its origin.
#include "session/block_handle.hpp"
#include "session/session_state.hpp"
#include "session/succession.hpp"

namespace sessionblocks {
namespace {

JoinReport report_of(const Message& reply) {
  JoinReport report;
  report.taken = reply.at("taken").get<std::uint64_t>();
  report.erased = reply.at("erased").get<std::uint64_t>();
  report.combined = reply.at("combined").get<std::uint64_t>();
  report.kept = reply.at("kept").get<std::uint64_t>();
  report.conflicts = reply.at("conflicts").get<std::uint64_t>();
  for (const Message& row : reply.at("named")) {
    const auto& key = row.at("key").get_binary();
    report.first_conflicts.push_back(
        {std::string(key.begin(), key.end()), row.at("why").get<std::string>()});
  }
  return report;
}

}  // namespace

Result<JoinReport> SessionState::join(const BlockLink& fork, const JoinOptions& options) try {
  Message fields = Message::object();
  Message policies = Message::array();
  for (const auto& [pattern, policy] : options.policies) {
    policies.push_back(pattern);
    policies.push_back(policy);
  }
  fields["policies"] = std::move(policies);
  if (options.trial) fields["trial"] = 1U;
  const auto reply = on_now(fork, [&](BlockHandle& block) -> Result<Message> {
    if (!block.is_of(*this)) {
      return fail(Errc::invalid_argument,
                  "join block " + block.name() + ": another session opened it");
    }
    return ask_of(block, "join", fields);
  });
  if (!reply) return tl::unexpected(reply.error());
  return report_of(*reply);
} catch (const Message::exception& error) {
  return fail(Errc::malformed, std::string("reply to join: ") + error.what());
}

}  // namespace sessionblocks
