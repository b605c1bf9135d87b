// A test program of your own, outside the project, against an installed Tenure: no test may leave anything of it alive.
#include <gtest/gtest.h>
#include <tenure/gtest.h>
#include <tenure/tenure.h>

using namespace tenure;

// The listener looks after every test: what lives that did not live before, who holds it, and whether a reference is unexplained.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  install_leak_listener();
  return RUN_ALL_TESTS();
}

TEST(Consumer, AddsTwoTensors) {
  Tensor sum = Tensor::from({1.0f, 2.0f}) + Tensor::from({3.0f, 4.0f});
  EXPECT_EQ(sum.at(1), 6.0);
}

// Repeated until it is known whether the counts rise: throws with the accounts and holders if they do.
TEST(Consumer, AnsweringIsSteady) {
  Model model = Sequential({layers::InputLayer{.shape = {4}}, layers::Dense{.units = 2}});
  memory::expect_steady([&] { model.predict(ones({8, 4})); });
}

// A scope closes only if all that was made inside is gone, but for what was let out on purpose.
TEST(Consumer, ARequestLetsOutItsAnswerOnly) {
  Tensor answer;
  {
    memory::Scope request("request", {.on_escape = memory::OnEscape::fail});
    Tensor between = exp(ones({100}));
    answer = request.keep(between * 2.0f);
    between = {};
    request.close();
  }
  answer = {};
  memory::expect_empty();  // at the end of a program or of a test: nothing lives
}
