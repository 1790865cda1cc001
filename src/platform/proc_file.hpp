// Files of /proc, as proc(5) has them.
#pragma once

#include <cstdint>
#include <optional>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>

namespace sessionblocks::platform {

// The first 4,096 bytes. not_found: its process is not there any more.
[[nodiscard]] Result<std::string> read_proc_file(const std::string& path);

// A field of /proc/PID/stat behind the name, counted from 1: the state is 3.
[[nodiscard]] std::optional<std::string_view> stat_text(std::string_view line, int field);
[[nodiscard]] std::optional<std::uint64_t> stat_field(std::string_view line, int field);

}  // namespace sessionblocks::platform
