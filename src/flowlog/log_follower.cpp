#include "flowlog/log_follower.hpp"

namespace sessionblocks::flowlog {

namespace {

// Passes over what is in the files at this moment.
Result<void> go_to_end(LogReader& reader) {
  if (auto begun = reader.begin_at_newest(); !begun) return begun;
  if (auto ended = reader.end_here(); !ended) return ended;
  Entry passed;
  for (;;) {
    const auto more = reader.next(passed);
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
  }
  reader.end_nowhere();
  return {};
}

}  // namespace

// False: there is no log yet; all of one that comes is new.
Result<bool> LogFollower::open() {
  auto opened = LogReader::open(folder_);
  if (opened && from_ == From::now) {
    if (auto there = go_to_end(*opened); !there) opened = tl::unexpected(there.error());
  }
  if (!opened && !(opened.error() == Errc::not_found)) return tl::unexpected(opened.error());
  from_ = From::oldest;
  if (!opened) return false;
  reader_.emplace(std::move(*opened));
  state_ = State::present;
  return true;
}

Result<bool> LogFollower::next(Entry& entry) {
  if (!reader_) {
    const auto opened = open();
    if (!opened || !*opened) return opened;
  }
  const auto more = reader_->next(entry);
  if (more && *more) return true;
  if (!more && !(more.error() == Errc::not_found)) return more;
  if (!reader_->is_taken_away()) return false;
  reader_.reset();
  state_ = State::taken_away;
  return false;
}

}  // namespace sessionblocks::flowlog
