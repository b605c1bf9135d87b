#include "io/verify.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include <tenure/strings.h>

#include "base/check.h"
#include "io/weights.h"

namespace tenure {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// max|a-b| and max|b|. NaN and infinities must agree in place and kind.
void measure(const Tensor& got, const files::Array& expected, VerifyReport::Compared& out, double tolerance) {
  out.expected = expected.spec();
  out.got = got.spec();
  out.allowed = tolerance;
  if (got.shape() != expected.shape) {
    out.difference = kInfinity;
    return;
  }
  if (expected.dtype == DType::string || got.dtype() == DType::string) {
    bool same = expected.dtype == got.dtype();
    for (int64_t i = 0; same && i < got.size(); ++i) same = string_at(got, i) == expected.text(i);
    out.difference = same ? 0 : kInfinity;
    return;
  }
  const std::vector<double> b = expected.as_double();
  double largest = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    const double a = got.at(static_cast<int64_t>(i));
    const bool same = a == b[i] || (std::isnan(a) && std::isnan(b[i]));
    if (!same) out.difference = std::max(out.difference, std::isfinite(a) && std::isfinite(b[i]) ? std::abs(a - b[i]) : kInfinity);
    if (std::isfinite(b[i])) largest = std::max(largest, std::abs(b[i]));
  }
  out.allowed = tolerance * std::max(1.0, largest);
}

/// Compares the outputs of a model's own layers while they run.
class LayerWatch final : public CallWatcher {
 public:
  LayerWatch(const LayerBody& model, const files::NpzFile& recorded, double tolerance) : model_(model), recorded_(recorded), tolerance_(tolerance) {}
  void called(LayerBody& layer, std::span<const Tensor> outputs) override {
    const auto& children = model_.children();
    const bool own = std::any_of(children.begin(), children.end(), [&](const auto& c) { return c.layer.get() == &layer; });
    if (!own || ++calls_[&layer] > 1 || outputs.size() != 1 || !recorded_.contains("layer/" + layer.name())) return;
    VerifyReport::Compared c;
    c.name = layer.name();
    measure(outputs[0], recorded_.read("layer/" + layer.name()), c, tolerance_);
    found_.emplace_back(&layer, std::move(c));
  }
  /// Of layers that were called once.
  std::vector<VerifyReport::Compared> take() {
    std::vector<VerifyReport::Compared> out;
    for (auto& [layer, c] : found_)
      if (calls_[layer] == 1) out.push_back(std::move(c));
    return out;
  }

 private:
  const LayerBody& model_;
  const files::NpzFile& recorded_;
  double tolerance_;
  std::map<const LayerBody*, int> calls_;
  std::vector<std::pair<const LayerBody*, VerifyReport::Compared>> found_;
};

/// "in_0", "in_1", ... in order, or the given names where all of them are there.
std::vector<std::string> keys_of(const files::NpzFile& recorded, const std::vector<std::string>& names, const std::string& prefix) {
  if (!names.empty() && std::all_of(names.begin(), names.end(), [&](const std::string& n) { return recorded.contains(n); })) return names;
  std::vector<std::string> keys;
  for (size_t i = 0; recorded.contains(prefix + std::to_string(i)); ++i) keys.push_back(prefix + std::to_string(i));
  return keys;
}

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& s : list) text += (text.empty() ? "" : ", ") + s;
  return text;
}

nlohmann::ordered_json json_of(const std::vector<VerifyReport::Compared>& list) {
  auto number = [](double v) { return std::isfinite(v) ? nlohmann::ordered_json(v) : nlohmann::ordered_json("infinite"); };
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  for (const auto& c : list)
    out.push_back({{"name", c.name},
                   {"expected", to_string(c.expected)},
                   {"got", to_string(c.got)},
                   {"difference", number(c.difference)},
                   {"allowed", c.allowed},
                   {"ok", c.ok()}});
  return out;
}

std::string line_of(const VerifyReport::Compared& c) {
  if (c.expected.shape != c.got.shape)
    return fmt::format("{:<32} expected {}, got {}   DIFFERENT\n", c.name, to_string(c.expected), to_string(c.got));
  return fmt::format("{:<32} {:<24} difference {:.3g}, allowed {:.3g}{}\n", c.name, to_string(c.got), c.difference, c.allowed,
                     c.ok() ? "" : "   DIFFERENT");
}

}  // namespace

