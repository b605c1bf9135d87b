#include "io/legacy.h"

#include <algorithm>
#include <map>
#include <set>

#include "files/json.h"
#include "io/dialect.h"
#include "io/operation.h"

namespace tenure::io {

using files::Hdf5Node;

namespace {

Hdf5Node weights_root(const Hdf5Node& root) { return root.contains("model_weights") ? root.at("model_weights") : root; }

/// A list of texts in one attribute, or in name0, name1, ... where it was too long for one.
std::vector<std::string> names_of(const Hdf5Node& node, const std::string& attribute) {
  if (node.has_attribute(attribute)) return node.texts(attribute);
  std::vector<std::string> out;
  for (size_t i = 0; node.has_attribute(attribute + std::to_string(i)); ++i)
    for (std::string& s : node.texts(attribute + std::to_string(i))) out.push_back(std::move(s));
  return out;
}

/// A layer of the file that has weights.
struct OldLayer {
  std::string name;
  std::vector<Hdf5Node> arrays;
  std::vector<Spec> specs;
  std::vector<std::string> names;
};

std::vector<OldLayer> old_layers(const Hdf5Node& root) {
  const Hdf5Node weights = weights_root(root);
  std::vector<OldLayer> out;
  for (const std::string& name : names_of(weights, "layer_names")) {
    OldLayer l{name, {}, {}, {}};
    const Hdf5Node group = weights.at(name);
    for (const std::string& w : names_of(group, "weight_names")) {
      Hdf5Node array = group.at(w);
      check(array.is_dataset(), Code::Io, "{}: expected an array of weights, got a group", array.path());
      l.specs.push_back(array.spec());
      l.arrays.push_back(std::move(array));
      l.names.push_back(w);
    }
    if (!l.arrays.empty()) out.push_back(std::move(l));
  }
  return out;
}

/// A layer of the model that has weights: trainable ones first, as Keras writes them.
struct OurLayer {
  std::string name, label;
  Variables weights;
};

std::vector<OurLayer> our_layers(const LayerBody& model) {
  std::vector<OurLayer> out;
  std::set<const VariableBody*> seeds;  // states of random layers: no file has them
  std::vector<const LayerBody*> todo{&model};
  for (std::set<const LayerBody*> seen; !todo.empty();) {
    const LayerBody* at = todo.back();
    todo.pop_back();
    if (!seen.insert(at).second) continue;
    for (const auto& w : at->own_weights())
      if (w.seed) seeds.insert(w.variable.get());
    for (const auto& c : at->children()) todo.push_back(c.layer.get());
  }
  auto add = [&](const Layer& l) {
    OurLayer mine{l.name(), fmt::format("{} ({})", l.name(), l.class_name()), l.trainable_variables()};
    for (Variable& v : l.non_trainable_variables()) mine.weights.push_back(std::move(v));
    std::erase_if(mine.weights, [&](const Variable& v) { return seeds.count(v.body()) > 0; });
    if (!mine.weights.empty()) out.push_back(std::move(mine));
  };
  const Layer self(const_cast<LayerBody*>(&model));
  const std::vector<Layer> layers = self.layers();
  if (layers.empty()) add(self);
  for (const Layer& l : layers)
    if (!is_operation(*l.body())) add(l);
  return out;
}

/// Why the file's layer does not fit ours, or nothing.
std::string mismatch(const OurLayer& mine, const OldLayer& theirs) {
  std::vector<Spec> wanted;
  for (const Variable& v : mine.weights) wanted.push_back(v.spec());
  bool fits = wanted.size() == theirs.specs.size();
  for (size_t i = 0; fits && i < wanted.size(); ++i)
    fits = wanted[i].shape == theirs.specs[i].shape && convertible(theirs.specs[i].dtype, wanted[i].dtype);
  if (fits) return {};
  return fmt::format("{}: expected {} weights ({}), the file has {} ({}) for '{}'", mine.label, wanted.size(), shapes_text(wanted),
                     theirs.specs.size(), shapes_text(theirs.specs), theirs.name);
}

}  // namespace

bool is_legacy_model(const Hdf5Node& root) { return root.has_attribute("model_config"); }

bool holds_legacy_weights(const Hdf5Node& root) {
  const Hdf5Node weights = weights_root(root);
  return weights.has_attribute("layer_names") || weights.has_attribute("layer_names0");
}

Json legacy_config(const Hdf5Node& root, const std::string& file, Problems& problems) {
  auto json = [&](const char* attribute) {
    return files::parse_json(files::Bytes::copy(root.text(attribute), fmt::format("{}, attribute {}", file, attribute)));
  };
  Json config = modern_layer(json("model_config"), problems);
  if (root.has_attribute("training_config")) config["compile_config"] = modern_compile(json("training_config"));
  return config;
}

WeightsReport read_legacy_weights(const LayerBody& model, const Hdf5Node& root, const LoadWeightsOptions& options) {
  const std::vector<OurLayer> mine = our_layers(model);
  const std::vector<OldLayer> theirs = old_layers(root);
  WeightsReport report;
  std::vector<std::string> problems;
  std::vector<std::pair<const OurLayer*, const OldLayer*>> matched;
  auto match = [&](const OurLayer& m, const OldLayer& t) {
    std::string why = mismatch(m, t);
    if (why.empty()) matched.emplace_back(&m, &t);
    else (options.skip_mismatch ? report.skipped : problems).push_back(std::move(why));
  };
  if (options.by_name) {
    std::multimap<std::string, const OurLayer*> by_name;
    for (const OurLayer& m : mine) by_name.emplace(m.name, &m);
    for (const OldLayer& t : theirs) {
      auto [it, end] = by_name.equal_range(t.name);
      if (it == end) report.skipped.push_back(fmt::format("'{}': no layer of the model has this name", t.name));
      for (; it != end; ++it) match(*it->second, t);
    }
  } else {
    if (mine.size() != theirs.size()) {
      std::string names;
      for (const OldLayer& t : theirs) names += (names.empty() ? "" : ", ") + t.name;
      fail(Code::NotFound, "the model has {} layers with weights, the file has {} ({}); with by_name = true layers are matched by their names",
           mine.size(), theirs.size(), names.substr(0, 400));
    }
    for (size_t i = 0; i < mine.size(); ++i) match(mine[i], theirs[i]);
  }
  if (!problems.empty()) refuse_weights(Code::Shape, problems);
  for (const auto& [m, t] : matched)
    for (size_t i = 0; i < m->weights.size(); ++i, ++report.loaded) fill(*m->weights[i].body(), t->arrays[i].read());
  return report;
}

void read_legacy_optimizer(const Optimizer& optimizer, const Hdf5Node& root, const std::string& file) {
  if (!root.contains("optimizer_weights")) return;
  const Hdf5Node group = root.at("optimizer_weights");
  std::vector<Hdf5Node> arrays;
  for (const std::string& name : names_of(group, "weight_names")) arrays.push_back(group.at(name));
  const Variables all = optimizer.variables();
  Variables mine = all;
  if (arrays.size() + 1 == mine.size() && mine.size() > 1) mine.erase(mine.begin() + 1);  // Keras 2 keeps the learning rate elsewhere
  bool fits = arrays.size() == mine.size();
  for (size_t i = 0; fits && i < arrays.size(); ++i) {
    const Spec s = arrays[i].spec();
    fits = s.shape == mine[i].shape() && convertible(s.dtype, mine[i].dtype());
  }
  if (!fits) {
    memory::log(fmt::format("{}: the optimizer's state ({} arrays) does not fit {} ({} variables); it starts anew", file, arrays.size(),
                            optimizer.name(), all.size()));
    return;
  }
  for (size_t i = 0; i < arrays.size(); ++i) fill(*mine[i].body(), arrays[i].read());
}

}  // namespace tenure::io
