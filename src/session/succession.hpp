// Operations that go on with the generation of a block which came after the one they began with.
#pragma once

#include "core/likely.hpp"

#include <sessionblocks/block_link.hpp>

#include <functional>

namespace sessionblocks {

// `use` gets a handle; a refusal by which nothing happened is repeated with the next one.
template <typename Use>
[[gnu::always_inline]] inline auto on_now(const BlockLink& link, Use&& use) {
  BlockHandle* used = &link.now();
  auto result = use(*used);
  while (unlikely(!result)) {
    const Errc code = result.error().code();
    if (likely(code != Errc::gone && code != Errc::read_only)) break;
    const auto followed = link.follow(*used, code);
    if (!followed) {
      result = tl::unexpected(followed.error());
      break;
    }
    if (!*followed) break;
    used = &link.now();
    result = use(*used);
  }
  return result;
}

// The same where a callback runs: once it ran, nothing is repeated.
template <typename Use>
auto on_now_unless(const bool& has_run, const BlockLink& link, Use&& use) {
  return on_now(link, [&](BlockHandle& handle) {
    auto result = use(handle);
    if (!result && has_run && result.error().code() == Errc::gone) {
      result = fail(Errc::conflict,
                    "another generation of the block took over; what was shown does not count");
    }
    return result;
  });
}

// A callback, or none, that notes that it ran.
template <typename Shown>
std::function<bool(const Shown&)> noting(const std::function<bool(const Shown&)>& callback,
                                         bool& has_run) {
  if (!callback) return {};
  return [&](const Shown& shown) {
    has_run = true;
    return callback(shown);
  };
}

}  // namespace sessionblocks
