// Arrangement: axes by a pattern, bytes as another type, distinct rows. Nothing here owns anything.
#include <algorithm>
#include <numeric>

#include <tenure/ops_arrange.h>
#include <tenure/ops_numpy.h>

#include "ops/families.h"
#include "ops/helpers.h"

namespace tenure {
namespace {

using namespace ops;

// ---- bytes ------------------------------------------------------------------------------------------------------------------------

struct Bits {
  DType dtype = DType::int32;
};
template <class V>
void fields(V& v, Bits& a) {
  v("dtype", a.dtype);
}

const Op view_op = {
    .name = "view",
    .infer =
        [](Infer& c) {
          const DType to = c.attr<Bits>().dtype, from = c.dtype(0);
          for (DType t : {from, to})
            check(t != bool_ && t != DType::string, Code::DType, "view: expected numbers, got {} as {}", c.x(0), to_string(to));
          Shape y = c.shape(0);
          const auto have = static_cast<int64_t>(size_of(from)), want = static_cast<int64_t>(size_of(to));
          if (have != want) {
            check(y.rank() > 0, Code::Shape, "view: a scalar has no axis that could grow or shrink: {} as {}", c.x(0), to_string(to));
            int64_t& last = y[y.rank() - 1];
            check(last < 0 || last * have % want == 0, Code::Shape, "view: the rows of {} are no whole number of {}", c.x(0), to_string(to));
            if (last >= 0) last = last * have / want;
          }
          c.output(y, to);
        },
    .run = [](const Run& r) noexcept -> Status {
      kernels::copy(r.in(0), r.out(), r.y().bytes());
      return {};
    },
    .attrs = attrs_of<Bits>,
    .specimens = R"(f32[3,5] | f32[0] | f64[2,3,1,2] | i32[7] ; {"dtype": "uint32"} | u8[3,8] ; {"dtype": "int64"} | i64[5] ; {"dtype": "int8"}
                  | f32[] ; {"dtype": "uint32"})",
};

// ---- distinct rows ----------------------------------------------------------------------------------------------------------------

struct Unique {
  bool sorted = true;
  int64_t size = 0;
};
template <class V>
void fields(V& v, Unique& a) {
  v("sorted", a.sorted), v("size", a.size);
}

// Distinct rows of x [n, m]: writes where each comes first, the number of each row's value, and how often each occurs. `work` holds 4 n numbers.
template <class T>
void distinct_rows(const T* x, int64_t n, int64_t m, const Unique& a, int32_t* work, int32_t* first, int32_t* inverse, int32_t* counts) noexcept {
  int32_t *order = work, *begins = work + n, *rank = work + 2 * n, *place = work + 3 * n;
  auto compare = [&](int32_t i, int32_t j) {
    const T *p = x + i * m, *q = x + j * m;
    for (int64_t k = 0; k < m; ++k)
      if (p[k] < q[k] || q[k] < p[k]) return p[k] < q[k] ? -1 : 1;
    return 0;
  };
  std::iota(order, order + n, 0);
  std::sort(order, order + n, [&](int32_t i, int32_t j) {
    const int c = compare(i, j);
    return c < 0 || (c == 0 && i < j);
  });
  int32_t found = 0;
  for (int64_t k = 0; k < n; ++k) {
    if (k == 0 || compare(order[k - 1], order[k]) != 0) begins[found++] = order[k];
    inverse[order[k]] = found - 1;
  }
  std::iota(rank, rank + found, 0);
  if (!a.sorted) std::sort(rank, rank + found, [begins](int32_t i, int32_t j) { return begins[i] < begins[j]; });
  for (int32_t k = 0; k < found; ++k) place[rank[k]] = k;
  std::fill_n(counts, a.size, 0);
  for (int64_t i = 0; i < a.size; ++i) first[i] = i < found ? begins[rank[i]] : -1;
  for (int64_t i = 0; i < n; ++i) {
    inverse[i] = place[inverse[i]];
    if (inverse[i] < a.size) ++counts[inverse[i]];
  }
}

const Op unique_op = {
    .name = "unique",
    .infer =
        [](Infer& c) {
          const Unique& a = c.attr<Unique>();
          check(!is_half(c.dtype(0)) && c.dtype(0) != bool_ && c.dtype(0) != DType::string, Code::DType,
                "unique: expected float32, float64 or integers, got {}", c.x(0));
          check(c.shape(0).rank() == 2 && a.size >= 0, Code::Shape, "unique: expected rows and a size, got {} and {}", c.x(0), a.size);
          c.output({a.size}, int32);
          c.output({c.shape(0)[0]}, int32);
          c.output({a.size}, int32);
        },
    .run = [](const Run& r) noexcept -> Status {
      with_number(r.x(0).dtype, [&](auto type) {
        using T = typename decltype(type)::type;
        const Shape& x = r.x(0).shape;
        distinct_rows(r.in<T>(0), x[0], x[1], r.attr<Unique>(), r.scratch<int32_t>(), r.out<int32_t>(0), r.out<int32_t>(1), r.out<int32_t>(2));
      });
      return {};
    },
    .attrs = attrs_of<Unique>,
    .scratch = [](const Prep& p) { return static_cast<size_t>(4 * p.x(0).shape[0]) * sizeof(int32_t); },
    .specimens = R"(i32[11,1]{0..4} ; {"size": 6} | i32[11,1]{0..4} ; {"size": 3, "sorted": false} | f64[6,2]{0..1} ; {"size": 6}
                  | i64[9,2]{0..1} ; {"size": 5, "sorted": false} | f32[0,3] ; {"size": 2} | u8[17,1]{0..9} ; {"size": 17} | f32[3,0] ; {"size": 3})",
};

