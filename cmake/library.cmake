# libtenure: one object library a folder, in the order of their layers.
include(GenerateExportHeader)
set(TENURE_LAYERS base memory core kernels files ops graph data nn io)

if(BUILD_SHARED_LIBS)
  add_library(tenure SHARED)
else()
  add_library(tenure STATIC)
endif()
add_library(tenure::tenure ALIAS tenure)
generate_export_header(tenure BASE_NAME TENURE EXPORT_MACRO_NAME TENURE_API EXPORT_FILE_NAME ${CMAKE_BINARY_DIR}/include/tenure/export.h)

# The page of the memory report, made from report/ where npm is there.
find_program(TENURE_NPM npm DOC "npm, which makes the page of memory::write_report(); without it there is none")
set(TENURE_PAGE ${CMAKE_BINARY_DIR}/report_page.cc)
file(GLOB_RECURSE report_sources CONFIGURE_DEPENDS report/src/*)
foreach(file package.json package-lock.json index.html vite.config.ts)
  list(APPEND report_sources ${CMAKE_SOURCE_DIR}/report/${file})
endforeach()
add_custom_command(OUTPUT ${TENURE_PAGE}
                   COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR}/report -DWORK=${CMAKE_BINARY_DIR}/report -DOUT=${TENURE_PAGE}
                           "-DNPM=$<$<BOOL:${TENURE_NPM}>:${TENURE_NPM}>" -P ${CMAKE_SOURCE_DIR}/cmake/report_page.cmake
                   DEPENDS ${report_sources} ${CMAKE_SOURCE_DIR}/cmake/report_page.cmake COMMENT "The page of the memory report" VERBATIM)

foreach(layer IN LISTS TENURE_LAYERS)
  file(GLOB sources CONFIGURE_DEPENDS src/${layer}/*.cc)
  list(FILTER sources EXCLUDE REGEX "_test\\.cc$")
  if(layer STREQUAL memory)
    list(APPEND sources ${TENURE_PAGE})
  endif()
  if(sources)
    add_library(tenure_${layer} OBJECT ${sources})
    target_include_directories(tenure_${layer} PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include ${CMAKE_SOURCE_DIR}/src)
    target_compile_definitions(tenure_${layer} PRIVATE tenure_EXPORTS)
    target_link_libraries(tenure_${layer} PRIVATE tenure_flags fmt::fmt nlohmann_json::nlohmann_json)
    tenure_precompile(tenure_${layer} ${layer})
    target_sources(tenure PRIVATE $<TARGET_OBJECTS:tenure_${layer}>)
  endif()
endforeach()

# Under UndefinedBehaviorSanitizer Eigen's templates compile for minutes, and what it checks there is Eigen.
if(TENURE_SANITIZE STREQUAL "address")
  file(GLOB sources src/kernels/eigen_*.cc)
  set_source_files_properties(${sources} PROPERTIES COMPILE_OPTIONS -fno-sanitize=undefined SKIP_PRECOMPILE_HEADERS ON)
endif()

# What only builds models or reads and writes files need not be vectorized: it compiles a quarter faster.
if(CMAKE_BUILD_TYPE STREQUAL Release)
  target_compile_options(tenure_io PRIVATE -O1)
  foreach(layer memory files graph data nn)
    target_compile_options(tenure_${layer} PRIVATE -O2)
  endforeach()
endif()

# Each switch is known where it is asked for and nowhere else: what it does not touch is compiled once.
target_compile_definitions(tenure_base PRIVATE TENURE_OPENMP=$<BOOL:${TENURE_OPENMP}>)
target_compile_definitions(tenure_memory PRIVATE TENURE_LEDGER=$<BOOL:${TENURE_LEDGER}>)
target_compile_definitions(tenure_kernels PRIVATE TENURE_VERSION="${PROJECT_VERSION}" TENURE_ONEDNN=$<BOOL:${TENURE_ONEDNN}> TENURE_OPENMP=$<BOOL:${TENURE_OPENMP}>)
if(TENURE_OPENMP)
  target_link_libraries(tenure_base PRIVATE OpenMP::OpenMP_CXX)
endif()
target_link_libraries(tenure_kernels PRIVATE hwy::hwy Eigen3::Eigen)
target_link_libraries(tenure_files PRIVATE PkgConfig::libzip PkgConfig::libdeflate ZLIB::ZLIB)
target_include_directories(tenure_files PRIVATE ${HDF5_C_INCLUDE_DIRS})
if(TARGET tenure_data)
  target_link_libraries(tenure_data PRIVATE PkgConfig::turbojpeg PNG::PNG)
endif()

target_include_directories(tenure PUBLIC $<BUILD_INTERFACE:${CMAKE_SOURCE_DIR}/include> $<BUILD_INTERFACE:${CMAKE_BINARY_DIR}/include>
                           $<INSTALL_INTERFACE:include>)
target_compile_features(tenure PUBLIC cxx_std_20)
target_link_libraries(tenure PRIVATE fmt::fmt hwy::hwy PkgConfig::libzip PkgConfig::libdeflate ZLIB::ZLIB ${HDF5_C_LIBRARIES}
                      PkgConfig::turbojpeg PNG::PNG Threads::Threads ${CMAKE_DL_LIBS} $<BUILD_INTERFACE:tenure_flags>)
if(TENURE_OPENMP)
  target_link_libraries(tenure PRIVATE OpenMP::OpenMP_CXX)
endif()
if(TENURE_ONEDNN)
  target_link_libraries(tenure_kernels PRIVATE DNNL::dnnl)
  target_link_libraries(tenure PRIVATE DNNL::dnnl)
endif()
set_target_properties(tenure PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
                      BUILD_RPATH "$ORIGIN" INSTALL_RPATH "$ORIGIN" BUILD_RPATH_USE_ORIGIN ON)

# The same objects with everything visible: for tests of internals and for benches.
add_library(tenure_internal STATIC)
foreach(layer IN LISTS TENURE_LAYERS)
  if(TARGET tenure_${layer})
    target_sources(tenure_internal PRIVATE $<TARGET_OBJECTS:tenure_${layer}>)
  endif()
endforeach()
target_include_directories(tenure_internal PUBLIC ${CMAKE_SOURCE_DIR}/include ${CMAKE_BINARY_DIR}/include ${CMAKE_SOURCE_DIR}/src)
target_link_libraries(tenure_internal PUBLIC tenure_flags fmt::fmt nlohmann_json::nlohmann_json hwy::hwy PkgConfig::libzip PkgConfig::libdeflate ZLIB::ZLIB
                      ${HDF5_C_LIBRARIES} PkgConfig::turbojpeg PNG::PNG Threads::Threads ${CMAKE_DL_LIBS})
target_include_directories(tenure_internal PUBLIC ${HDF5_C_INCLUDE_DIRS})
if(TENURE_OPENMP)
  target_link_libraries(tenure_internal PUBLIC $<LINK_ONLY:OpenMP::OpenMP_CXX>)
endif()
if(TENURE_ONEDNN)
  target_link_libraries(tenure_internal PUBLIC $<LINK_ONLY:DNNL::dnnl>)
endif()
