// For tests/applications_check.py: the constructors of applications.h against the real Keras, by numbers.
//   applications make NAME FOLDER       NAME with weights that matter, as FOLDER/ours_NAME.keras, and FOLDER/ours_NAME_io.npz: inputs, outputs
//   applications load NAME MODEL IO     MODEL's weights in the constructor's own model; its outputs against those in IO. Exit code 1: they differ
//   applications names
#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>

#include <tenure/applications.h>
#include <tenure/tenure.h>

using namespace tenure;

namespace {

struct Network {
  const char* name;
  bool bytes;             ///< its first layer scales images of [0, 255]
  double momentum;        ///< of its BatchNormalizations
  Model (*like_keras)();  ///< as make_applications.py makes it
  Model (*other)();       ///< another size, with other options
};

constexpr int64_t kClasses = 10;

// Odd sizes, and no two alike: a border on the wrong side shows.
const Network kNetworks[] = {
    {"ResNet50", false, 0.99,
     [] {
       return Model(applications::ResNet50{.input_shape = Shape{67, 45, 3}, .classes = kClasses, .classifier_activation = {}});
     },
     [] {
       return Model(applications::ResNet50{.include_top = false, .input_shape = Shape{39, 71, 3}});
     }},
    {"MobileNetV2", false, 0.999,
     [] {
       return Model(applications::MobileNetV2{.input_shape = Shape{67, 45, 3}, .classes = kClasses, .classifier_activation = {}});
     },
     [] {
       return Model(applications::MobileNetV2{.input_shape = Shape{59, 86, 3}, .alpha = 0.75, .include_top = false, .pooling = "max"});
     }},
    {"EfficientNetB0", true, 0.99,
     [] {
       return Model(applications::EfficientNetB0{.input_shape = Shape{67, 45, 3}, .classes = kClasses, .classifier_activation = {}});
     },
     [] {
       return Model(applications::EfficientNetB0{.include_top = false, .input_shape = Shape{58, 83, 3}, .pooling = "avg"});
     }},
    {"DenseNet121", false, 0.99,
     [] {
       return Model(applications::DenseNet121{.input_shape = Shape{67, 45, 3}, .classes = kClasses, .classifier_activation = {}});
     },
     [] {
       return Model(applications::DenseNet121{.include_top = false, .input_shape = Shape{65, 37, 3}, .pooling = "max"});
     }},
    {"ConvNeXtTiny", true, 0,
     [] {
       return Model(applications::ConvNeXtTiny{.input_shape = Shape{67, 45, 3}, .classes = kClasses, .classifier_activation = {}});
     },
     [] {
       return Model(applications::ConvNeXtTiny{.include_top = false, .include_preprocessing = false, .input_shape = Shape{61, 90, 3}});
     }},
};

const Network& network(const std::string& name) {
  for (const Network& n : kNetworks)
    if (name == n.name) return n;
  throw std::invalid_argument("no such network: " + name);
}

/// Two images of patches of unlike brightness: noise alone looks the same to a network that averages.
Tensor pictures(const Shape& shape, bool bytes) {
  const int64_t h = shape[1], w = shape[2], c = shape[3], patch = 16, across = w / patch + 1;
  const Tensor patches = random::normal({2, h / patch + 1, across, c}, SeedGenerator(3)), noise = random::normal({2, h, w, c}, SeedGenerator(4));
  std::vector<float> out;
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t y = 0; y < h; ++y)
      for (int64_t x = 0; x < w; ++x)
        for (int64_t k = 0; k < c; ++k) {
          const double v =
              patches.at(((n * (h / patch + 1) + y / patch) * across + x / patch) * c + k) + 0.3 * noise.at(((n * h + y) * w + x) * c + k);
          out.push_back(static_cast<float>(bytes ? std::clamp(128 + 60 * v, 0.0, 255.0) : v));
        }
  return Tensor::from(out, {2, h, w, c});
}

bool ends_with(const std::string& name, const std::string& end) { return name.size() >= end.size() && name.ends_with(end); }

