// For tests of this folder, which is below the ops: two of its own.
#pragma once

#include <tenure/op.h>

#include "core/context.h"

namespace tenure::testing_ops {

inline Tensors no_gradient(const Grad& g) { return Tensors(static_cast<size_t>(g.inputs())); }

/// a + b on float32, in place where it may.
inline const Op plus{.name = "plus",
                     .infer = infer_broadcast,
                     .tile =
                         [](const Tile& t) noexcept {
                           for (int64_t i = 0; i < t.n; ++i) t.y<float>()[i] = t.x<float>(0)[i] + t.x<float>(1)[i];
                         },
                     .traits = elementwise | inplace | commutative,
                     .specimens = "f32[2], f32[2]"};

/// The same values, newest first: a general kernel that cannot run in place. Fails on negative values.
inline const Op reversed{.name = "reversed",
                         .infer = infer_same,
                         .run = [](const Run& r) noexcept -> Status {
                           int64_t n = r.x(0).shape.elements();
                           for (int64_t i = 0; i < n; ++i) {
                             float v = r.in<float>(0)[n - 1 - i];
                             if (v < 0) return {Code::InvalidArgument, "value is negative", n - 1 - i, v};
                             r.out<float>()[i] = v;
                           }
                           return {};
                         },
                         .specimens = "f32[3]"};

/// The same bytes in one dimension.
inline const Op flat{.name = "flat",
                     .infer = [](Infer& c) { c.output(Shape{c.shape(0).elements()}, c.dtype(0)); },
                     .run = [](const Run& r) noexcept -> Status {
                       std::memcpy(r.out(), r.in(0), r.x(0).bytes());
                       return {};
                     },
                     .view = [](const Prep&) -> int64_t { return 0; },
                     .specimens = "f32[2,2]"};

/// Two outputs: the input twice.
inline const Op twice{.name = "twice",
                      .infer = [](Infer& c) { c.output(c.x(0)), c.output(c.x(0)); },
                      .run = [](const Run& r) noexcept -> Status {
                        for (int k = 0; k < 2; ++k) std::memcpy(r.out(k), r.in(0), r.x(0).bytes());
                        return {};
                      },
                      .specimens = "f32[2]"};

inline Tensor input(const Shape& shape) {
  Tensor none[1];
  memory::HeldOf<Node> node(new Node(memory::HeldOf<Callee>(), std::span<const Tensor>(none, 0)));
  auto* body = new TensorBody({shape, float32}, node, 0);
  body->retain(memory::Counted::kUser);
  return Tensor(body);
}

}  // namespace tenure::testing_ops
