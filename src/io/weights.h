// Weights in HDF5 by Keras' addressing: position in a container with the class in snake_case, attribute names, then vars/0, 1, ...
//
// Who owns what: groups point to the model's variables, which the model keeps; bytes go straight from the file into the variables.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <tenure/saving.h>

#include "core/variable_body.h"
#include "files/hdf5.h"
#include "files/hdf5_write.h"
#include "nn/layer_body.h"

namespace tenure::io {

/// One layer's own weights and where they stand in a file.
struct WeightGroup {
  std::string path;   ///< "layers/dense"; "" is the model itself. Arrays are at <path>/vars/0, 1, ...
  std::string name;   ///< the layer's, as the attribute of the group says it
  std::string label;  ///< "outer/dense_1 (Dense)", for messages
  struct Item {
    std::string name;
    VariableBody* variable;
  };
  std::vector<Item> items;
  bool callers = false;  ///< stands in for what the file says
  bool again = false;    ///< of a layer that another group has already: Keras leaves it out when it writes and misses it when it reads
  const LayerBody* layer = nullptr;
};

/// Layers that are not of the class that the file says (the caller's own): the file's class; they keep their weights where the file has none.
struct FileClasses {
  std::map<const LayerBody*, std::string> class_name;
};

/// The groups of a model in the order in which Keras visits them. Several children of one attribute are a list in Python; a list of one
/// is an attribute that ends in "[]". `as_model`: an author's class is a Model in Python, whose `layers` is
/// an attribute beside the others.
std::vector<WeightGroup> weight_groups(const LayerBody& model, bool as_model, const FileClasses& classes = {});
/// Whether Python would call the author's class a Model.
bool is_authors_model(const LayerBody& model);

/// Checks everything, then fills the variables. Throws one Error that names every group which does not fit, unless they are skipped.
/// `roots`: the file, or its shards, each of which may have a part of the arrays of a group.
WeightsReport read_weights(const LayerBody& model, const std::vector<files::Hdf5Node>& roots, const LoadWeightsOptions& options,
                           const FileClasses& classes = {});
void write_weights(const LayerBody& model, files::Hdf5Writer& out);

/// The optimizer's state, as far as the file has it. Throws Shape where arrays do not fit; a file with only the first few (an optimizer
/// that never took a step) leaves the rest as built. `keras2`: the file has no learning rate among them.
void read_optimizer(const Optimizer& optimizer, const files::Hdf5Node& root, bool keras2 = false);
void write_optimizer(const Optimizer& optimizer, files::Hdf5Writer& out);

/// Whether an array of one type may fill a variable of the other.
bool convertible(DType from, DType to);
/// The array's values (same shape, convertible type) into the variable.
void fill(VariableBody& v, const files::Array& array);

/// "[3,4], [4]", or "none".
std::string shapes_text(const std::vector<Spec>& specs);
/// Throws one Error that lists why the weights do not fit.
[[noreturn]] void refuse_weights(Code code, const std::vector<std::string>& problems);

/// Bytes of all arrays of the file, for limits. Reads no values.
uint64_t stored_bytes(const files::Hdf5Node& root);

/// The variable's value as an array that shares its memory; `keep` is what it needs alive.
files::Array array_of(const Tensor& value);

/// An array of a file as an eager tensor of its own.
Tensor tensor_of(const files::Array& array);

}  // namespace tenure::io
