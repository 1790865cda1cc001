// A queue between two threads of one process, which trust each other: boost::lockfree::spsc_queue.
// Not for shared memory: there a forged index crashes its consumer (audit_ring.hpp).
#pragma once

#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>

namespace sessionblocks {

// One thread pushes, one pops; neither waits.
template <typename T>
class ThreadQueue {
 public:
  explicit ThreadQueue(std::size_t capacity) : queue_(capacity) {}
  [[nodiscard]] bool push(const T& value) { return queue_.push(value); }
  [[nodiscard]] bool pop(T& value) { return queue_.pop(value); }

 private:
  boost::lockfree::spsc_queue<T> queue_;
};

}  // namespace sessionblocks
