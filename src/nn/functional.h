// Models of symbols: the nodes between inputs and outputs, as a list that can be run. The model's body keeps the symbols (and by them the
// nodes and layers); everything here points into those.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tenure/model.h>

#include "nn/layer_body.h"

namespace tenure {

class FunctionalGraph {
 public:
  /// A layer, or an op's one application.
  struct Operation {
    LayerBody* layer = nullptr;
    const Node* op = nullptr;
    std::string name;
    std::vector<const Node*> nodes;  ///< its applications inside this model, in the order they were made
    const Node* node(size_t i) const { return nodes[i]; }
  };
  /// Where an argument comes from: a slot, or (-1) what the node itself holds.
  struct Step {
    const Node* node;
    std::vector<int> in, extra, out;
    std::vector<bool> last_in;  ///< the slot is not read again
    CallPlan call;
    bool takes_masks = false;
  };

  /// Throws InvalidArgument for tensors that are not symbols, and for outputs that lead to an Input which is not among `inputs`.
  FunctionalGraph(const Tensors& inputs, const Tensors& outputs);

  /// In Keras' order (by depth, then by first visit from the outputs).
  std::vector<Operation>& operations() noexcept { return operations_; }
  const std::vector<Operation>& operations() const noexcept { return operations_; }
  const std::vector<Step>& steps() const noexcept { return steps_; }
  const Operation& operation_of(const Node* n) const;
  /// {operation, number of the application, output}: Keras' keras_history.
  struct Address {
    const Operation* operation;
    size_t node, tensor;
  };
  Address address_of(const TensorBody& t) const;

  Tensors run(Tensors xs) const;

 private:
  struct Walk;
  void order(const Walk& walk, const Tensors& inputs);
  void plan(const Walk& walk, const Tensors& inputs, const Tensors& outputs);
  Tensors run_step(const Step& s, std::vector<Tensor>& slots) const;

  std::vector<Operation> operations_;
  std::vector<Step> steps_;
  std::vector<int> input_slots_, output_slots_;
  size_t slots_ = 0;
};

/// Gives the layers that have no name one that is free among `layers`: class in snake_case, then _1, _2. Throws InvalidArgument when
/// two different layers have the same name.
void name_layers(const std::vector<LayerBody*>& layers, const std::string& model);

/// The Input that made this symbol, or null.
const Node* input_node(const Tensor& t);
/// A symbol that a new or given InputLayer makes.
Tensor symbol_of(const Layer& input_layer);

/// The data an InputLayer stands for.
Spec input_spec(const LayerBody& input_layer);

/// What a Sequential is made of. `add` and `pop` are the user's; the rest is the layer's.
class SequentialObject final : public LayerBase {
 public:
  explicit SequentialObject(LayerOptions options) : LayerBase(std::move(options)) {}
  void add(const Layer& layer);
  void pop();
  void build_all(const std::vector<Shape>& inputs) override;
  Tensors call_all(Tensors xs, const Call& c) override;
  /// Throws Unsupported: models of layers are written by io, with their graphs.
  void visit_config(Fields& v) override;
  std::string class_name() const override { return "Sequential"; }
  bool takes_mask() const override { return true; }
  /// Makes (once) the symbols of input and layers, kept by the body. Throws InvalidArgument before the input is known.
  void make_symbols();
  void set_input(Spec spec, std::string name);
  const std::vector<Spec>& specs() const noexcept { return specs_; }
  const std::optional<Spec>& input() const noexcept { return input_; }
  const std::string& input_name() const noexcept { return input_name_; }
  /// An InputLayer stood first.
  bool input_given() const noexcept { return given_; }

 private:
  void extend();
  std::optional<Spec> input_;
  std::string input_name_;
  bool given_ = false;       // by an InputLayer
  std::vector<Spec> specs_;  // of each layer's output, as far as built
};

class FunctionalObject final : public LayerBase {
 public:
  explicit FunctionalObject(const Functional& f);
  Tensors call_all(Tensors xs, const Call& c) override;
  /// Throws Unsupported: models of layers are written by io, with their graphs.
  void visit_config(Fields& v) override;
  std::string class_name() const override { return "Functional"; }
  bool takes_mask() const override { return true; }
  FunctionalGraph& graph() noexcept { return *graph_; }
  size_t inputs() const noexcept { return inputs_; }

 private:
  Tensor fit_input(Tensor x, size_t i) const;
  std::unique_ptr<FunctionalGraph> graph_;
  size_t inputs_;
};

/// A model of the same structure with new layers of the same configuration, and, where built, the same values.
Layer clone_model(const LayerBody& model);

}  // namespace tenure
