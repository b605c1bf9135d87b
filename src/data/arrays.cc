// Sources in memory: arrays, .npz, idx; and functions. The recipe owns its arrays; elements are views of them.
#include <algorithm>
#include <cstring>

#include "core/strings.h"
#include "data/ahead.h"
#include "files/idx.h"
#include "files/npy.h"
#include "kernels/kernels.h"

namespace tenure::data {
namespace {

// ---- arrays ------------------------------------------------------------------------------------------------------------------

/// An array whose rows are given out as `dtype`.
struct Source {
  Held array;
  DType dtype;

  Spec row_spec() const {
    Spec s = array.spec();
    s.shape.erase(0);
    return s;
  }
  /// Rows [first, first + n) as a tensor of `shape`: a view, or converted.
  Tensor part(int64_t first, const Shape& shape) const {
    const Spec stored{shape, array.spec().dtype}, row = row_spec();
    const size_t bytes = row.dtype == DType::string ? texts::kPlace * static_cast<size_t>(row.shape.elements()) : row.bytes();
    const size_t offset = static_cast<size_t>(first) * bytes;
    if (dtype == stored.dtype) return make_view(array.tensor(), stored, offset);
    Tensor out = make_tensor({shape, dtype});
    kernels::convert(stored.dtype, array->data() + offset, dtype, mutable_data(out), shape.elements());
    return out;
  }
  Tensor gather(std::span<const int64_t> rows) const {
    const Spec row = row_spec();
    Shape shape = row.shape;
    shape.insert(0, static_cast<int64_t>(rows.size()));
    bool run = true;
    for (size_t i = 1; i < rows.size(); ++i) run = run && rows[i] == rows[i - 1] + 1;
    if (run && !rows.empty()) return part(rows[0], shape);
    const int64_t elements = row.shape.elements();
    if (dtype == DType::string) {
      std::vector<std::string_view> values;
      for (int64_t at : rows)
        for (int64_t i = at * elements; i < (at + 1) * elements; ++i) values.push_back(texts::at(array->data(), i));
      return strings(values, shape);
    }
    Tensor out = make_tensor({shape, dtype});
    const size_t from = row.bytes(), to = static_cast<size_t>(elements) * size_of(dtype);
    for (size_t i = 0; i < rows.size(); ++i) {
      const std::byte* src = array->data() + static_cast<size_t>(rows[i]) * from;
      std::byte* dst = mutable_data(out) + i * to;
      if (dtype == row.dtype) std::memcpy(dst, src, to);
      else kernels::convert(row.dtype, src, dtype, dst, elements);
    }
    return out;
  }
};

class ArraysRecipe final : public Recipe, public Rows {
 public:
  ArraysRecipe(std::string name, std::vector<Source> x, std::vector<Source> y, std::vector<Source> weights)
      : name_(std::move(name)), x_(std::move(x)), y_(std::move(y)), weights_(std::move(weights)), rows_(x_[0].array.spec().shape[0]) {}

  int64_t cardinality() const override { return rows_; }
  const Rows* rows() const override { return this; }
  std::unique_ptr<RowCursor> cursor(const Opening&) const override { return count_cursor(rows_); }
  memory::HeldOf<Stage> open(const Opening& opening) const override { return open_rows(self(), opening); }
  std::string text() const override { return name_; }
  void trace(memory::EdgeVisitor& v) const override {
    for (auto [part, label] : {std::pair{&x_, "x"}, {&y_, "y"}, {&weights_, "weights"}})
      for (size_t i = 0; i < part->size(); ++i) v.edge((*part)[i].array.get(), label, static_cast<int64_t>(i));
  }

  int64_t count() const override { return rows_; }
  bool fetch(int64_t row, Batch& out) const override {
    auto one = [&](const Source& s) { return s.part(row, s.row_spec().shape); };
    out = each(one);
    return true;
  }
  bool gathers() const override { return true; }
  Batch gather(std::span<const int64_t> rows) const override {
    return each([&](const Source& s) { return s.gather(rows); });
  }

 private:
  template <class F>
  Batch each(F&& f) const {
    Batch b;
    for (auto [part, to] : {std::pair{&x_, &b.x}, {&y_, &b.y}, {&weights_, &b.weights}})
      for (const Source& s : *part) to->push_back(f(s));
    return b;
  }

