// Prints what the director does on stderr, a line each, with spdlog.
#pragma once

#include <memory>

#include "director/events.hpp"

namespace sessionblocks::tools {

enum class Verbosity { quiet, normal, verbose };

// quiet: failures only; normal: what a person wants to see; verbose: every open and attach.
[[nodiscard]] std::shared_ptr<director::EventSink> make_event_printer(Verbosity verbosity);

}  // namespace sessionblocks::tools
