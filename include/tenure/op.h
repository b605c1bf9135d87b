// For authors of ops. An op is one constant aggregate: name, infer, run or tile, gradient, what it saves, traits, attributes, specimens.
// From that block follow eager calls, symbols, tapes, traces, fusion, planning, conformance tests and documentation.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenure/fields.h>
#include <tenure/tensor.h>

namespace tenure {

struct Op;

// ---- attributes -------------------------------------------------------------------------------------------------------

/// What the library needs to know of an attribute struct A: made by attrs_of<A>() from `fields(Fields&, A&)` found by ADL.
struct AttrType {
  size_t size, align;
  void* (*clone)(const void* from);
  void (*destroy)(void* p) noexcept;
  void (*visit)(Fields& v, void* p);
  void* (*fresh)();
};

template <class A>
const AttrType* attrs_of() {
  static const AttrType type = {sizeof(A),
                                alignof(A),
                                [](const void* from) -> void* { return new A(*static_cast<const A*>(from)); },
                                [](void* p) noexcept { delete static_cast<A*>(p); },
                                [](Fields& v, void* p) { fields(v, *static_cast<A*>(p)); },
                                []() -> void* { return new A(); }};
  return &type;
}

/// A borrowed view of attributes for the time of a call.
struct AttrRef {
  const void* p = nullptr;
  const AttrType* type = nullptr;
};

/// An owned copy of attributes.
class TENURE_API AttrBox {
 public:
  AttrBox() noexcept = default;
  explicit AttrBox(AttrRef r) : p_(r.p ? r.type->clone(r.p) : nullptr), type_(r.type) {}
  AttrBox(const AttrBox& o) : AttrBox(o.ref()) {}
  AttrBox(AttrBox&& o) noexcept : p_(std::exchange(o.p_, nullptr)), type_(o.type_) {}
  AttrBox& operator=(AttrBox o) noexcept {
    std::swap(p_, o.p_);
    std::swap(type_, o.type_);
    return *this;
  }
  ~AttrBox() {
    if (p_) type_->destroy(p_);
  }
  AttrRef ref() const noexcept { return {p_, type_}; }
  template <class A>
  const A& get() const noexcept {
    return *static_cast<const A*>(p_);
  }
  template <class A>
  A& get() noexcept {
    return *static_cast<A*>(p_);
  }
  explicit operator bool() const noexcept { return p_ != nullptr; }
  /// Text that is equal exactly when the attributes are: `{"axis": 1, "keepdims": false}`.
  std::string json() const;

 private:
  void* p_ = nullptr;
  const AttrType* type_ = nullptr;
};

// ---- what the functions of an op see -------------------------------------------------------------------------------------

/// The outcome of a kernel, which cannot throw. apply() or the Executable turns it into an Error.
struct Status {
  Code code = Code::Internal;
  const char* what = nullptr;  ///< null: success. A literal such as "index is out of range".
  int64_t position = -1;       ///< where in the input, if known
  double value = 0;            ///< what stood there
  bool ok() const noexcept { return what == nullptr; }
};

/// Specs of the inputs and attributes; collects the specs of the outputs. Sizes may be unknown (-1).
class Infer {
 public:
  Infer(const Op& op, std::span<const Spec> xs, const void* attrs) noexcept : op_(op), xs_(xs), attrs_(attrs) {}
  const Op& op() const noexcept { return op_; }
  int inputs() const noexcept { return static_cast<int>(xs_.size()); }
  const Spec& x(int i) const noexcept { return xs_[static_cast<size_t>(i)]; }
  const Shape& shape(int i) const noexcept { return x(i).shape; }
  DType dtype(int i) const noexcept { return x(i).dtype; }
  template <class A>
  const A& attr() const noexcept {
    return *static_cast<const A*>(attrs_);
  }
  /// Adds an output.
  void output(const Shape& shape, DType dtype) { output({shape, dtype}); }
  void output(Spec spec) {
    if (count_ < kInline) first_[count_] = spec;
    else rest_.push_back(spec);
    ++count_;
  }
  size_t outputs() const noexcept { return count_; }
  const Spec& y(size_t i) const noexcept { return i < kInline ? first_[i] : rest_[i - kInline]; }

