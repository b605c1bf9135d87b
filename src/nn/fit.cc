// The loops: fit, evaluate, predict. Batches come from a source bound to the call; the steps are the model's Functions.
#include <cmath>
#include <cstring>
#include <iostream>

#include <tenure/moment.h>

#include "nn/batches.h"
#include "nn/callback_body.h"
#include "nn/progress.h"
#include "nn/step.h"

namespace tenure {

using nn::BatchSource;
using nn::Progress;

namespace {

constexpr int64_t kBatch = 32;

// Progress text goes there for a block.
class ProgressOut {
 public:
  explicit ProgressOut(std::ostream* out) : out(out ? *out : std::cout) { set_progress_out(out); }
  ~ProgressOut() { set_progress_out(nullptr); }
  ProgressOut(const ProgressOut&) = delete;
  ProgressOut& operator=(const ProgressOut&) = delete;
  std::ostream& out;
};

// ---- evaluate -----------------------------------------------------------------------------------------------------------------------

Results evaluate_source(LayerBody& model, BatchSource& source, std::optional<int64_t> limit, int verbose, std::ostream& out,
                        const Callbacks& callbacks) {
  memory::Enter at(std::string_view("evaluate"));
  ModelState& s = *model.model();
  int64_t steps = source.steps();
  if (limit) steps = steps < 0 ? *limit : std::min(steps, *limit);
  callbacks.each([](CallbackBase& c) { c.on_test_begin(); });
  nn::reset_metrics(s);
  Progress progress(out, verbose, steps);
  source.begin(0);
  Batch batch;
  int64_t done = 0;
  while ((!limit || done < *limit) && source.next(batch)) {
    if (done == 0) nn::get_ready(model, specs_of(batch.x), batch.y.size(), false);
    nn::run_test(model, batch);
    ++done;
    bool draw = progress.due();
    if (!draw && !callbacks.wants_batches()) continue;
    Logs logs = nn::results_of(s).logs();
    callbacks.each([&](CallbackBase& c) { c.on_test_batch_end(done - 1, logs); });
    if (draw) progress.update(done, logs);
  }
  check(done > 0, Code::InvalidArgument, "evaluate: there is no data");
  Results r = nn::results_of(s);
  callbacks.each([&](CallbackBase& c) { c.on_test_end(r.logs()); });
  progress.finish(done, r.logs());
  memory::tick("evaluate");
  return r;
}

// ---- fit ----------------------------------------------------------------------------------------------------------------------------

class Fit {
 public:
  Fit(LayerBody& model, BatchSource& train, BatchSource* validation, const FitOptions& o, std::ostream& out)
      : model_(model),
        state_(*model.model()),
        train_(train),
        validation_(validation),
        o_(o),
        out_(out),
        verbose_(nn::verbosity(o.verbose, out)),
        callbacks_(o.callbacks, &model) {}

  History run() {
    memory::Enter at(std::string_view("fit"));
    state_.stop = false;
    callbacks_.each([](CallbackBase& c) { c.on_train_begin(); });
    Logs logs;
    for (int64_t epoch = o_.initial_epoch; epoch < o_.epochs && !state_.stop; ++epoch) {
      logs = run_epoch(epoch);
      history_.epoch.push_back(epoch);
      for (auto& [name, value] : logs) history_.history[name].push_back(value);
      callbacks_.each([&](CallbackBase& c) { c.on_epoch_end(epoch, logs); });
      memory::tick("fit.epoch");
      if (ran_out_) break;
    }
    if (o_.epochs > 0) {
      Variables variables;
      model_.collect(LayerBody::Which::trainable, variables);
      state_.optimizer->finalize(variables);
    }
    callbacks_.each([&](CallbackBase& c) { c.on_train_end(logs); });
    memory::tick("fit");
    return std::move(history_);
  }

 private:
  Logs run_epoch(int64_t epoch) {
    if (verbose_ > 0) out_ << fmt::format("Epoch {}/{}\n", epoch + 1, o_.epochs);
    callbacks_.each([&](CallbackBase& c) { c.on_epoch_begin(epoch); });
    nn::reset_metrics(state_);
    int64_t steps = o_.steps_per_epoch ? *o_.steps_per_epoch : train_.steps();
    Progress progress(out_, verbose_, steps);
    // With steps_per_epoch one pass goes on over the epochs, as in Keras.
    if (!o_.steps_per_epoch || epoch == o_.initial_epoch) train_.begin(epoch);
    int64_t done = 0;
    Batch batch;
    while ((!o_.steps_per_epoch || done < *o_.steps_per_epoch) && !state_.stop) {
      if (!train_.next(batch)) {
        ran_out_ = o_.steps_per_epoch.has_value();
        if (ran_out_) memory::log("fit: the data ended before steps_per_epoch times epochs batches; training ends");
        break;
      }
      step(batch, done++, progress);
    }
    check(done > 0 || ran_out_, Code::InvalidArgument, "fit: there is no data");
    Logs logs = nn::results_of(state_).logs();
    if (validation_ && (epoch + 1) % o_.validation_freq == 0) {
      Results r = evaluate_source(model_, *validation_, o_.validation_steps, 0, out_, callbacks_);
      for (auto& [name, value] : r.items) logs["val_" + name] = value;
    }
    progress.finish(done, logs);
    return logs;
  }

