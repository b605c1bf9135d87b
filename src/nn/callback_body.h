// The counted body of a callback: owns the author's object and what it keeps.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <tenure/callbacks.h>
#include <tenure/model.h>

#include "core/body.h"

namespace tenure {

class CallbackBody final : public memory::Counted {
 public:
  explicit CallbackBody(std::unique_ptr<CallbackBase> object);
  CallbackBase& object() const noexcept { return *object_; }
  LayerBody* model = nullptr;  ///< while it is at work; raw: the fit's caller keeps it
  std::map<std::string, std::vector<Held>> kept;

  void trace(memory::EdgeVisitor& v) const override;
  std::string describe() const override;

 private:
  ~CallbackBody() override = default;
  std::unique_ptr<CallbackBase> object_;
};

/// Tells callbacks of a model at work, for a block.
class Callbacks {
 public:
  Callbacks(const std::vector<Callback>& list, LayerBody* model);
  ~Callbacks();
  Callbacks(const Callbacks&) = delete;
  Callbacks& operator=(const Callbacks&) = delete;
  template <class F>
  void each(F&& f) const {
    for (const Callback& c : list_) f(c.base());
  }
  bool wants_batches() const noexcept { return wants_batches_; }

 private:
  const std::vector<Callback>& list_;
  bool wants_batches_ = false;
};

/// How "auto" is read and whether a figure is better: more is better for names like accuracy.
class Monitor {
 public:
  /// Throws InvalidArgument for a mode other than auto, min and max.
  Monitor(std::string name, const std::string& mode, double min_delta);
  const std::string& name() const noexcept { return name_; }
  bool better(double value, double than) const noexcept { return maximize_ ? value - min_delta_ > than : value + min_delta_ < than; }
  double worst() const noexcept;
  /// The figure of an epoch, or NaN (reported to the log once) where it is missing.
  double read(const Logs& logs, const char* who);

 private:
  std::string name_;
  bool maximize_;
  double min_delta_;
  bool told_ = false;
};

/// Where progress text of the running fit goes.
std::ostream& progress_out();
void set_progress_out(std::ostream* out) noexcept;

}  // namespace tenure
