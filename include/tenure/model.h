// Model: a Layer that can be trained, evaluated, saved. From symbols, from a list of layers, or from an author's class.
//
// A Model owns three Functions (train, test, predict), whose closures hold its body without owning it, and what compile() gave it.
// The train step is one traced function: forward, loss, gradients, update and metrics are planned together, variables are written in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenure/data.h>
#include <tenure/function.h>
#include <tenure/layer.h>
#include <tenure/train.h>

namespace tenure {

/// One loss for all outputs, a list in the outputs' order, or {{"output", loss}, ...}.
class LossList {
 public:
  LossList() = default;
  template <class L, class = std::enable_if_t<std::is_convertible_v<L, Loss>>>
  LossList(L&& one) : items{Loss(std::forward<L>(one))} {}
  LossList(std::initializer_list<Loss> list) : items(list) {}
  LossList(std::initializer_list<std::pair<std::string, Loss>> list) {
    for (auto& [name, loss] : list) names.push_back(name), items.push_back(loss);
  }
  std::vector<Loss> items;
  std::vector<std::string> names;  ///< of outputs; empty: in order
};

/// Metrics of the one output; for several outputs one each, in order, or {{"output", {metrics}}, ...}.
class MetricList {
 public:
  MetricList() = default;
  template <class M, class = std::enable_if_t<std::is_convertible_v<M, Metric>>>
  MetricList(M&& one) : items{{Metric(std::forward<M>(one))}} {}
  MetricList(std::initializer_list<Metric> list) : items{std::vector<Metric>(list)} {}
  MetricList(std::initializer_list<std::pair<std::string, std::vector<Metric>>> list) {
    for (auto& [name, metrics] : list) names.push_back(name), items.push_back(metrics);
  }
  std::vector<std::vector<Metric>> items;  ///< a list each output, or one list of one metric each
  std::vector<std::string> names;          ///< of outputs; empty: in order
};

struct CompileOptions {
  Optimizer optimizer = "rmsprop";
  LossList loss = {};
  std::vector<double> loss_weights = {};  ///< one an output
  MetricList metrics = {}, weighted_metrics = {};
  bool run_eagerly = false;  ///< steps are not traced
};

/// What a batch or an epoch gave, in Keras' order: "loss" first.
class TENURE_API Results {
 public:
  std::vector<std::pair<std::string, double>> items;
  double loss() const { return (*this)["loss"]; }
  /// Throws NotFound listing the names.
  double operator[](std::string_view name) const;
  Logs logs() const { return Logs(items.begin(), items.end()); }
};

/// Figures by epoch.
class TENURE_API History {
 public:
  std::vector<int64_t> epoch;
  std::map<std::string, std::vector<double>, std::less<>> history;
  const std::vector<double>& operator[](std::string_view name) const;
};

/// {x, y}, {x, y, sample_weight} or a Dataset of such batches.
class TENURE_API ValidationData {
 public:
  ValidationData(TensorList x, TensorList y, Tensor sample_weight = {})
      : x(std::move(x).items()), y(std::move(y).items()), sample_weight(std::move(sample_weight)) {}
  ValidationData(Dataset batches) : dataset(std::move(batches)) {}

  Tensors x, y;
  Tensor sample_weight;
  Dataset dataset;
};

struct FitOptions {
  std::optional<int64_t> batch_size = {};  ///< 32; not for a Dataset
  int64_t epochs = 1;
  int verbose = -1;  ///< 0 silent, 1 bar, 2 a line an epoch, -1: 1 on a terminal, else 2
  std::vector<Callback> callbacks = {};
  double validation_split = 0;  ///< the last rows, taken before shuffling
  std::optional<ValidationData> validation_data = {};
  bool shuffle = true;
  std::map<int64_t, double> class_weight = {};
  Tensor sample_weight = {};
  int64_t initial_epoch = 0;
  std::optional<int64_t> steps_per_epoch = {}, validation_steps = {}, validation_batch_size = {};
  int64_t validation_freq = 1;
  bool find_nan = false;        ///< check each batch first; a loss that is not finite throws, naming the first layer to blame
  std::ostream* out = nullptr;  ///< of the progress text; null: standard output
};

struct EvaluateOptions {
  std::optional<int64_t> batch_size = {};
  int verbose = -1;
  Tensor sample_weight = {};
  std::optional<int64_t> steps = {};
  std::vector<Callback> callbacks = {};
  std::ostream* out = nullptr;
};

struct PredictOptions {
  std::optional<int64_t> batch_size = {};
  int verbose = 0;
  std::optional<int64_t> steps = {};
  std::vector<Callback> callbacks = {};
  std::ostream* out = nullptr;
};

struct PrepareOptions {
  std::vector<Shape> shapes;       ///< of the inputs, with the batch
  std::vector<DType> dtypes = {};  ///< the model's own when not given
  bool training = false;           ///< the train step, with targets of the outputs' shapes
  std::vector<Spec> targets = {};  ///< of y, where they differ from the outputs
};

struct SummaryOptions {
  std::optional<int> line_length = {};
  bool expand_nested = false, show_trainable = false;
};

struct SaveOptions {
  bool overwrite = true;
  bool include_optimizer = true;
};

/// Where predict_into writes: memory of the caller's.
struct Destination {
  template <class T>
  Destination(std::span<T> values) : data(values.data()), bytes(values.size_bytes()), dtype(dtype_of<T>()) {}
  template <class T>
  Destination(std::vector<T>& values) : Destination(std::span<T>(values)) {}
  void* data;
  size_t bytes;
  DType dtype;
};

/// A model of symbols: everything between `inputs` and `outputs`.
struct Functional {
  TensorList inputs, outputs;
  std::string name = {};
  bool trainable = true;
};

/// A counted handle; a Model is a Layer and may be nested as one. Copies share everything; clone() copies.
/// Threads: calls and predict may run at the same time, also beside one fit; the rest is of one thread at a time.
class TENURE_API Model : public Layer {
 public:
  Model() noexcept = default;
  /// Throws InvalidArgument for outputs that do not lead back to inputs, and for two layers of one name.
  /// Names the layers that have none, in the order of layers(): dense, dense_1, ...
  Model(Functional graph);
  /// Any layer may be trained as a Model.
  explicit Model(const Layer& layer);

