// What is kept of one worker from look to look.
#pragma once

#include <map>
#include <sessionblocks/error.hpp>
#include <set>
#include <string>

#include "director/guard.hpp"
#include "director/worker_table.hpp"
#include "flowguard/activity.hpp"
#include "flowguard/lane_watch.hpp"
#include "flowguard/metrics.hpp"
#include "flowguard/rate.hpp"

namespace sessionblocks::flowguard {

class WorkerWatch {
 public:
  // A request of it was answered. Errc{}: it was done.
  void answered(const director::Asking& asking, Errc code, std::uint64_t now_ms);
  void forged(std::uint64_t times) noexcept { forgeries_ += times; }
  [[nodiscard]] double forgeries() const noexcept { return static_cast<double>(forgeries_); }
  // What findings call it; empty before it was first looked at.
  void name(std::string text) { text_ = std::move(text); }
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  void holds(std::uint64_t hazard_ms) noexcept {
    hazard_ms_ = hazard_ms > hazard_ms_ ? hazard_ms : hazard_ms_;
  }
  // By its own counters, since this was asked last, of one open: what its handles refused, and what
  // levels "writes" and "counted" count instead of records. A number that went back is nothing.
  struct Counted {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
    std::uint64_t refused = 0;
  };
  [[nodiscard]] Counted take_counted(const director::Worker& worker, unsigned open);
  // The open stands for another block from now on.
  void forget(unsigned open) { before_.erase(open); }

  struct Turn {
    Use use;
    std::uint64_t refused = 0;  // by its handles
    std::uint64_t now_ms = 0;
    double passed_s = 0;
  };
  [[nodiscard]] Measures look(const director::Worker& worker, const Turn& turn);
  // Refusals of this look, for the scope's sum: by handles and by the director.
  [[nodiscard]] std::uint64_t refused() const noexcept { return refused_now_; }

 private:
  Rate reads_{1};
  Rate writes_{1};
  Rate requests_{1};
  Rate refused_{20};
  Rate probes_{20};
  Rate misused_{20};
  LaneWatch lanes_;
  std::string text_;
  std::map<unsigned, Counted> before_;
  // Names that were asked for in vain in this minute: a program that waits for a block asks for one
  // name many times.
  std::set<std::size_t> probed_;
  std::uint64_t probed_since_ms_ = 0;
  std::uint64_t hazard_ms_ = 0;
  std::uint64_t forgeries_ = 0;
  Lately forged_;
  std::uint64_t refused_now_ = 0;
  // Since the last look.
  std::uint64_t new_requests_ = 0;
  std::uint64_t new_refused_ = 0;
  std::uint64_t new_probes_ = 0;
  std::uint64_t new_misused_ = 0;
};

}  // namespace sessionblocks::flowguard
