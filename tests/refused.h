// What must be refused.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include <tenure/error.h>

namespace tenure {

/// `f` throws an Error whose text holds `part`.
template <class F>
void expect_refused(F f, const char* part) {
  try {
    (void)f();
    ADD_FAILURE() << "nothing was refused, expected: " << part;
  } catch (const Error& e) { EXPECT_NE(std::string(e.what()).find(part), std::string::npos) << e.what(); }
}

}  // namespace tenure
