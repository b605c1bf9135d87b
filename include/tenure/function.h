// Function: a callable that is traced once for each signature, planned, and then runs without dispatch.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include <tenure/memory.h>
#include <tenure/tensor.h>

namespace tenure {

class FunctionBody;

/// An argument that is part of the signature: each value gets its own trace. Other arithmetic arguments become inputs of rank 0.
template <class T>
struct Static {
  T value;
  operator const T&() const noexcept { return value; }
};

struct FunctionOptions {
  std::string name = "function";
  int64_t max_entries = 16;              ///< traces kept; the least recently used goes first
  size_t max_bytes = size_t{256} << 20;  ///< bytes of constants and packed weights kept by all traces together
};

/// What is known of one trace before it runs.
struct TENURE_API Plan {
  std::string signature;
  size_t arena_bytes = 0;     ///< one arena a call
  size_t output_bytes = 0;    ///< outputs have buffers of their own
  size_t constant_bytes = 0;  ///< constants and packed weights, kept with the trace
  size_t lower_bound = 0;     ///< the most that is live at once in this order: no placement is smaller
  size_t traced_ops = 0, instructions = 0;
  /// Bytes that a call takes from the pool: arena and outputs.
  size_t peak_bytes() const noexcept { return arena_bytes + output_bytes; }
  std::string text;             ///< one line an instruction, with account and offsets
  memory::PlanPicture picture;  ///< the arena block by block, for memory::write_report()
};

namespace detail {
using FunctionCall = std::function<Tensors(const Tensors& args, const std::vector<std::string>& statics, const void* const* static_values)>;
template <class T>
struct is_static : std::false_type {};
template <class T>
struct is_static<Static<T>> : std::true_type {};
template <class F>
struct signature_of : signature_of<decltype(&F::operator())> {};
template <class R, class C, class... P>
struct signature_of<R (C::*)(P...) const> {
  using args = std::tuple<std::remove_cvref_t<P>...>;
};
template <class R, class C, class... P>
struct signature_of<R (C::*)(P...)> {
  using args = std::tuple<std::remove_cvref_t<P>...>;
};
template <class R, class... P>
struct signature_of<R (*)(P...)> {
  using args = std::tuple<std::remove_cvref_t<P>...>;
};
template <class F, class = void>
struct has_signature : std::false_type {};
template <class F>
struct has_signature<F, std::void_t<decltype(&F::operator())>> : std::true_type {};
template <class R, class... P>
struct has_signature<R (*)(P...), void> : std::true_type {};

inline Tensors as_tensors(Tensor t) {
  Tensors v;
  v.push_back(std::move(t));
  return v;
}
inline Tensors as_tensors(Tensors t) { return t; }
inline Tensors as_tensors(Outputs o) { return std::move(o).items(); }
template <class... T>
Tensors as_tensors(std::tuple<T...> t) {
  Tensors v;
  std::apply([&](auto&... x) { (v.push_back(std::move(x)), ...); }, t);
  return v;
}
template <class A, class B>
Tensors as_tensors(std::pair<A, B> p) {
  Tensors v = as_tensors(std::move(p.first));
  for (Tensor& t : as_tensors(std::move(p.second))) v.push_back(std::move(t));
  return v;
}

template <class F>
FunctionCall wrap(F f) {
  using D = std::decay_t<F>;
  if constexpr (has_signature<D>::value) {
    using Args = typename signature_of<D>::args;
    return [f = std::move(f)](const Tensors& args, const std::vector<std::string>&, const void* const* statics) mutable -> Tensors {
      size_t t = 0, s = 0;
      auto pick = [&]<class P>(std::type_identity<P>) -> P {
        if constexpr (is_static<P>::value) return *static_cast<const P*>(statics[s++]);
        else if constexpr (std::is_same_v<P, Tensors> || std::is_same_v<P, TensorList>) {
          t = args.size();
          return P(args);
        } else return args.at(t++);
      };
      return [&]<size_t... I>(std::index_sequence<I...>) {
        // Braces fix the order of evaluation.
        std::tuple<std::tuple_element_t<I, Args>...> values{pick(std::type_identity<std::tuple_element_t<I, Args>>{})...};
        if constexpr (std::is_void_v<decltype(std::apply(f, values))>) {
          std::apply(f, values);
          return Tensors{};
        } else {
          return as_tensors(std::apply(f, values));
        }
      }
      (std::make_index_sequence<std::tuple_size_v<Args>>{});
    };
  } else {  // a Model or another callable of TensorList
    return [f = std::move(f)](const Tensors& args, const std::vector<std::string>&, const void* const*) mutable {
      return as_tensors(Outputs(f(TensorList(args))));
    };
  }
}
template <class T>
std::string static_text(const T& v) {
  if constexpr (std::is_convertible_v<T, std::string>) return std::string(v);
  else return std::to_string(v);
}
}  // namespace detail

/// tf.function. `f` runs once for each new signature (shapes and dtypes of tensors, values of Static arguments, `training`); what it does
/// to tensors becomes a graph: simplified, fused, planned into one arena. Later calls run the plan: no dispatch, one allocation and the outputs.
/// Owns its closure, its traces and the variables and constants they captured; frees them with its last handle.
/// Copies share. Threads: calls may run at the same time; tracing is serialized.
/// Errors: a Variable made on a second trace, a symbol used after its trace, an op whose shape depends on values.
class TENURE_API Function {
 public:
  Function() noexcept = default;
  template <class F, class = std::enable_if_t<!std::is_same_v<std::decay_t<F>, Function>>>
  explicit Function(F f, FunctionOptions options = {}) : Function(detail::wrap(std::move(f)), std::move(options), 0) {}
  Function(const Function& o) noexcept;
  Function(Function&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Function& operator=(Function o) noexcept {
    std::swap(body_, o.body_);
    return *this;
  }
  ~Function();

  /// Tensors, numbers (inputs of rank 0) and Static values, in the order of f's parameters.
  template <class... A>
  Outputs operator()(A&&... args) const {
    Tensors tensors;
    std::vector<std::string> statics;
    std::vector<const void*> values;
    (collect(tensors, statics, values, args), ...);
    return call(std::move(tensors), statics, values.data());
  }
  Outputs call(Tensors args, const std::vector<std::string>& statics = {}, const void* const* static_values = nullptr) const;

  /// Traces and plans for these specs without running.
  Plan prepare(const std::vector<Spec>& specs, const std::vector<std::string>& statics = {}, const void* const* static_values = nullptr) const;
  /// Plans of the cached traces, most recently used first.
  std::vector<Plan> plans() const;
  /// Times f was traced since the start.
  int64_t traces() const;
  size_t cached() const;
  /// Drops all traces.
  void clear();
  bool defined() const noexcept { return body_ != nullptr; }
  FunctionBody* body() const noexcept { return body_; }
  /// Adds a handle (internal).
  explicit Function(FunctionBody* body) noexcept;

 private:
  Function(detail::FunctionCall f, FunctionOptions options, int);
  template <class T>
  static void collect(Tensors& tensors, std::vector<std::string>& statics, std::vector<const void*>& values, const T& a) {
    if constexpr (detail::is_static<T>::value) {
      statics.push_back(detail::static_text(a.value));
      values.push_back(&a);
    } else if constexpr (std::is_same_v<T, Tensors>) {
      tensors.insert(tensors.end(), a.begin(), a.end());
    } else if constexpr (std::is_same_v<T, TensorList>) {
      tensors.insert(tensors.end(), a.items().begin(), a.items().end());
    } else {
      tensors.push_back(Tensor(a));
    }
  }
  FunctionBody* body_ = nullptr;
};

}  // namespace tenure