// ---- patterns ---------------------------------------------------------------------------------------------------------------------

using AxisGroups = std::vector<std::vector<std::string>>;

// The axes of one side of a pattern: names, and lists of names in parentheses.
AxisGroups axis_groups(std::string_view side, std::string_view pattern) {
  AxisGroups out;
  bool inside = false;
  for (size_t at = 0; at < side.size();) {
    const char c = side[at];
    if (c == ' ') {
      ++at;
    } else if (c == '(' || c == ')') {
      check(inside == (c == ')'), Code::InvalidArgument, "rearrange: parentheses do not match in '{}'", pattern);
      inside = c == '(';
      if (inside) out.emplace_back();
      ++at;
    } else {
      const size_t end = std::min(side.find_first_of(" ()", at), side.size());
      const std::string name(side.substr(at, end - at));
      check(std::all_of(name.begin(), name.end(), [](unsigned char l) { return std::isalnum(l) || l == '_'; }), Code::InvalidArgument,
            "rearrange: expected names of axes in '{}', got '{}'", pattern, name);
      if (!inside) out.emplace_back();
      out.back().push_back(name);
      at = end;
    }
  }
  check(!inside, Code::InvalidArgument, "rearrange: parentheses do not match in '{}'", pattern);
  return out;
}

}  // namespace

Tensor view(Tensor x, DType dtype) { return x.dtype() == dtype ? std::move(x) : apply_with(view_op, Bits{dtype}, std::move(x)); }

