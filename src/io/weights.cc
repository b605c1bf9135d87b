#include "io/weights.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <set>

#include <tenure/ops.h>
#include <tenure/strings.h>

#include "io/operation.h"
#include "io/vocabularies.h"
#include "nn/optimizer_body.h"

namespace tenure::io {

using files::Array;
using files::Bytes;
using files::Hdf5Node;

namespace {

// ---- where weights stand ----------------------------------------------------------------------------------------------------------

bool is_container(const LayerBody& l) {
  const std::string c = l.object().class_name();
  return c == "Sequential" || c == "Functional";
}

/// dense, dense_1, ... in one container.
class Numbering {
 public:
  std::string next(const LayerBody& l, const FileClasses& classes) {
    auto it = classes.class_name.find(&l);
    const std::string base = nn::snake_case(it != classes.class_name.end() ? it->second : l.object().class_name());
    const int n = used_[base]++;
    return n == 0 ? base : fmt::format("{}_{}", base, n);
  }

 private:
  std::map<std::string, int> used_;
};

constexpr size_t kMostWithRepeats = 20000;

class Walk {
 public:
  explicit Walk(const FileClasses& classes) : classes_(classes) {}
  std::vector<WeightGroup> groups;

  void visit(const LayerBody& l, const std::string& path, const std::string& label, bool as_model, bool in_container = false) {
    const bool again = !seen_.insert(&l).second;
    if (again && (!in_container || groups.size() > kMostWithRepeats)) return;
    WeightGroup g{
        path,  l.name(), fmt::format("{} ({})", label.empty() ? l.name() : label, l.object().class_name()), {}, classes_.class_name.count(&l) > 0,
        again, &l};
    for (bool trainable : {true, false})
      for (const auto& w : l.own_weights())
        if (w.trainable == trainable && !w.seed) g.items.push_back({w.name, w.variable.get()});
    groups.push_back(std::move(g));
    const std::string below = path.empty() ? "" : path + "/";
    const std::string inside = label.empty() ? "" : label + "/";
    std::map<std::string, std::vector<const LayerBody*>> attributes;
    for (const auto& c : l.children()) attributes[c.attribute].push_back(c.layer.get());
    if (as_model && !is_container(l)) {
      auto& all = attributes["layers"];
      for (const auto& c : l.children())
        if (std::find(all.begin(), all.end(), c.layer.get()) == all.end()) all.push_back(c.layer.get());
    }
    for (const auto& [attribute, children] : attributes) {
      const bool marked = attribute.size() > 2 && attribute.compare(attribute.size() - 2, 2, "[]") == 0;
      const bool list = marked || children.size() > 1 || (attribute == "layers" && (as_model || is_container(l)));
      if (!list) {
        visit(*children[0], below + attribute, inside + children[0]->name(), false, again);
        continue;
      }
      Numbering numbering;
      for (const LayerBody* c : children) {
        if (is_operation(*c)) continue;
        const std::string name = numbering.next(*c, classes_);
        visit(*c, below + (marked ? attribute.substr(0, attribute.size() - 2) : attribute) + "/" + name, inside + c->name(), false,
              is_container(l) || again);
      }
    }
  }

