// An entry for people and for programs.
#pragma once

#include "block_reader.hpp"
#include "output.hpp"

namespace sessionblocks::ctl {

// The value alone.
[[nodiscard]] std::string readable_value(const StoredEntry& entry);
// {"key", "type", "value", "version", "expires_in_ms"}; what is not UTF-8 in base64.
[[nodiscard]] Json json_of(const std::string& key, const StoredEntry& entry);

}  // namespace sessionblocks::ctl
