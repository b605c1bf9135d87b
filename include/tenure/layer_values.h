// Values that stand in the configurations of layers: axes, sizes, borders, numbers or lists of them.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tenure/layer.h>
#include <tenure/ops.h>

namespace tenure {

/// One axis or a list of axes; written as it was given.
class TENURE_API AxisList : public ConfigObject {
 public:
  AxisList(int axis) : axes{axis} {}
  AxisList(std::initializer_list<int> list) : axes(list), one(list.size() == 1) {}
  explicit AxisList(std::vector<int> list) : axes(std::move(list)), one(false) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::vector<int> axes;
  bool one = true;
};

/// A number or a list of numbers.
class TENURE_API NumberList : public ConfigObject {
 public:
  NumberList(double number) : numbers{number} {}
  NumberList(std::initializer_list<double> list) : numbers(list), one(list.size() == 1) {}
  explicit NumberList(std::vector<double> list) : numbers(std::move(list)), one(false) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::vector<double> numbers;
  bool one = true;
};

/// Rows and columns around an image: one number, {rows, columns}, or {{top, bottom}, {left, right}}.
class TENURE_API Border : public ConfigObject {
 public:
  Border(int64_t all) : top(all), bottom(all), left(all), right(all) {}
  Border(int64_t rows, int64_t columns) : top(rows), bottom(rows), left(columns), right(columns) {}
  Border(Pair rows, Pair columns) : top(rows.h), bottom(rows.w), left(columns.h), right(columns.w) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  int64_t top, bottom, left, right;
};

/// Before and after each of three dimensions: one number, {d, h, w}, or a pair for each.
class TENURE_API Border3D : public ConfigObject {
 public:
  Border3D(int64_t all) : pairs{Pair(all), Pair(all), Pair(all)} {}
  Border3D(int64_t d, int64_t h, int64_t w) : pairs{Pair(d), Pair(h), Pair(w)} {}
  Border3D(Pair d, Pair h, Pair w) : pairs{d, h, w} {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::array<Pair, 3> pairs;  ///< h: before, w: after
};

/// Bounds of the corrections of BatchNormalization's renorm: of the factor, and of the shift's size.
class TENURE_API RenormClipping : public ConfigObject {
 public:
  RenormClipping(std::optional<double> rmin = {}, std::optional<double> rmax = {}, std::optional<double> dmax = {})
      : rmin(rmin), rmax(rmax), dmax(dmax) {}
  std::string to_json() const override;
  void from_json(const std::string& text) override;

  std::optional<double> rmin, rmax, dmax;
};

/// One number for all or a number for each of three dimensions.
struct Triple {
  int64_t d = 1, h = 1, w = 1;
  constexpr Triple() = default;
  constexpr Triple(int64_t all) : d(all), h(all), w(all) {}
  constexpr Triple(int64_t d, int64_t h, int64_t w) : d(d), h(h), w(w) {}
  constexpr bool operator==(const Triple&) const = default;
};

}  // namespace tenure
