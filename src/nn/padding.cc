// Layers that cut borders off and put zeros around; none has weights.
#include <array>
#include <limits>

#include "nn/families.h"

namespace tenure {

using nn::Json;

// ---- values of configurations -----------------------------------------------------------------------------------------------------

namespace {

bool whole(const Json& n) { return n.is_number_integer(); }
bool pair(const Json& n) { return n.is_array() && n.size() == 2 && whole(n[0]) && whole(n[1]); }
Pair pair_of(const Json& n) { return {n[0].get<int64_t>(), n[1].get<int64_t>()}; }

}  // namespace

std::string Border::to_json() const { return Json{{top, bottom}, {left, right}}.dump(); }
void Border::from_json(const std::string& text) {
  Json j = nn::parse(text, "border");
  if (whole(j)) *this = Border(j.get<int64_t>());
  else if (pair(j)) *this = Border(j[0].get<int64_t>(), j[1].get<int64_t>());
  else if (j.is_array() && j.size() == 2 && pair(j[0]) && pair(j[1])) *this = Border(pair_of(j[0]), pair_of(j[1]));
  else fail(Code::InvalidArgument, "expected a number, two numbers or two pairs of them, got {}", text);
}

std::string Border3D::to_json() const {
  Json j = Json::array();
  for (Pair p : pairs) j.push_back(Json{p.h, p.w});
  return j.dump();
}
void Border3D::from_json(const std::string& text) {
  Json j = nn::parse(text, "border");
  auto three = [&](bool (*kind)(const Json&)) { return j.is_array() && j.size() == 3 && kind(j[0]) && kind(j[1]) && kind(j[2]); };
  if (whole(j)) *this = Border3D(j.get<int64_t>());
  else if (three(whole)) *this = Border3D(j[0].get<int64_t>(), j[1].get<int64_t>(), j[2].get<int64_t>());
  else if (three(pair)) *this = Border3D(pair_of(j[0]), pair_of(j[1]), pair_of(j[2]));
  else fail(Code::InvalidArgument, "expected a number, three numbers or three pairs of them, got {}", text);
}

namespace layers {

namespace {

std::array<Pair, 2> pairs(const Border& b) { return {Pair(b.top, b.bottom), Pair(b.left, b.right)}; }

template <size_t N>
void check_amounts(const char* layer, const std::array<Pair, N>& amounts) {
  for (Pair p : amounts) check(p.h >= 0 && p.w >= 0, Code::InvalidArgument, "{}: expected amounts >= 0, got ({}, {})", layer, p.h, p.w);
}

// The first spatial axis of a batch of N spatial axes.
template <size_t N>
int first_axis(const char* layer, const Tensor& x, std::string_view format) {
  check(x.rank() == static_cast<int>(N) + 2, Code::Shape, "{}: expected an input of rank {}, got {}", layer, N + 2, x.spec());
  return nn::channels_first(format) ? 2 : 1;
}

template <size_t N>
Tensor cropped(const char* layer, Tensor x, const std::array<Pair, N>& amounts, std::string_view format) {
  int axis = first_axis<N>(layer, x, format);
  for (Pair p : amounts) {
    int64_t n = x.shape()[axis];
    check(n < 0 || p.h + p.w < n, Code::Shape, "{}: nothing remains of axis {} of {} without {} and {}", layer, axis, x.spec(), p.h, p.w);
    if (p.h + p.w > 0) x = slice_axis(std::move(x), axis, p.h, p.w == 0 ? std::numeric_limits<int64_t>::max() : -p.w);
    ++axis;
  }
  return x;
}

template <size_t N>
Tensor padded(const char* layer, Tensor x, const std::array<Pair, N>& amounts, std::string_view format) {
  std::vector<std::pair<int64_t, int64_t>> all(N + 2);
  auto at = static_cast<size_t>(first_axis<N>(layer, x, format));
  for (Pair p : amounts) all[at++] = {p.h, p.w};
  return pad(std::move(x), all);
}

}  // namespace

// ---- Cropping1D ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Cropping1D& c) { nn::visit_pair(v, "cropping", c.cropping.h, c.cropping.w); }

class Cropping1DLayer final : public LayerOf<Cropping1D> {
 public:
  explicit Cropping1DLayer(const Cropping1D& c) : LayerOf(c) { check_amounts("Cropping1D", std::array{config.cropping}); }
  Tensor call(Tensor x, const Call&) override { return cropped("Cropping1D", std::move(x), std::array{config.cropping}, ""); }
};
Cropping1D::operator Layer() const { return make_layer<Cropping1DLayer>(*this); }
Outputs Cropping1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Cropping2D ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Cropping2D& c) {
  v("cropping", c.cropping);
  nn::visit_format(v, c.data_format);
}

class Cropping2DLayer final : public LayerOf<Cropping2D> {
 public:
  explicit Cropping2DLayer(const Cropping2D& c) : LayerOf(c) { check_amounts("Cropping2D", pairs(config.cropping)); }
  Tensor call(Tensor x, const Call&) override { return cropped("Cropping2D", std::move(x), pairs(config.cropping), config.data_format); }
};
Cropping2D::operator Layer() const { return make_layer<Cropping2DLayer>(*this); }
Outputs Cropping2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- Cropping3D ---------------------------------------------------------------------------------------------------------------

void fields(Fields& v, Cropping3D& c) {
  v("cropping", c.cropping);
  nn::visit_format(v, c.data_format);
}

class Cropping3DLayer final : public LayerOf<Cropping3D> {
 public:
  explicit Cropping3DLayer(const Cropping3D& c) : LayerOf(c) { check_amounts("Cropping3D", config.cropping.pairs); }
  Tensor call(Tensor x, const Call&) override { return cropped("Cropping3D", std::move(x), config.cropping.pairs, config.data_format); }
};
Cropping3D::operator Layer() const { return make_layer<Cropping3DLayer>(*this); }
Outputs Cropping3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ZeroPadding1D ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ZeroPadding1D& c) {
  nn::visit_pair(v, "padding", c.padding.h, c.padding.w);
  nn::visit_format(v, c.data_format);
}

