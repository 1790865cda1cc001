// Takes up a log that an earlier director left: finds its end, cuts what a crash tore, and learns
// how far each lane had got.
//
// Torn is what nothing whole follows: it is cut. Anything else that does not hold was altered: it
// stays as evidence, and the log goes on in a new file whose first note says so.
#pragma once

#include "flowlog/file_scanner.hpp"
#include "flowlog/log_file.hpp"

namespace sessionblocks::flowlog {

class LogAdoption {
 public:
  [[nodiscard]] static Result<LogFile> open(LogConfig config);
  // Adds the keys that a file defines, if it is of this instance. What is malformed is passed over.
  static void load_keys(const std::string& path, const Instance& instance, KeyBook& keys);

 private:
  enum class Tail : std::uint8_t { clean, torn, altered, empty };
  struct Found {
    LogIdentity identity;
    LogState state;
    Chain chain{};
    std::uint64_t good_bytes = 0;
    std::uint64_t altered_at = 0;
    std::uint64_t begun_ms = 0;  // CLOCK_MONOTONIC_COARSE
    Tail tail = Tail::empty;
    bool has_identity = false;
    bool has_state = false;
    bool has_checkpoint = false;
    bool has_content = false;  // records, gaps or notes
    bool ends_signed = false;

    // With all that each file begins with. What has content has begun, whatever is missing.
    [[nodiscard]] bool has_begun() const noexcept {
      return has_state && (has_checkpoint || has_content || !identity.signer);
    }
  };

  [[nodiscard]] static Result<LogFile> prepare(LogConfig config);
  [[nodiscard]] static Result<Found> scan(const std::string& path, KeyBook& keys);
  static void take(const Frame& frame, Found& found, KeyBook& keys);
  [[nodiscard]] static Result<std::optional<Found>> find_last(LogFile& log);
  [[nodiscard]] static Result<void> go_on(LogFile& log, Found found);
  [[nodiscard]] static Result<void> start_next(LogFile& log, const Found& found);
};

}  // namespace sessionblocks::flowlog
