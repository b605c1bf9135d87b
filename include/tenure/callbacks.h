// Callbacks: what fit, evaluate and predict tell of, and what may stop a fit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <tenure/memory.h>
#include <tenure/tensor.h>

namespace tenure {

class Model;
class Callback;
class CallbackBody;  // internal

/// Figures by name, in the order in which they are printed.
using Logs = std::map<std::string, double, std::less<>>;

/// What an author derives from. Made with make_callback<T>(...); called on the thread that trains.
class TENURE_API CallbackBase {
 public:
  CallbackBase() = default;
  CallbackBase(const CallbackBase&) = delete;
  CallbackBase& operator=(const CallbackBase&) = delete;
  virtual ~CallbackBase();
  virtual void on_train_begin() {}
  virtual void on_train_end(const Logs&) {}
  virtual void on_epoch_begin(int64_t) {}
  virtual void on_epoch_end(int64_t, const Logs&) {}
  virtual void on_train_batch_begin(int64_t) {}
  virtual void on_train_batch_end(int64_t, const Logs&) {}
  virtual void on_test_begin() {}
  virtual void on_test_end(const Logs&) {}
  virtual void on_test_batch_end(int64_t, const Logs&) {}
  virtual void on_predict_begin() {}
  virtual void on_predict_end() {}
  /// The figures of a batch are read for on_train_batch_end and on_test_batch_end only where this is true.
  virtual bool wants_batches() const { return true; }
  /// Names tensors that this object keeps in members of its own.
  virtual void trace(memory::Visitor&) const {}

 protected:
  /// The model at work; of use inside the functions above only.
  Model model() const;
  /// fit ends after this batch.
  void stop_training();
  /// Keeps tensors under a label, seen in reports; an empty list drops them.
  void keep(const std::string& label, std::vector<Tensor> tensors);
  std::vector<Tensor> kept(const std::string& label) const;

 private:
  friend class Callback;
  CallbackBody* body_ = nullptr;
};

/// A counted handle to a callback.
class TENURE_API Callback {
 public:
  Callback() noexcept = default;
  /// Takes the object over.
  explicit Callback(std::unique_ptr<CallbackBase> object);
  Callback(const Callback& o) noexcept;
  Callback(Callback&& o) noexcept : body_(std::exchange(o.body_, nullptr)) {}
  Callback& operator=(Callback o) noexcept {
    std::swap(body_, o.body_);
    return *this;
  }
  ~Callback();
  bool defined() const noexcept { return body_ != nullptr; }
  CallbackBase& base() const;
  template <class T>
  T& as() const {
    return dynamic_cast<T&>(base());
  }
  CallbackBody* body() const noexcept { return body_; }

 private:
  CallbackBody* body_ = nullptr;
};

template <class T, class... A>
Callback make_callback(A&&... arguments) {
  return Callback(std::make_unique<T>(std::forward<A>(arguments)...));
}

namespace callbacks {

/// Ends the fit when `monitor` has not improved for `patience` epochs. mode auto (more is better for accuracy-like names), min or max.
struct TENURE_API EarlyStopping {
  std::string monitor = "val_loss";
  double min_delta = 0;
  int64_t patience = 0;
  int verbose = 0;
  std::string mode = "auto";
  std::optional<double> baseline = {};
  bool restore_best_weights = false;
  int64_t start_from_epoch = 0;
  operator Callback() const;
};

/// Saves the model (or, save_weights_only, its weights) after each epoch, or when `monitor` improved. "{epoch}" and "{name}" in the path
/// are replaced, with Python's formats: "m-{epoch:02d}-{val_loss:.2f}.keras".
struct TENURE_API ModelCheckpoint {
  std::string filepath;
  std::string monitor = "val_loss";
  int verbose = 0;
  bool save_best_only = false, save_weights_only = false;
  std::string mode = "auto";
  std::optional<double> initial_value_threshold = {};
  operator Callback() const;
};

/// Ends the fit when the loss is not a finite number.
struct TENURE_API TerminateOnNaN {
  operator Callback() const;
};

struct TENURE_API LambdaCallback {
  std::function<void(int64_t epoch)> on_epoch_begin = {};
  std::function<void(int64_t epoch, const Logs&)> on_epoch_end = {};
  std::function<void()> on_train_begin = {};
  std::function<void(const Logs&)> on_train_end = {};
  std::function<void(int64_t batch)> on_train_batch_begin = {};
  std::function<void(int64_t batch, const Logs&)> on_train_batch_end = {};
  operator Callback() const;
};

}  // namespace callbacks
}  // namespace tenure
