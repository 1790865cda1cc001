# What every target of this tree compiles with. Consumers of the installed package get none of it.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
# -O3 gains nothing measurable here and makes g++ 12 warn about its own std::string.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
endif()

add_library(sessionblocks_settings INTERFACE)
# -mcx16: the index's only commit is a 16-byte compare-and-swap (src/lockfree/cas16.hpp).
target_compile_options(sessionblocks_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion -Wnon-virtual-dtor
  -Wold-style-cast -Woverloaded-virtual -Wcast-align -mcx16
  # A shared library shows its symbols; a static one does not add them to what its consumer exports.
  $<$<NOT:$<BOOL:${BUILD_SHARED_LIBS}>>:-fvisibility=hidden>)
target_compile_definitions(sessionblocks_settings INTERFACE
  $<$<BOOL:${SESSIONBLOCKS_CRASH_POINTS}>:SESSIONBLOCKS_CRASH_POINTS=1>)
target_include_directories(sessionblocks_settings INTERFACE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_SOURCE_DIR}/src")

# g++ 12 takes std::string's own copies for overlapping or endless ones once it inlines them
# (gcc.gnu.org PR 105329 and 105651); its other warnings stay.
target_compile_options(sessionblocks_settings INTERFACE
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-stringop-overflow -Wno-array-bounds>)

if(CMAKE_CXX_FLAGS MATCHES "fsanitize=[a-z,]*address")
  target_sources(sessionblocks_settings INTERFACE
    $<$<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>:${CMAKE_CURRENT_LIST_DIR}/leak_check_in_sandbox.cpp>)
endif()
