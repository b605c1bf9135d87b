// Initializers: one block each. An Initializer owns its (immutable, shared) rule; a rule owns no tensors.
#include <tenure/initializers.h>
#include <tenure/ops.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <numbers>
#include <random>

#include "core/context.h"
#include "nn/config.h"
#include "nn/window.h"

namespace tenure {

using nn::Json;

// ---- seeds of the process ---------------------------------------------------------------------------------------------------

namespace {

std::atomic<uint64_t>& seed_key() {
  static std::atomic<uint64_t> key{(uint64_t{std::random_device{}()} << 32) | std::random_device{}()};
  return key;
}
std::atomic<uint64_t> seed_count{0};

}  // namespace

void set_random_seed(int64_t seed) {
  seed_key().store(static_cast<uint64_t>(seed), std::memory_order_relaxed);
  seed_count.store(0, std::memory_order_relaxed);
}

int64_t next_random_seed() {
  // splitmix64 (Steele, Lea, Flood 2014) of the key and the number of the draw.
  uint64_t z = seed_key().load(std::memory_order_relaxed) + (seed_count.fetch_add(1, std::memory_order_relaxed) + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return static_cast<int64_t>((z ^ (z >> 31)) & 0x7fffffff);
}

// ---- Initializer --------------------------------------------------------------------------------------------------------------

class Initializer::Rule {
 public:
  virtual ~Rule() = default;
  virtual Tensor make(const Shape& shape, DType dtype) const = 0;
  virtual Json json() const = 0;
};

namespace initializers {

namespace {

SeedGenerator generator(const std::optional<int64_t>& seed) { return SeedGenerator(seed ? *seed : next_random_seed()); }

using FanAxes = std::optional<std::vector<int>>;

double product_of(const Shape& s, const std::vector<int>& axes) {
  double n = 1;
  for (int a : axes) n *= static_cast<double>(s[normalize_axis(a, s.rank())]);
  return n;
}

// Keras' fans: by axes where both are given; else the last two sizes times the receptive field of what stands before them.
std::pair<double, double> fans(const Shape& s, const FanAxes& input, const FanAxes& output) {
  if (input && output) return {product_of(s, *input), product_of(s, *output)};
  if (s.rank() == 0) return {1, 1};
  if (s.rank() == 1) return {static_cast<double>(s[0]), static_cast<double>(s[0])};
  double field = 1;
  for (int i = 0; i < s.rank() - 2; ++i) field *= static_cast<double>(s[i]);
  return {field * static_cast<double>(s[s.rank() - 2]), field * static_cast<double>(s.back())};
}

// C has a seed and the axes of fans.
template <class C>
Tensor scaled(const C& c, const Shape& shape, DType dtype, double scale, std::string_view mode, std::string_view distribution) {
  auto [in, out] = fans(shape, c.input_axes, c.output_axes);
  double fan = mode == "fan_in" ? in : mode == "fan_out" ? out : (in + out) / 2;
  scale /= std::max(1.0, fan);
  SeedGenerator g = generator(c.seed);
  // 0.87962566 is the deviation of a unit normal cut at two deviations.
  if (distribution == "truncated_normal") return random::truncated_normal(shape, g, 0, std::sqrt(scale) / 0.87962566103423978, dtype);
  if (distribution == "untruncated_normal") return random::normal(shape, g, 0, std::sqrt(scale), dtype);
  double limit = std::sqrt(3 * scale);
  return random::uniform(shape, g, -limit, limit, dtype);
}

}  // namespace

// ---- constants
void fields(Fields&, Zeros&) {}
Tensor make(const Zeros&, const Shape& s, DType t) { return zeros(s, t); }

void fields(Fields&, Ones&) {}
Tensor make(const Ones&, const Shape& s, DType t) { return ones(s, t); }

void fields(Fields& v, Constant& c) { v("value", c.value); }
Tensor make(const Constant& c, const Shape& s, DType t) { return full(s, c.value, t); }

void fields(Fields& v, Identity& c) { v("gain", c.gain); }
Tensor make(const Identity& c, const Shape& s, DType t) {
  check(s.rank() == 2, Code::Shape, "Identity initializer: expected a shape of rank 2, got {}", s);
  return multiply(eye(s[0], s[1], t), c.gain);
}

// ---- distributions
void fields(Fields& v, RandomNormal& c) { v("seed", c.seed), v("mean", c.mean), v("stddev", c.stddev); }
Tensor make(const RandomNormal& c, const Shape& s, DType t) { return random::normal(s, generator(c.seed), c.mean, c.stddev, t); }

void fields(Fields& v, RandomUniform& c) { v("seed", c.seed), v("minval", c.minval), v("maxval", c.maxval); }
Tensor make(const RandomUniform& c, const Shape& s, DType t) { return random::uniform(s, generator(c.seed), c.minval, c.maxval, t); }

void fields(Fields& v, TruncatedNormal& c) { v("seed", c.seed), v("mean", c.mean), v("stddev", c.stddev); }
Tensor make(const TruncatedNormal& c, const Shape& s, DType t) { return random::truncated_normal(s, generator(c.seed), c.mean, c.stddev, t); }

// ---- variance scaling
namespace {
template <class C>
void seed_and_axes(Fields& v, C& c) {
  v("seed", c.seed), v("input_axes", c.input_axes), v("output_axes", c.output_axes);
}
}  // namespace

void fields(Fields& v, VarianceScaling& c) {
  v("scale", c.scale), v("mode", c.mode), v("distribution", c.distribution);
  seed_and_axes(v, c);
  check(c.scale > 0, Code::InvalidArgument, "VarianceScaling: expected scale > 0, got {}", c.scale);
  check(c.mode == "fan_in" || c.mode == "fan_out" || c.mode == "fan_avg", Code::InvalidArgument,
        "VarianceScaling: expected mode fan_in, fan_out or fan_avg, got '{}'", c.mode);
  check(c.distribution == "truncated_normal" || c.distribution == "untruncated_normal" || c.distribution == "uniform", Code::InvalidArgument,
        "VarianceScaling: expected distribution truncated_normal, untruncated_normal or uniform, got '{}'", c.distribution);
}
Tensor make(const VarianceScaling& c, const Shape& s, DType t) { return scaled(c, s, t, c.scale, c.mode, c.distribution); }

void fields(Fields& v, GlorotUniform& c) { seed_and_axes(v, c); }
Tensor make(const GlorotUniform& c, const Shape& s, DType t) { return scaled(c, s, t, 1, "fan_avg", "uniform"); }

void fields(Fields& v, GlorotNormal& c) { seed_and_axes(v, c); }
Tensor make(const GlorotNormal& c, const Shape& s, DType t) { return scaled(c, s, t, 1, "fan_avg", "truncated_normal"); }

void fields(Fields& v, HeNormal& c) { seed_and_axes(v, c); }
Tensor make(const HeNormal& c, const Shape& s, DType t) { return scaled(c, s, t, 2, "fan_in", "truncated_normal"); }

void fields(Fields& v, HeUniform& c) { seed_and_axes(v, c); }
Tensor make(const HeUniform& c, const Shape& s, DType t) { return scaled(c, s, t, 2, "fan_in", "uniform"); }

void fields(Fields& v, LecunNormal& c) { seed_and_axes(v, c); }
Tensor make(const LecunNormal& c, const Shape& s, DType t) { return scaled(c, s, t, 1, "fan_in", "truncated_normal"); }

void fields(Fields& v, LecunUniform& c) { seed_and_axes(v, c); }
Tensor make(const LecunUniform& c, const Shape& s, DType t) { return scaled(c, s, t, 1, "fan_in", "uniform"); }

// ---- short-time Fourier transform
namespace {

// Sums of cosines: w[n] = a0 - a1 cos(x) + a2 cos(2x) - ..., x = 2 pi n / (length - 1).
struct CosineWindow {
  const char* name;
  std::vector<double> a;
};
const std::vector<CosineWindow>& cosine_windows() {
  static const std::vector<CosineWindow> all = {{"boxcar", {1}},
                                                {"ones", {1}},
                                                {"rectangular", {1}},
                                                {"hann", {0.5, 0.5}},
                                                {"hanning", {0.5, 0.5}},
                                                {"hamming", {0.54, 0.46}},
                                                {"blackman", {0.42, 0.5, 0.08}},
                                                {"nuttall", {0.3635819, 0.4891775, 0.1365995, 0.0106411}},
                                                {"blackmanharris", {0.35875, 0.48829, 0.14128, 0.01168}},
                                                {"flattop", {0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368}}};
  return all;
}

// SciPy's windows; a periodic one is the symmetric one of one more step without the last.
std::vector<double> window_of(const std::string& name, int64_t length, bool periodic, const char* where = "STFT") {
  const int64_t whole = periodic ? length + 1 : length;
  std::vector<double> w(static_cast<size_t>(length), 1.0);
  if (length <= 1) return w;
  const auto last = static_cast<double>(whole - 1);
  std::string known;
  for (const CosineWindow& c : cosine_windows()) {
    known += std::string(c.name) + ", ";
    if (name != c.name) continue;
    for (size_t n = 0; n < w.size(); ++n) {
      w[n] = 0;
      for (size_t k = 0; k < c.a.size(); ++k) w[n] += (k % 2 ? -1 : 1) * c.a[k] * std::cos(2 * std::numbers::pi * static_cast<double>(k * n) / last);
    }
    return w;
  }
  check(name == "bartlett" || name == "triang" || name == "cosine", Code::NotFound,
        "{}: there is no window '{}'; there are: {}bartlett, triang, cosine", where, name, known);
  for (size_t n = 0; n < w.size(); ++n) {
    const auto at = static_cast<double>(n);
    if (name == "cosine") w[n] = std::sin(std::numbers::pi * (at + 0.5) / static_cast<double>(whole));
    else if (name == "bartlett") w[n] = 1 - std::abs(2 * at / last - 1);
    else w[n] = 1 - std::abs(2 * at - last) / static_cast<double>(whole % 2 ? whole + 1 : whole);
  }
  return w;
}

// A window by name, by values, or none.
class Window final : public ConfigObject {
 public:
  Window(std::optional<std::string>& name, std::vector<double>& values, const char* where) : name_(name), values_(values), where_(where) {}
  std::string to_json() const override { return (!values_.empty() ? Json(values_) : name_ ? Json(*name_) : Json(nullptr)).dump(); }
  void from_json(const std::string& text) override {
    const Json j = nn::parse(text, where_);
    const bool list = j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& n) { return n.is_number(); });
    check(j.is_null() || j.is_string() || list, Code::InvalidArgument, "{}: expected a window's name or values, got {}", where_, text);
    name_.reset(), values_.clear();
    if (j.is_string()) name_ = j.get<std::string>();
    if (list) values_ = j.get<std::vector<double>>();
  }

 private:
  std::optional<std::string>& name_;
  std::vector<double>& values_;
  const char* where_;
};

}  // namespace

void fields(Fields& v, STFT& c) {
  v("side", c.side), nn::visit_window(v, c.window, c.window_values, "STFT"), v("periodic", c.periodic), v("scaling", c.scaling);
  check(c.side == "real" || c.side == "imag", Code::InvalidArgument, "STFT: expected side real or imag, got '{}'", c.side);
  check(!c.scaling || *c.scaling == "density" || *c.scaling == "spectrum", Code::InvalidArgument,
        "STFT: expected scaling density, spectrum or none, got '{}'", c.scaling.value_or(""));
  if (c.window && c.window_values.empty()) window_of(*c.window, 2, false);
}
Tensor make(const STFT& c, const Shape& s, DType t) {
  check(s.rank() == 3 && s[1] == 1, Code::Shape, "STFT initializer: expected a shape [window, 1, frequencies], got {}", s);
  const int64_t length = s[0], frequencies = s[2];
  std::vector<double> w(static_cast<size_t>(length), 1.0);
  const bool windowed = c.window || !c.window_values.empty();
  if (windowed) w = c.window_values.empty() ? window_of(*c.window, length, c.periodic) : c.window_values;
  check(static_cast<int64_t>(w.size()) == length, Code::Shape, "STFT initializer: expected {} values of the window, got {}", length, w.size());
  double norm = 0;
  for (double x : w) norm += c.scaling.value_or("") == "density" ? x * x : std::abs(x);
  if (c.scaling.value_or("") == "density") norm = std::sqrt(norm);
  if (!windowed || !c.scaling) norm = 1;
  const auto step = static_cast<double>(2 * (frequencies - 1));
  std::vector<double> values(static_cast<size_t>(s.elements()));
  for (int64_t n = 0; n < length; ++n)
    for (int64_t k = 0; k < frequencies; ++k) {
      const double at = -2 * std::numbers::pi * static_cast<double>(n) * static_cast<double>(k) / step;
      values[static_cast<size_t>(n * frequencies + k)] = (c.side == "real" ? std::cos(at) : std::sin(at)) * w[static_cast<size_t>(n)] / norm;
    }
  return cast(Tensor::from(values, s), t);
}

// ---- orthogonal: rows of a normal matrix, orthonormalized in double by modified Gram-Schmidt, twice
void fields(Fields& v, Orthogonal& c) { v("seed", c.seed), v("gain", c.gain); }
Tensor make(const Orthogonal& c, const Shape& s, DType t) {
  check(s.rank() >= 2, Code::Shape, "Orthogonal initializer: expected a shape of rank 2 or more, got {}", s);
  int64_t columns = s.back(), rows = s.elements() / std::max<int64_t>(columns, 1);
  bool tall = rows > columns;
  int64_t n = tall ? columns : rows, m = tall ? rows : columns;
  std::vector<float> drawn = random::normal({n, m}, generator(c.seed)).to_vector<float>();
  std::vector<double> q(drawn.begin(), drawn.end());
  auto row = [&](int64_t i) { return q.data() + i * m; };
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t k = 0; k < 2 * i; ++k) {
      const double* other = row(k % i);
      double dot = 0;
      for (int64_t j = 0; j < m; ++j) dot += row(i)[j] * other[j];
      for (int64_t j = 0; j < m; ++j) row(i)[j] -= dot * other[j];
    }
    double norm = 0;
    for (int64_t j = 0; j < m; ++j) norm += row(i)[j] * row(i)[j];
    for (int64_t j = 0; j < m; ++j) row(i)[j] /= std::sqrt(std::max(norm, 1e-300));
  }
  std::vector<float> values(q.size());
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) values[static_cast<size_t>(tall ? j * n + i : i * m + j)] = static_cast<float>(c.gain * row(i)[j]);
  return cast(Tensor::from(values, s), t);
}

}  // namespace initializers

