// One model, many threads; fork; a global model; a thread that ends.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <thread>

#include <tenure/tenure.h>

#include "sanitizer.h"

namespace tenure {
namespace {

Model small_cnn() {
  return Sequential({layers::InputLayer{.shape = {12, 12, 1}}, layers::Conv2D{.filters = 4, .kernel_size = 3, .activation = "relu"},
                     layers::MaxPooling2D{}, layers::Flatten{}, layers::Dense{.units = 5, .activation = "softmax"}});
}

size_t thread_count() {
  size_t n = 0;
  for ([[maybe_unused]] auto& e : std::filesystem::directory_iterator("/proc/self/task")) ++n;
  return n;
}

TEST(Threads, EightCallersOfOneModelGetTheSameNumbersAndFewThreads) {
  Model model = small_cnn();
  Tensor x = random::uniform({4, 12, 12, 1}, SeedGenerator(1));
  std::vector<float> expected = Tensor(model.predict(x)).to_vector<float>();
  const size_t limit = std::max(thread_count(), static_cast<size_t>(build_info().threads)) + 8;
  std::atomic<size_t> most{0};
  std::atomic<int> wrong{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 8; ++t)
    callers.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        std::vector<float> y = Tensor(i % 2 ? model.predict(x) : model(x)).to_vector<float>();
        for (size_t k = 0; k < y.size(); ++k)
          if (std::abs(y[k] - expected[k]) > 1e-6f) ++wrong;
        if (i == 25) {
          size_t now = thread_count();
          // A thread that was joined before may still be on its way out of the system's list.
          for (int k = 0; k < 100 && now > limit; ++k) std::this_thread::sleep_for(std::chrono::milliseconds(2)), now = thread_count();
          size_t seen = most.load();
          while (now > seen && !most.compare_exchange_weak(seen, now)) {}
        }
      }
    });
  for (auto& c : callers) c.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_LE(most, limit);
}

TEST(Threads, PredictBesideFitSeesWholeWeights) {
  // Both weights are assigned by each step; their difference stays 0 in every whole version.
  Variable a(zeros({1000}), "a"), b(zeros({1000}), "b");
  Function step([&] {
    a.assign(a.value() + 1.0);
    b.assign(b.value() + 1.0);
    return sum(a.value());
  });
  step();
  std::atomic<bool> stop{false};
  std::atomic<int> torn{0};
  std::thread reader([&] {
    while (!stop) {
      Tensor v = a.value();
      auto d = v.data<float>();
      for (float f : d)
        if (f != d[0]) ++torn;
    }
  });
  for (int i = 0; i < 2000; ++i) step();
  stop = true;
  reader.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(a.value().at(999), 2001);
}

TEST(Threads, AForkedChildPredicts) {
  Model model = small_cnn();
  Tensor x = random::uniform({64, 12, 12, 1}, SeedGenerator(1));
  float expected = sum(Tensor(model.predict(x))).item();
  pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    alarm(60);
    float got = sum(Tensor(model.predict(x))).item();
    _exit(std::abs(got - expected) < 1e-4f ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST(Threads, AForkWhileAnotherThreadMakesFunctionsLeavesTheChildAble) {
  auto answer = [] {
    Function twice([](Tensor x) { return x * 2.0f; });
    return Tensor(twice(Tensor::from({1.0f, 2.0f}))).at(1);
  };
  ASSERT_EQ(answer(), 4);
  std::atomic<bool> stop{false};
  std::thread busy([&] {
    while (!stop) {
      if (kSanitized) std::this_thread::yield();  // a sanitizer's allocator does not survive a fork in the middle of a call
      else answer();
    }
  });
  for (int i = 0; i < 20; ++i) {
    pid_t child = fork();
    if (child == 0) {
      alarm(60);
      _exit(answer() == 4 ? 0 : 1);
    }
    int status = 1;
    if (child > 0) waitpid(child, &status, 0);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "fork " << i << ", status " << status;
  }
  stop = true;
  busy.join();
}

TEST(Threads, AThreadThatEndsTakesNothingAlong) {
  size_t before = memory::now().objects;
  Tensor from_thread;
  std::thread([&] {
    Model model = small_cnn();
    from_thread = model.predict(random::uniform({2, 12, 12, 1}, SeedGenerator(2)));
  }).join();
  EXPECT_EQ(from_thread.shape(), (Shape{2, 5}));
  from_thread.release();
  EXPECT_EQ(memory::now().objects, before);
}

}  // namespace
}  // namespace tenure