 private:
  static constexpr size_t kInline = 3;
  const Op& op_;
  std::span<const Spec> xs_;
  const void* attrs_;
  size_t count_ = 0;
  Spec first_[kInline];
  std::vector<Spec> rest_;
};

/// Specs of inputs and outputs, all known: for `prepare`, `scratch`, `view` and packing.
class Prep {
 public:
  Prep(std::span<const Spec> xs, std::span<const Spec> ys, const void* attrs, int threads, const void* prepared = nullptr) noexcept
      : xs_(xs), ys_(ys), attrs_(attrs), prepared_(prepared), threads_(threads) {}
  int inputs() const noexcept { return static_cast<int>(xs_.size()); }
  int outputs() const noexcept { return static_cast<int>(ys_.size()); }
  const Spec& x(int i) const noexcept { return xs_[static_cast<size_t>(i)]; }
  const Spec& y(int i = 0) const noexcept { return ys_[static_cast<size_t>(i)]; }
  template <class A>
  const A& attr() const noexcept {
    return *static_cast<const A*>(attrs_);
  }
  /// What `prepare` made (null in prepare itself and for ops without it).
  template <class P>
  const P* prepared() const noexcept {
    return static_cast<const P*>(prepared_);
  }
  /// Threads the kernel may use: primitives keep the number they were made for.
  int threads() const noexcept { return threads_; }

 protected:
  std::span<const Spec> xs_, ys_;
  const void* attrs_;
  const void* prepared_;
  int threads_;
};

/// A kernel's view of a call: pointers and known specs. Nothing here may be allocated or thrown.
class Run : public Prep {
 public:
  Run(std::span<const Spec> xs, std::span<const Spec> ys, const void* attrs, int threads, const void* prepared, const void* const* in,
      void* const* out, void* scratch, const void* packed) noexcept
      : Prep(xs, ys, attrs, threads, prepared), in_(in), out_(out), scratch_(scratch), packed_(packed) {}
  template <class T = void>
  const T* in(int i) const noexcept {
    return static_cast<const T*>(in_[i]);
  }
  template <class T = void>
  T* out(int i = 0) const noexcept {
    return static_cast<T*>(out_[i]);
  }
  /// The bytes that `scratch` asked for, aligned to 64.
  template <class T = void>
  T* scratch() const noexcept {
    return static_cast<T*>(scratch_);
  }
  /// Input `packs` in packed form, or null: then read the plain input.
  template <class T = void>
  const T* packed() const noexcept {
    return static_cast<const T*>(packed_);
  }

 private:
  const void* const* in_;
  void* const* out_;
  void* scratch_;
  const void* packed_;
};

/// An elementwise micro-kernel's view: n consecutive elements of every (already broadcast) input.
/// An output may be the same memory as an input.
struct Tile {
  const void* in[4] = {};
  void* out = nullptr;
  int64_t n = 0;
  DType dtype = DType::float32;  ///< of input 0
  DType out_dtype = DType::float32;
  const void* attrs = nullptr;
  template <class T>
  const T* x(int i) const noexcept {
    return static_cast<const T*>(in[i]);
  }
  template <class T>
  T* y() const noexcept {
    return static_cast<T*>(out);
  }
  template <class A>
  const A& attr() const noexcept {
    return *static_cast<const A*>(attrs);
  }
};

/// A gradient's view. Written in ops, so that it can be traced and differentiated again.
class TENURE_API Grad {
 public:
  virtual ~Grad() = default;
  /// Input or output i; an undefined Tensor unless `saves` names it.
  virtual const Tensor& x(int i) const = 0;
  virtual const Tensor& y(int i = 0) const = 0;
  /// Gradient that arrives at output i; an undefined Tensor if nothing depends on it.
  virtual const Tensor& dy(int i = 0) const = 0;
  virtual const Spec& xspec(int i) const = 0;
  virtual const Spec& yspec(int i = 0) const = 0;
  virtual int inputs() const = 0;
  virtual int outputs() const = 0;
  /// Input i leads to a source: its gradient is wanted. An undefined Tensor may be returned for the others, and means zero.
  virtual bool needs(int i) const = 0;
  template <class A>
  const A& attr() const {
    return *static_cast<const A*>(attrs());
  }

