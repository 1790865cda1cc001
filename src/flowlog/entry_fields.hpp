// What entries of all kinds have in common, or lack, as queries ask for it.
#pragma once

#include <string>
#include <string_view>

#include "flowlog/log_reader.hpp"

namespace sessionblocks::flowlog {

// 0: it is about no worker.
[[nodiscard]] std::uint32_t worker_of(const Entry& entry) noexcept;
// word 0: it is about no block.
[[nodiscard]] BlockRef block_of(const Entry& entry) noexcept;
// Whether a path is `wanted` or lies below it: "shop" has "shop/checkout", which has
// "shop/checkout#2".
[[nodiscard]] bool is_in_scope(std::string_view path, std::string_view wanted) noexcept;

// "#7"
[[nodiscard]] std::string id_text(BlockId block);
// Its name, or its id when the log has no name for it.
[[nodiscard]] std::string block_text(BlockId block, const LogState& state);
// Whether a block is meant by its name, or by "#7".
[[nodiscard]] bool is_block(BlockId block, std::string_view wanted, const LogState& state);
// "ok", or the error's word.
[[nodiscard]] std::string_view outcome_text(std::uint16_t outcome) noexcept;

}  // namespace sessionblocks::flowlog
