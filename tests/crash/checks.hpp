// What must hold after a victim was stopped or killed at any instruction and was recovered.
#pragma once

#include "scene.hpp"

#include <set>
#include <string>

namespace sessionblocks::crash {

// Ends this process when a test hangs: after 280 s, or SESSIONBLOCKS_CRASH_SECONDS.
void watchdog();

struct Path {
  std::string name;
  std::string key;  // the one that the operation changes, if any
  Op op = Op::put;  // how its audit record names it
  std::function<void(Scene&)> setup;
  std::function<void(Scene&)> act;  // in the child, by scene.self
  bool is_recorded = true;          // an audit record tells of it
  bool is_interfered = false;       // others change its key while it is stopped
  bool has_value = false;           // which carries the new value
  bool is_full = false;             // the block is full: a put may be refused afterwards
  std::uint64_t block_bytes = kBlockBytes;
};
[[nodiscard]] const std::vector<Path>& paths();
void add_logged_values(std::vector<Path>& all);
[[nodiscard]] const Path& path_named(std::string_view name);

// The entries before the operation and after it.
struct Truth {
  Entries before;
  Entries after;
  std::uint64_t ring_start = 0;
};

// Sets the scene, lets the operation happen once in a child and puts everything back.
[[nodiscard]] Truth learn(const Path& path, Scene& scene);

// Records of successful operations `op` that a lane's ring holds from `start` on.
struct Recorded {
  unsigned succeeded = 0;
  std::uint64_t version = 0;
  // What the last of them carries of the value: its bytes, behind so many of the one before.
  bool has_value = false;
  std::uint64_t kept_bytes = 0;
  std::string logged;
};
[[nodiscard]] Recorded records_in(const WorkerMemory& worker, std::uint64_t start, Op op);

// Collects sentences; the same one is kept once, and counted.
class Violations {
 public:
  void add(const std::string& what, std::uint64_t step) {
    if (++counts_[what] == 1) first_[what] = step;
  }
  [[nodiscard]] std::size_t count() const noexcept { return counts_.size(); }
  [[nodiscard]] std::string text() const;

 private:
  std::map<std::string, unsigned> counts_;
  std::map<std::string, std::uint64_t> first_;
};

void check_fsck(const BlockMemory& memory, std::uint64_t step, Violations& violations);

// Recovers an image and checks everything that is promised of it.
class ImageCheck {
 public:
  ImageCheck(const Path& path, const Truth& truth, const Scene& scene)
      : path_(path), truth_(truth), scene_(scene), twin_(scene) {}
  void operator()(Image& image, std::uint64_t step, Violations& violations);

 private:
  void entries(Image& image, std::uint64_t step, Violations& violations);
  void value(const Recorded& recorded, const Value* entry, std::uint64_t step,
             Violations& violations) const;
  void later_use(Image& image, std::uint64_t step, Violations& violations);

  const Path& path_;
  const Truth& truth_;
  const Scene& scene_;
  Image twin_;
  Worker later_{3};
};

}  // namespace sessionblocks::crash
