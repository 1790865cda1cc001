// A long-lived worker: reads jobs from one block, writes results to another, and notes in a third
// how far it is. Results come before the note, and the same job gives the same result, so a process
// that dies anywhere is simply followed by the next. This one dies after every 40 jobs.
#include <sessionblocks/sessionblocks.hpp>

#include <chrono>
#include <csignal>
#include <iostream>
#include <string>

using namespace std::chrono_literals;
using sessionblocks::Errc;
using sessionblocks::Result;
using sessionblocks::Session;
using sessionblocks::Version;

namespace {

Result<void> work() {
  auto session = Session::attach();
  if (!session) return tl::unexpected(session.error());
  const auto input = session->open("input");
  if (!input) return tl::unexpected(input.error());
  auto output = session->open("output");
  if (!output) return tl::unexpected(output.error());
  auto progress = session->open("progress");
  if (!progress) return tl::unexpected(progress.error());

  const auto noted = progress->get<std::int64_t>("done");
  if (!noted && noted.error() != Errc::not_found) return tl::unexpected(noted.error());
  for (std::int64_t job = noted ? noted->value + 1 : 1;; ++job) {
    const std::string number = std::to_string(job);
    const auto there = input->wait("job:" + number, Version{0}, 20s);
    if (!there) return tl::unexpected(there.error());
    const auto value = input->get<std::int64_t>("job:" + number);
    if (!value) return tl::unexpected(value.error());
    if (value->value == 0) return {};  // no more
    const auto put = output->put("result:" + number, value->value * value->value);
    if (!put) return tl::unexpected(put.error());
    const auto done = progress->put("done", job);
    if (!done) return tl::unexpected(done.error());
    if (job % 40 == 0) std::raise(SIGKILL);
  }
}

}  // namespace

int main() {
  const auto worked = work();
  if (worked) return 0;
  std::cerr << "squares: " << worked.error().message() << '\n';
  return 1;
}
