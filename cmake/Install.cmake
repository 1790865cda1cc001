# What `cmake --install` puts where, and how other projects find it: find_package(sessionblocks)
# or pkg-config (with --static, as the library is static unless BUILD_SHARED_LIBS is set).
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(sessionblocks_package_folder "${CMAKE_INSTALL_LIBDIR}/cmake/sessionblocks")
get_target_property(sessionblocks_library_type sessionblocks TYPE)

set_target_properties(sessionblocks PROPERTIES
  VERSION "${PROJECT_VERSION}"
  SOVERSION "${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}")
install(TARGETS sessionblocks EXPORT sessionblocks_targets
  ARCHIVE DESTINATION "${CMAKE_INSTALL_LIBDIR}"
  LIBRARY DESTINATION "${CMAKE_INSTALL_LIBDIR}")
install(EXPORT sessionblocks_targets NAMESPACE sessionblocks::
  DESTINATION "${sessionblocks_package_folder}")
install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/sessionblocks"
  DESTINATION "${CMAKE_INSTALL_INCLUDEDIR}")
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}")

foreach(program flowdirector sessionctl)
  if(TARGET ${program})
    install(TARGETS ${program} RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
  endif()
endforeach()

configure_package_config_file(
  "${PROJECT_SOURCE_DIR}/cmake/sessionblocks-config.cmake.in"
  "${PROJECT_BINARY_DIR}/sessionblocks-config.cmake"
  INSTALL_DESTINATION "${sessionblocks_package_folder}"
  NO_SET_AND_CHECK_MACRO)
# Before 1.0 a new minor version may change the API.
write_basic_package_version_file("${PROJECT_BINARY_DIR}/sessionblocks-config-version.cmake"
  COMPATIBILITY SameMinorVersion)
install(FILES
  "${PROJECT_BINARY_DIR}/sessionblocks-config.cmake"
  "${PROJECT_BINARY_DIR}/sessionblocks-config-version.cmake"
  DESTINATION "${sessionblocks_package_folder}")

# The .pc file finds its prefix from where it stands, so that an installed tree can be moved.
file(RELATIVE_PATH sessionblocks_pc_to_prefix
  "${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig" "${CMAKE_INSTALL_PREFIX}")
configure_file("${PROJECT_SOURCE_DIR}/cmake/sessionblocks.pc.in"
  "${PROJECT_BINARY_DIR}/sessionblocks.pc" @ONLY)
install(FILES "${PROJECT_BINARY_DIR}/sessionblocks.pc"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