  std::string name_;
  std::vector<Source> x_, y_, weights_;
  int64_t rows_;
};

std::vector<Source> sources(Tensors ts, const char* what, int64_t& rows) {
  std::vector<Source> out;
  for (Tensor& t : ts) {
    if (!t.defined()) continue;
    check(t.concrete(), Code::InvalidArgument, "data::arrays: {} {} has no values (it is symbolic)", what, out.size());
    check(t.rank() >= 1, Code::Shape, "data::arrays: expected {} {} with a first dimension of examples, got {}", what, out.size(), t.spec());
    if (rows < 0) rows = t.dim(0);
    check(t.dim(0) == rows, Code::Shape, "data::arrays: expected {} examples in {} {} as in the first input, got {}", rows, what, out.size(),
          t.spec());
    const DType dtype = t.dtype();
    out.push_back({Held(std::move(t)), dtype});
  }
  return out;
}

Dataset make(std::string name, Tensors x, Tensors y, Tensors weights, DType x_dtype, bool convert) {
  int64_t rows = -1;
  auto xs = sources(std::move(x), "input", rows);
  check(!xs.empty(), Code::InvalidArgument, "data::arrays: expected at least one input array");
  auto ys = sources(std::move(y), "target", rows);
  auto ws = sources(std::move(weights), "weights", rows);
  if (convert)
    for (Source& s : xs) s.dtype = x_dtype;
  return dataset_of(new ArraysRecipe(std::move(name), std::move(xs), std::move(ys), std::move(ws)));
}

// ---- files -------------------------------------------------------------------------------------------------------------------

/// The file's values in a buffer that the ledger knows.
Tensor tensor_of(const files::Array& a) {
  Tensor t = make_tensor(a.spec());
  if (a.bytes.size()) std::memcpy(mutable_data(t), a.bytes.data(), a.bytes.size());
  return t;
}

bool begins(std::string_view name, std::initializer_list<std::string_view> with) {
  return std::any_of(with.begin(), with.end(), [&](std::string_view w) { return name.substr(0, w.size()) == w; });
}

std::string list(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& n : names) out += (out.empty() ? "" : ", ") + n;
  return out;
}

std::string file_name(const std::string& path) { return path.substr(path.find_last_of('/') + 1); }

// ---- functions ---------------------------------------------------------------------------------------------------------------

using Next = std::function<std::optional<Batch>()>;

class FunctionProducer final : public Producer {
 public:
  explicit FunctionProducer(Next next) : next_(std::move(next)) {}
  bool pull(Job& job) override {
    std::optional<Batch> b = next_();
    if (b) job.in = std::move(*b);
    return b.has_value();
  }
  bool work(Job& job, Batch& out) override {
    out = std::move(job.in);
    return true;
  }

 private:
  Next next_;
};

class GeneratorRecipe final : public Recipe {
 public:
  GeneratorRecipe(Next next, GeneratorOptions options) : next_(std::move(next)), options_(std::move(options)) {}
  int64_t cardinality() const override { return options_.cardinality; }
  std::string text() const override { return options_.name; }
  memory::HeldOf<Stage> open(const Opening&) const override {
    return open_producer(self(), {}, "generator", std::make_unique<FunctionProducer>(next_), {});
  }

 private:
  Next next_;
  GeneratorOptions options_;
};

}  // namespace

Dataset arrays(TensorList x, TensorList y, TensorList weights) {
  return make("arrays", std::move(x).items(), std::move(y).items(), std::move(weights).items(), float32, false);
}

Dataset npz(const std::string& path, std::vector<std::string> x, std::vector<std::string> y) {
  memory::Enter at("data");
  memory::As as(memory::Category::input);
  const files::NpzFile file(path);
  std::vector<std::string> weights;
  if (x.empty() && y.empty()) {
    for (const std::string& n : file.names()) {
      if (begins(n, {"x", "input"})) x.push_back(n);
      else if (begins(n, {"y", "output", "label", "target"})) y.push_back(n);
      else if (begins(n, {"sample_weight"})) weights.push_back(n);
    }
    check(!x.empty(), Code::NotFound, "{}: expected arrays named x… or input…, found {}; name them: data::npz(path, {{inputs}}, {{targets}})", path,
          list(file.names()));
  }
  auto read = [&](const std::vector<std::string>& names) {
    Tensors out;
    for (const std::string& n : names) {
      check(file.contains(n), Code::NotFound, "{}: no array named {}, found {}", path, n, list(file.names()));
      out.push_back(tensor_of(file.read(n)));
    }
    return out;
  };
  Tensors xs = read(x), ys = read(y), ws = read(weights);
  try {
    return make("npz(" + file_name(path) + ")", std::move(xs), std::move(ys), std::move(ws), float32, false);
  } catch (Error& e) {
    e.add_frame("data::npz(" + path + ")");
    throw;
  }
}

Dataset idx(const std::string& images, const std::string& labels, IdxOptions options) {
  memory::Enter at("data");
  memory::As as(memory::Category::input);
  Tensor x = tensor_of(files::read_idx(images));
  const files::Array stored = files::read_idx(labels);
  check(x.rank() >= 2, Code::Io, "{}: expected images, got an idx array of {}", images, x.spec());
  check(stored.shape.rank() == 1 && is_integer(stored.dtype), Code::Io, "{}: expected one integer an image, got an idx array of {}", labels,
        stored.spec());
  check(stored.shape[0] == x.dim(0), Code::Shape, "data::idx: {} holds {} images, {} holds {} labels", images, x.dim(0), labels, stored.shape[0]);
  Tensor y = make_tensor({stored.shape, int32});
  kernels::convert(stored.dtype, stored.bytes.data(), int32, mutable_data(y), stored.elements());
  if (options.channels && x.rank() == 3) {
    Spec s = x.spec();
    s.shape.push_back(1);
    x = make_view(x, s, 0);
  }
  return make("idx(" + file_name(images) + ")", {std::move(x)}, {std::move(y)}, {}, options.dtype, true);
}

Dataset generator(std::function<std::optional<Batch>()> next, GeneratorOptions options) {
  check(next != nullptr, Code::InvalidArgument, "data::generator: expected a function, got an empty one");
  check(options.cardinality >= unknown, Code::InvalidArgument, "data::generator: expected a cardinality >= 0, infinite or unknown, got {}",
        options.cardinality);
  return dataset_of(new GeneratorRecipe(std::move(next), std::move(options)));
}

}  // namespace tenure::data
