# Flags shared by the library, the tests and the tools.
add_library(tenure_flags INTERFACE)
target_compile_options(tenure_flags INTERFACE -Wall -Wextra -Wno-missing-field-initializers -ffp-contract=off)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(tenure_flags INTERFACE -Wno-restrict) # "x" + std::string: a false alarm of GCC 12 (its PR 105651)
endif()
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(tenure_flags INTERFACE "SHELL:--param ggc-min-heapsize=500000 --param ggc-min-expand=200") # cc1plus collects seldom: 8 % of its time
endif()
if(TENURE_SANITIZE STREQUAL "address")
  # Null and stray pointers end in a report of AddressSanitizer as it is; checked a second time, they double what the compiler makes.
  target_compile_options(tenure_flags INTERFACE -fsanitize=address,undefined -fno-sanitize=null,object-size,pointer-overflow
                         -fno-sanitize-recover=undefined -fno-omit-frame-pointer -g1)
  target_link_options(tenure_flags INTERFACE -fsanitize=address,undefined)
elseif(TENURE_SANITIZE STREQUAL "thread")
  target_compile_options(tenure_flags INTERFACE -fsanitize=thread -g1)
  target_link_options(tenure_flags INTERFACE -fsanitize=thread)
endif()
