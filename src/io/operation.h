// An op of keras.ops as a node of a loaded model: kept as the file has it, so that it is written back the same.
#pragma once

#include <string>

#include <tenure/layer.h>

#include "io/archive.h"

namespace tenure::io {

/// A layer without weights that applies one class of keras.ops. `args` and `kwargs` are the call's arguments as JSON text, tensors in
/// them as {"class_name": "__keras_tensor__", "config": {"index": in the order of the layer's inputs, "complex": true or missing}}.
struct Operation {
  std::string module, op, config = "{}", args = "[]", kwargs = "{}";
  std::string name = {};
  bool trainable = true;
  DTypePolicy dtype = {};
  operator Layer() const;
};

/// Whether a layer stands for an op, which has no weights and no place in weight files.
bool is_operation(const LayerBody& layer);
/// What it was made from. Throws Internal for another layer.
const Operation& operation_of(const LayerBody& layer);

/// Whether Keras' op of this class name ("GetItem") can be run.
bool has_operation(const std::string& op);
/// Whether it gives complex numbers, and so pairs on a last axis of 2; complex_input: whether it is given some.
bool gives_complex(const std::string& op, bool complex_input);

bool is_keras_tensor(const Json& j);
/// Whether this is a placeholder, as Operation has them, of a tensor of complex numbers.
bool is_complex_tensor(const Json& j);
/// Which input of the layer a placeholder stands for; of one that says nothing the first.
size_t tensor_index(const Json& placeholder);

/// Makes Operation known to the layer registry, so that models with ops can be cloned. Cheap after the first call.
void register_operations();

}  // namespace tenure::io