 private:
  const FileClasses& classes_;
  std::set<const LayerBody*> seen_;
};

// ---- values -----------------------------------------------------------------------------------------------------------------------

std::string shapes_of_items(const std::vector<WeightGroup::Item>& items) {
  std::string text;
  for (const auto& i : items) text += fmt::format("{}{} {}", text.empty() ? "" : ", ", i.name, i.variable->spec().shape);
  return text.empty() ? "none" : text;
}

/// The arrays of a vars group: 0, 1, ...
struct Stored {
  std::vector<Hdf5Node> arrays;
  std::vector<Spec> specs;
  std::string text() const { return shapes_text(specs); }
};

Stored stored_in(const std::vector<Hdf5Node>& groups) {
  Stored out;
  for (size_t i = 0;; ++i) {
    std::optional<Hdf5Node> n;
    for (size_t g = 0; g < groups.size() && !n; ++g) n = groups[g].find(std::to_string(i));
    if (!n) break;
    check(n->is_dataset(), Code::Io, "{}: expected an array of weights, got a group", n->path());
    out.specs.push_back(n->spec());
    out.arrays.push_back(std::move(*n));
  }
  return out;
}

// ---- reading ----------------------------------------------------------------------------------------------------------------------

struct Matched {
  const WeightGroup* group;
  Stored stored;
};

/// Why a group does not fit, or nothing.
std::string mismatch(const WeightGroup& g, const Stored& s, const std::string& place) {
  if (s.specs.size() != g.items.size())
    return fmt::format("{}: expected {} weights ({}), the file has {} ({}) in {}", g.label, g.items.size(), shapes_of_items(g.items), s.specs.size(),
                       s.text(), place);
  std::string text;
  for (size_t i = 0; i < g.items.size(); ++i) {
    const Spec& want = g.items[i].variable->spec();
    if (s.specs[i].shape == want.shape && convertible(s.specs[i].dtype, want.dtype)) continue;
    text += fmt::format("{}{}: weight '{}' is {}, the file has {} in {}/{}", text.empty() ? "" : "\n  - ", g.label, g.items[i].name, want, s.specs[i],
                        place, i);
  }
  return text;
}

/// Groups of the file that hold arrays and that no layer takes.
void find_extra(const Hdf5Node& node, const std::set<std::string>& known, std::vector<std::string>& out) {
  constexpr size_t kMost = 50;
  for (const std::string& name : node.children()) {
    if (out.size() >= kMost) return;
    const bool top = node.path() == "/";
    if (top && (name == "optimizer" || name == "metrics")) continue;
    Hdf5Node child = node.at(name);
    if (!child.is_group() || known.count(child.path())) continue;
    if (name == "vars" && !child.children().empty())
      out.push_back(fmt::format("{}: {} arrays that no layer of the model takes", child.path(), child.children().size()));
    else find_extra(child, known, out);
  }
}

bool fits_as_model(const LayerBody& model, const std::vector<Hdf5Node>& roots) {
  return !is_container(model) && std::any_of(roots.begin(), roots.end(), [](const Hdf5Node& r) { return r.contains("layers"); });
}

/// "a/query_dense" as Keras 2 calls it: "a/_query_dense".
std::string private_name(const std::string& path) {
  const size_t at = path.rfind('/') + 1;
  return path.substr(0, at) + "_" + path.substr(at);
}

/// The vars groups of a layer in all files; `place` becomes the name under which they are there.
std::vector<Hdf5Node> groups_at(const std::vector<Hdf5Node>& roots, const std::string& path, std::string& place) {
  std::vector<Hdf5Node> found;
  for (const std::string& at : {path, path.empty() ? path : private_name(path)}) {
    const std::string vars = at.empty() ? "/vars" : "/" + at + "/vars";
    for (const Hdf5Node& root : roots)
      if (std::optional<Hdf5Node> g = root.find(vars); g && g->is_group()) found.push_back(std::move(*g));
    if (at == path || !found.empty()) place = vars;
    if (!found.empty()) break;
  }
  return found;
}

}  // namespace

bool convertible(DType from, DType to) { return from == to || (is_float(from) && is_float(to)) || (is_integer(from) && is_integer(to)); }

std::string shapes_text(const std::vector<Spec>& specs) {
  std::string text;
  for (const Spec& s : specs) text += fmt::format("{}{}", text.empty() ? "" : ", ", s.shape);
  return text.empty() ? "none" : text;
}

void refuse_weights(Code code, const std::vector<std::string>& problems) {
  std::string text = fmt::format("the weights do not fit the model in {} place{}:", problems.size(), problems.size() == 1 ? "" : "s");
  for (const std::string& p : problems) text += "\n  - " + p;
  fail(code, "{}", text);
}

void fill(VariableBody& v, const Array& array) {
  const Spec& spec = v.spec();
  if (array.dtype != spec.dtype) return v.write(cast(tensor_of(array), spec.dtype));
  // The file's bytes go into the variable's own buffer: no second copy of the weights lives.
  const Tensor mine = v.read();
  if (std::byte* to = v.begin_write(mine)) {
    array.bytes.copy_to(to);
    return v.end_write();
  }
  v.write(Tensor::borrow(array.bytes.data(), spec.shape, spec.dtype));
}

std::vector<WeightGroup> weight_groups(const LayerBody& model, bool as_model, const FileClasses& classes) {
  Walk walk(classes);
  walk.visit(model, "", "", as_model);
  return std::move(walk.groups);
}

bool is_authors_model(const LayerBody& model) { return model.model() != nullptr && !is_container(model); }

WeightsReport read_weights(const LayerBody& model, const std::vector<Hdf5Node>& roots, const LoadWeightsOptions& options,
                           const FileClasses& classes) {
  const std::vector<WeightGroup> groups = weight_groups(model, fits_as_model(model, roots), classes);
  WeightsReport report;
  std::vector<Matched> matched;
  std::vector<std::string> problems;
  std::set<std::string> known;
  bool shapes_only = true;
  for (const WeightGroup& g : groups) {
    std::string place;
    Stored stored = stored_in(groups_at(roots, g.path, place));
    known.insert(place);
    for (std::string& learned : vocabulary_groups(g)) known.insert(std::move(learned));
    if (g.again || (g.callers && stored.specs.empty())) continue;
    std::string why = mismatch(g, stored, place);
    if (why.empty()) {
      if (!g.items.empty()) matched.push_back({&g, std::move(stored)});
      continue;
    }
    shapes_only &= stored.specs.size() == g.items.size();
    (options.skip_mismatch ? report.skipped : problems).push_back(std::move(why));
  }
  std::vector<std::string> extra;
  for (const Hdf5Node& root : roots) find_extra(root, known, extra);
  for (std::string& e : extra) (options.skip_mismatch ? report.skipped : problems).push_back(std::move(e));
  if (!problems.empty()) refuse_weights(shapes_only && extra.empty() ? Code::Shape : Code::NotFound, problems);
  for (const Matched& m : matched)
    for (size_t i = 0; i < m.group->items.size(); ++i, ++report.loaded) fill(*m.group->items[i].variable, m.stored.arrays[i].read());
  return report;
}

void read_optimizer(const Optimizer& optimizer, const Hdf5Node& root, bool keras2) {
  std::optional<Hdf5Node> vars = root.find("optimizer/vars");
  if (!vars || !vars->is_group()) return;
  const Stored stored = stored_in({*vars});
  Variables mine = optimizer.variables();
  if (const OptimizerBody* inner = optimizer.body()->inner()) {
    // A file may have the state of the optimizer inside only: then that of the scaling starts anew. And none, before the first step.
    std::optional<Hdf5Node> inside = root.find("optimizer/inner_optimizer/vars");
    if (inside && stored_in({*inside}).specs.size() <= 2) return;
    if (!inside) mine = inner->variables();
  }
  if (keras2 && mine.size() > 1) mine.erase(mine.begin() + 1);
  const size_t first = std::min<size_t>(mine.size(), keras2 ? 1 : 2);  // iteration and learning rate: there from the beginning
  const bool unused = stored.specs.size() <= first;
  check(unused || stored.specs.size() == mine.size(), Code::NotFound, "optimizer {}: expected {} arrays of state, the file has {} in /optimizer/vars",
        optimizer.name(), mine.size(), stored.specs.size());
  for (size_t i = 0; i < stored.specs.size(); ++i)
    check(stored.specs[i].shape == mine[i].shape() && convertible(stored.specs[i].dtype, mine[i].dtype()), Code::Shape,
          "optimizer {}: state {} ({}) is {}, the file has {} in /optimizer/vars/{}", optimizer.name(), i, mine[i].name(), mine[i].spec(),
          stored.specs[i], i);
  for (size_t i = 0; i < stored.arrays.size(); ++i) fill(*mine[i].body(), stored.arrays[i].read());
}

uint64_t stored_bytes(const Hdf5Node& root) {
  if (root.is_dataset()) return root.spec().bytes();
  uint64_t sum = 0;
  for (const std::string& name : root.children()) sum += stored_bytes(root.at(name));
  return sum;
}

// ---- writing ----------------------------------------------------------------------------------------------------------------------

void write_weights(const LayerBody& model, files::Hdf5Writer& out) {
  for (const WeightGroup& g : weight_groups(model, is_authors_model(model))) {
    const std::string vars = g.path.empty() ? "vars" : g.path + "/vars";
    out.add_group(vars);
    out.set_text(vars, "name", g.name);
    for (size_t i = 0; i < g.items.size(); ++i) out.add_dataset(fmt::format("{}/{}", vars, i), array_of(g.items[i].variable->read()));
    write_idf(g, out);
  }
}

void write_optimizer(const Optimizer& optimizer, files::Hdf5Writer& out) {
  out.add_group("optimizer/vars");
  out.set_text("optimizer/vars", "name", optimizer.name());
  const Variables all = optimizer.variables();
  for (size_t i = 0; i < all.size(); ++i) out.add_dataset(fmt::format("optimizer/vars/{}", i), array_of(all[i].body()->read()));
  const OptimizerBody* inner = optimizer.body()->inner();
  if (!inner) return;
  out.add_group("optimizer/inner_optimizer/vars");
  out.set_text("optimizer/inner_optimizer/vars", "name", inner->name());
  const Variables own = inner->variables();
  for (size_t i = 0; i < own.size(); ++i) out.add_dataset(fmt::format("optimizer/inner_optimizer/vars/{}", i), array_of(own[i].body()->read()));
}

Array array_of(const Tensor& value) {
  if (value.dtype() == DType::string) {
    std::vector<std::string_view> texts;
    for (int64_t i = 0; i < value.size(); ++i) texts.push_back(string_at(value, i));
    return Array::of_texts(value.shape(), texts, "tensor");
  }
  const std::span<const std::byte> bytes = value.bytes();
  return Array::from(value.dtype(), value.shape(), Bytes::keep(std::make_shared<Tensor>(value), bytes, "tensor"));
}

Tensor tensor_of(const Array& array) {
  if (array.dtype == DType::string) {
    std::vector<std::string_view> texts;
    for (int64_t i = 0; i < array.elements(); ++i) texts.push_back(array.text(i));
    return strings(texts, array.shape);
  }
  Tensor t = make_tensor(array.spec());
  if (!array.bytes.empty()) std::memcpy(mutable_data(t), array.bytes.data(), array.bytes.size());
  return t;
}

}  // namespace tenure::io
