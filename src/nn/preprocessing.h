// Shared by the preprocessing layers: what adapt() and files of models ask of them, and how indices become vectors.
#pragma once

#include <string>
#include <string_view>

#include <tenure/preprocessing.h>

#include "nn/families.h"

namespace tenure::nn {

/// A layer that learns from data before training.
class Adaptable {
 public:
  virtual ~Adaptable() = default;
  /// Forgets. Throws InvalidArgument where the configuration gave the values.
  virtual void reset_state() = 0;
  /// Elements of a Dataset may have labels, which are left out, and be vectors, which are put together.
  virtual bool takes_elements() const { return false; }
  /// `whole`: the batch is all there is.
  virtual void update_state(const Tensor& batch, bool whole) = 0;
  virtual void finalize_state() = 0;
};

/// one_hot, multi_hot or count of integers in [0, depth) as Keras' encode_categorical_inputs. `weights`: of a count, or empty.
Tensor encode_categories(Tensor indices, std::string_view mode, int64_t depth, DType dtype, Tensor weights = {});
/// Throws InvalidArgument unless the mode is among those listed in `modes` ("int, one_hot").
void check_mode(std::string_view mode, std::string_view modes, std::string_view layer);
/// Sparse tensors do not exist here.
void check_dense(bool sparse, std::string_view layer);

}  // namespace tenure::nn
