// What the public functions are wrapped in: no exception crosses the API.
#pragma once

#include <sessionblocks/error.hpp>

#include <exception>
#include <new>
#include <utility>

namespace sessionblocks {

template <typename Body>
auto guarded(Body&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory, "no memory in this process");
  } catch (const std::exception& error) {  // text that is not UTF-8 in a message, for one
    return fail(Errc::invalid_argument, error.what());
  }
}

}  // namespace sessionblocks
