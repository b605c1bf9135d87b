// Tensor: a value. Concrete (it has bytes), symbolic (it has a past in a model or a trace), or abstract (only a spec).
#pragma once

#include <array>
#include <functional>
#include <initializer_list>
#include <iosfwd>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenure/dtype.h>
#include <tenure/error.h>

namespace tenure {

class TensorBody;  // internal: shape, dtype and one counted edge to a buffer or to a node
namespace detail {
TENURE_API void retain(TensorBody* body) noexcept;
TENURE_API void release(TensorBody* body) noexcept;
}  // namespace detail

/// A counted handle of 8 bytes. Copying shares; nothing writes through a Tensor, so sharing cannot be observed.
/// The bytes are freed when the last handle and the last owner (a variable, a tape, a traced function ...) are gone.
/// Threads: handles may be copied and dropped from any thread; one handle must not be written by two.
class TENURE_API Tensor {
 public:
  Tensor() noexcept = default;
  Tensor(const Tensor& o) noexcept : body_(o.body_) {
    if (body_) detail::retain(body_);
  }
  Tensor(Tensor&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Tensor& operator=(const Tensor& o) noexcept {
    Tensor(o).swap(*this);
    return *this;
  }
  Tensor& operator=(Tensor&& o) noexcept {
    Tensor(std::move(o)).swap(*this);
    return *this;
  }
  ~Tensor() {
    if (body_) detail::release(body_);
  }
  /// A rank-0 tensor; Keras' rule: such a number does not widen the other operand.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Tensor(T scalar)
      : Tensor(number(static_cast<double>(scalar), std::is_floating_point_v<T> ? DType::float32
                                                   : std::is_same_v<T, bool>   ? DType::bool_
                                                                               : DType::int32)) {}
  explicit Tensor(TensorBody* adopt) noexcept : body_(adopt) {}

  /// Copies values, row-major. Throws Shape when their number does not match.
  template <class T>
  static Tensor from(std::span<const T> values, const Shape& shape) {
    return copy_of(values.data(), values.size(), dtype_of<T>(), shape);
  }
  template <class T>
  static Tensor from(const std::vector<T>& values, const Shape& shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values, const Shape& shape) {
    return copy_of(values.begin(), values.size(), dtype_of<T>(), shape);
  }
  template <class T>
  static Tensor from(std::initializer_list<T> values) {
    return from(values, Shape{static_cast<int64_t>(values.size())});
  }
  /// Uses the caller's bytes without a copy. They must stay until `release` is called (or, without it, until the last handle is gone).
  static Tensor borrow(const void* data, const Shape& shape, DType dtype, std::function<void()> release = {});
  /// Uninitialized values.
  static Tensor empty(const Shape& shape, DType dtype = DType::float32);

  bool defined() const noexcept { return body_ != nullptr; }
  explicit operator bool() const noexcept { return defined(); }
  const Shape& shape() const;
  DType dtype() const;
  Spec spec() const { return {shape(), dtype()}; }
  int rank() const { return shape().rank(); }
  int64_t size() const { return shape().elements(); }
  int64_t dim(int axis) const { return shape().dim(axis); }
  /// It has a past in a model's graph or in an open trace instead of values.
  bool symbolic() const;
  /// It has values.
  bool concrete() const;

  /// The values. Throws DType when T is not the element type, InvalidArgument for a tensor without values.
  template <class T>
  std::span<const T> data() const {
    return {static_cast<const T*>(raw(dtype_of<T>())), static_cast<size_t>(size())};
  }
  /// The values' bytes.
  std::span<const std::byte> bytes() const;
  /// The one value of a tensor of size 1, converted to T.
  template <class T = float>
  T item() const {
    return static_cast<T>(number_at(0, true));
  }
  /// Value i in row-major order, converted to double.
  double at(int64_t i) const { return number_at(i, false); }
  template <class T>
  std::vector<T> to_vector() const {
    auto d = data<T>();
    return std::vector<T>(d.begin(), d.end());
  }

  /// A tensor with the same values whose buffer is its own and no larger than it: unpins the base of a view.
  Tensor clone() const;
  /// Drops this handle now.
  void release() noexcept { Tensor().swap(*this); }
  /// Handles and owners of the body: 1 means this handle is alone.
  size_t use_count() const noexcept;
  /// A number never used for another tensor.
  uint64_t id() const noexcept;

  void swap(Tensor& o) noexcept { std::swap(body_, o.body_); }
  TensorBody* body() const noexcept { return body_; }
  /// Gives the counted reference away (internal).
  TensorBody* detach() noexcept { return std::exchange(body_, nullptr); }

 private:
  static Tensor number(double value, DType dtype);
  static Tensor copy_of(const void* data, size_t count, DType dtype, const Shape& shape);
  const void* raw(DType expected) const;
  double number_at(int64_t i, bool only) const;

  TensorBody* body_ = nullptr;
};

using Tensors = std::vector<Tensor>;

/// "float32[2,2] {{1, 2}, {3, 4}}", long tensors shortened.
TENURE_API std::string to_string(const Tensor& t);
TENURE_API std::ostream& operator<<(std::ostream& out, const Tensor& t);

/// What a layer, model or traced function returns: converts to Tensor (an error unless it is exactly one), indexable, by name,
/// `auto [a, b] = f(x).get<2>();`.
class TENURE_API Outputs {
 public:
  Outputs() = default;
  Outputs(Tensor t) { items_.push_back(std::move(t)); }
  Outputs(Tensors ts, std::vector<std::string> names = {}) : items_(std::move(ts)), names_(std::move(names)) {}
  /// Throws InvalidArgument unless there is exactly one.
  operator Tensor() const& { return one(); }
  operator Tensor() && {
    Tensor t = one();
    items_.clear();
    return t;
  }
  size_t size() const noexcept { return items_.size(); }
  const Tensor& operator[](size_t i) const { return at(i); }
  /// Throws NotFound for a name that is not an output's.
  const Tensor& operator[](std::string_view name) const;
  const Tensor& at(size_t i) const;
  template <size_t N>
  std::array<Tensor, N> get() const {
    expect(N);
    std::array<Tensor, N> out;
    for (size_t i = 0; i < N; ++i) out[i] = items_[i];
    return out;
  }
  Tensors::const_iterator begin() const noexcept { return items_.begin(); }
  Tensors::const_iterator end() const noexcept { return items_.end(); }
  const Tensors& items() const& noexcept { return items_; }
  Tensors items() && noexcept { return std::move(items_); }
  const std::vector<std::string>& names() const noexcept { return names_; }

 private:
  const Tensor& one() const;
  void expect(size_t n) const;
  Tensors items_;
  std::vector<std::string> names_;
};

/// One tensor or a braced list of them: the argument of layers and models.
class TensorList {
 public:
  TensorList(Tensor t) { items_.push_back(std::move(t)); }
  TensorList(std::initializer_list<Tensor> ts) : items_(ts) {}
  TensorList(Tensors ts) : items_(std::move(ts)) {}
  TensorList(Outputs o) : items_(std::move(o).items()) {}
  /// Whatever converts to a Tensor: a Variable, a layer's weight.
  template <class T, class = std::enable_if_t<std::is_class_v<T> && std::is_convertible_v<const T&, Tensor> && !std::is_same_v<T, Tensor> &&
                                              !std::is_same_v<T, Outputs>>>
  TensorList(const T& t) {
    items_.push_back(static_cast<Tensor>(t));
  }
  size_t size() const noexcept { return items_.size(); }
  const Tensor& operator[](size_t i) const { return items_[i]; }
  const Tensors& items() const& noexcept { return items_; }
  Tensors items() && noexcept { return std::move(items_); }

 private:
  Tensors items_;
};

}  // namespace tenure
