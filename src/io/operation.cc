#include "io/operation.h"

#include <mutex>
#include <set>

#include "base/check.h"
#include "io/op_arguments.h"
#include "io/op_complex.h"
#include "nn/layer_body.h"
#include "nn/vocabulary.h"

namespace tenure::io {

namespace {

Json parsed(const std::string& text, const char* what) {
  Json j = Json::parse(text, nullptr, false);
  check(!j.is_discarded(), Code::InvalidArgument, "Operation: expected JSON as {}", what);
  return j;
}

}  // namespace

void fields(Fields& v, Operation& c) { v("module", c.module), v("op", c.op), v("op_config", c.config), v("args", c.args), v("kwargs", c.kwargs); }

class OperationLayer final : public LayerBase, public nn::ValueDependent {
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
    if (row_->traits & OpRow::draws) seed_ = seed_state();
    mark_complex(args_), mark_complex(kwargs_);
  }
  Tensors call_all(Tensors xs, const Call&) override {
    const OpCall call{config.op, args_, kwargs_, config_};
    if (!complex_.empty()) return run_complex(*row_, call, xs, complex_);
    OpArguments a(call, xs, (row_->traits & OpRow::draws) ? &seed_ : nullptr);
    Tensors ys = row_->run(a);
    a.finish();
    if (nn_context.logits && (config.op == "Softmax" || config.op == "Sigmoid")) nn_context.logits->note(ys[0], a.tensor(0, "x"));
    return ys;
  }
  bool value_dependent() const override {
    auto sized = [](const Json& j) { return j.contains("size") && j["size"].is_number_integer(); };
    return (row_->traits & OpRow::by_values) && !sized(kwargs_) && !sized(config_);
  }
  void visit_config(Fields& v) override { fields(v, config); }
  std::string class_name() const override { return "Operation"; }

  Operation config;

 private:
  // The inputs that are complex, by number.
  void mark_complex(const Json& j) {
    if (is_complex_tensor(j)) {
      complex_.insert(tensor_index(j));
    } else if (j.is_structured()) {
      for (const Json& item : j) mark_complex(item);
    }
  }

  Json args_, kwargs_, config_;
  std::set<size_t> complex_;
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

bool gives_complex(const std::string& op, bool complex_input) {
  const OpRow* row = find_op(op);
  return row && (complex_input ? complex_of_complex(op) : (row->traits & OpRow::complex) != 0);
}

bool is_keras_tensor(const Json& j) { return j.is_object() && j.contains("class_name") && j["class_name"] == "__keras_tensor__"; }
bool is_complex_tensor(const Json& j) { return is_keras_tensor(j) && j.value("config", Json::object()).value("complex", false); }
size_t tensor_index(const Json& placeholder) { return placeholder.value("config", Json::object()).value("index", size_t{0}); }

void register_operations() {
  static std::once_flag once;
  std::call_once(once, [] {
    if (!LayerRegistry::global().contains("Operation")) LayerRegistry::global().add<Operation>("Operation", "tenure");  // of no layer class in Keras
  });
}

}  // namespace tenure::io
