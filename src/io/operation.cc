#include "io/operation.h"

#include <mutex>

#include "base/check.h"
#include "io/op_arguments.h"
#include "nn/layer_body.h"

namespace tenure::io {

namespace {

Json parsed(const std::string& text, const char* what) {
  Json j = Json::parse(text, nullptr, false);
  check(!j.is_discarded(), Code::InvalidArgument, "Operation: expected JSON as {}", what);
  return j;
}

}  // namespace

void fields(Fields& v, Operation& c) { v("module", c.module), v("op", c.op), v("op_config", c.config), v("args", c.args), v("kwargs", c.kwargs); }

class OperationLayer final : public LayerBase {
 public:
  explicit OperationLayer(const Operation& c)
      : LayerBase({c.name, c.trainable, c.dtype, {}}),
        config(c),
        args_(parsed(c.args, "args")),
        kwargs_(parsed(c.kwargs, "kwargs")),
        config_(parsed(c.config, "configuration")),
        row_(find_op(c.op)) {
    check(row_ != nullptr, Code::Unsupported, "there is no op '{}' here: {}", c.op, why_no_op(c.op));
    check(args_.is_array() && kwargs_.is_object() && config_.is_object(), Code::InvalidArgument, "{}: expected lists of arguments", c.op);
    if (row_->draws) seed_ = seed_state();
  }
  Tensors call_all(Tensors xs, const Call&) override {
    const std::optional<Variable> seed = row_->draws ? std::optional(seed_.variable()) : std::nullopt;
    OpArguments a(config.op, args_, kwargs_, config_, xs, seed ? &*seed : nullptr);
    Tensors ys = row_->run(a);
    a.finish();
    if (nn_context.logits && (config.op == "Softmax" || config.op == "Sigmoid")) nn_context.logits->note(ys[0], a.tensor(0, "x"));
    return ys;
  }
  void visit_config(Fields& v) override { fields(v, config); }
  std::string class_name() const override { return "Operation"; }

  Operation config;

 private:
  Json args_, kwargs_, config_;
  const OpRow* row_;
  Weight seed_;
};

Operation::operator Layer() const { return make_layer<OperationLayer>(*this); }

bool is_operation(const LayerBody& layer) { return dynamic_cast<const OperationLayer*>(&layer.object()) != nullptr; }

const Operation& operation_of(const LayerBody& layer) {
  const auto* o = dynamic_cast<const OperationLayer*>(&layer.object());
  ensure(o != nullptr, "a layer is taken for an op");
  return o->config;
}

bool has_operation(const std::string& op) { return find_op(op) != nullptr; }

bool is_keras_tensor(const Json& j) { return j.is_object() && j.contains("class_name") && j["class_name"] == "__keras_tensor__"; }

void register_operations() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (!LayerRegistry::global().contains("Operation")) LayerRegistry::global().add<Operation>("Operation", "tenure");  // of no layer class in Keras
  });
}

}  // namespace tenure::io
