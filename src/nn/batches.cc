#include "nn/batches.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <numeric>
#include <random>

#include "core/strings.h"

namespace tenure::nn {

Tensor rows_of(const Tensor& t, int64_t from, int64_t to) {
  Spec s = t.spec();
  int64_t rows = s.shape[0];
  if (from == 0 && to == rows) return t;
  size_t row = rows > 0 ? s.bytes() / static_cast<size_t>(rows) : 0;
  if (s.dtype == DType::string && rows > 0) row = texts::kPlace * static_cast<size_t>(s.shape.elements() / rows);
  s.shape[0] = to - from;
  return make_view(t, s, static_cast<size_t>(from) * row);
}

Batch rows_of(const Batch& b, int64_t from, int64_t to) {
  Batch out;
  for (auto [in, part] : {std::pair{&b.x, &out.x}, {&b.y, &out.y}, {&b.weights, &out.weights}})
    for (const Tensor& t : *in) part->push_back(rows_of(t, from, to));
  return out;
}

void check_rows(const Batch& b, const char* what) {
  int64_t rows = -1;
  for (const Tensors* part : {&b.x, &b.y, &b.weights}) {
    for (const Tensor& t : *part) {
      check(t.concrete(), Code::InvalidArgument, "{}: expected arrays with values, got {}", what,
            t.defined() ? "a symbolic tensor" : "an empty handle");
      check(t.rank() >= 1, Code::Shape, "{}: expected arrays with rows, got {}", what, t.spec());
      if (rows < 0) rows = t.shape()[0];
      check(t.shape()[0] == rows, Code::Shape, "{}: arrays have different numbers of rows: {} and {}", what, rows, t.shape()[0]);
    }
  }
  check(!b.x.empty(), Code::InvalidArgument, "{}: expected at least one array", what);
}

Tensor class_weights(const Tensor& y, const std::map<int64_t, double>& by_class, const Tensor& weights) {
  int64_t rows = y.shape()[0], per_row = rows > 0 ? y.size() / rows : 1;
  std::vector<float> out(static_cast<size_t>(rows));
  for (int64_t i = 0; i < rows; ++i) {
    int64_t label = 0;
    if (per_row == 1) {
      label = static_cast<int64_t>(y.at(i));
    } else {
      for (int64_t k = 1; k < per_row; ++k)
        if (y.at(i * per_row + k) > y.at(i * per_row + label)) label = k;
    }
    auto it = by_class.find(label);
    double w = it == by_class.end() ? 1 : it->second;
    out[static_cast<size_t>(i)] = static_cast<float>(weights.defined() ? w * weights.at(i) : w);
  }
  return Tensor::from(out, {rows});
}

namespace {

class ArrayBatches final : public BatchSource {
 public:
  ArrayBatches(Batch arrays, int64_t batch_size, bool shuffle, int64_t seed)
      : arrays_(std::move(arrays)), rows_(arrays_.x[0].shape()[0]), size_(batch_size), seed_(static_cast<uint64_t>(seed)) {
    if (shuffle) order_.resize(static_cast<size_t>(rows_));
  }
  void begin(int64_t epoch) override {
    at_ = 0;
    std::iota(order_.begin(), order_.end(), 0);
    std::mt19937_64 random(seed_ * 0x9e3779b97f4a7c15u + static_cast<uint64_t>(epoch));
    for (size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random() % i]);
  }
  bool next(Batch& out) override {
    out = {};
    if (at_ >= rows_) return false;
    int64_t to = std::min(rows_, at_ + size_);
    out = order_.empty() ? rows_of(arrays_, at_, to) : gather(to);
    at_ = to;
    return true;
  }
  int64_t steps() const override { return (rows_ + size_ - 1) / size_; }

 private:
  Batch gather(int64_t to) {
    Batch out;
    size_t k = 0;
    for (auto [in, part] : {std::pair{&arrays_.x, &out.x}, {&arrays_.y, &out.y}, {&arrays_.weights, &out.weights}})
      for (const Tensor& t : *in) part->push_back(gather(t, k++, to));
    return out;
  }
  // Into the buffer of the last batch, unless somebody kept it.
  Tensor gather(const Tensor& from, size_t k, int64_t to) {
    if (buffers_.size() <= k) buffers_.resize(k + 1);
    Tensor& buffer = buffers_[k];
    Spec s = from.spec();
    s.shape[0] = size_;
    if (!buffer.defined() || !buffer.body()->sole()) {
      memory::As as(memory::Category::input);
      buffer = make_tensor(s);
    }
    size_t row = rows_ > 0 ? from.spec().bytes() / static_cast<size_t>(rows_) : 0;
    std::byte* out = mutable_data(buffer);
    const std::byte* in = from.bytes().data();
    for (int64_t i = at_; i < to; ++i)
      std::memcpy(out + static_cast<size_t>(i - at_) * row, in + static_cast<size_t>(order_[static_cast<size_t>(i)]) * row, row);
    return rows_of(buffer, 0, to - at_);
  }

  Batch arrays_;  // stack-bound
  int64_t rows_, size_, at_ = 0;
  uint64_t seed_;
  std::vector<int64_t> order_;
  Tensors buffers_;  // stack-bound
};

class DatasetBatches final : public BatchSource {
 public:
  explicit DatasetBatches(Dataset data) : data_(std::move(data)) {}
  void begin(int64_t) override { pass_ = data_.open(); }
  bool next(Batch& out) override { return pass_.next(out); }
  int64_t steps() const override {
    int64_t n = data_.cardinality();
    return n < 0 ? -1 : n;
  }

 private:
  Dataset data_;
  data::Iterator pass_;
};

}  // namespace

std::unique_ptr<BatchSource> array_batches(Batch arrays, int64_t batch_size, bool shuffle, int64_t seed) {
  check(batch_size > 0, Code::InvalidArgument, "expected batch_size > 0, got {}", batch_size);
  return std::make_unique<ArrayBatches>(std::move(arrays), batch_size, shuffle, seed);
}
std::unique_ptr<BatchSource> dataset_batches(Dataset data) {
  check(data.defined(), Code::InvalidArgument, "this Dataset is empty (default-made, moved from, or released)");
  return std::make_unique<DatasetBatches>(std::move(data));
}

}  // namespace tenure::nn
