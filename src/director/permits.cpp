#include "director/permits.hpp"

#include <algorithm>
#include <array>

#include "director/suite_words.hpp"

namespace sessionblocks::director {
namespace {

constexpr std::array<Word<Permit>, 4> kPermits = {{{"share", Permit::share},
                                                   {"fork", Permit::fork},
                                                   {"persist", Permit::persist},
                                                   {"elevate", Permit::elevate}}};

}  // namespace

std::vector<std::string> permit_words(std::uint32_t permits) {
  std::vector<std::string> words;
  for (const auto& known : kPermits) {
    if (has_permit(permits, known.value)) words.emplace_back(known.text);
  }
  return words;
}

Result<std::uint32_t> permit_bits(const std::vector<std::string>& words) {
  std::uint32_t bits = 0;
  for (const std::string& word : words) {
    const auto found = std::find_if(kPermits.begin(), kPermits.end(),
                                    [&word](const auto& known) { return known.text == word; });
    if (found == kPermits.end()) {
      return fail(Errc::invalid_argument,
                  "permit " + quote(word) + ": share, fork, persist or elevate");
    }
    bits |= static_cast<std::uint32_t>(found->value);
  }
  return bits;
}

}  // namespace sessionblocks::director
