// What a director does to make the next generation of a scene's block, in memory beside it.
#pragma once

#include "generations.hpp"
#include "segment/rebuild.hpp"

#include <optional>

namespace sessionblocks::crash {

// Memory for the next generation, as it was formatted, again and again.
class NextBlock {
 public:
  explicit NextBlock(std::uint64_t block_bytes) : system_(block_bytes) {}
  void format_anew();
  // All of it, to set it back.
  [[nodiscard]] std::vector<std::byte> bytes() const;
  void set_back(const std::vector<std::byte>& bytes);
  [[nodiscard]] System& system() noexcept { return system_; }

 private:
  System system_;
};

// The instant of the scene's first pin.
[[nodiscard]] std::uint64_t first_pin(const Scene& scene);
[[nodiscard]] Entries live_of(const Entries& all);
[[nodiscard]] Entries held_by(const Entries& all, std::uint64_t instant);

// A director at work, in the steps between which others may do something.
class Maker {
 public:
  // `held`: the checkpoint that comes along; of a fork the moment that it begins with.
  Maker(Purpose purpose, Scene& scene, NextBlock& next, std::uint64_t held);

  // While writers write, but for a swap: nobody does any more.
  [[nodiscard]] Errc copy();
  // After it nobody commits to the present generation; `writers` are those who might.
  [[nodiscard]] bool stop_writers(std::span<const IntentSource> writers);
  [[nodiscard]] Errc finish();
  // From here on the next one counts.
  void publish();
  // All of it, in the order that the purpose has.
  void run(std::span<const IntentSource> writers);

 private:
  [[nodiscard]] Errc copy_to_fork();

  Purpose purpose_;
  Scene& scene_;
  NextBlock& next_;
  std::uint64_t held_;
  std::optional<Loader> loader_;  // until all of it is there
  Rebuild rebuild_;
};

// Whether what the next generation shows is what the present one showed at its moment.
// `present`: when nobody wrote any more, or the fork's moment as its live entries.
void check_next(Purpose purpose, NextBlock& next, const Entries& present, std::uint64_t held,
                std::uint64_t step, Violations& violations);

}  // namespace sessionblocks::crash
