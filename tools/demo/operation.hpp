// What a counting worker is doing, for whoever watches it: the chaos of the demo and its tests.
#pragma once

#include <cstdint>
#include <string_view>

namespace demo {

enum class Operation : std::uint32_t {
  start = 0,
  claim = 1,
  count_visitor = 2,
  count_page = 3,
  count_malformed = 4,
  save_progress = 5,
  finish = 6,
  idle = 7,  // no partition is left
};

[[nodiscard]] constexpr std::string_view operation_name(Operation operation) {
  switch (operation) {
    case Operation::start:
      return "start";
    case Operation::claim:
      return "claim";
    case Operation::count_visitor:
      return "count_visitor";
    case Operation::count_page:
      return "count_page";
    case Operation::count_malformed:
      return "count_malformed";
    case Operation::save_progress:
      return "save_progress";
    case Operation::finish:
      return "finish";
    case Operation::idle:
      return "idle";
  }
  return "unknown";
}

class OperationWatch {
 public:
  OperationWatch() = default;
  OperationWatch(const OperationWatch&) = delete;
  OperationWatch& operator=(const OperationWatch&) = delete;
  virtual ~OperationWatch() = default;

  // An operation on a line begins; line 0 when it is about no line.
  virtual void before(Operation operation, std::uint64_t line) = 0;
  // It changed a block.
  virtual void committed() = 0;
};

}  // namespace demo
