// Initializers: one block each. An Initializer owns its (immutable, shared) rule; a rule owns no tensors.
#include <tenure/initializers.h>
#include <tenure/ops.h>

#include <array>
#include <atomic>
#include <cmath>
#include <random>

#include "core/context.h"
#include "nn/config.h"

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

// Keras' fans: the last two sizes times the receptive field of what stands before them.
std::pair<double, double> fans(const Shape& s) {
  if (s.rank() == 0) return {1, 1};
  if (s.rank() == 1) return {static_cast<double>(s[0]), static_cast<double>(s[0])};
  double field = 1;
  for (int i = 0; i < s.rank() - 2; ++i) field *= static_cast<double>(s[i]);
  return {field * static_cast<double>(s[s.rank() - 2]), field * static_cast<double>(s.back())};
}

Tensor scaled(const Shape& shape, DType dtype, double scale, std::string_view mode, std::string_view distribution,
              const std::optional<int64_t>& seed) {
  auto [in, out] = fans(shape);
  double fan = mode == "fan_in" ? in : mode == "fan_out" ? out : (in + out) / 2;
  scale /= std::max(1.0, fan);
  SeedGenerator g = generator(seed);
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
// Axes that count as inputs and outputs: Keras 3.15 writes them; only its default (null) is supported.
void axes(Fields& v) {
  std::optional<std::vector<int64_t>> none;
  v("input_axes", none);
  check(!none, Code::Unsupported, "initializer: input_axes are not supported");
  v("output_axes", none);
  check(!none, Code::Unsupported, "initializer: output_axes are not supported");
}
}  // namespace

void fields(Fields& v, VarianceScaling& c) {
  v("scale", c.scale), v("mode", c.mode), v("distribution", c.distribution), v("seed", c.seed);
  axes(v);
  check(c.scale > 0, Code::InvalidArgument, "VarianceScaling: expected scale > 0, got {}", c.scale);
  check(c.mode == "fan_in" || c.mode == "fan_out" || c.mode == "fan_avg", Code::InvalidArgument,
        "VarianceScaling: expected mode fan_in, fan_out or fan_avg, got '{}'", c.mode);
  check(c.distribution == "truncated_normal" || c.distribution == "untruncated_normal" || c.distribution == "uniform", Code::InvalidArgument,
        "VarianceScaling: expected distribution truncated_normal, untruncated_normal or uniform, got '{}'", c.distribution);
}
Tensor make(const VarianceScaling& c, const Shape& s, DType t) { return scaled(s, t, c.scale, c.mode, c.distribution, c.seed); }

void fields(Fields& v, GlorotUniform& c) { v("seed", c.seed), axes(v); }
Tensor make(const GlorotUniform& c, const Shape& s, DType t) { return scaled(s, t, 1, "fan_avg", "uniform", c.seed); }

void fields(Fields& v, GlorotNormal& c) { v("seed", c.seed), axes(v); }
Tensor make(const GlorotNormal& c, const Shape& s, DType t) { return scaled(s, t, 1, "fan_avg", "truncated_normal", c.seed); }

void fields(Fields& v, HeNormal& c) { v("seed", c.seed), axes(v); }
Tensor make(const HeNormal& c, const Shape& s, DType t) { return scaled(s, t, 2, "fan_in", "truncated_normal", c.seed); }

void fields(Fields& v, HeUniform& c) { v("seed", c.seed), axes(v); }
Tensor make(const HeUniform& c, const Shape& s, DType t) { return scaled(s, t, 2, "fan_in", "uniform", c.seed); }

void fields(Fields& v, LecunNormal& c) { v("seed", c.seed), axes(v); }
Tensor make(const LecunNormal& c, const Shape& s, DType t) { return scaled(s, t, 1, "fan_in", "truncated_normal", c.seed); }

void fields(Fields& v, LecunUniform& c) { v("seed", c.seed), axes(v); }
Tensor make(const LecunUniform& c, const Shape& s, DType t) { return scaled(s, t, 1, "fan_in", "uniform", c.seed); }

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

namespace {

template <class C>
class RuleOf final : public Initializer::Rule {
 public:
  RuleOf(C c, const char* name) : config_(std::move(c)), name_(name) { nn::config_of(config_); }
  Tensor make(const Shape& shape, DType dtype) const override { return initializers::make(config_, shape, dtype); }
  Json json() const override { return nn::envelope("keras.initializers", name_, nn::config_of(config_)); }

 private:
  C config_;
  const char* name_;
};

class FunctionRule final : public Initializer::Rule {
 public:
  FunctionRule(Initializer::Function f, std::string name) : f_(std::move(f)), name_(std::move(name)) {}
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
  return Initializer(std::make_shared<RuleOf<C>>(nn::config_from<C>(config, name), name));
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
};

const Class& class_named(const std::string& name) {
  std::string known;
  for (const Class& c : classes) {
    if (name == c.name || name == c.alias || nn::snake_case(name) == nn::snake_case(c.name)) return c;
    known += (known.empty() ? "" : ", ") + nn::snake_case(c.name);
  }
  fail(Code::NotFound, "initializer: there is no '{}'; there are: {}", name, known);
}

template <class C>
Initializer of(const C& c, const char* name) {
  return Initializer(std::make_shared<RuleOf<C>>(c, name));
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
}  // namespace initializers

Initializer::Initializer(std::string name) {
  const Class& c = class_named(name);
  *this = c.make(c.name, Json::object());
}
Initializer::Initializer(Function f, std::string name) : rule_(std::make_shared<FunctionRule>(std::move(f), std::move(name))) {}

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