  void step(const Batch& batch, int64_t number, Progress& progress) {
    if (number == 0) nn::get_ready(model_, specs_of(batch.x), batch.y.size(), true);
    callbacks_.each([&](CallbackBase& c) { c.on_train_batch_begin(number); });
    if (o_.find_nan && !std::isfinite(nn::run_test(model_, batch).item<double>())) nn::find_nan(model_, batch, true);
    nn::run_train(model_, batch);
    bool draw = progress.due();
    if (draw || callbacks_.wants_batches()) {
      Logs logs = nn::results_of(state_).logs();
      callbacks_.each([&](CallbackBase& c) { c.on_train_batch_end(number, logs); });
      if (draw) progress.update(number + 1, logs);
    }
    memory::tick("fit.batch");
  }

  LayerBody& model_;
  ModelState& state_;
  BatchSource& train_;
  BatchSource* validation_;
  const FitOptions& o_;
  std::ostream& out_;
  int verbose_;
  Callbacks callbacks_;
  History history_;
  bool ran_out_ = false;
};

void check_options(const FitOptions& o) {
  check(o.epochs >= 0 && o.initial_epoch >= 0, Code::InvalidArgument, "fit: expected epochs and initial_epoch >= 0, got {} and {}", o.epochs,
        o.initial_epoch);
  check(o.validation_split >= 0 && o.validation_split < 1, Code::InvalidArgument, "fit: expected validation_split in [0, 1), got {}",
        o.validation_split);
  check(o.validation_freq > 0, Code::InvalidArgument, "fit: expected validation_freq > 0, got {}", o.validation_freq);
  check(!o.steps_per_epoch || *o.steps_per_epoch > 0, Code::InvalidArgument, "fit: expected steps_per_epoch > 0");
}

std::unique_ptr<BatchSource> validation_source(const FitOptions& o, Batch split) {
  int64_t size = o.validation_batch_size.value_or(o.batch_size.value_or(kBatch));
  if (o.validation_data) {
    const ValidationData& v = *o.validation_data;
    if (v.dataset.defined()) return nn::dataset_batches(v.dataset);
    split = {v.x, v.y, v.sample_weight.defined() ? Tensors{v.sample_weight} : Tensors{}};
    nn::check_rows(split, "validation_data");
  }
  if (split.x.empty()) return nullptr;
  return nn::array_batches(std::move(split), size, false, 0);
}

}  // namespace

History Model::fit(TensorList x, TensorList y, const FitOptions& o) const {
  check_options(o);
  LayerBody& b = body_of(*this);
  nn::state_of(*this);
  Batch data{std::move(x).items(), std::move(y).items(), {}};
  if (o.sample_weight.defined()) data.weights.push_back(o.sample_weight);
  nn::check_rows(data, "fit");
  if (!o.class_weight.empty()) {
    check(data.y.size() == 1, Code::InvalidArgument, "fit: class_weight needs one target, got {}", data.y.size());
    data.weights = {nn::class_weights(data.y[0], o.class_weight, o.sample_weight)};
  }
  Batch held_out;
  if (o.validation_split > 0 && !o.validation_data) {
    int64_t rows = data.x[0].shape()[0], kept = static_cast<int64_t>(std::floor(static_cast<double>(rows) * (1 - o.validation_split)));
    check(kept > 0 && kept < rows, Code::InvalidArgument, "fit: validation_split {} of {} rows leaves nothing on one side", o.validation_split, rows);
    held_out = nn::rows_of(data, kept, rows);
    data = nn::rows_of(data, 0, kept);
  }
  ProgressOut progress(o.out);
  auto train = nn::array_batches(std::move(data), o.batch_size.value_or(kBatch), o.shuffle, o.shuffle ? next_random_seed() : 0);
  auto validation = validation_source(o, std::move(held_out));
  return Fit(b, *train, validation.get(), o, progress.out).run();
}

History Model::fit(const Dataset& data, const FitOptions& o) const {
  check_options(o);
  check(!o.batch_size, Code::InvalidArgument, "fit: batch_size is the Dataset's matter; use data.batch({})", o.batch_size.value_or(0));
  check(o.validation_split == 0, Code::InvalidArgument, "fit: validation_split needs arrays; give validation_data");
  check(o.class_weight.empty() && !o.sample_weight.defined(), Code::InvalidArgument, "fit: the weights of a Dataset are part of its batches");
  nn::state_of(*this);
  ProgressOut progress(o.out);
  auto train = nn::dataset_batches(data);
  auto validation = validation_source(o, {});
  return Fit(body_of(*this), *train, validation.get(), o, progress.out).run();
}

// ---- evaluate -----------------------------------------------------------------------------------------------------------------------

namespace {
Results evaluate_with(const Model& m, BatchSource& source, const EvaluateOptions& o) {
  nn::state_of(m);
  ProgressOut progress(o.out);
  Callbacks callbacks(o.callbacks, m.body());
  return evaluate_source(body_of(m), source, o.steps, nn::verbosity(o.verbose, progress.out), progress.out, callbacks);
}
}  // namespace

Results Model::evaluate(TensorList x, TensorList y, const EvaluateOptions& o) const {
  Batch data{std::move(x).items(), std::move(y).items(), {}};
  if (o.sample_weight.defined()) data.weights.push_back(o.sample_weight);
  nn::check_rows(data, "evaluate");
  return evaluate_with(*this, *nn::array_batches(std::move(data), o.batch_size.value_or(kBatch), false, 0), o);
}

Results Model::evaluate(const Dataset& data, const EvaluateOptions& o) const { return evaluate_with(*this, *nn::dataset_batches(data), o); }

// ---- predict ------------------------------------------------------------------------------------------------------------------------

namespace {

// Puts batches of outputs together: room for `rows` is made at once where they are known, else the parts are joined at the end.
class Joined {
 public:
  explicit Joined(int64_t rows) : rows_(rows) {}
  void add(Tensors ys) {
    if (rows_ < 0) return parts_.push_back(std::move(ys));
    if (whole_.empty()) {
      for (const Tensor& y : ys) {
        check(y.rank() >= 1, Code::Shape, "predict: an output of {} has no rows to put together", y.spec());
        Spec s = y.spec();
        s.shape[0] = rows_;
        whole_.push_back(make_tensor(s));
      }
    }
    for (size_t i = 0; i < ys.size(); ++i) copy(ys[i], i, at_);
    at_ += ys[0].shape()[0];
  }
  Tensors finish() {
    if (rows_ >= 0) return std::move(whole_);
    rows_ = 0;
    std::vector<Tensors> parts = std::move(parts_);
    for (const Tensors& p : parts) rows_ += p.at(0).shape()[0];
    for (Tensors& p : parts) add(std::move(p));
    return std::move(whole_);
  }

