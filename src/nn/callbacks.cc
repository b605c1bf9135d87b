// Callbacks: the base, the handle, and those that need no files. See callback_body.h for who owns what.
#include <tenure/callbacks.h>

#include <cmath>
#include <iostream>
#include <limits>

#include "memory/ledger.h"
#include "nn/callback_body.h"

namespace tenure {

// ---- body and handle --------------------------------------------------------------------------------------------------------------

CallbackBody::CallbackBody(std::unique_ptr<CallbackBase> object) : Counted(memory::Kind::callback), object_(std::move(object)) {}

void CallbackBody::trace(memory::EdgeVisitor& v) const {
  for (auto& [label, tensors] : kept)
    for (size_t i = 0; i < tensors.size(); ++i) v.edge(tensors[i].get(), label, static_cast<int64_t>(i));
  class Adapter final : public memory::Visitor {
   public:
    explicit Adapter(memory::EdgeVisitor& v) : v_(v) {}
    void user_edge(const void* body, std::string_view label, int64_t index) override {
      v_.user_edge(static_cast<const memory::Counted*>(body), label, index);
    }

   private:
    memory::EdgeVisitor& v_;
  } adapter(v);
  object_->trace(adapter);
}

std::string CallbackBody::describe() const {
  const auto& object = *object_;
  return detail::short_name(typeid(object));
}

CallbackBase::~CallbackBase() = default;

Model CallbackBase::model() const {
  check(body_ && body_->model, Code::InvalidArgument, "callback: there is a model during fit, evaluate and predict only");
  return Model(body_->model);
}
void CallbackBase::stop_training() { model().stop_training(); }
void CallbackBase::keep(const std::string& label, std::vector<Tensor> tensors) {
  std::vector<Held> held;
  for (Tensor& t : tensors) held.emplace_back(std::move(t));
  if (held.empty()) body_->kept.erase(label);
  else body_->kept[label] = std::move(held);
}
std::vector<Tensor> CallbackBase::kept(const std::string& label) const {
  std::vector<Tensor> out;
  if (auto it = body_->kept.find(label); it != body_->kept.end())
    for (const Held& h : it->second) out.push_back(h.tensor());
  return out;
}

Callback::Callback(std::unique_ptr<CallbackBase> object) {
  check(object != nullptr, Code::InvalidArgument, "Callback: expected an object");
  CallbackBase* base = object.get();
  body_ = new CallbackBody(std::move(object));
  body_->retain(memory::Counted::kUser);
  base->body_ = body_;
}
Callback::Callback(const Callback& o) noexcept : body_(o.body_) {
  if (body_) body_->retain(memory::Counted::kUser);
}
Callback::~Callback() {
  if (body_) body_->release(memory::Counted::kUser);
}
CallbackBase& Callback::base() const {
  check(body_ != nullptr, Code::InvalidArgument, "Callback: this handle is empty");
  return body_->object();
}

Callbacks::Callbacks(const std::vector<Callback>& list, LayerBody* model) : list_(list) {
  for (const Callback& c : list_) {
    wants_batches_ |= c.base().wants_batches();
    c.body()->model = model;
  }
}
Callbacks::~Callbacks() {
  for (const Callback& c : list_) c.body()->model = nullptr;
}

// ---- monitors -------------------------------------------------------------------------------------------------------------------------

Monitor::Monitor(std::string name, const std::string& mode, double min_delta) : name_(std::move(name)), min_delta_(std::fabs(min_delta)) {
  check(mode == "auto" || mode == "min" || mode == "max", Code::InvalidArgument, "callback: expected mode auto, min or max, got '{}'", mode);
  auto ends = [&](std::string_view end) { return name_.size() >= end.size() && name_.compare(name_.size() - end.size(), end.size(), end) == 0; };
  maximize_ = mode == "max" ||
              (mode == "auto" && (ends("accuracy") || ends("acc") || ends("auc") || ends("precision") || ends("recall") || ends("f1_score")));
}

double Monitor::worst() const noexcept { return maximize_ ? -std::numeric_limits<double>::infinity() : std::numeric_limits<double>::infinity(); }

double Monitor::read(const Logs& logs, const char* who) {
  auto it = logs.find(name_);
  if (it != logs.end()) return it->second;
  if (!std::exchange(told_, true)) {
    std::string known;
    for (auto& [key, value] : logs) known += (known.empty() ? "" : ", ") + key;
    memory::log(fmt::format("{}: there is no '{}' to monitor; there are: {}", who, name_, known));
  }
  return std::nan("");
}

// ---- where progress goes ----------------------------------------------------------------------------------------------------------------

namespace {
thread_local std::ostream* progress = nullptr;
}
std::ostream& progress_out() { return progress ? *progress : std::cout; }
void set_progress_out(std::ostream* out) noexcept { progress = out; }

namespace callbacks {

// ---- EarlyStopping ----------------------------------------------------------------------------------------------------------------------

class EarlyStoppingCallback final : public CallbackBase {
 public:
  explicit EarlyStoppingCallback(EarlyStopping c) : config_(std::move(c)), monitor_(config_.monitor, config_.mode, config_.min_delta) {}
  bool wants_batches() const override { return false; }
  void on_train_begin() override {
    wait_ = 0, stopped_ = -1, best_epoch_ = 0;
    best_ = monitor_.worst();
    keep("best weights", {});
  }
  void on_epoch_end(int64_t epoch, const Logs& logs) override {
    double now = monitor_.read(logs, "EarlyStopping");
    if (std::isnan(now) || epoch < config_.start_from_epoch) return;
    if (config_.restore_best_weights && kept("best weights").empty()) keep_best(epoch);
    ++wait_;
    if (monitor_.better(now, best_)) {
      best_ = now;
      if (config_.restore_best_weights) keep_best(epoch);
      best_epoch_ = epoch;
      if (!config_.baseline || monitor_.better(now, *config_.baseline)) wait_ = 0;
      return;
    }
    if (wait_ >= config_.patience && epoch > 0) {
      stopped_ = epoch;
      stop_training();
    }
  }
  void on_train_end(const Logs&) override {
    if (stopped_ >= 0 && config_.verbose > 0) progress_out() << fmt::format("Epoch {}: early stopping\n", stopped_ + 1);
    std::vector<Tensor> best = kept("best weights");
    if (config_.restore_best_weights && !best.empty()) {
      if (config_.verbose > 0) progress_out() << fmt::format("Restoring model weights from the end of the best epoch: {}.\n", best_epoch_ + 1);
      model().set_weights(best);
    }
    keep("best weights", {});
  }

