// Values that configure layers: initializers, regularizers, constraints, dtype policies.
// Each reads and writes Keras' JSON (a name or {"module", "class_name", "config", "registered_name"}) and is cheap to copy.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <tenure/fields.h>
#include <tenure/tensor.h>

namespace tenure {

/// Makes unseeded initializers, dropout and shuffling repeatable from here on: the n-th seed drawn is a function of `seed` and n.
TENURE_API void set_random_seed(int64_t seed);
/// The next seed of the process: what an unseeded initializer or generator takes.
TENURE_API int64_t next_random_seed();

/// Start values of a weight. Made from Keras' name ("glorot_uniform"), an aggregate of `initializers`, or a function.
class TENURE_API Initializer : public ConfigObject {
 public:
  using Function = std::function<Tensor(const Shape& shape, DType dtype)>;
  class Rule;

  Initializer() : Initializer("zeros") {}
  Initializer(const char* name) : Initializer(std::string(name)) {}
  /// Throws NotFound listing the known names.
  Initializer(std::string name);
  /// `name` is written to files; it must be registered where the file is read.
  Initializer(Function f, std::string name = {});
  explicit Initializer(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}

  /// Eager values. An unseeded random initializer draws other values at each call.
  Tensor operator()(const Shape& shape, DType dtype = float32) const;
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  std::shared_ptr<const Rule> rule_;
};

namespace initializers {
struct TENURE_API Zeros {
  operator Initializer() const;
};
struct TENURE_API Ones {
  operator Initializer() const;
};
struct TENURE_API Constant {
  double value = 0;
  operator Initializer() const;
};
struct TENURE_API RandomNormal {
  double mean = 0, stddev = 0.05;
  std::optional<int64_t> seed = {};
  operator Initializer() const;
};
struct TENURE_API RandomUniform {
  double minval = -0.05, maxval = 0.05;
  std::optional<int64_t> seed = {};
  operator Initializer() const;
};
struct TENURE_API TruncatedNormal {
  double mean = 0, stddev = 0.05;
  std::optional<int64_t> seed = {};
  operator Initializer() const;
};
/// mode fan_in, fan_out or fan_avg; distribution truncated_normal, untruncated_normal or uniform. The fans are the products of the sizes of
/// input_axes and output_axes; of the last two sizes times those before them without both. So for the six below.
struct TENURE_API VarianceScaling {
  double scale = 1;
  std::string mode = "fan_in", distribution = "truncated_normal";
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
struct TENURE_API GlorotUniform {
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
struct TENURE_API GlorotNormal {
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
struct TENURE_API HeNormal {
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
struct TENURE_API HeUniform {
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
struct TENURE_API LecunNormal {
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
struct TENURE_API LecunUniform {
  std::optional<int64_t> seed = {};
  std::optional<std::vector<int>> input_axes = {}, output_axes = {};
  operator Initializer() const;
};
/// Rank 2 only.
struct TENURE_API Identity {
  double gain = 1;
  operator Initializer() const;
};
/// Kernels [window, 1, frequencies] of a short-time Fourier transform: its real or imaginary side, times a window divided by its norm (scaling
/// density: root of the sum of squares, spectrum: sum). A window is symmetric unless periodic. Throws NotFound listing the known windows.
struct TENURE_API STFT {
  std::string side = "real";
  std::optional<std::string> window = "hann";
  std::optional<std::string> scaling = "density";
  bool periodic = false;
  std::vector<double> window_values = {};  ///< instead of a window by name
  operator Initializer() const;
};
/// Rows or columns (the fewer) of the [prod(first sizes), last size] matrix are orthonormal times gain.
struct TENURE_API Orthogonal {
  double gain = 1;
  std::optional<int64_t> seed = {};
  operator Initializer() const;
};
}  // namespace initializers

/// A penalty on a weight or an output; empty: none.
class TENURE_API Regularizer : public ConfigObject {
 public:
  using Function = std::function<Tensor(Tensor)>;
  class Rule;

  Regularizer() = default;
  Regularizer(std::nullptr_t) {}
  Regularizer(const char* name) : Regularizer(std::string(name)) {}
  /// "l1", "l2", "l1_l2" or "orthogonal_regularizer" with Keras' default amounts.
  Regularizer(std::string name);
  Regularizer(Function f, std::string name = {});
  explicit Regularizer(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}

  explicit operator bool() const noexcept { return rule_ != nullptr; }
  /// The penalty, rank 0.
  Tensor operator()(Tensor x) const;
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  std::shared_ptr<const Rule> rule_;
};

namespace regularizers {
struct TENURE_API L1 {
  double l1 = 0.01;
  operator Regularizer() const;
};
struct TENURE_API L2 {
  double l2 = 0.01;
  operator Regularizer() const;
};
struct TENURE_API L1L2 {
  double l1 = 0, l2 = 0;
  operator Regularizer() const;
};
/// factor times the mean of |cosine| over all pairs of rows (mode rows) or columns of a matrix.
struct TENURE_API OrthogonalRegularizer {
  double factor = 0.01;
  std::string mode = "rows";
  operator Regularizer() const;
};
}  // namespace regularizers

/// What a weight is projected onto after each update; empty: nothing.
class TENURE_API Constraint : public ConfigObject {
 public:
  using Function = std::function<Tensor(Tensor)>;
  class Rule;

  Constraint() = default;
  Constraint(std::nullptr_t) {}
  Constraint(const char* name) : Constraint(std::string(name)) {}
  /// "max_norm", "non_neg", "unit_norm" or "min_max_norm" with Keras' defaults.
  Constraint(std::string name);
  Constraint(Function f, std::string name = {});
  explicit Constraint(std::shared_ptr<const Rule> rule) : rule_(std::move(rule)) {}

  explicit operator bool() const noexcept { return rule_ != nullptr; }
  Tensor operator()(Tensor w) const;
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  std::shared_ptr<const Rule> rule_;
};

namespace constraints {
struct TENURE_API MaxNorm {
  double max_value = 2;
  int axis = 0;
  operator Constraint() const;
};
struct TENURE_API NonNeg {
  operator Constraint() const;
};
struct TENURE_API UnitNorm {
  int axis = 0;
  operator Constraint() const;
};
struct TENURE_API MinMaxNorm {
  double min_value = 0, max_value = 1, rate = 1;
  int axis = 0;
  operator Constraint() const;
};
}  // namespace constraints

/// Element types of a layer: what it computes in and what its variables are kept in.
/// "float32", "float64", "bfloat16", "float16", "mixed_bfloat16" or "mixed_float16".
class TENURE_API DTypePolicy : public ConfigObject {
 public:
  DTypePolicy() = default;
  DTypePolicy(DType dtype);
  DTypePolicy(const char* name) : DTypePolicy(std::string(name)) {}
  /// Throws Unsupported for a name that is not a policy.
  DTypePolicy(std::string name);
  std::string name() const;
  DType compute_dtype() const noexcept { return compute_; }
  DType variable_dtype() const noexcept { return variable_; }
  bool operator==(const DTypePolicy& o) const noexcept { return compute_ == o.compute_ && variable_ == o.variable_; }
  std::string to_json() const override;
  void from_json(const std::string& text) override;

 private:
  DType compute_ = float32, variable_ = float32;
};

}  // namespace tenure
