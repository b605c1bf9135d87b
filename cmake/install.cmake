# Installation: a tree that may be moved. libdnnl stands beside libtenure, the rpath is $ORIGIN, the CMake package finds itself.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)
set(TENURE_CMAKE_DIR ${CMAKE_INSTALL_LIBDIR}/cmake/tenure)

install(TARGETS tenure EXPORT tenure-targets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        INCLUDES DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(DIRECTORY ${CMAKE_SOURCE_DIR}/include/tenure ${CMAKE_BINARY_DIR}/include/tenure DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES LICENSE THIRD_PARTY_LICENSES DESTINATION ${CMAKE_INSTALL_DATADIR}/tenure)
if(TARGET tenure_cli)
  file(RELATIVE_PATH lib_from_bin ${CMAKE_INSTALL_FULL_BINDIR} ${CMAKE_INSTALL_FULL_LIBDIR})
  set_target_properties(tenure_cli PROPERTIES INSTALL_RPATH "$ORIGIN/${lib_from_bin}")
  install(TARGETS tenure_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

# A oneDNN of the system's own stays where it is.
set(TENURE_BUNDLES_ONEDNN OFF)
if(TENURE_ONEDNN)
  get_target_property(dnnl_file DNNL::dnnl LOCATION)
  if(NOT dnnl_file MATCHES "^/usr/")
    set(TENURE_BUNDLES_ONEDNN ON)
    install(FILES ${dnnl_file} RENAME $<TARGET_SONAME_FILE_NAME:DNNL::dnnl> DESTINATION ${CMAKE_INSTALL_LIBDIR})
  endif()
endif()

install(EXPORT tenure-targets NAMESPACE tenure:: DESTINATION ${TENURE_CMAKE_DIR})
configure_package_config_file(cmake/tenure-config.cmake.in ${CMAKE_BINARY_DIR}/tenure-config.cmake INSTALL_DESTINATION ${TENURE_CMAKE_DIR})
write_basic_package_version_file(${CMAKE_BINARY_DIR}/tenure-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_BINARY_DIR}/tenure-config.cmake ${CMAKE_BINARY_DIR}/tenure-config-version.cmake DESTINATION ${TENURE_CMAKE_DIR})