class ZeroPadding1DLayer final : public LayerOf<ZeroPadding1D> {
 public:
  explicit ZeroPadding1DLayer(const ZeroPadding1D& c) : LayerOf(c) { check_amounts("ZeroPadding1D", std::array{config.padding}); }
  Tensor call(Tensor x, const Call&) override { return padded("ZeroPadding1D", std::move(x), std::array{config.padding}, config.data_format); }
};
ZeroPadding1D::operator Layer() const { return make_layer<ZeroPadding1DLayer>(*this); }
Outputs ZeroPadding1D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ZeroPadding2D ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ZeroPadding2D& c) {
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
}

class ZeroPadding2DLayer final : public LayerOf<ZeroPadding2D> {
 public:
  explicit ZeroPadding2DLayer(const ZeroPadding2D& c) : LayerOf(c) { check_amounts("ZeroPadding2D", pairs(config.padding)); }
  Tensor call(Tensor x, const Call&) override { return padded("ZeroPadding2D", std::move(x), pairs(config.padding), config.data_format); }
};
ZeroPadding2D::operator Layer() const { return make_layer<ZeroPadding2DLayer>(*this); }
Outputs ZeroPadding2D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

// ---- ZeroPadding3D ------------------------------------------------------------------------------------------------------------

void fields(Fields& v, ZeroPadding3D& c) {
  v("padding", c.padding);
  nn::visit_format(v, c.data_format);
}

class ZeroPadding3DLayer final : public LayerOf<ZeroPadding3D> {
 public:
  explicit ZeroPadding3DLayer(const ZeroPadding3D& c) : LayerOf(c) { check_amounts("ZeroPadding3D", config.padding.pairs); }
  Tensor call(Tensor x, const Call&) override { return padded("ZeroPadding3D", std::move(x), config.padding.pairs, config.data_format); }
};
ZeroPadding3D::operator Layer() const { return make_layer<ZeroPadding3DLayer>(*this); }
Outputs ZeroPadding3D::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_padding(LayerRegistry& r) {
  r.add<layers::Cropping1D>("Cropping1D");
  r.add<layers::Cropping2D>("Cropping2D");
  r.add<layers::Cropping3D>("Cropping3D");
  r.add<layers::ZeroPadding1D>("ZeroPadding1D");
  r.add<layers::ZeroPadding2D>("ZeroPadding2D");
  r.add<layers::ZeroPadding3D>("ZeroPadding3D");
}

}  // namespace tenure
