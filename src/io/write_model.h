// From a model to Keras' config.json, in the form of Keras 3.15. Nothing here owns anything.
#pragma once

#include <map>
#include <string>

#include <tenure/model.h>

#include "io/problems.h"
#include "nn/functional.h"

namespace tenure::io {

class ModelWriter {
 public:
  /// What Keras' files cannot hold is noted in `problems`.
  explicit ModelWriter(Problems& problems) : problems_(problems) {}
  /// The envelope of a layer or model. `parent` is the path around it.
  nn::Json write(const LayerBody& layer, const std::string& parent = {});

 private:
  nn::Json sequential(const LayerBody& layer, const std::string& path);
  nn::Json functional(const LayerBody& layer, const std::string& path);
  nn::Json operation(const FunctionalGraph::Operation& o, const std::string& path);
  void count(const LayerBody& layer, int depth);

  Problems& problems_;
  std::map<const LayerBody*, int> uses_;     // containers that hold a layer
  std::map<const LayerBody*, int64_t> ids_;  // of those written
};

/// compile() as Keras has it, or an empty object.
nn::Json compile_json(const LayerBody& model);

/// An op node of a model built in C++ as an op of keras.ops.
struct KerasOp {
  std::string module, class_name;
  nn::Json config = nn::Json::object();
  /// Numbers i in args stand for the node's input i as {"$": i}.
  nn::Json args = nn::Json::array();
};
/// Throws Unsupported for an op that keras.ops has not.
KerasOp keras_op(const Node& node);

}  // namespace tenure::io