 protected:
  virtual const void* attrs() const = 0;
};

/// Which inputs and outputs a gradient reads; everything else is free to go.
struct Saves {
  uint16_t inputs = 0, outputs = 0;
  constexpr Saves operator|(Saves o) const noexcept { return {static_cast<uint16_t>(inputs | o.inputs), static_cast<uint16_t>(outputs | o.outputs)}; }
};
constexpr Saves saves_input(int i) noexcept { return {static_cast<uint16_t>(1u << i), 0}; }
constexpr Saves saves_inputs(int i, int j) noexcept { return saves_input(i) | saves_input(j); }
constexpr Saves saves_output(int i = 0) noexcept { return {0, static_cast<uint16_t>(1u << i)}; }
constexpr Saves saves_all_inputs() noexcept { return {0xffff, 0}; }

/// Properties of an op, as bits.
enum Traits : uint32_t {
  no_traits = 0,
  elementwise = 1,  ///< has `tile`; output shape is the broadcast of the inputs
  inplace = 2,      ///< output 0 may take an input's buffer of the same size; without `tile`: only input 0's
  stateful = 4,     ///< random, or with an effect: never folded, merged or dropped
  eager_only = 8,   ///< output shape depends on values: refused inside a trace and on symbols
  commutative = 16,
  takes_strings = 32,  ///< inputs may be strings, which every other op refuses; none makes them
};
constexpr Traits operator|(Traits a, Traits b) noexcept { return static_cast<Traits>(static_cast<uint32_t>(a) | static_cast<uint32_t>(b)); }

/// One op. Make it `const` at namespace scope and never copy it: it is known by its address.
struct Op {
  std::string_view name;
  void (*infer)(Infer& c) = nullptr;               ///< throws on specs that do not fit
  Status (*run)(const Run& r) noexcept = nullptr;  ///< general kernel
  void (*tile)(const Tile& t) noexcept = nullptr;  ///< elementwise kernel, instead of run
  Tensors (*grad)(const Grad& g) = nullptr;        ///< one tensor an input; null: not differentiable
  Saves saves = {};
  Traits traits = no_traits;
  const AttrType* (*attrs)() = nullptr;                             ///< attrs_of<A>, or null
  std::shared_ptr<const void> (*prepare)(const Prep& p) = nullptr;  ///< a primitive to reuse for these specs; may throw
  size_t (*scratch)(const Prep& p) = nullptr;                       ///< bytes that run needs
  int64_t (*view)(const Prep& p) = nullptr;                         ///< byte offset at which output 0 is input 0's memory; -1: not this time
  int packs = -1;                                                   ///< input whose packed form run can use
  size_t (*pack_bytes)(const Prep& p) = nullptr;
  void (*pack)(const Prep& p, const void* in, void* out) noexcept = nullptr;
  std::string_view specimens;  ///< "f32[2,3], f32[3] | f32[0] ; {"axis": 1}" (docs/specimens.md)
};

// ---- calling ---------------------------------------------------------------------------------------------------------------

/// THE dispatch path. Consumes `xs` (a buffer whose only handle is among them may be reused). Throws what infer and run report, with a frame.
TENURE_API Tensor apply(const Op& op, std::span<Tensor> xs, AttrRef attrs = {});
/// The same for ops with several outputs.
TENURE_API Tensors apply_all(const Op& op, std::span<Tensor> xs, AttrRef attrs = {});

template <class... X>
requires(sizeof...(X) > 0 && (std::is_same_v<std::remove_cvref_t<X>, Tensor> && ...)) Tensor apply(const Op& op, X&&... xs) {
  Tensor in[] = {std::forward<X>(xs)...};
  return apply(op, std::span<Tensor>(in));
}
/// With attributes: `apply_with(reduce_op, Reduce{.axis = 1}, std::move(x))`.
template <class A, class... X>
Tensor apply_with(const Op& op, const A& attrs, X&&... xs) {
  Tensor in[sizeof...(X) + 1] = {std::forward<X>(xs)...};
  return apply(op, std::span<Tensor>(in, sizeof...(X)), AttrRef{&attrs, attrs_of<A>()});
}
template <class A, class... X>
Tensors apply_all_with(const Op& op, const A& attrs, X&&... xs) {
  Tensor in[sizeof...(X) + 1] = {std::forward<X>(xs)...};
  return apply_all(op, std::span<Tensor>(in, sizeof...(X)), AttrRef{&attrs, attrs_of<A>()});
}

/// Same shape and dtype as input 0. For ops on floats: throws DType otherwise.
TENURE_API void infer_float(Infer& c);
/// Same as input 0, any dtype.
TENURE_API void infer_same(Infer& c);
/// Broadcast of all inputs, which have one dtype.
TENURE_API void infer_broadcast(Infer& c);
/// Broadcast of all inputs, bool out.
TENURE_API void infer_compare(Infer& c);

/// The table of ops by name.
class TENURE_API Registry {
 public:
  static Registry& global();
  /// The op must outlive the registry (a namespace-scope constant). Throws InvalidArgument for a taken name or an op without specimens.
  void add(const Op& op);
  const Op* find(std::string_view name) const;
  std::vector<const Op*> all() const;  ///< by name

 private:
  Registry();
  std::vector<const Op*> ops_;
};

/// Times the eager dispatch path was entered on this thread.
TENURE_API uint64_t eager_ops() noexcept;

}  // namespace tenure
