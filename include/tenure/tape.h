// GradientTape: records what happens while it is open, and walks it backwards.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>

#include <tenure/tensor.h>
#include <tenure/variable.h>

namespace tenure {

class TapeBody;

/// What gradient() gives for a source that the target does not depend on: an undefined Tensor, or zeros.
enum class Unconnected : uint8_t { none, zero };

struct TapeOptions {
  bool persistent = false;               ///< gradient() may be called more than once; entries stay until reset() or the end
  bool watch_accessed_variables = true;  ///< reading a trainable Variable watches it
};

/// Keras/TensorFlow: tf.GradientTape. Of one thread, bound to a scope; open from construction until gradient() (or the end).
/// Keeps exactly the tensors that the recorded gradients read. Eager tensors themselves have no history.
class TENURE_API GradientTape {
 public:
  explicit GradientTape(TapeOptions options = {});
  ~GradientTape();
  GradientTape(const GradientTape&) = delete;
  GradientTape& operator=(const GradientTape&) = delete;

  void watch(const Tensor& t);
  void watch(const Variable& v);
  /// Gradients of the sum of `target`'s elements (times `output_gradients` where given). A non-persistent tape ends here and is emptied
  /// as the walk goes. A source's gradient has its shape and dtype. Throws InvalidArgument on a second call of a non-persistent tape.
  Tensor gradient(const Tensor& target, const Tensor& source, Unconnected u = Unconnected::none, const Tensor& output_gradient = {});
  Tensor gradient(const Tensor& target, const Variable& source, Unconnected u = Unconnected::none, const Tensor& output_gradient = {});
  Tensors gradient(const Tensor& target, const Tensors& sources, Unconnected u = Unconnected::none, const Tensor& output_gradient = {});
  Tensors gradient(const Tensor& target, const Variables& sources, Unconnected u = Unconnected::none, const Tensor& output_gradient = {});
  Tensors gradient(const Tensors& targets, const Variables& sources, Unconnected u = Unconnected::none);
  /// Pauses recording.
  void stop();
  void resume();
  /// Forgets everything recorded, and goes on.
  void reset();
  /// Recorded entries, and bytes of the tensors they keep.
  size_t entries() const;
  size_t saved_bytes() const;

 private:
  TapeBody* body_;
};

/// Records nothing inside, for all tapes of this thread.
class TENURE_API StopRecording {
 public:
  StopRecording() noexcept;
  ~StopRecording();
  StopRecording(const StopRecording&) = delete;
  StopRecording& operator=(const StopRecording&) = delete;

 private:
  bool saved_;
};

/// f's result and its gradients: a tape born and dead inside.
TENURE_API std::pair<Tensor, Tensors> value_and_gradient(const std::function<Tensor()>& f, const Variables& sources);

/// The gradient of a custom function: from the gradients of the outputs to those of the inputs.
using GradientFunction = std::function<Tensors(const Tensors& output_gradients)>;
/// Runs `f` unrecorded; it returns its outputs and their gradient. The gradient is owned by the tape's entry and dies with it.
TENURE_API Tensors custom_gradient(const Tensors& inputs, const std::function<std::pair<Tensors, GradientFunction>(const Tensors&)>& f);

}  // namespace tenure
