// What the director does, as lines for people: created, attached, denied, died, recovered,
// destroyed. spdlog stays behind this header.
//
// One line an event: time, level, what happened, to what, why. Names come from workers, so
// everything that could steer a terminal or fake a line is escaped. A disk that refuses costs
// lines, never the director.
#pragma once

#include <cstdint>
#include <memory>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>

namespace sessionblocks::flowlog {

struct DirectorLogConfig {
  std::string file;       // empty: no file; otherwise 0600, its folder must be there
  bool to_stderr = true;  // with colours when that is a terminal
  std::size_t rotate_bytes = 8U << 20U;
  std::size_t kept_files = 3;
};

class DirectorLog {
 public:
  enum class Level : std::uint8_t { info, warning };

  // io_error: the file cannot be opened.
  [[nodiscard]] static Result<std::unique_ptr<DirectorLog>> open(const DirectorLogConfig& config);
  ~DirectorLog();  // what was logged is written
  DirectorLog(const DirectorLog&) = delete;
  DirectorLog& operator=(const DirectorLog&) = delete;

  // Any thread. "created block cart: 64 MiB, shared"
  void add(Level level, std::string_view what, std::string_view subject,
           std::string_view detail) noexcept;
  void flush() noexcept;

 private:
  struct Lines;
  explicit DirectorLog(std::unique_ptr<Lines> lines);
  std::unique_ptr<Lines> lines_;
};

}  // namespace sessionblocks::flowlog
