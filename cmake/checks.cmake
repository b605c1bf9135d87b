# Tests that are not GoogleTest programs.
find_package(Python3 COMPONENTS Interpreter REQUIRED)
add_test(NAME layers COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/check_layers.py)
add_test(NAME bad_input_table COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/bad_input_check.py ${CMAKE_BINARY_DIR})
if(NOT TENURE_SANITIZE)
  add_test(NAME consumer COMMAND ${CMAKE_SOURCE_DIR}/tests/consumer/check ${CMAKE_BINARY_DIR})
  set_tests_properties(consumer PROPERTIES LABELS slow TIMEOUT 600)
endif()
add_test(NAME cli COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/cli_check.py ${CMAKE_BINARY_DIR})
set_tests_properties(cli PROPERTIES TIMEOUT ${TENURE_TEST_TIMEOUT})
# Files of whole networks that the real Keras makes on demand; skipped where it is not there.
if(NOT TENURE_SANITIZE)
  add_test(NAME applications COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/applications_check.py ${CMAKE_BINARY_DIR})
  add_test(NAME random_models COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/reference/random_models.py ${CMAKE_BINARY_DIR} --count 30 --seconds 45)
  set_tests_properties(applications random_models PROPERTIES LABELS slow SKIP_RETURN_CODE 77 TIMEOUT 900)
endif()

add_executable(applications_program tests/programs/applications.cc)
target_link_libraries(applications_program PRIVATE tenure::tenure tenure_flags)

# The report in a real browser; skipped, with the reason, where there is no chromium or npm.
find_program(TENURE_NODE node)
if(NOT TENURE_NODE)
  message(STATUS "Left out: the browser test of the memory report (there is no node)")
elseif(NOT TENURE_SANITIZE)
  add_test(NAME report COMMAND ${TENURE_NODE} ${CMAKE_SOURCE_DIR}/tests/browser/report_check.mjs ${CMAKE_BINARY_DIR})
  set_tests_properties(report PROPERTIES LABELS html SKIP_RETURN_CODE 77 TIMEOUT 600)
endif()

# A program whose ticks `tenure memcheck -- PROGRAM` judges, linked as users link.
add_executable(ticks_program tests/programs/ticks.cc)
target_link_libraries(ticks_program PRIVATE tenure::tenure tenure_flags)

# Exports, each by its real reader; what cannot be had is skipped by name.
add_test(NAME exports COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tests/exports_check.py ${CMAKE_BINARY_DIR})
set_tests_properties(exports PROPERTIES LABELS export TIMEOUT ${TENURE_TEST_TIMEOUT})
if(TENURE_NODE AND NOT TENURE_SANITIZE)
  add_test(NAME exports_in_developer_tools COMMAND ${TENURE_NODE} ${CMAKE_SOURCE_DIR}/tests/browser/exports_check.mjs ${CMAKE_BINARY_DIR})
  # After the report's, which fetches the same playwright-core.
  set_tests_properties(exports_in_developer_tools PROPERTIES LABELS export SKIP_RETURN_CODE 77 TIMEOUT 600 DEPENDS report)
endif()

# Test programs that a check starts write no results of their own.
get_property(tests DIRECTORY PROPERTY TESTS)
foreach(test IN ITEMS layers bad_input_table consumer cli applications random_models report exports exports_in_developer_tools)
  if(test IN_LIST tests)
    set_tests_properties(${test} PROPERTIES ENVIRONMENT_MODIFICATION "GTEST_OUTPUT=unset:")
  endif()
endforeach()
