// A second worker process that keeps the other core busy with the same operation.
#pragma once

#include <string>
#include <vector>

#include "platform/spawn.hpp"
#include "platform/unique_fd.hpp"

namespace sessionblocks::bench {

class Neighbour {
 public:
  // Starts this program again with `environment` and waits until it works.
  Neighbour(std::vector<std::string> environment, const std::string& block,
            const std::string& operation);
  ~Neighbour();  // ends it and waits for it

 private:
  pid_t pid_ = -1;
  platform::UniqueFd stop_;
};

}  // namespace sessionblocks::bench
