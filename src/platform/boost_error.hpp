// From Boost.Interprocess's exceptions to Result: no exception leaves this layer.
#pragma once

#include <boost/interprocess/exceptions.hpp>
#include <new>
#include <sessionblocks/error.hpp>
#include <string>
#include <string_view>

#include "platform/os_error.hpp"

namespace sessionblocks::platform {

// Returns what `body` returns, or the Error for what it threw.
template <typename Body>
auto catching_boost(std::string_view what, std::string_view subject, Body&& body)
    -> decltype(body()) {
  try {
    return body();
  } catch (const boost::interprocess::interprocess_exception& exception) {
    if (exception.get_native_error() != 0) {
      return tl::unexpected<Error>(os_error(exception.get_native_error(), what, subject));
    }
    return fail(Errc::io_error, std::string(what).append(" ").append(subject).append(": ").append(
                                    exception.what()));
  } catch (const std::bad_alloc&) {
    return fail(Errc::out_of_memory);
  }
}

}  // namespace sessionblocks::platform
