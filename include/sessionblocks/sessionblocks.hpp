// Everything. Read session.hpp and block.hpp first.
#pragma once

#include <sessionblocks/block.hpp>       // IWYU pragma: export
#include <sessionblocks/checkpoint.hpp>  // IWYU pragma: export
#include <sessionblocks/error.hpp>       // IWYU pragma: export
#include <sessionblocks/flow_scope.hpp>  // IWYU pragma: export
#include <sessionblocks/join.hpp>        // IWYU pragma: export
#include <sessionblocks/key.hpp>         // IWYU pragma: export
#include <sessionblocks/session.hpp>     // IWYU pragma: export
#include <sessionblocks/system.hpp>      // IWYU pragma: export
#include <sessionblocks/value.hpp>       // IWYU pragma: export
