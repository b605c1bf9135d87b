// Keras' files: .keras archives and .weights.h5, in and out, and the comparison of a model with what Keras recorded.
//
// Nothing in a file is ever run, and no file is trusted: a damaged or hostile one ends in one Error and leaves nothing behind.
// A loaded model owns its weights; the file is neither kept open nor mapped afterwards.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include <tenure/model.h>

namespace tenure {

/// Makes a layer of an application's class from its configuration, a JSON object as text.
using LayerFactory = std::function<Layer(const std::string& config)>;

namespace detail {
/// Reads a configuration by `make`, refusing keys that `make` did not ask for.
TENURE_API Layer layer_from_config(const std::string& config, const std::string& class_name, const std::function<Layer(Fields&)>& make);
}  // namespace detail

/// The factory of a class with the configuration C, as for LayerRegistry::add.
template <class C>
LayerFactory layer_factory() {
  return [](const std::string& config) {
    return detail::layer_from_config(config, detail::short_name(typeid(C)), [](Fields& v) {
      C c{};
      fields(v, c);
      v("name", c.name);
      v("trainable", c.trainable);
      v("dtype", c.dtype);
      return Layer(c);
    });
  };
}

struct LoadOptions {
  std::map<std::string, LayerFactory> custom_layers = {};  ///< by class ("Block") or registered name ("my_pkg>Block"); before the registry
  std::map<std::string, Layer> substitute = {};            ///< by layer name: stands in place of what the file says
  bool compile = true;                                     ///< optimizer with its state, loss and metrics
  bool verify = false;                                     ///< run the proof that the file carries; throws InvalidArgument if it fails
  double tolerance = 1e-5;                                 ///< of verify
};

/// Loads a .keras archive (Keras 3, and Keras 2 from tf-keras), the same members in a folder, or a legacy .h5 of Keras 2 or 3. Throws NotFound for a missing file, Io for a damaged one, and one Unsupported
/// that lists everything the model needs and Tenure has not, each with its layer and the way out.
TENURE_API Model load_model(const std::string& path, const LoadOptions& options = {});
/// From bytes of such a file, which are not needed afterwards.
TENURE_API Model load_model(std::span<const std::byte> bytes, const LoadOptions& options = {});

/// Writes a .keras archive that Keras 3 loads. `path` is replaced in one step, or stays as it was.
/// With `proof`, inputs and the outputs they give now go along, for LoadOptions::verify.
TENURE_API void save_model(const Model& model, const std::string& path, const SaveOptions& options = {}, const Tensors& proof = {});
/// The archive as bytes.
TENURE_API std::vector<std::byte> model_bytes(const Model& model, const SaveOptions& options = {}, const Tensors& proof = {});

struct LoadWeightsOptions {
  bool skip_mismatch = false;  ///< layers whose weights are missing or of other shapes keep theirs
  bool by_name = false;        ///< of a legacy .h5: layers by their names instead of their order; layers of other names are left alone
};
/// What load_weights left alone, one line each: a layer and why.
struct WeightsReport {
  size_t loaded = 0;  ///< arrays
  std::vector<std::string> skipped;
};
/// From .weights.h5, its shards (.weights.json and the files beside it), a legacy .h5 with weights, or the weights of a .keras archive. The optimizer's state is loaded where both the file and a compiled model have one.
/// Throws, before anything is written, one Error that names every layer whose weights are missing, superfluous or of another shape.
TENURE_API WeightsReport load_weights(const Model& model, const std::string& path, const LoadWeightsOptions& options = {});
TENURE_API WeightsReport load_weights(const Model& model, std::span<const std::byte> bytes, const LoadWeightsOptions& options = {});
/// A .weights.h5 file. `path` is replaced in one step, or stays as it was.
TENURE_API void save_weights(const Model& model, const std::string& path, const SaveOptions& options = {});

struct VerifyOptions {
  double tolerance = 1e-5;  ///< max|a-b| <= tolerance * max(1, max|b|)
};
/// A model beside recorded inputs and outputs.
class TENURE_API VerifyReport {
 public:
  struct Compared {
    std::string name;
    Spec expected, got;
    double difference = 0;  ///< max|a-b|; infinite where shapes differ or only one side is finite
    double allowed = 0;
    bool ok() const noexcept { return difference <= allowed; }
  };
  std::vector<Compared> outputs;
  std::vector<Compared> layers;       ///< in the order in which they ran; where the file has their outputs
  double largest_difference = 0;      ///< of the outputs
  std::string first_differing_layer;  ///< empty: none
  bool ok() const noexcept;
  std::string text() const;
  std::string json() const;
};
/// Runs `model` on the arrays of a .npz: inputs by the model's names, else in_0, in_1, ...; expected outputs by name, else out_0, ...;
/// "layer/<name>" is the output of a layer that is called once; "meta" is ignored.
TENURE_API VerifyReport verify(const Model& model, const std::string& npz, const VerifyOptions& options = {});

}  // namespace tenure
