// The main of every test program: GoogleTest with the leak listener.
#include <gtest/gtest.h>

#include <tenure/gtest.h>

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  tenure::install_leak_listener();
  return RUN_ALL_TESTS();
}
