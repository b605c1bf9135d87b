// Five million edges of every sort, built and freed on a thread whose stack is 256 KiB: destruction never recurses.
#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>
#include <cstdio>
#include <functional>

#include <tenure/tenure.h>

namespace tenure {
namespace {

constexpr size_t kStack = 256 << 10;

// Runs `f` on a thread with a small stack.
void on_small_stack(std::function<void()> f) {
  pthread_attr_t attributes;
  ASSERT_EQ(pthread_attr_init(&attributes), 0);
  ASSERT_EQ(pthread_attr_setstacksize(&attributes, kStack), 0);
  pthread_t thread;
  ASSERT_EQ(pthread_create(
                &thread, &attributes,
                [](void* p) -> void* {
                  (*static_cast<std::function<void()>*>(p))();
                  return nullptr;
                },
                &f),
            0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
}

struct Figures {
  int64_t edges = 0;
  double seconds = 0;
  void free(std::function<void()> drop, int64_t count) {
    auto start = std::chrono::steady_clock::now();
    drop();
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    edges += count;
  }
};

// One chain: ops on symbols and applications of one layer by turns. A step of two: tensor to node, node to input twice; tensor to node,
// node to input, node to layer.
void symbols(Figures& f, int64_t steps) {
  Tensor y = Input({.shape = {4}});
  Layer layer = layers::ReLU{};
  for (int64_t i = 0; i < steps; ++i) {
    y = y + y;
    y = layer(y);
  }
  f.free([&] { y.release(); }, 6 * steps);
}

// Entries that save two tensors, one of them a view: entry to view, entry to x, view to its base.
void taped(Figures& f, int64_t steps) {
  Tensor x = ones({1, 1});
  auto tape = std::make_unique<GradientTape>(TapeOptions{.persistent = true});
  tape->watch(x);
  Tensor y = x;
  for (int64_t i = 0; i < steps; ++i) {
    y = multiply(y, x);
    y = reshape(std::move(y), i % 2 ? Shape{1, 1} : Shape{1});
  }
  f.free([&] { tape.reset(), y.release(); }, 3 * steps);
}

// Custom gradients, each of which keeps the output of the one before.
void closures(Figures& f, int64_t steps) {
  Tensor x = ones({1});
  auto tape = std::make_unique<GradientTape>(TapeOptions{.persistent = true});
  tape->watch(x);
  Tensor y = x;
  for (int64_t i = 0; i < steps; ++i)
    y = custom_gradient({y}, [&](const Tensors& in) {
      return std::pair{Tensors{in[0].clone()}, GradientFunction([kept = in[0]](const Tensors& dy) { return Tensors{dy[0] * kept}; })};
    })[0];
  f.free([&] { tape.reset(), y.release(); }, 2 * steps);
}

// A layer in a layer in a layer: each owns the next.
void nested_layers(Figures& f, int64_t depth) {
  Layer inner = layers::ReLU{.name = "leaf"};
  for (int64_t i = 0; i < depth; ++i) inner = Sequential(std::vector<Layer>{inner}, "s");
  f.free([&] { inner.release(); }, depth);
}

TEST(DeepFree, FiveMillionMixedEdgesOnASmallStack) {
  memory::Now before = memory::now();
  Figures f;
  on_small_stack([&] {
    symbols(f, 600'000);
    taped(f, 300'000);
    closures(f, 260'000);
    nested_layers(f, 20'000);
  });
  EXPECT_GE(f.edges, 5'000'000);
  memory::Now after = memory::now();
  EXPECT_EQ(after.objects, before.objects);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  std::printf("%lld edges freed on a stack of %zu KiB: %.3f us each\n", static_cast<long long>(f.edges), kStack >> 10,
              1e6 * f.seconds / static_cast<double>(f.edges));
}

}  // namespace
}  // namespace tenure
