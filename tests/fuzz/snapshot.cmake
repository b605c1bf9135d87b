# The fuzzer of files of memory::write_snapshot(): memory stands on base alone.
file(GLOB snapshot_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/memory/*.cc ${PROJECT_SOURCE_DIR}/src/base/*.cc)
list(FILTER snapshot_sources EXCLUDE REGEX "_test\\.cc$")
add_executable(fuzz_snapshot fuzz_snapshot.cc no_page.cc ${snapshot_sources} ${PROJECT_SOURCE_DIR}/src/files/bytes.cc)
target_include_directories(fuzz_snapshot PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_BINARY_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_definitions(fuzz_snapshot PRIVATE TENURE_STATIC_DEFINE TENURE_LEDGER=1)
target_compile_options(fuzz_snapshot PRIVATE -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -g -O1)
target_link_options(fuzz_snapshot PRIVATE -fsanitize=fuzzer,address,undefined)
target_link_libraries(fuzz_snapshot PRIVATE fmt::fmt nlohmann_json::nlohmann_json ZLIB::ZLIB Threads::Threads ${CMAKE_DL_LIBS})
list(APPEND runs COMMAND fuzz_snapshot -max_total_time=${FUZZ_SECONDS} -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1
                         ${corpus}/snapshot)