namespace nn {

void visit_window(Fields& v, std::optional<std::string>& name, std::vector<double>& values, const char* where) {
  initializers::Window window(name, values, where);
  v("window", window);
}

void check_window(const std::string& name, const char* where) { initializers::window_of(name, 2, false, where); }

}  // namespace nn

namespace {

template <class C>
class InitializerOf final : public Initializer::Rule {
 public:
  InitializerOf(C c, const char* name) : config_(std::move(c)), name_(name) { nn::config_of(config_); }
  Tensor make(const Shape& shape, DType dtype) const override { return initializers::make(config_, shape, dtype); }
  Json json() const override { return nn::envelope("keras.initializers", name_, nn::config_of(config_)); }

 private:
  C config_;
  const char* name_;
};

class FunctionInitializer final : public Initializer::Rule {
 public:
  FunctionInitializer(Initializer::Function f, std::string name) : f_(std::move(f)), name_(std::move(name)) {}
  Tensor make(const Shape& shape, DType dtype) const override { return f_(shape, dtype); }
  Json json() const override {
    check(!name_.empty(), Code::Unsupported, "an initializer made from an unnamed function cannot be written; give it a name");
    return nn::envelope("builtins", "function", name_);
  }

 private:
  Initializer::Function f_;
  std::string name_;
};

struct Class {
  const char* name;
  const char* alias;
  Initializer (*make)(const char* name, const Json& config);
};
template <class C>
Initializer make_rule(const char* name, const Json& config) {
  return Initializer(std::make_shared<InitializerOf<C>>(nn::config_from<C>(config, name), name));
}

namespace ini = initializers;
constexpr Class classes[] = {
    {"Zeros", "zero", make_rule<ini::Zeros>},
    {"Ones", "one", make_rule<ini::Ones>},
    {"Constant", "constant", make_rule<ini::Constant>},
    {"RandomNormal", "normal", make_rule<ini::RandomNormal>},
    {"RandomUniform", "uniform", make_rule<ini::RandomUniform>},
    {"TruncatedNormal", "truncated_normal", make_rule<ini::TruncatedNormal>},
    {"VarianceScaling", "variance_scaling", make_rule<ini::VarianceScaling>},
    {"GlorotUniform", "glorot_uniform", make_rule<ini::GlorotUniform>},
    {"GlorotNormal", "glorot_normal", make_rule<ini::GlorotNormal>},
    {"HeNormal", "he_normal", make_rule<ini::HeNormal>},
    {"HeUniform", "he_uniform", make_rule<ini::HeUniform>},
    {"LecunNormal", "lecun_normal", make_rule<ini::LecunNormal>},
    {"LecunUniform", "lecun_uniform", make_rule<ini::LecunUniform>},
    {"Identity", "identity", make_rule<ini::Identity>},
    {"Orthogonal", "OrthogonalInitializer", make_rule<ini::Orthogonal>},
    {"STFT", "stft", make_rule<ini::STFT>},
};

const Class& class_named(const std::string& name) {
  std::string known;
  for (const Class& c : classes) {
    if (name == c.name || name == c.alias || nn::snake_case(name) == nn::snake_case(c.name) || name == std::string(c.name) + "Initializer") return c;
    known += (known.empty() ? "" : ", ") + nn::snake_case(c.name);
  }
  fail(Code::NotFound, "initializer: there is no '{}'; there are: {}", name, known);
}

template <class C>
Initializer of(const C& c, const char* name) {
  return Initializer(std::make_shared<InitializerOf<C>>(c, name));
}

}  // namespace