 private:
  void copy(const Tensor& y, size_t i, int64_t row) {
    Spec want = whole_[i].spec();
    want.shape[0] = y.shape()[0];
    check(y.spec() == want && row + y.shape()[0] <= rows_, Code::Shape,
          "predict: an output of {} in one batch and {} in another cannot be put together", whole_[i].spec(), y.spec());
    size_t bytes = y.spec().bytes(), per_row = y.shape()[0] > 0 ? bytes / static_cast<size_t>(y.shape()[0]) : 0;
    if (bytes) std::memcpy(mutable_data(whole_[i]) + static_cast<size_t>(row) * per_row, y.bytes().data(), bytes);
  }
  int64_t rows_, at_ = 0;
  Tensors whole_;               // stack-bound
  std::vector<Tensors> parts_;  // stack-bound
};

Outputs predict_source(LayerBody& model, BatchSource& source, int64_t rows, const PredictOptions& o) {
  memory::Enter at(std::string_view("predict"));
  ProgressOut progress_out(o.out);
  Callbacks callbacks(o.callbacks, &model);
  callbacks.each([](CallbackBase& c) { c.on_predict_begin(); });
  int64_t steps = source.steps(), done = 0;
  if (o.steps) steps = steps < 0 ? *o.steps : std::min(steps, *o.steps), rows = -1;
  Progress progress(progress_out.out, o.verbose == -1 ? nn::verbosity(-1, progress_out.out) : nn::verbosity(o.verbose, progress_out.out), steps);
  Joined joined(rows);
  source.begin(0);
  Batch batch;
  while ((!o.steps || done < *o.steps) && source.next(batch)) {
    joined.add(nn::run_predict(model, std::move(batch.x)));
    ++done;
    if (progress.due()) progress.update(done, {});
  }
  check(done > 0, Code::InvalidArgument, "predict: there is no data");
  callbacks.each([](CallbackBase& c) { c.on_predict_end(); });
  progress.finish(done, {});
  Tensors whole = joined.finish();
  memory::tick("predict");
  return Outputs(std::move(whole), model.output_names);
}

}  // namespace

Outputs Model::predict(TensorList x, const PredictOptions& o) const {
  LayerBody& b = body_of(*this);
  Batch data{std::move(x).items(), {}, {}};
  nn::check_rows(data, "predict");
  int64_t rows = data.x[0].shape()[0], size = o.batch_size.value_or(kBatch);
  check(size > 0, Code::InvalidArgument, "predict: expected batch_size > 0, got {}", size);
  if (rows <= size && o.callbacks.empty() && o.verbose == 0 && !o.steps) {
    Tensors ys = nn::run_predict(b, std::move(data.x));
    memory::tick("predict");
    return Outputs(std::move(ys), b.output_names);
  }
  return predict_source(b, *nn::array_batches(std::move(data), size, false, 0), rows, o);
}

Outputs Model::predict(const Dataset& data, const PredictOptions& o) const {
  check(!o.batch_size, Code::InvalidArgument, "predict: batch_size is the Dataset's matter; use data.batch({})", o.batch_size.value_or(0));
  return predict_source(body_of(*this), *nn::dataset_batches(data), -1, o);
}

}  // namespace tenure
