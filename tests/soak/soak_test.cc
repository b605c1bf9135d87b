// Soak: predict, fit, load and drop, from several threads at once, under a budget that also refuses. Exact counts must come back to the same numbers
// after every round; RSS is judged as a witness: it fails only where its 95 % interval is known to 64 bytes a round and its upper end lies above that,
// twice. TENURE_SOAK_MINUTES (2) tells for how long.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>
#include <utility>
#include <vector>

#include <tenure/tenure.h>

#include "base/parallel.h"
#include "memory/os.h"
#include "memory/series.h"
#include "sanitizer.h"

namespace tenure {
namespace {

using Clock = std::chrono::steady_clock;

double minutes() {
  const char* text = std::getenv("TENURE_SOAK_MINUTES");
  double m = text ? std::atof(text) : 0;
  return m > 0 ? m : 2;
}

Model pictures() {
  Model model = Sequential({layers::InputLayer{.shape = {8, 8, 1}}, layers::Conv2D{.filters = 4, .kernel_size = 3, .padding = "same"},
                            layers::BatchNormalization{}, layers::ReLU{}, layers::MaxPooling2D{}, layers::Flatten{}, layers::Dropout{.rate = 0.2},
                            layers::Dense{.units = 3}});
  model.compile({.optimizer = "adam", .loss = losses::SparseCategoricalCrossentropy{.from_logits = true}, .metrics = {"accuracy"}});
  return model;
}

// One round: all the work, then nothing of it left. A call keeps packed weights for the next one and a refusal takes them away, so which threads came
// after the first refusal would show in the counts: a second one comes when all are done.
class Rounds {
 public:
  Rounds() : served_(pictures()), trained_(pictures()), archive_(model_bytes(served_)) {
    SeedGenerator seed(1);
    x_ = random::normal({64, 8, 8, 1}, seed), y_ = random::randint({64}, seed, 0, 3);
  }
  void operator()() {
    std::thread a([&] { serve(); }), b([&] { serve(); });
    fit();
    load();
    search();
    be_refused();
    a.join(), b.join();
    be_refused();
    ++round_;
  }
  /// The work as it goes while another thread has the team: what a trace keeps for that is made once.
  void serially() {
    run_serially(true);
    serve(), fit(), load(), search();
    run_serially(false);
    be_refused();
  }
  int64_t refused() const { return refused_; }

 private:
  void serve() {
    for (int64_t n : {1, 16, 64}) served_.predict(slice_axis(x_, 0, 0, n), {.batch_size = 16});
    served_(slice_axis(x_, 0, 0, 4));
  }
  void fit() {
    Dataset rows = data::arrays(x_, y_).shuffle(64, static_cast<uint64_t>(round_)).batch(16).prefetch(2);
    trained_.fit(rows, {.verbose = 0});
    GradientTape tape;
    Variables weights = trained_.trainable_variables();
    tape.gradient(mean(square(Tensor(trained_(slice_axis(x_, 0, 0, 4))))), weights);
  }
  void load() {
    Model fresh = load_model(archive_);
    fresh.predict_on_batch(x_);
  }
  void search() {
    Tensor in = Input({.shape = {8, 8, 1}});
    Tensor out = layers::Dense{.units = 3}(layers::Flatten{}(in));
    Model candidate({in, out});
    candidate.compile({.optimizer = "sgd", .loss = losses::SparseCategoricalCrossentropy{.from_logits = true}});
    candidate.train_on_batch(x_, y_);
  }
  void be_refused() {
    try {
      zeros({64 << 20});
    } catch (const Error& e) { refused_ += e.code() == Code::OutOfMemory; }
  }

  Model served_, trained_;
  std::vector<std::byte> archive_;
  Tensor x_, y_;
  int64_t round_ = 0, refused_ = 0;
};

/// Resident memory by the number of rounds, at even times; takes no memory of its own meanwhile.
class Witness {
 public:
  explicit Witness(double seconds) : gap_(seconds / 500), samples_(2000) {}
  void look(int64_t rounds) {
    const auto now = Clock::now();
    if (n_ == samples_.size() || (n_ > 0 && std::chrono::duration<double>(now - last_).count() < gap_)) return;
    last_ = now;
    samples_[n_++] = {static_cast<double>(rounds), static_cast<double>(memory::resident().total)};
  }
  memory::Line line() const { return memory::line_of({samples_.begin(), samples_.begin() + static_cast<ptrdiff_t>(n_)}); }

 private:
  double gap_;
  size_t n_ = 0;
  Clock::time_point last_;
  std::vector<std::pair<double, double>> samples_;
};

TEST(Soak, MixedWorkUnderABudgetLeavesExactCountsFlat) {
  Rounds round;
  memory::set_budget(memory::now().in_use_bytes + 64_MiB);
  struct NoBudget {
    ~NoBudget() { memory::set_budget(0); }
  } no_budget;
  for (int i = 0; i < 20; ++i) round();
  round.serially();
  const double time = minutes() * 60;
  auto start = Clock::now();
  auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  // Warming up goes on for a twentieth of the time, and tells how long a round takes.
  int64_t done = 0, parts = 0;
  while (done < 10 || passed() < time / 20) round(), ++done;
  double seconds = passed() / static_cast<double>(done);
  const memory::Now first = memory::now();
  // Judged in parts of a tenth of the time, by how long rounds took last. Resident memory that rose is looked at once more for as long: what leaks goes
  // on, what a busy machine's new interleavings filled stays.
  memory::Line line;
  auto rises = [&] { return !kSanitized && line.conclusive && line.high > 64; };
  for (int look = 0; look == 0 || (look == 1 && rises()); ++look) {
    Witness witness(time);
    auto work = [&] { round(), witness.look(++done); };
    for (const double end = passed() + time; passed() < end; ++parts) {
      const double before = passed();
      const int64_t rounds = done, calls = static_cast<int64_t>(std::min(end - before, time / 10) / std::max(seconds, 1e-6));
      const memory::Steadiness s = memory::steadiness(work, {.calls = std::max<int64_t>(16, calls), .warmup = 5});
      EXPECT_EQ(s.verdict, memory::Verdict::clean) << s.text();
      seconds = (passed() - before) / static_cast<double>(done - rounds);
    }
    line = witness.line();
    std::printf("RSS %+.1f bytes a round, 95 %% interval [%.1f, %.1f]%s\n", line.slope, line.low, line.high,
                line.conclusive ? "" : " (inconclusive)");
  }
  const memory::Now last = memory::now();
  std::printf("%lld rounds in %.0f s, judged in %lld parts, %lld refusals; %zu bytes, %zu buffers, %zu objects; peak %zu bytes, budget %zu\n",
              static_cast<long long>(done), passed(), static_cast<long long>(parts), static_cast<long long>(round.refused()), last.live_bytes,
              last.buffers, last.objects, memory::peak().bytes, memory::budget());
  EXPECT_EQ(last.live_bytes, first.live_bytes);
  EXPECT_EQ(last.buffers, first.buffers);
  EXPECT_EQ(last.tensors, first.tensors);
  EXPECT_EQ(last.objects, first.objects);
  EXPECT_EQ(round.refused(), 2 * (20 + done) + 1) << "every round is refused twice";
  EXPECT_LE(last.in_use_bytes, memory::budget());
  EXPECT_FALSE(rises()) << "RSS grows: up to " << line.high << " bytes a round";
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

}  // namespace
}  // namespace tenure
