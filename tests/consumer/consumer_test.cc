// The installed GoogleTest listener, in a test program outside the project.
#include <gtest/gtest.h>
#include <tenure/gtest.h>
#include <tenure/tenure.h>

TEST(Consumer, AddsTwoTensors) {
  tenure::Tensor sum = tenure::Tensor::from({1.0f, 2.0f}) + tenure::Tensor::from({3.0f, 4.0f});
  EXPECT_EQ(sum.at(1), 6.0);
}