Tensor rearrange(Tensor x, std::string_view pattern, const std::map<std::string, int64_t>& axes_lengths) {
  const size_t arrow = pattern.find("->");
  check(arrow != std::string_view::npos, Code::InvalidArgument, "rearrange: expected a pattern like 'a b -> b a', got '{}'", pattern);
  const AxisGroups from = axis_groups(pattern.substr(0, arrow), pattern), to = axis_groups(pattern.substr(arrow + 2), pattern);
  check(static_cast<int>(from.size()) == x.rank(), Code::InvalidArgument, "rearrange: '{}' has {} axes on the left, got {}", pattern, from.size(),
        x.spec());
  std::vector<std::string> names;
  Shape split, joined;
  for (size_t g = 0; g < from.size(); ++g) {
    const int64_t whole = x.shape()[static_cast<int>(g)];
    int64_t known = 1, open = 0;
    for (const std::string& name : from[g]) {
      check(std::find(names.begin(), names.end(), name) == names.end(), Code::InvalidArgument, "rearrange: '{}' stands twice on the left of '{}'",
            name, pattern);
      names.push_back(name);
      const auto length = from[g].size() > 1 ? axes_lengths.find(name) : axes_lengths.end();
      if (length == axes_lengths.end()) ++open;
      else known *= length->second;
    }
    check(known > 0 && open <= 1 && (whole < 0 || (open ? whole % known == 0 : whole == known)), Code::InvalidArgument,
          "rearrange: axis {} of {} is not what '{}' and the lengths given say", g, x.spec(), pattern);
    for (const std::string& name : from[g]) {
      const auto length = from[g].size() > 1 ? axes_lengths.find(name) : axes_lengths.end();
      split.push_back(length != axes_lengths.end() ? length->second : whole < 0 ? -1 : whole / known);
    }
  }
  std::vector<int> order;
  for (const auto& group : to) {
    int64_t size = 1;
    for (const std::string& name : group) {
      const auto at = std::find(names.begin(), names.end(), name);
      check(at != names.end(), Code::InvalidArgument, "rearrange: '{}' stands on the right of '{}' only", name, pattern);
      order.push_back(static_cast<int>(at - names.begin()));
      size = size < 0 || split[order.back()] < 0 ? -1 : size * split[order.back()];
    }
    joined.push_back(size);
  }
  std::vector<int> sorted = order;
  std::sort(sorted.begin(), sorted.end());
  bool all = sorted.size() == names.size();
  for (size_t i = 0; all && i < sorted.size(); ++i) all = sorted[i] == static_cast<int>(i);
  check(all, Code::InvalidArgument, "rearrange: expected the same axes on both sides of '{}'", pattern);
  const bool splits = names.size() != from.size(), joins = order.size() != to.size();
  if (splits) x = reshape(std::move(x), split);
  if (!std::is_sorted(order.begin(), order.end())) x = transpose(std::move(x), order);
  return joins ? reshape(std::move(x), joined) : x;
}

Tensors unique(Tensor x, const UniqueOptions& o) {
  check(o.size || x.concrete(), Code::Unsupported,
        "unique: without a size its result's depends on values, so it runs eagerly only, not on symbols or in a traced function");
  const Shape shape = x.shape();
  const DType dtype = x.dtype();
  const int axis = o.axis ? normalize_axis(*o.axis, x.rank()) : 0;
  x = o.axis ? swapaxes(std::move(x), 0, axis) : reshape(std::move(x), {-1});
  const Shape rows = x.shape();
  check(rows.known(), Code::Unsupported, "unique: the sizes of {} must be known", x.spec());
  int64_t size = o.size.value_or(rows[0]);
  Tensor items = reshape(x, {rows[0], rows[0] ? -1 : 1});
  if (is_half(dtype)) items = cast(std::move(items), float32);
  if (dtype == bool_) items = cast(std::move(items), DType::uint8);
  const Unique attrs{o.sorted, size};
  auto found = apply_all_with(unique_op, attrs, std::move(items));
  if (!o.size) {
    size = static_cast<int64_t>(sum(cast(greater(found[2], 0), int32)).item<int>());
    found[0] = slice_axis(found[0], 0, 0, size), found[2] = slice_axis(found[2], 0, 0, size);
  }
  Shape padded = rows;
  padded[0] = size;
  Tensor values;
  if (rows[0] == 0) {
    values = full(padded, o.fill_value, dtype);
  } else {
    Shape beside = padded;
    for (int i = 1; i < beside.rank(); ++i) beside[i] = 1;
    const Tensor missing = reshape(less(found[0], 0), beside);
    values = where(missing, number(o.fill_value, dtype), take(std::move(x), maximum(found[0], 0), 0));
  }
  if (o.axis) values = swapaxes(std::move(values), 0, axis);
  Tensors out{std::move(values)};
  if (o.return_index) out.push_back(where(less(found[0], 0), 1, found[0]));
  if (o.return_inverse) out.push_back(o.axis ? found[1] : reshape(found[1], shape));
  if (o.return_counts) out.push_back(found[2]);
  return out;
}

void register_arrange(Registry& r) {
  for (const Op* op : {&view_op, &unique_op}) r.add(*op);
}

}  // namespace tenure
