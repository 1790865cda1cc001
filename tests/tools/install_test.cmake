# Installs this build into a fresh prefix, moves it, and builds a consumer outside the tree, once by
# find_package and once by pkg-config. A moved prefix shows paths that point back into the build.
#
# cmake -D BUILD=... -D CONSUMER=... -D FOLDER=... -D COMPILER=... -D FLAGS=... -P install_test.cmake
function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result STREQUAL "0")
    message(FATAL_ERROR "${ARGV}\nended with ${result}:\n${output}")
  endif()
  set(run_output "${output}" PARENT_SCOPE)
endfunction()

function(expect_ok program)
  run("${program}")
  if(NOT run_output STREQUAL "consumer: ok\n")
    message(FATAL_ERROR "${program} printed: ${run_output}")
  endif()
endfunction()

file(REMOVE_RECURSE "${FOLDER}")
file(COPY "${CONSUMER}/" DESTINATION "${FOLDER}/consumer")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${FOLDER}/installed")
file(RENAME "${FOLDER}/installed" "${FOLDER}/moved")

run("${CMAKE_COMMAND}" -G Ninja -S "${FOLDER}/consumer" -B "${FOLDER}/by_find_package"
  "-DCMAKE_PREFIX_PATH=${FOLDER}/moved" "-DCMAKE_CXX_COMPILER=${COMPILER}"
  "-DCMAKE_CXX_FLAGS=${FLAGS}")
run("${CMAKE_COMMAND}" --build "${FOLDER}/by_find_package")
expect_ok("${FOLDER}/by_find_package/consumer")

file(GLOB_RECURSE pc "${FOLDER}/moved/sessionblocks.pc")
get_filename_component(pc_folder "${pc}" DIRECTORY)
set(ENV{PKG_CONFIG_PATH} "${pc_folder}")
run(pkg-config --static --cflags --libs sessionblocks)
string(STRIP "${run_output}" pc_flags)
separate_arguments(pc_flags UNIX_COMMAND "${pc_flags}")
separate_arguments(flags UNIX_COMMAND "${FLAGS}")
run("${COMPILER}" -std=c++20 ${flags} "${FOLDER}/consumer/main.cpp" -o "${FOLDER}/by_pkg_config"
  ${pc_flags} "-Wl,-rpath,${pc_folder}/..")
expect_ok("${FOLDER}/by_pkg_config")
