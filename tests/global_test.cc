// Objects with static storage: made before the library's own, destroyed after main has ended.
#include <gtest/gtest.h>

#include <cstdlib>

#include <tenure/tenure.h>

#include "sanitizer.h"

namespace tenure {
namespace {

// Constructed empty when the program is loaded, so their destructors run last. Only the child processes below fill them.
Tensor global_tensor;
Variable global_variable;
Function global_function;
Model global_model;
GradientTape* leaked_tape = nullptr;

TEST(GlobalsDeathTest, ATensorAVariableAndAFunctionMayDieAfterMain) {
  EXPECT_EXIT(
      {
        global_tensor = random::uniform({64, 64}, SeedGenerator(1));
        global_variable = Variable(zeros({64, 64}), "global");
        global_function = Function([](Tensor x) { return matmul(x, global_variable.value()); });
        global_function(global_tensor);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(GlobalsDeathTest, AModelMayDieAfterMain) {
  EXPECT_EXIT(
      {
        global_model = Sequential({layers::InputLayer{.shape = {8}}, layers::Dense{.units = 4, .activation = "relu"}, layers::Dense{.units = 2}});
        global_model.compile({.optimizer = "adam", .loss = "mse"});
        global_model.fit(ones({8, 8}), ones({8, 2}), {.verbose = 0});
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(GlobalsDeathTest, ALeakedTapeDoesNoHarmAtTheEnd) {
  EXPECT_EXIT(
      {
        [[maybe_unused]] MayLeak on_purpose;
        leaked_tape = new GradientTape;
        Tensor x = ones({3});
        leaked_tape->watch(x);
        global_tensor = exp(x);
        std::exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace tenure
