// The arguments of one call of keras.ops as a file has them: tensors, numbers and static parameters, positional, by keyword or in the op's config.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <tenure/layer.h>
#include <tenure/ops.h>

#include "io/archive.h"
#include "ops/complex.h"

namespace tenure::io {

/// Which parts of complex inputs an op is applied to (op_complex.h). Tensors of complex numbers are pairs on a last axis of 2.
struct ComplexParts {
  std::vector<int> part;  ///< of input i: 0 the real part, 1 the imaginary part, -1 the input is real
  bool real_is_zero;      ///< what is real and no bool counts as 0: the imaginary part is asked for
};

/// A call as a file has it. Stack-bound: borrows.
struct OpCall {
  const std::string& op;
  const Json &args, &kwargs, &config;
};

/// Looks arguments up by position and by Keras' name, and remembers which were asked for. Stack-bound: borrows everything it is given.
class OpArguments {
 public:
  /// seed: the state of an op that draws, or null. parts: of complex inputs, or null where the op takes real ones or complex().
  OpArguments(const OpCall& call, const Tensors& inputs, const Weight* seed, const ComplexParts* parts = nullptr)
      : op_(call.op), args_(call.args), kwargs_(call.kwargs), config_(call.config), inputs_(inputs), seed_(seed), parts_(parts) {}

  const std::string& op() const noexcept { return op_; }
  Tensor tensor(int position, const char* name);
  /// A complex tensor; a real one has an imaginary part of zeros.
  ops::Complex complex(int position, const char* name);
  /// A tensor that may be missing or null: then undefined.
  Tensor maybe_tensor(int position, const char* name);
  Tensors tensors(int position, const char* name);
  int64_t integer(int position, const char* name, std::optional<int64_t> otherwise = {});
  std::optional<int64_t> maybe_integer(int position, const char* name);
  double number(int position, const char* name, std::optional<double> otherwise = {});
  std::optional<double> maybe_number(int position, const char* name);
  bool flag(int position, const char* name, bool otherwise = false);
  std::string text(int position, const char* name, const std::string& otherwise);
  /// A number or a list; `otherwise` when missing, null or empty. null inside a list is -1.
  std::vector<int64_t> integers(int position, const char* name, std::vector<int64_t> otherwise = {});
  /// A number or a list; empty when missing or null.
  std::vector<double> numbers(int position, const char* name);
  Axes axes(int position, const char* name);
  Shape shape(int position, const char* name);
  /// Whole numbers by keyword that nothing else asked for: call it last.
  std::map<std::string, int64_t> other_integers();
  /// The value as it stands, or null.
  const Json& value(int position, const char* name);
  /// Whether a list there holds a tensor.
  bool has_tensor_inside(int position, const char* name);
  /// Whether a tensor stands there.
  bool has_tensor(int position, const char* name);

  /// What a draw starts from, int64[2]: of a whole number there the same at every call, of null the op's own state, which is advanced.
  Tensor random_state(int position, const char* name);

  /// Throws Unsupported naming what was given and never asked for, unless it says nothing (null, false).
  void finish() const;
  [[noreturn]] void wrong(const char* name, const Json& got, const char* expected) const;

 private:
  const Json& find(int position, const char* name);
  Tensor tensor_from(const Json& j, const char* name) const;
  const Tensor& input(const Json& placeholder, const char* name) const;

  const std::string& op_;
  const Json &args_, &kwargs_, &config_;
  const Tensors& inputs_;
  const Weight* seed_;
  const ComplexParts* parts_;
  std::set<int> used_positions_;
  std::set<std::string> used_names_;
};

/// A constant of a file: {"class_name": "__tensor__" or "__numpy__", "config": {"value": nested lists, "dtype"}}, or plain nested lists.
/// Throws Unsupported for anything else.
Tensor constant_from(const Json& j);

/// A class of keras.ops and what runs it.
struct OpRow {
  std::string_view name;
  Tensors (*run)(OpArguments&);
  enum Trait : uint8_t {
    draws = 1,      ///< random numbers: random_state() is asked for
    by_values = 2,  ///< the size of its result depends on values unless a whole number is given as `size`: it runs eagerly only
    complex = 4,    ///< makes complex numbers of real ones
  };
  uint8_t traits = 0;
};
/// The op of this class, or null; lives as long as the program.
const OpRow* find_op(const std::string& op);
/// Why there is no such op: what it would need.
const char* why_no_op(const std::string& op);

/// x[key] as NumPy has it: numbers, slices, new axes and one ellipsis.
Tensor get_item(Tensor x, const Json& key);

}  // namespace tenure::io
