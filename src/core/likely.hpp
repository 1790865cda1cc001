// For the compiler: what a hot path expects. A dozen conditions in a row, each as likely as not to
// it, make what comes behind them cold, and it is then compiled for size.
#pragma once

namespace sessionblocks {

[[nodiscard, gnu::always_inline]] constexpr bool likely(bool condition) noexcept {
  return __builtin_expect(static_cast<long>(condition), 1L) != 0;
}
[[nodiscard, gnu::always_inline]] constexpr bool unlikely(bool condition) noexcept {
  return __builtin_expect(static_cast<long>(condition), 0L) != 0;
}

}  // namespace sessionblocks
