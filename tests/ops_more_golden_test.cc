// The rarer ops against values and gradients of the real Keras: the files of tests/reference/make_ops_more.py.
#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <map>
#include <set>
#include <string>

#include <tenure/ops_arrange.h>
#include <tenure/ops_ctc.h>
#include <tenure/ops_image.h>
#include <tenure/ops_linalg.h>
#include <tenure/ops_nn.h>
#include <tenure/ops_numpy.h>
#include <tenure/ops_signal.h>
#include <tenure/tape.h>

#include "golden.h"

namespace tenure::ops_more_golden {
namespace {

using golden::Json;

// ---- attributes ------------------------------------------------------------------------------------------------------------

bool has(const Json& a, const char* key) { return a.contains(key) && !a[key].is_null(); }
template <class T>
T get(const Json& a, const char* key, T otherwise) {
  return has(a, key) ? a[key].get<T>() : otherwise;
}
template <class T>
std::vector<T> list(const Json& v) {
  return v.is_array() ? v.get<std::vector<T>>() : std::vector<T>{v.get<T>()};
}
Axes axes(const Json& a, const char* key = "axis") { return has(a, key) ? list<int>(a[key]) : Axes{}; }
std::optional<int> axis(const Json& a) { return has(a, "axis") ? std::optional<int>(a["axis"].get<int>()) : std::nullopt; }
Pair pair(const Json& a, const char* key, int64_t otherwise) {
  if (!has(a, key)) return otherwise;
  const std::vector<int64_t> v = list<int64_t>(a[key]);
  return {v.front(), v.back()};
}
std::string text(const Json& a, const char* key, const char* otherwise) { return get<std::string>(a, key, otherwise); }
std::optional<int64_t> maybe(const Json& a, const char* key) { return has(a, key) ? std::optional<int64_t>(a[key].get<int64_t>()) : std::nullopt; }
std::optional<double> maybe_number(const Json& a, const char* key) {
  return has(a, key) ? std::optional<double>(a[key].get<double>()) : std::nullopt;
}

using Call = std::function<Tensors(const Tensors& x, const Json& a)>;
using Table = std::map<std::string, Call>;

template <class F>
Call one(F f) {
  return [f](const Tensors& x, const Json&) { return Tensors{f(x[0])}; };
}
template <class F>
Call two(F f) {
  return [f](const Tensors& x, const Json&) { return Tensors{f(x[0], x[1])}; };
}
template <class F>
Call of_axes(F f) {
  return [f](const Tensors& x, const Json& a) { return Tensors{f(x[0], axes(a), get(a, "keepdims", false))}; };
}

void add_special(Table& t) {
  using Unary = Tensor (*)(Tensor);
  const std::pair<const char*, Unary> unary[] = {
      {"erfc", erfc},         {"sinc", sinc},   {"deg2rad", deg2rad},         {"rad2deg", rad2deg},
      {"cbrt", cbrt},         {"i0", i0},       {"signbit", signbit},         {"isposinf", isposinf},
      {"isneginf", isneginf}, {"angle", angle}, {"bitwise_not", bitwise_not}, {"sparse_sigmoid", sparse_sigmoid}};
  for (auto& [name, f] : unary) t[name] = one(f);
  using Binary = Tensor (*)(Tensor, Tensor);
  const std::pair<const char*, Binary> binary[] = {{"arctan2", arctan2},
                                                   {"hypot", hypot},
                                                   {"logaddexp", logaddexp},
                                                   {"logaddexp2", logaddexp2},
                                                   {"fmax", fmax},
                                                   {"fmin", fmin},
                                                   {"fmod", fmod},
                                                   {"divide_no_nan", divide_no_nan},
                                                   {"heaviside", heaviside},
                                                   {"ldexp", ldexp},
                                                   {"nextafter", nextafter},
                                                   {"bitwise_and", bitwise_and},
                                                   {"bitwise_or", bitwise_or},
                                                   {"bitwise_xor", bitwise_xor},
                                                   {"gcd", gcd},
                                                   {"lcm", lcm},
                                                   {"left_shift", left_shift},
                                                   {"right_shift", right_shift}};
  for (auto& [name, f] : binary) t[name] = two(f);
  t["nan_to_num"] = [](const Tensors& x, const Json& a) {
    return Tensors{nan_to_num(x[0], get(a, "nan", 0.0), maybe_number(a, "posinf"), maybe_number(a, "neginf"))};
  };
  t["isclose"] = [](const Tensors& x, const Json& a) { return Tensors{isclose(x[0], x[1], 1e-5, 1e-8, get(a, "equal_nan", false))}; };
  t["glu"] = [](const Tensors& x, const Json& a) { return Tensors{glu(x[0], get(a, "axis", -1))}; };
  t["sparsemax"] = [](const Tensors& x, const Json& a) { return Tensors{sparsemax(x[0], get(a, "axis", -1))}; };
  t["psnr"] = [](const Tensors& x, const Json& a) { return Tensors{psnr(x[0], x[1], a["max_val"])}; };
  t["rms_normalization"] = [](const Tensors& x, const Json&) { return Tensors{rms_normalization(x[0], x.size() > 1 ? x[1] : Tensor())}; };
  t["normalize"] = [](const Tensors& x, const Json& a) { return Tensors{normalize(x[0], has(a, "axis") ? axes(a) : Axes{-1}, get(a, "order", 2))}; };
  t["multi_hot"] = [](const Tensors& x, const Json& a) { return Tensors{multi_hot(x[0], a["num_classes"])}; };
  t["depth_to_space"] = [](const Tensors& x, const Json& a) { return Tensors{depth_to_space(x[0], a["block_size"])}; };
  t["space_to_depth"] = [](const Tensors& x, const Json& a) { return Tensors{space_to_depth(x[0], a["block_size"])}; };
  t["unfold"] = [](const Tensors& x, const Json& a) {
    return Tensors{unfold(x[0], pair(a, "kernel_size", 1), pair(a, "dilation", 1), pair(a, "padding", 0), pair(a, "stride", 1))};
  };
  t["fold"] = [](const Tensors& x, const Json& a) {
    return Tensors{
        fold(x[0], pair(a, "output_size", 1), pair(a, "kernel_size", 1), pair(a, "dilation", 1), pair(a, "padding", 0), pair(a, "stride", 1))};
  };
  t["dot_product_attention"] = [](const Tensors& x, const Json& a) {
    return Tensors{dot_product_attention(x[0], x[1], x[2], {}, {}, maybe_number(a, "scale"), get(a, "is_causal", false))};
  };
}

void add_products(Table& t) {
  t["cumprod"] = [](const Tensors& x, const Json& a) { return Tensors{cumprod(x[0], a["axis"])}; };
  using Binary = Tensor (*)(Tensor, Tensor);
  const std::pair<const char*, Binary> binary[] = {{"dot", dot}, {"inner", inner}, {"outer", outer}, {"vdot", vdot}, {"kron", kron}};
  for (auto& [name, f] : binary) t[name] = two(f);
  t["tensordot"] = [](const Tensors& x, const Json& a) {
    if (!has(a, "axes")) return Tensors{tensordot(x[0], x[1])};
    return Tensors{tensordot(x[0], x[1], list<int>(a["axes"][0]), list<int>(a["axes"][1]))};
  };
  t["cross"] = [](const Tensors& x, const Json&) { return Tensors{cross(x[0], x[1])}; };
  t["correlate"] = [](const Tensors& x, const Json& a) { return Tensors{correlate(x[0], x[1], text(a, "mode", "valid"))}; };
  t["corrcoef"] = one(corrcoef);
  t["average"] = [](const Tensors& x, const Json& a) { return Tensors{average(x[0], axis(a))}; };
  t["count_nonzero"] = [](const Tensors& x, const Json& a) { return Tensors{count_nonzero(x[0], axes(a))}; };
  using Reduce = Tensor (*)(Tensor, const Axes&, bool);
  const std::pair<const char*, Reduce> reductions[] = {{"ptp", ptp},       {"median", median}, {"nanmedian", nanmedian}, {"nanmax", nanmax},
                                                       {"nanmin", nanmin}, {"nansum", nansum}, {"nanprod", nanprod},     {"nanmean", nanmean},
                                                       {"nanvar", nanvar}, {"nanstd", nanstd}};
  for (auto& [name, f] : reductions) t[name] = of_axes(f);
  t["nanargmax"] = [](const Tensors& x, const Json& a) { return Tensors{nanargmax(x[0], axis(a))}; };
  t["quantile"] = [](const Tensors& x, const Json& a) {
    return Tensors{quantile(x[0], a["q"].get<std::vector<double>>(), false, axes(a), text(a, "method", "linear"))};
  };
  t["histogram"] = [](const Tensors& x, const Json& a) { return histogram(x[0], a["bins"].get<int64_t>()); };
  t["trapezoid"] = [](const Tensors& x, const Json& a) { return Tensors{trapezoid(x[0], {}, a["dx"])}; };
}

void add_shapes(Table& t) {
  t["append"] = [](const Tensors& x, const Json& a) { return Tensors{append(x[0], x[1], axis(a))}; };
  t["array_split"] = [](const Tensors& x, const Json& a) { return array_split(x[0], a["indices_or_sections"].get<int64_t>(), a["axis"]); };
  t["moveaxis"] = [](const Tensors& x, const Json& a) { return Tensors{moveaxis(x[0], axes(a, "source"), axes(a, "destination"))}; };
  t["roll"] = [](const Tensors& x, const Json& a) { return Tensors{roll(x[0], list<int64_t>(a["shift"]), axes(a))}; };
  t["rot90"] = [](const Tensors& x, const Json& a) { return Tensors{rot90(x[0], a["k"], {a["axes"][0], a["axes"][1]})}; };
  t["diff"] = [](const Tensors& x, const Json& a) { return Tensors{diff(x[0], a["n"])}; };
  t["hstack"] = [](const Tensors& x, const Json&) { return Tensors{hstack(x)}; };
  t["vstack"] = [](const Tensors& x, const Json&) { return Tensors{vstack(x)}; };
  t["dstack"] = [](const Tensors& x, const Json&) { return Tensors{dstack(x)}; };
  t["meshgrid"] = [](const Tensors& x, const Json& a) { return meshgrid(x, text(a, "indexing", "xy")); };
  using WithK = Tensor (*)(Tensor, int64_t);
  const std::pair<const char*, WithK> with_k[] = {{"diag", diag}, {"diagflat", diagflat}, {"tril", tril}, {"triu", triu}};
  for (auto& [name, f] : with_k) t[name] = [f = f](const Tensors& x, const Json& a) { return Tensors{f(x[0], get<int64_t>(a, "k", 0))}; };
  t["diagonal"] = [](const Tensors& x, const Json& a) {
    return Tensors{diagonal(x[0], get<int64_t>(a, "offset", 0), get(a, "axis1", 0), get(a, "axis2", 1))};
  };
  t["trace"] = [](const Tensors& x, const Json&) { return Tensors{trace(x[0])}; };
  t["vander"] = [](const Tensors& x, const Json& a) { return Tensors{vander(x[0], maybe(a, "N"))}; };
  t["linspace"] = [](const Tensors& x, const Json& a) {
    return Tensors{linspace(x[0], x[1], a["num"], get(a, "endpoint", true), {}, get(a, "axis", 0))};
  };
  t["logspace"] = [](const Tensors& x, const Json& a) { return Tensors{logspace(x[0], x[1], a["num"])}; };
  t["geomspace"] = [](const Tensors& x, const Json& a) { return Tensors{geomspace(x[0], x[1], a["num"])}; };
  t["select"] = [](const Tensors& x, const Json& a) {
    const auto half = static_cast<std::ptrdiff_t>(x.size() / 2);
    return Tensors{select(Tensors(x.begin(), x.begin() + half), Tensors(x.begin() + half, x.end()), a["default"].get<double>())};
  };
  t["isin"] = [](const Tensors& x, const Json&) { return Tensors{isin(x[0], x[1])}; };
  t["unravel_index"] = [](const Tensors& x, const Json& a) {
    return unravel_index(x[0], Shape(std::span<const int64_t>(list<int64_t>(a["shape"]))));
  };
}

void add_order(Table& t) {
  t["argsort"] = [](const Tensors& x, const Json& a) { return Tensors{argsort(x[0], get(a, "axis", -1))}; };
  t["sort"] = [](const Tensors& x, const Json& a) { return Tensors{sort(x[0], get(a, "axis", -1))}; };
  t["top_k"] = [](const Tensors& x, const Json& a) { return top_k(x[0], a["k"]); };
  t["in_top_k"] = [](const Tensors& x, const Json& a) { return Tensors{in_top_k(x[0], x[1], a["k"])}; };
  t["searchsorted"] = [](const Tensors& x, const Json& a) { return Tensors{searchsorted(x[0], x[1], text(a, "side", "left"))}; };
  t["digitize"] = [](const Tensors& x, const Json& a) { return Tensors{digitize(x[0], a["bins"].get<std::vector<double>>())}; };
  t["scatter"] = [](const Tensors& x, const Json& a) {
    return Tensors{scatter(x[0], x[1], Shape(std::span<const int64_t>(list<int64_t>(a["shape"]))))};
  };
  t["scatter_update"] = [](const Tensors& x, const Json& a) { return Tensors{scatter_update(x[0], x[1], x[2], text(a, "reduction", ""))}; };
  using Segment = Tensor (*)(Tensor, Tensor, std::optional<int64_t>, bool);
  const std::pair<const char*, Segment> segments[] = {
      {"segment_sum", segment_sum}, {"segment_max", segment_max}, {"segment_min", segment_min}, {"segment_prod", segment_prod}};
  for (auto& [name, f] : segments)
    t[name] = [f = f](const Tensors& x, const Json& a) { return Tensors{f(x[0], x[1], maybe(a, "num_segments"), false)}; };
}

void add_linalg(Table& t) {
  t["cholesky"] = [](const Tensors& x, const Json&) { return Tensors{cholesky(x[0])}; };
  t["cholesky_inverse"] = [](const Tensors& x, const Json&) { return Tensors{cholesky_inverse(x[0])}; };
  t["det"] = one(det), t["inv"] = one(inv), t["logdet"] = one(logdet);
  t["slogdet"] = [](const Tensors& x, const Json&) { return slogdet(x[0]); };
  t["solve"] = two(solve), t["cdist"] = two(cdist);
  t["solve_triangular"] = [](const Tensors& x, const Json& a) { return Tensors{solve_triangular(x[0], x[1], a["lower"])}; };
  t["eigh"] = [](const Tensors& x, const Json&) { return eigh(x[0]); };
  t["lu_factor"] = [](const Tensors& x, const Json&) { return lu_factor(x[0]); };
  t["qr"] = [](const Tensors& x, const Json& a) { return qr(x[0], text(a, "mode", "reduced")); };
  t["svd"] = [](const Tensors& x, const Json& a) { return svd(x[0], get(a, "full_matrices", true), get(a, "compute_uv", true)); };
  t["pinv"] = [](const Tensors& x, const Json&) { return Tensors{pinv(x[0])}; };
  t["matrix_rank"] = [](const Tensors& x, const Json&) { return Tensors{matrix_rank(x[0])}; };
  t["lstsq"] = [](const Tensors& x, const Json&) { return Tensors{lstsq(x[0], x[1])}; };
  t["norm"] = [](const Tensors& x, const Json& a) {
    const bool keepdims = get(a, "keepdims", false);
    if (has(a, "ord") && a["ord"].is_string())
      return Tensors{norm(x[0], std::string_view(a["ord"].get_ref<const std::string&>()), axes(a), keepdims)};
    return Tensors{norm(x[0], maybe_number(a, "ord"), axes(a), keepdims)};
  };
}

void add_signal(Table& t) {
  using Pairs = Tensors (*)(Tensor, Tensor);
  const std::pair<const char*, Pairs> pairs[] = {{"fft", fft}, {"fft2", fft2}, {"ifft2", ifft2}};
  for (auto& [name, f] : pairs) t[name] = [f = f](const Tensors& x, const Json&) { return f(x[0], x[1]); };
  t["rfft"] = [](const Tensors& x, const Json& a) { return rfft(x[0], maybe(a, "fft_length")); };
  t["irfft"] = [](const Tensors& x, const Json& a) { return Tensors{irfft(x[0], x[1], maybe(a, "fft_length"))}; };
  t["extract_sequences"] = [](const Tensors& x, const Json& a) {
    return Tensors{extract_sequences(x[0], a["sequence_length"], a["sequence_stride"])};
  };
  t["stft"] = [](const Tensors& x, const Json& a) {
    return stft(x[0], a["sequence_length"], a["sequence_stride"], a["fft_length"], "hann", get(a, "center", true));
  };
  t["istft"] = [](const Tensors& x, const Json& a) {
    return Tensors{istft(x[0], x[1], a["sequence_length"], a["sequence_stride"], a["fft_length"], {}, "hann", get(a, "center", true))};
  };
}

ImageBorders borders(const Json& a, const std::string& kind) {
  return {maybe(a, ("top_" + kind).c_str()),   maybe(a, ("left_" + kind).c_str()), maybe(a, ("bottom_" + kind).c_str()),
          maybe(a, ("right_" + kind).c_str()), maybe(a, "target_height"),          maybe(a, "target_width")};
}

void add_images(Table& t) {
  t["rgb_to_grayscale"] = [](const Tensors& x, const Json&) { return Tensors{rgb_to_grayscale(x[0])}; };
  t["rgb_to_hsv"] = [](const Tensors& x, const Json&) { return Tensors{rgb_to_hsv(x[0])}; };
  t["hsv_to_rgb"] = [](const Tensors& x, const Json&) { return Tensors{hsv_to_rgb(x[0])}; };
  t["affine_transform"] = [](const Tensors& x, const Json& a) {
    return Tensors{affine_transform(x[0], x[1], text(a, "interpolation", "bilinear"), text(a, "fill_mode", "constant"), get(a, "fill_value", 0.0))};
  };
  t["perspective_transform"] = [](const Tensors& x, const Json&) { return Tensors{perspective_transform(x[0], x[1], x[2])}; };
  t["map_coordinates"] = [](const Tensors& x, const Json& a) {
    return Tensors{map_coordinates(x[0], x[1], a["order"], text(a, "fill_mode", "constant"), get(a, "fill_value", 0.0))};
  };
  t["crop_images"] = [](const Tensors& x, const Json& a) { return Tensors{crop_images(x[0], borders(a, "cropping"))}; };
  t["pad_images"] = [](const Tensors& x, const Json& a) { return Tensors{pad_images(x[0], borders(a, "padding"))}; };
  t["extract_patches"] = [](const Tensors& x, const Json& a) {
    const std::vector<int64_t> strides = has(a, "strides") ? list<int64_t>(a["strides"]) : std::vector<int64_t>{};
    return Tensors{extract_patches(x[0], list<int64_t>(a["size"]), strides, get<int64_t>(a, "dilation_rate", 1), text(a, "padding", "valid"))};
  };
  t["sobel_edges"] = [](const Tensors& x, const Json&) { return Tensors{sobel_edges(x[0])}; };
  t["scale_and_translate"] = [](const Tensors& x, const Json& a) {
    return Tensors{scale_and_translate(x[0], Shape(list<int64_t>(a["output_shape"])), x[1], x[2], list<int>(a["spatial_dims"]), text(a, "method", ""),
                                       get(a, "antialias", true))};
  };
  t["ssim"] = [](const Tensors& x, const Json& a) {
    return Tensors{ssim(x[0], x[1], get(a, "max_val", 1.0), get<int64_t>(a, "filter_size", 11), get(a, "filter_sigma", 1.5), get(a, "k1", 0.01),
                        get(a, "k2", 0.03))};
  };
  t["gaussian_blur"] = [](const Tensors& x, const Json& a) {
    const std::vector<double> sigma = has(a, "sigma") ? list<double>(a["sigma"]) : std::vector<double>{1, 1};
    return Tensors{gaussian_blur(x[0], pair(a, "kernel_size", 3), sigma[0], sigma[1])};
  };
}

void add_rest(Table& t) {
  t["ctc_loss"] = [](const Tensors& x, const Json& a) { return Tensors{ctc_loss(x[0], x[1], x[2], x[3], get<int64_t>(a, "mask_index", 0))}; };
  t["ctc_decode"] = [](const Tensors& x, const Json& a) {
    const std::optional<int64_t> mask = a.contains("mask_index") ? maybe(a, "mask_index") : std::optional<int64_t>(0);
    return ctc_decode(x[0], x[1], text(a, "strategy", "greedy"), get<int64_t>(a, "beam_width", 100), get<int64_t>(a, "top_paths", 1),
                      get(a, "merge_repeated", true), mask);
  };
  t["view"] = [](const Tensors& x, const Json& a) { return Tensors{view(x[0], dtype_from(text(a, "dtype", "")))}; };
  t["unique"] = [](const Tensors& x, const Json& a) {
    return unique(x[0], {get(a, "sorted", true), get(a, "return_index", false), get(a, "return_inverse", false), get(a, "return_counts", false),
                         axis(a), maybe(a, "size"), get(a, "fill_value", 0.0)});
  };
  t["rearrange"] = [](const Tensors& x, const Json& a) {
    std::map<std::string, int64_t> lengths;
    for (const auto& [name, value] : a.items())
      if (value.is_number_integer()) lengths[name] = value.get<int64_t>();
    return Tensors{rearrange(x[0], a["args"][0].get<std::string>(), lengths)};
  };
  t["stft"] = [](const Tensors& x, const Json& a) {
    return stft(x[0], a["sequence_length"], a["sequence_stride"], a["fft_length"], text(a, "window", "hann"));
  };
  t["istft"] = [](const Tensors& x, const Json& a) {
    return Tensors{istft(x[0], x[1], a["sequence_length"], a["sequence_stride"], a["fft_length"])};
  };
}

// ---- the comparison ----------------------------------------------------------------------------------------------------------

void compare(const golden::Case& c, const Tensor& got, const std::string& array, double tolerance) {
  const Tensor want = c[array];
  EXPECT_EQ(to_string(got.spec()), to_string(want.spec())) << array;
  EXPECT_LE(golden::difference(got, want), tolerance) << array << ": got " << got << ", Keras has " << want;
}

void run(const char* file, void (*add)(Table&), double tolerance = 1e-5) {
  Table table;
  add(table);
  int ran = 0;
  const golden::File cases(file);
  for (const golden::Case& c : cases.cases) {
    SCOPED_TRACE(c.name);
    const auto call = table.find(c.entry["op"].get<std::string>());
    if (call == table.end()) {
      ADD_FAILURE() << "no test calls this op";
      continue;
    }
    try {
      const Tensors xs = c.all("in");
      Tensors sources;
      for (const Tensor& x : xs)
        if (is_float(x.dtype())) sources.push_back(x);
      GradientTape tape;
      for (const Tensor& s : sources) tape.watch(s);
      const Tensors ys = call->second(xs, c.entry["attrs"]);
      ASSERT_EQ(ys.size(), c.entry["outputs"].get<size_t>());
      Tensor loss;
      for (size_t k = 0; k < ys.size(); ++k) {
        // Too few steps for the labels: infinity, for which the two give different numbers near 708.
        compare(c, ys[k], "out" + std::to_string(k), c.name == "ctc_loss/too_short" ? 2e-3 : is_float(ys[k].dtype()) ? tolerance : 0);
        if (!c.has("cot" + std::to_string(k))) continue;
        Tensor part = sum(multiply(ys[k], c["cot" + std::to_string(k)]));
        loss = loss ? tenure::add(loss, part) : part;
      }
      ++ran;
      if (!loss) continue;
      const Tensors grads = tape.gradient(loss, sources, Unconnected::zero);
      for (size_t i = 0, g = 0; i < xs.size(); ++i) {
        if (!is_float(xs[i].dtype())) continue;
        if (c.has("grad" + std::to_string(i))) compare(c, grads[g], "grad" + std::to_string(i), 4 * tolerance);
        ++g;
      }
    } catch (const std::exception& e) { ADD_FAILURE() << e.what(); }
  }
  std::printf("%d cases compared with Keras\n", ran);
}

void add_numpy(Table& t) { add_products(t), add_shapes(t), add_order(t); }

TEST(OpsMoreGolden, SpecialFunctionsAreKeras) { run("ops_special.npz", add_special); }
TEST(OpsMoreGolden, NumpyIsKeras) { run("ops_numpy.npz", add_numpy); }
TEST(OpsMoreGolden, LinearAlgebraIsKeras) { run("ops_linalg.npz", add_linalg, 5e-5); }
TEST(OpsMoreGolden, FourierTransformsAreKeras) { run("ops_signal.npz", add_signal); }
TEST(OpsMoreGolden, SequencesArrangementAndOddWindowsAreKeras) { run("ops_rest.npz", add_rest, 2e-5); }
TEST(OpsMoreGolden, ImagesAreKeras) { run("ops_image_more.npz", add_images); }

}  // namespace
}  // namespace tenure::ops_more_golden
