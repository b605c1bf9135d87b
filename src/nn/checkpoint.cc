// ModelCheckpoint: the callback that writes files, by Model::save and Model::save_weights.
#include <cmath>

#include "nn/callback_body.h"

namespace tenure::callbacks {
namespace {

// Replaces {epoch} (counted from 1) and {name}, with formats as in Python: {epoch:02d}, {val_loss:.2f}.
std::string expand(const std::string& path, int64_t epoch, const Logs& logs) {
  std::string out;
  for (size_t i = 0; i < path.size();) {
    size_t end = path[i] == '{' ? path.find('}', i) : std::string::npos;
    if (end == std::string::npos) {
      out += path[i++];
      continue;
    }
    std::string field = path.substr(i + 1, end - i - 1), format;
    if (size_t colon = field.find(':'); colon != std::string::npos) format = field.substr(colon), field.resize(colon);
    try {
      if (field == "epoch") {
        out += fmt::format(fmt::runtime("{" + format + "}"), epoch + 1);
      } else {
        auto it = logs.find(field);
        check(it != logs.end(), Code::NotFound, "ModelCheckpoint: the path '{}' needs '{}', which this epoch has not", path, field);
        out += fmt::format(fmt::runtime("{" + format + "}"), it->second);
      }
    } catch (const fmt::format_error& e) {
      fail(Code::InvalidArgument, "ModelCheckpoint: the path '{}' has a format that cannot be used: {}", path, e.what());
    }
    i = end + 1;
  }
  return out;
}

class ModelCheckpointCallback final : public CallbackBase {
 public:
  explicit ModelCheckpointCallback(ModelCheckpoint c) : config_(std::move(c)), monitor_(config_.monitor, config_.mode, 0) {
    auto ends = [&](std::string_view end) {
      return config_.filepath.size() > end.size() && config_.filepath.compare(config_.filepath.size() - end.size(), end.size(), end) == 0;
    };
    check(ends(config_.save_weights_only ? ".weights.h5" : ".keras"), Code::InvalidArgument,
          "ModelCheckpoint: expected a path that ends in {}, got '{}'", config_.save_weights_only ? ".weights.h5" : ".keras", config_.filepath);
    best_ = config_.initial_value_threshold.value_or(monitor_.worst());
  }
  bool wants_batches() const override { return false; }
  void on_epoch_end(int64_t epoch, const Logs& logs) override {
    if (!config_.save_best_only) return save(epoch, logs);
    double now = monitor_.read(logs, "ModelCheckpoint");
    if (std::isnan(now)) return;
    std::string before = std::isfinite(best_) ? fmt::format("{:.5f}", best_) : "None";
    if (!monitor_.better(now, best_)) {
      if (config_.verbose > 0) progress_out() << fmt::format("\nEpoch {}: {} did not improve from {}\n", epoch + 1, monitor_.name(), before);
      return;
    }
    best_ = now;
    if (config_.verbose > 0)
      progress_out() << fmt::format("\nEpoch {}: {} improved from {} to {:.5f}, saving model to {}\n", epoch + 1, monitor_.name(), before, now,
                                    expand(config_.filepath, epoch, logs));
    save(epoch, logs);
  }

 private:
  void save(int64_t epoch, const Logs& logs) {
    std::string path = expand(config_.filepath, epoch, logs);
    if (config_.verbose > 0 && !config_.save_best_only) progress_out() << fmt::format("\nEpoch {}: saving model to {}\n", epoch + 1, path);
    if (config_.save_weights_only) model().save_weights(path);
    else model().save(path);
  }
  ModelCheckpoint config_;
  Monitor monitor_;
  double best_;
};

}  // namespace

ModelCheckpoint::operator Callback() const { return make_callback<ModelCheckpointCallback>(*this); }

}  // namespace tenure::callbacks