Tensor uniform(const Variable& v, double low, double high, SeedGenerator& seed) { return random::uniform(v.shape(), seed, low, high); }

/// Moves what starts as ones and zeros, so that a weight in the wrong place shows. Statistics become those of one batch, then move: as they are
/// at first, values vanish or explode on the way through a hundred layers.
void spread(const Model& m, const Network& n, const Tensor& x) {
  SeedGenerator seed(11);
  Variables means, variances;
  for (Variable v : m.weights()) {
    const std::string name = v.name();
    if (ends_with(name, "depthwise/kernel") || ends_with(name, "dwconv/kernel")) v.assign(v.value() * std::sqrt(static_cast<double>(v.shape()[2])));
    else if (ends_with(name, "layer_scale/gamma")) v.assign(uniform(v, 0.2, 1, seed));
    else if (ends_with(name, "/gamma")) v.assign(uniform(v, 0.8, 1.2, seed));
    else if (ends_with(name, "/beta") || ends_with(name, "/bias")) v.assign(uniform(v, -0.2, 0.2, seed));
    else if (ends_with(name, "normalization/mean")) v.assign(uniform(v, 0.3, 0.7, seed));
    else if (ends_with(name, "normalization/variance")) v.assign(uniform(v, 0.5, 1.5, seed));
    else if (ends_with(name, "/moving_mean")) means.push_back(v);
    else if (ends_with(name, "/moving_variance")) variances.push_back(v);
  }
  if (means.empty()) return;
  for (const Variables& all : {means, variances})
    for (Variable v : all) v.assign(zeros(v.shape()));
  (void)m(x, {.training = true});
  for (Variable v : variances) {
    const Tensor batch = v.value() / (1 - n.momentum);
    v.assign((batch * 0.6 + mean(batch) * 0.4 + 0.001) * uniform(v, 0.9, 1.1, seed));  // a channel that hardly moved must not be blown up
  }
  for (size_t i = 0; i < means.size(); ++i)
    means[i].assign(means[i].value() / (1 - n.momentum) + sqrt(variances[i].value()) * uniform(means[i], -0.05, 0.05, seed));
}

/// Whether outputs are finite and tell the images apart.
bool says_something(const Tensor& y) {
  const int64_t half = y.size() / 2;
  double largest = 0, apart = 0;
  for (int64_t i = 0; i < half; ++i) {
    if (!std::isfinite(y.at(i)) || !std::isfinite(y.at(half + i))) return false;
    largest = std::max({largest, std::abs(y.at(i)), std::abs(y.at(half + i))});
    apart = std::max(apart, std::abs(y.at(i) - y.at(half + i)));
  }
  return apart > 1e-2 * largest;
}

int make(const Network& n, const std::string& folder) {
  const Model m = n.other();
  Shape shape = m.inputs()[0].shape();
  shape[0] = 2;
  const Tensor x = pictures(shape, n.bytes);
  spread(m, n, x);
  const Tensor y = m.predict(x);
  if (!says_something(y)) {
    std::cerr << n.name << ": the outputs say nothing\n";
    return 2;
  }
  const std::string stem = folder + "/ours_" + n.name;
  m.save(stem + ".keras");
  save_npz(stem + "_io.npz", {{"in_0", x}, {"out_0", y}});
  return 0;
}

int load(const Network& n, const std::string& model, const std::string& io) {
  const Model m = n.like_keras();
  m.load_weights(model);
  const VerifyReport r = verify(m, io, {.tolerance = 1e-4});
  std::cout << r.text() << "\n";
  return r.ok() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  set_random_seed(7);
  try {
    if (words.size() == 1 && words[0] == "names") {
      for (const Network& n : kNetworks) std::cout << n.name << "\n";
      return 0;
    }
    if (words.size() == 3 && words[0] == "make") return make(network(words[1]), words[2]);
    if (words.size() == 4 && words[0] == "load") return load(network(words[1]), words[2], words[3]);
    std::cerr << "usage: applications names | make NAME FOLDER | load NAME MODEL IO\n";
  } catch (const std::exception& e) { std::cerr << e.what() << "\n"; }
  return 2;
}
