// The subcommands. Each adds itself to the application; `action` runs after parsing and gives the exit code.
#pragma once

#include <CLI/CLI.hpp>

#include <functional>
#include <string>

#include <tenure/tenure.h>

namespace cli {

using Action = std::function<int()>;

void add_demo(CLI::App& app, Action& action);
void add_train(CLI::App& app, Action& action);
void add_predict(CLI::App& app, Action& action);
void add_evaluate(CLI::App& app, Action& action);
void add_summary(CLI::App& app, Action& action);
void add_verify(CLI::App& app, Action& action);
void add_mem(CLI::App& app, Action& action);
/// why, diff, audit, balance, snapshot, export: under `mem`.
void add_moments(CLI::App& mem, Action& action);
/// `program`: what stood behind `--` on the command line.
void add_memcheck(CLI::App& app, Action& action, const std::vector<std::string>& program);
void add_inspect(CLI::App& app, Action& action);
void add_diff(CLI::App& app, Action& action);
void add_convert(CLI::App& app, Action& action);
void add_lists(CLI::App& app, Action& action);

/// A program to judge by its ticks.
struct ProgramCheck {
  std::vector<std::string> program;
  int64_t iters = 160, warmup = 20;
  std::string json, suppress;  ///< files; "-" prints
};
int check_program(const ProgramCheck& c);

/// Inputs for a model without data: noise where it wants floats, zeros elsewhere.
tenure::Tensors made_up_inputs(const tenure::Model& model, int64_t batch);

/// Where labelled examples come from, as options shared by train and evaluate.
struct DataOptions {
  std::string path;
  int64_t batch = 64;
  double validation_split = 0;
  std::string subset;
  uint64_t seed = 1;
  bool skip_corrupt = false;
  void add_to(CLI::App& command);
  /// A folder of image folders, sized and coloured as `model` (or 28x28 grey) wants, or a .npz; batched.
  tenure::Dataset open(const tenure::Shape& image, const std::string& part, bool shuffle) const;
};

/// The shape of one input example of a model: the first input's without the batch.
tenure::Shape example_shape(const tenure::Model& model);

/// The small convolutional network that train makes without --model, and the demo's: for images of `image` size.
tenure::Model small_cnn(const tenure::Shape& image, int64_t classes, const std::string& name = {});

}  // namespace cli