bool VerifyReport::ok() const noexcept {
  return !outputs.empty() && std::all_of(outputs.begin(), outputs.end(), [](const Compared& c) { return c.ok(); }) && first_differing_layer.empty();
}

std::string VerifyReport::text() const {
  std::string out;
  for (const Compared& c : outputs) out += line_of(c);
  if (!layers.empty()) {
    size_t good = 0;
    for (const Compared& c : layers) good += c.ok() ? 1 : 0;
    out += fmt::format("layers: {} of {} agree\n", good, layers.size());
  }
  if (!first_differing_layer.empty()) {
    out += fmt::format("first layer that differs: {}\n", first_differing_layer);
    for (const Compared& c : layers)
      if (c.name == first_differing_layer) out += "  " + line_of(c);
  }
  return out + fmt::format("largest difference {:.3g}: {}\n", largest_difference, ok() ? "equal" : "different");
}

std::string VerifyReport::json() const {
  nlohmann::ordered_json j;
  j["ok"] = ok();
  j["largest_difference"] = std::isfinite(largest_difference) ? nlohmann::ordered_json(largest_difference) : nlohmann::ordered_json("infinite");
  j["first_differing_layer"] = first_differing_layer.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(first_differing_layer);
  j["outputs"] = json_of(outputs);
  j["layers"] = json_of(layers);
  return j.dump(1);
}

namespace {

bool has_symbols(const Model& model) {
  const LayerBody& b = body_of(model);
  return b.graph != nullptr || b.object().class_name() == "Sequential";
}

}  // namespace

std::vector<std::string> io::input_names(const Model& model) { return has_symbols(model) ? model.input_names() : std::vector<std::string>(); }
std::vector<std::string> io::output_names(const Model& model) { return has_symbols(model) ? model.output_names() : std::vector<std::string>(); }

VerifyReport io::verify_arrays(const Model& model, const files::NpzFile& recorded, const VerifyOptions& options) {
  const std::vector<std::string> input_names = io::input_names(model), output_names = io::output_names(model);
  const std::vector<std::string> in = keys_of(recorded, input_names, "in_"), out = keys_of(recorded, output_names, "out_");
  check(!in.empty() && (input_names.empty() || in.size() == input_names.size()), Code::InvalidArgument,
        "verify: the model takes {} inputs ({}), the recording has {} (by name, or in_0, in_1, ...); it holds {}", input_names.size(),
        joined(input_names), in.size(), joined(recorded.names()));
  check(!out.empty(), Code::InvalidArgument, "verify: the recording has no expected outputs (by name, or out_0, out_1, ...); it holds {}",
        joined(recorded.names()));
  Tensors xs;
  for (const std::string& key : in) xs.push_back(io::tensor_of(recorded.read(key)));
  VerifyReport report;
  const bool layers = std::any_of(recorded.names().begin(), recorded.names().end(), [](const std::string& n) { return n.rfind("layer/", 0) == 0; });
  if (layers) {
    LayerWatch watch(body(model), recorded, options.tolerance);
    With watching(nn_context.watcher, static_cast<CallWatcher*>(&watch));
    (void)model(TensorList(xs), Call{.training = false});
    report.layers = watch.take();
    for (const auto& c : report.layers)
      if (!c.ok() && report.first_differing_layer.empty()) report.first_differing_layer = c.name;
  }
  const Outputs ys = model.predict_on_batch(TensorList(std::move(xs)));
  check(ys.size() == out.size(), Code::InvalidArgument, "verify: the model has {} outputs, the recording {}", ys.size(), out.size());
  for (size_t i = 0; i < ys.size(); ++i) {
    VerifyReport::Compared c;
    c.name = i < output_names.size() ? output_names[i] : out[i];
    measure(ys[i], recorded.read(out[i]), c, options.tolerance);
    report.largest_difference = std::max(report.largest_difference, c.difference);
    report.outputs.push_back(std::move(c));
  }
  return report;
}

VerifyReport verify(const Model& model, const std::string& npz, const VerifyOptions& options) {
  try {
    return io::verify_arrays(model, files::NpzFile(npz), options);
  } catch (Error& e) {
    e.add_frame(npz);
    throw;
  }
}

}  // namespace tenure
