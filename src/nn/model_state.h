// What makes a layer a Model: what compile() was given, the metrics, and the three Functions. Owned by the model's body; the Functions'
// closures refer to that body without owning it.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include <tenure/model.h>

#include "base/object_mutex.h"
#include "nn/metric_body.h"
#include "nn/optimizer_body.h"

namespace tenure {

/// A metric and what it sees.
struct MetricEntry {
  memory::HeldOf<MetricBody> metric;
  int output;         ///< -1: the total loss
  bool loss = false;  ///< of an output's loss, for several outputs
  bool weighted = false;
  std::string label;  ///< in logs: "accuracy", "left_accuracy"
};

struct ModelState {
  bool compiled = false, run_eagerly = false;
  memory::HeldOf<OptimizerBody> optimizer;
  LossList loss;
  std::vector<double> loss_weights;
  /// As given to compile(): lists an output, with the outputs' names.
  struct Wanted {
    std::vector<std::vector<memory::HeldOf<MetricBody>>> items;
    std::vector<std::string> names;
  } metrics, weighted_metrics;
  /// Loss first, then metrics, then losses of outputs. Made when outputs are known.
  std::vector<MetricEntry> entries;
  std::vector<std::string> output_names;
  std::vector<Spec> output_specs;
  std::atomic<bool> stop{false};
  std::atomic<int8_t> value_dependent{-1};  ///< a layer below runs eagerly only: 0 no, 1 yes, -1 not asked yet
  ObjectMutex<std::mutex> mutex;            // around making the functions and the entries
  Function train, test, predict;
  size_t inputs = 0;       ///< of a step's arguments, how many are x (the rest: targets, then weights)
  std::string file_notes;  ///< what the compile_config of its file said beyond what is read (JSON of io); gone when it is compiled anew

  void trace(memory::EdgeVisitor& v) const;
};

}  // namespace tenure
