// Pipeline. Its layers are its children.
#include <tenure/pipeline.h>

#include "nn/recurrent.h"

namespace tenure {
namespace layers {

void fields(Fields& v, Pipeline& c) { v("layers", c.layers); }

class PipelineLayer final : public LayerOf<Pipeline> {
 public:
  explicit PipelineLayer(const Pipeline& c) : LayerOf(c) {
    check(!c.layers.layers.empty(), Code::InvalidArgument, "Pipeline: expected at least one layer");
    for (const LayerConfig& l : c.layers.layers) {
      check(l.layer.defined(), Code::InvalidArgument, "Pipeline: expected layers, got an empty handle");
      layers_.push_back(nn::adopt_child(body(), "layers[]", l.layer));
    }
    config.layers = {};  // the children are they now
  }
  bool autocast() const override { return false; }
  bool takes_mask() const override { return true; }
  void visit_config(Fields& v) override {
    Pipeline c;
    for (const Child& l : layers_) c.layers.layers.emplace_back(l.layer());
    fields(v, c);
  }
  void build_all(const std::vector<Shape>& inputs) override {
    std::vector<Spec> specs;
    for (const Shape& s : inputs) specs.push_back({s, compute_dtype()});
    try {
      for (const Child& l : layers_) specs = l.layer().output_specs(specs);
    } catch (const Error& e) {
      // What is not for floats is built by the first call.
      if (e.code() != Code::DType) throw;
    }
  }
  Tensors call_all(Tensors xs, const Call& c) override {
    Call call{.training = nn::trains_unless_told()};
    if (takes(layers_.front())) call.mask = c.mask, call.masks = c.masks;
    for (const Child& l : layers_) {
      xs = l(TensorList(std::move(xs)), call).items();
      call.mask = {}, call.masks.clear();  // from here on tensors carry theirs
    }
    return xs;
  }

 private:
  static bool takes(const Child& l) { return l.layer().body()->object().takes_mask(); }
  std::vector<Child> layers_;
};
Pipeline::operator Layer() const { return make_layer<PipelineLayer>(*this); }
Outputs Pipeline::operator()(TensorList x) const&& { return Layer(*this)(std::move(x)); }

}  // namespace layers

void register_pipeline(LayerRegistry& r) { r.add<layers::Pipeline>("Pipeline"); }

}  // namespace tenure
