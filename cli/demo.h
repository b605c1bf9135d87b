// The parts of the demonstration. Each prints its own lines and returns what the last screen needs.
#pragma once

#include <string>
#include <vector>

#include <tenure/tenure.h>

namespace cli {

struct DemoOptions {
  std::string data;    ///< folder with the MNIST idx files; empty: drawn shapes
  std::string work;    ///< where files go
  bool peers = false;  ///< measure TensorFlow live
};

struct DemoResult {
  double keras_difference = 0;
  std::string pictures;
  double accuracy = 0, reloaded_accuracy = 0;
  int64_t clean = 0, ways = 0;
  bool leak_found = false, leak_gone = false, budget_kept = false;
  bool ok() const { return clean == ways && leak_found && leak_gone && budget_kept && accuracy == reloaded_accuracy; }
};

/// 0: a file made by Keras. Largest difference from the recorded outputs.
void demo_keras_file(DemoResult& r);
/// 1-3: pictures, training, saving and loading in a second process. Returns the trained model.
tenure::Model demo_training(const DemoOptions& o, DemoResult& r);
/// 4: the eight ways of calling.
void demo_question(const DemoOptions& o, const tenure::Model& model, DemoResult& r);
/// 5: a planted leak, and a budget that is too small.
void demo_leak(const tenure::Model& model, DemoResult& r);

}  // namespace cli
