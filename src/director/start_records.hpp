// What workers asked for when they had scripts started: the arguments, and whose request it was. A
// file for each script in the runtime folder, which no worker can read or write, so that a director
// that adopts a script can start it again as it was started, and knows a request that is repeated.
//
// It is there from before the script's scope is made until the next start of that script or the end
// of the system. Written beside and renamed: a crash leaves the one before or the new one, whole.
#pragma once

#include <filesystem>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/ids.hpp"

namespace sessionblocks::director {

struct StartRequest {
  std::string script;
  std::vector<std::string> arguments;
  WorkerId worker{};         // who asks; none: an operator
  std::uint64_t number = 0;  // the request's, by which its worker repeats it
  std::string parent{};      // operators: the path of its parent, if they name it
};

// How what somebody had started is doing. Not known: another start of that script came since, or it
// ended under an earlier director.
enum class StartState : std::uint8_t { running, ended, not_known };
struct StartStatus {
  StartState state = StartState::not_known;
  int exit_code = 0;  // as a shell says it, of its first process that failed for good; 124: time
};

struct StartRecord {
  StartRequest request;
  // Scopes, slots and blocks of the script stood; before that nothing of it has run.
  bool is_prepared = false;
};

class StartRecords {
 public:
  explicit StartRecords(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Instead of the one before of that script. What the file system says.
  [[nodiscard]] Result<void> write(const StartRecord& record) const;
  // Nothing: there is none, or none that can be read.
  [[nodiscard]] std::optional<StartRecord> read(const std::string& script) const;
  void remove_all() const noexcept;

 private:
  std::filesystem::path folder_;
};

}  // namespace sessionblocks::director