 private:
  // Copies: the variables go on being written in place.
  void keep_best(int64_t epoch) {
    std::vector<Tensor> values;
    for (const Tensor& t : model().get_weights()) values.push_back(t.clone());
    keep("best weights", std::move(values));
    best_epoch_ = epoch;
  }
  EarlyStopping config_;
  Monitor monitor_;
  double best_ = 0;
  int64_t wait_ = 0, stopped_ = -1, best_epoch_ = 0;
};
EarlyStopping::operator Callback() const { return make_callback<EarlyStoppingCallback>(*this); }

// ---- TerminateOnNaN ---------------------------------------------------------------------------------------------------------------------

class TerminateOnNaNCallback final : public CallbackBase {
 public:
  void on_train_batch_end(int64_t batch, const Logs& logs) override {
    auto loss = logs.find("loss");
    if (loss == logs.end() || std::isfinite(loss->second)) return;
    progress_out() << fmt::format("Batch {}: Invalid loss, terminating training\n", batch);
    stop_training();
  }
};
TerminateOnNaN::operator Callback() const { return make_callback<TerminateOnNaNCallback>(); }

// ---- LambdaCallback ---------------------------------------------------------------------------------------------------------------------

class LambdaCallbackCallback final : public CallbackBase {
 public:
  explicit LambdaCallbackCallback(LambdaCallback c) : c_(std::move(c)) {}
  bool wants_batches() const override { return c_.on_train_batch_end != nullptr; }
  void on_epoch_begin(int64_t epoch) override {
    if (c_.on_epoch_begin) c_.on_epoch_begin(epoch);
  }
  void on_epoch_end(int64_t epoch, const Logs& logs) override {
    if (c_.on_epoch_end) c_.on_epoch_end(epoch, logs);
  }
  void on_train_begin() override {
    if (c_.on_train_begin) c_.on_train_begin();
  }
  void on_train_end(const Logs& logs) override {
    if (c_.on_train_end) c_.on_train_end(logs);
  }
  void on_train_batch_begin(int64_t batch) override {
    if (c_.on_train_batch_begin) c_.on_train_batch_begin(batch);
  }
  void on_train_batch_end(int64_t batch, const Logs& logs) override {
    if (c_.on_train_batch_end) c_.on_train_batch_end(batch, logs);
  }

 private:
  LambdaCallback c_;
};
LambdaCallback::operator Callback() const { return make_callback<LambdaCallbackCallback>(*this); }

}  // namespace callbacks
}  // namespace tenure
