# The command: a front end without logic of its own.
find_package(CLI11 REQUIRED)
file(GLOB sources CONFIGURE_DEPENDS cli/*.cc)
add_executable(tenure_cli ${sources})
target_link_libraries(tenure_cli PRIVATE tenure::tenure tenure_flags fmt::fmt CLI11::CLI11 nlohmann_json::nlohmann_json)
target_compile_definitions(tenure_cli PRIVATE TENURE_VERSION="${PROJECT_VERSION}")
tenure_precompile(tenure_cli cli)
if(CMAKE_BUILD_TYPE STREQUAL Release)
  target_compile_options(tenure_cli PRIVATE -O1) # nothing here is worth more: the library does the work
endif()
set_target_properties(tenure_cli PROPERTIES OUTPUT_NAME tenure RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR} BUILD_RPATH_USE_ORIGIN ON
                      INSTALL_RPATH "$ORIGIN/../lib")
