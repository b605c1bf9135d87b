# Tests that are not GoogleTest programs.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME layers COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/check_layers.py)
add_test(NAME bad_input_table COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/bad_input_check.py ${CMAKE_BINARY_DIR})
if(NOT TENURE_SANITIZE)
  add_test(NAME consumer COMMAND ${CMAKE_SOURCE_DIR}/tests/consumer/check ${CMAKE_BINARY_DIR})
  set_tests_properties(consumer PROPERTIES LABELS slow TIMEOUT 600)
endif()
