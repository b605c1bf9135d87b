// Where fit, evaluate and predict take their batches from. Bound to the stack of one call.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <tenure/data.h>

#include "core/body.h"

namespace tenure::nn {

class BatchSource {
 public:
  virtual ~BatchSource() = default;
  /// Starts a pass; `epoch` fixes its order.
  virtual void begin(int64_t epoch) = 0;
  /// Drops what `out` held, then fills it. False at the end of the pass.
  virtual bool next(Batch& out) = 0;
  /// Batches of a pass, -1 if not known.
  virtual int64_t steps() const = 0;
};

/// Rows of arrays: views of them in order, or copies into buffers that are used again.
std::unique_ptr<BatchSource> array_batches(Batch arrays, int64_t batch_size, bool shuffle, int64_t seed);
std::unique_ptr<BatchSource> dataset_batches(Dataset data);

/// The rows [from, to) of a tensor, without a copy.
Tensor rows_of(const Tensor& t, int64_t from, int64_t to);
Batch rows_of(const Batch& b, int64_t from, int64_t to);
/// Throws Shape unless all arrays have values and the same number of rows.
void check_rows(const Batch& b, const char* what);
/// Weights by class for targets of indices or one-hot rows, times `weights` if there are any.
Tensor class_weights(const Tensor& y, const std::map<int64_t, double>& by_class, const Tensor& weights);

}  // namespace tenure::nn
