// Soak: predict, fit, load and drop, from several threads at once, under a budget that also refuses. Exact counts must come back to the same numbers
// after every round; RSS is judged as a witness: it fails only where its 95 % interval is known to 64 bytes a round and its upper end lies above that,
// twice. On a machine that slows down meanwhile, rounds end at one and a half times the time. TENURE_SOAK_MINUTES (2) tells for how long.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include <tenure/tenure.h>

#include "base/parallel.h"
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

// One round: all the work, then nothing of it left.
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
    ++round_;
  }
  /// The work as it goes while another thread has the team: what a trace keeps for that is made once.
  void serially() {
    run_serially(true);
    serve(), fit(), load(), search();
    run_serially(false);
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

TEST(Soak, MixedWorkUnderABudgetLeavesExactCountsFlat) {
  Rounds round;
  memory::set_budget(memory::now().in_use_bytes + 64_MiB);
  struct NoBudget {
    ~NoBudget() { memory::set_budget(0); }
  } no_budget;
  for (int i = 0; i < 20; ++i) round();
  round.serially();
  // How long a round takes, by the first twentieth of the time.
  auto start = Clock::now();
  auto passed = [&] { return std::chrono::duration<double>(Clock::now() - start).count(); };
  int64_t tried = 0;
  while (tried < 10 || passed() < minutes() * 3) round(), ++tried;
  double seconds = passed() / static_cast<double>(tried);
  const auto rises = [](const memory::Steadiness& s) { return !kSanitized && s.rss_conclusive && s.rss_slope_high > 64; };
  const auto in_seconds = [](double t) { return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(t)); };
  auto until = Clock::now() + in_seconds(minutes() * 90);
  int64_t done = 0;
  auto timed = [&] {
    if (Clock::now() < until) round(), ++done;
  };
  // A machine that was busy at first is faster later: a trial that ends early judged the warming up, and another one takes the time that is left. RSS
  // that rose is looked at once more for as long: what leaks goes on, what a busy machine's new interleavings filled stays.
  memory::Steadiness s;
  double end = minutes() * 63;
  for (bool again = false;;) {
    const double before = passed(), left = end - before;
    const int64_t rounds = done;
    s = memory::steadiness(timed, {.calls = std::max<int64_t>(16, static_cast<int64_t>(left / std::max(seconds, 1e-6))), .warmup = 5, .rss = true});
    EXPECT_EQ(s.verdict, memory::Verdict::clean) << s.text();
    EXPECT_EQ(s.after.live_bytes, s.before.live_bytes);
    EXPECT_EQ(s.after.buffers, s.before.buffers);
    EXPECT_EQ(s.after.objects, s.before.objects);
    seconds = (passed() - before) / static_cast<double>(std::max<int64_t>(1, done - rounds));
    if (passed() < end - minutes() * 18) continue;
    if (!rises(s) || again) break;
    std::printf("%s", s.text().c_str());
    again = true;
    end = passed() + minutes() * 60;
    until = Clock::now() + in_seconds(minutes() * 90);
  }
  std::printf("%s  %lld rounds, %lld refusals, peak %zu bytes, budget %zu\n", s.text().c_str(), static_cast<long long>(done),
              static_cast<long long>(round.refused()), memory::peak().bytes, memory::budget());
  EXPECT_EQ(round.refused(), 20 + tried + done) << "every round is refused once";
  EXPECT_LE(memory::now().in_use_bytes, memory::budget());
  EXPECT_FALSE(rises(s)) << "RSS grows: up to " << s.rss_slope_high << " bytes a round";
  EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
}

}  // namespace
}  // namespace tenure
