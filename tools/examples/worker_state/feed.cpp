// Writes numbers for the worker `squares` and waits for what it makes of them.
#include <sessionblocks/sessionblocks.hpp>

#include <chrono>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using sessionblocks::Result;
using sessionblocks::Session;
using sessionblocks::Version;

namespace {

constexpr std::int64_t kJobs = 100;

Result<std::int64_t> feed() {
  auto session = Session::attach();
  if (!session) return tl::unexpected(session.error());
  auto input = session->open("input");
  if (!input) return tl::unexpected(input.error());
  const auto output = session->open("output");
  if (!output) return tl::unexpected(output.error());

  for (std::int64_t job = 1; job <= kJobs; ++job) {
    const auto put = input->put("job:" + std::to_string(job), job == kJobs ? 0 : job);
    if (!put) return tl::unexpected(put.error());
  }
  std::int64_t sum = 0;
  for (std::int64_t job = 1; job < kJobs; ++job) {
    const std::string key = "result:" + std::to_string(job);
    if (auto there = output->wait(key, Version{0}, 20s); !there) {
      return tl::unexpected(there.error());
    }
    const auto result = output->get<std::int64_t>(key);
    if (!result) return tl::unexpected(result.error());
    sum += result->value;
  }
  return sum;
}

}  // namespace

int main() {
  const auto sum = feed();
  if (sum) std::cout << "the squares add up to " << *sum << std::endl;
  if (!sum) std::cerr << "feed: " << sum.error().message() << '\n';
  return sum ? 0 : 1;
}