  /// The given name, or the class in snake_case.
  Layer get_layer(std::string_view name) const;
  Layer get_layer(size_t index) const;
  /// Symbols. Sequential: after it was built. Throws InvalidArgument for an author's class.
  Tensors inputs() const;
  Tensors outputs() const;
  std::vector<std::string> input_names() const;
  std::vector<std::string> output_names() const;
  /// The symbol that a layer of this model gives at its first application: for models of inner features.
  Tensor output_of(std::string_view layer) const;
  /// Keras' table.
  std::string summary(const SummaryOptions& options = {}) const;
  Model clone() const;

  /// Starts training anew: drops the plans and what an earlier compile gave.
  void compile(CompileOptions options) const;
  bool compiled() const;
  Optimizer optimizer() const;
  History fit(TensorList x, TensorList y, const FitOptions& options = {}) const;
  History fit(const Dataset& data, const FitOptions& options = {}) const;
  Results evaluate(TensorList x, TensorList y, const EvaluateOptions& options = {}) const;
  Results evaluate(const Dataset& data, const EvaluateOptions& options = {}) const;
  /// In batches; the results are put together.
  Outputs predict(TensorList x, const PredictOptions& options = {}) const;
  Outputs predict(const Dataset& data, const PredictOptions& options = {}) const;
  /// Into the caller's memory, one destination an output. Throws Shape or DType where one does not fit.
  void predict_into(std::initializer_list<Destination> outputs, TensorList x) const;
  /// One step. The figures are running ones since the last reset_metrics(), fit or evaluate.
  Results train_on_batch(TensorList x, TensorList y, Tensor sample_weight = {}) const;
  Results test_on_batch(TensorList x, TensorList y, Tensor sample_weight = {}) const;
  Outputs predict_on_batch(TensorList x) const;
  void reset_metrics() const;
  std::vector<Metric> metrics() const;
  /// Traces and plans without running: later calls of these shapes allocate one arena and their outputs.
  Plan prepare(const PrepareOptions& options) const;
  /// The plans of train, test or predict.
  const Function& train_function() const;
  const Function& test_function() const;
  const Function& predict_function() const;
  void stop_training() const;

  /// Keras' .keras archive, or .weights.h5 by that ending of save_weights.
  void save(const std::string& path, const SaveOptions& options = {}) const;
  void save_weights(const std::string& path) const;
  void load_weights(const std::string& path) const;
  /// The configuration as Keras' model.to_json() text.
  std::string to_json() const;

  explicit Model(LayerBody* body) noexcept : Layer(body) {}
};

/// Layers one after another. Built at the first call, at once behind an InputLayer, or by build().
/// Models nest with add() or {Layer(model)}.
class TENURE_API Sequential : public Model {
 public:
  Sequential(std::initializer_list<Layer> layers = {}, std::string name = {});
  explicit Sequential(std::vector<Layer> layers, std::string name = {});
  /// Throws InvalidArgument after the first call.
  void add(const Layer& layer) const;
  void pop() const;
};

/// A model of the author's class T, which derives from LayerBase and makes its layers with child().
template <class T, class... A>
Model make_model(A&&... arguments) {
  return Model(make_layer<T>(std::forward<A>(arguments)...));
}

}  // namespace tenure