namespace initializers {
Zeros::operator Initializer() const { return of(*this, "Zeros"); }
Ones::operator Initializer() const { return of(*this, "Ones"); }
Constant::operator Initializer() const { return of(*this, "Constant"); }
RandomNormal::operator Initializer() const { return of(*this, "RandomNormal"); }
RandomUniform::operator Initializer() const { return of(*this, "RandomUniform"); }
TruncatedNormal::operator Initializer() const { return of(*this, "TruncatedNormal"); }
VarianceScaling::operator Initializer() const { return of(*this, "VarianceScaling"); }
GlorotUniform::operator Initializer() const { return of(*this, "GlorotUniform"); }
GlorotNormal::operator Initializer() const { return of(*this, "GlorotNormal"); }
HeNormal::operator Initializer() const { return of(*this, "HeNormal"); }
HeUniform::operator Initializer() const { return of(*this, "HeUniform"); }
LecunNormal::operator Initializer() const { return of(*this, "LecunNormal"); }
LecunUniform::operator Initializer() const { return of(*this, "LecunUniform"); }
Identity::operator Initializer() const { return of(*this, "Identity"); }
Orthogonal::operator Initializer() const { return of(*this, "Orthogonal"); }
STFT::operator Initializer() const { return of(*this, "STFT"); }
}  // namespace initializers

Initializer::Initializer(std::string name) {
  const Class& c = class_named(name);
  *this = c.make(c.name, Json::object());
}
Initializer::Initializer(Function f, std::string name) : rule_(std::make_shared<FunctionInitializer>(std::move(f), std::move(name))) {}

Tensor Initializer::operator()(const Shape& shape, DType dtype) const {
  Eagerly eagerly;
  check(shape.known(), Code::Shape, "initializer: expected known sizes, got {}", shape);
  Tensor t = rule_->make(shape, dtype);
  check(t.defined() && t.shape() == shape, Code::Shape, "initializer: expected values of shape {}, got {}", shape,
        t.defined() ? to_string(t.spec()) : "nothing");
  return cast(std::move(t), dtype);
}

std::string Initializer::to_json() const { return rule_->json().dump(); }
void Initializer::from_json(const std::string& text) {
  nn::Named n = nn::named_from(nn::parse(text, "initializer"), "an initializer");
  const Class& c = class_named(n.class_name);
  *this = c.make(c.name, n.config);
}

}  // namespace tenure
