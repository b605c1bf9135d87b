# Every third-party library, and which folder of src may see it.
find_package(fmt REQUIRED)                      # everywhere inside, never in a public header
find_package(nlohmann_json 3.11 REQUIRED)       # nn, io, graph reports
find_package(hwy REQUIRED)                      # kernels
find_package(ZLIB REQUIRED)                     # files
find_package(PNG REQUIRED)                      # data
find_package(Eigen3 3.4 REQUIRED NO_MODULE)     # kernels
find_package(PkgConfig REQUIRED)
pkg_check_modules(libzip REQUIRED IMPORTED_TARGET libzip)              # files
pkg_check_modules(libdeflate REQUIRED IMPORTED_TARGET libdeflate)      # files: checksums
pkg_check_modules(turbojpeg REQUIRED IMPORTED_TARGET libturbojpeg)     # data
find_package(HDF5 REQUIRED COMPONENTS C)        # files
find_package(Threads REQUIRED)
if(TENURE_OPENMP)
  find_package(OpenMP REQUIRED COMPONENTS CXX)
endif()
if(TENURE_ONEDNN)
  find_package(dnnl 3.1 QUIET CONFIG PATHS "${TENURE_ONEDNN_ROOT}" "${TENURE_ONEDNN_ROOT}/lib/cmake/dnnl")
  if(NOT dnnl_FOUND)
    message(FATAL_ERROR "oneDNN >= 3.1 was not found. Run tools/setup, name it with -DTENURE_ONEDNN_ROOT=, or configure with -DTENURE_ONEDNN=OFF.")
  endif()
endif()
