// What loading a large model takes beside its weights: the file's pages must not stand in memory next to the values read from them.
#include <malloc.h>

#include <tenure/applications.h>

#include "io/test_models.h"
#include "memory/os.h"
#include "sanitizer.h"

namespace tenure::io {
namespace {

/// The highest resident set since begin(), by the kernel's own mark.
class HighWater {
 public:
  /// Whether the mark could be set down to what is resident now.
  bool begin() {
    memory::trim();
    ::malloc_trim(0);
    std::ofstream("/proc/self/clear_refs") << "5";
    start_ = memory::now(true).rss_bytes;
    return memory::resident_peak() > 0 && memory::resident_peak() < start_ + (4_MiB);
  }
  size_t above_start() const { return memory::resident_peak() - start_; }

 private:
  size_t start_ = 0;
};

TEST(LoadPeak, ResNet50TakesItsWeightsAndLittleMore) {
  if (kSanitized) GTEST_SKIP() << "resident memory is the sanitizer's, too";
  files::Scratch scratch;
  const std::string path = scratch / "resnet50.keras";
  size_t weights = 0;
  {
    const Model m = applications::ResNet50{};
    for (const Variable& v : m.variables()) weights += v.spec().bytes();
    m.save(path);
  }
  EXPECT_EQ(weights, size_t{25'636'712} * 4);
  HighWater water;
  if (!water.begin()) GTEST_SKIP() << "the system keeps no mark of resident memory that can be set down";
  memory::reset_peak();
  const size_t before = memory::now().live_bytes;
  const Model m = load_model(path);
  const size_t peak = memory::now().peak_bytes - before;
  EXPECT_GE(peak, weights);
  EXPECT_LE(static_cast<double>(peak), 1.01 * static_cast<double>(weights));
  EXPECT_GE(water.above_start(), weights * 9 / 10) << "nothing was measured";
  EXPECT_LE(static_cast<double>(water.above_start()), 1.15 * static_cast<double>(weights));
  ::testing::Test::RecordProperty("above_start_percent", static_cast<int>(100 * water.above_start() / weights));
}

}  // namespace
}  // namespace tenure::io
