// Conversions, copies, transposition, rows by index.
#include <bit>
#include <cstring>
#include <numeric>

#include "kernels/test_tools.h"

namespace tenure::kernels {
namespace {
using test::everywhere, test::numbers;

const DType all_types[] = {float32, float64, bfloat16, float16, int8, uint8, int16, int32, int64, uint32, uint64, bool_};

TEST(Convert, CarriesSmallNumbersThroughEveryPairOfTypes) {
  everywhere([] {
    const int64_t n = 101;
    std::vector<float> x;
    for (int64_t i = 0; i < n; ++i) x.push_back(static_cast<float>(i % 100));
    for (const DType from : all_types) {
      for (const DType to : all_types) {
        std::vector<uint64_t> a(static_cast<size_t>(n)), b(a.size());
        std::vector<float> y(a.size());
        convert(float32, x.data(), from, a.data(), n);
        convert(from, a.data(), to, b.data(), n);
        convert(to, b.data(), float32, y.data(), n);
        for (size_t i = 0; i < y.size(); ++i) {
          const float want = from == bool_ || to == bool_ ? static_cast<float>(x[i] != 0) : x[i];
          ASSERT_EQ(y[i], want) << to_string(from) << " to " << to_string(to);
        }
      }
    }
  });
}

TEST(Convert, TruncatesFloatsAndSurvivesWhatDoesNotFit) {
  const double x[] = {1.9, -1.9, NAN, 1e30, -1e30, INFINITY, 3e9, -0.5};
  int32_t i[8];
  convert(float64, x, int32, i, 8);
  EXPECT_EQ(std::vector<int32_t>(i, i + 8), (std::vector<int32_t>{1, -1, 0, INT32_MIN, INT32_MIN, INT32_MIN, INT32_MIN, 0}));
  int64_t l[8];
  convert(float64, x, int64, l, 8);
  EXPECT_EQ(std::vector<int64_t>(l, l + 8), (std::vector<int64_t>{1, -1, 0, INT64_MIN, INT64_MIN, INT64_MIN, 3000000000, 0}));
  const float f[] = {300.7f, -1.0f, NAN, 255.0f};
  uint8_t b[4];
  convert(float32, f, uint8, b, 4);
  EXPECT_EQ(std::vector<uint8_t>(b, b + 4), (std::vector<uint8_t>{44, 255, 0, 255}));
  const double big = 1.5e19;
  uint64_t u;
  convert(float64, &big, uint64, &u, 1);
  EXPECT_EQ(u, 15000000000000000000u);
  const float half_true[] = {0.0f, -0.0f, 0.25f, NAN};
  uint8_t t[4];
  convert(float32, half_true, bool_, t, 4);
  EXPECT_EQ(std::vector<uint8_t>(t, t + 4), (std::vector<uint8_t>{0, 0, 1, 1}));
}

TEST(Convert, RoundsHalvesToNearestEvenForEveryPattern) {
  for (uint32_t h = 0; h < 65536; ++h) {
    const uint16_t bits = static_cast<uint16_t>(h);
    const float f = from_float16(bits), b = from_bfloat16(bits);
    if (std::isnan(f)) EXPECT_TRUE(std::isnan(from_float16(to_float16(f))));
    else ASSERT_EQ(to_float16(f), bits);
    if (std::isnan(b)) EXPECT_TRUE(std::isnan(from_bfloat16(to_bfloat16(b))));
    else ASSERT_EQ(to_bfloat16(b), bits);
    // halfway to the next number goes to the even one; a bit more or less to the nearer
    if ((h & 0x7fff) < 0x7bff) {
      const float next = from_float16(static_cast<uint16_t>(h + 1)), middle = (f + next) / 2;
      ASSERT_EQ(to_float16(middle), h & 1 ? h + 1 : h);
      ASSERT_EQ(to_float16(std::nextafter(middle, next)), h + 1);
      ASSERT_EQ(to_float16(std::nextafter(middle, f)), h);
    }
    if ((h & 0x7fff) < 0x7f7f) {
      const uint32_t middle = (h << 16) | 0x8000;
      ASSERT_EQ(to_bfloat16(std::bit_cast<float>(middle)), h & 1 ? h + 1 : h);
      ASSERT_EQ(to_bfloat16(std::bit_cast<float>(middle + 1)), h + 1);
      ASSERT_EQ(to_bfloat16(std::bit_cast<float>(middle - 1)), h);
    }
  }
  EXPECT_EQ(from_float16(0x3c00), 1.0f);
  EXPECT_EQ(from_float16(0x0001), 0x1p-24f);
  EXPECT_EQ(to_float16(65520.0f), 0x7c00);
  EXPECT_EQ(to_float16(65519.0f), 0x7bff);
}

TEST(Convert, RoundsDoublesOnlyOnce) {
  const double x = 1.0 + 0x1p-11 + 0x1p-40;  // just above the middle of two float16 numbers; float32 would land on the middle
  uint16_t h;
  convert(float64, &x, float16, &h, 1);
  EXPECT_EQ(h, 0x3c01);
  const int64_t i = (int64_t{1} << 40) + (int64_t{1} << 32) + 1;  // the same for bfloat16
  convert(int64, &i, bfloat16, &h, 1);
  EXPECT_EQ(from_bfloat16(h), 0x1p40f + 0x1p33f);
}

TEST(Convert, GivesTheSameByVectorsAndOneByOne) {
  everywhere([] {
    std::vector<float> x = numbers<float>(100, -1e5, 1e5);
    x.insert(x.end(), {NAN, INFINITY, -INFINITY, 0.0f, 1e-40f, 3.4e38f, std::bit_cast<float>(0x7f800001u)});
    std::vector<uint16_t> b(x.size());
    convert(float32, x.data(), bfloat16, b.data(), static_cast<int64_t>(x.size()));
    for (size_t i = 0; i < x.size(); ++i) EXPECT_EQ(b[i], to_bfloat16(x[i]));
  });
}

TEST(FillAndCopy, WorkForEveryElementSize) {
  everywhere([] {
    const uint64_t value = 0x0102030405060708u;
    for (const size_t size : {1, 2, 4, 8}) {
      std::vector<uint8_t> y(100001 * size + 1, 0xff), z(y.size());
      fill(&value, size, y.data(), 100001);
      for (size_t i = 0; i < 100001; i += 331) ASSERT_EQ(std::memcmp(y.data() + i * size, &value, size), 0);
      EXPECT_EQ(y.back(), 0xff);
      copy(y.data(), z.data(), y.size());
      EXPECT_EQ(y, z);
    }
    fill(&value, 4, nullptr, 0);
    copy(nullptr, nullptr, 0);
  });
}

template <class T>
void check_permute(const std::vector<int64_t>& dims, const std::vector<int>& axes) {
  const int rank = static_cast<int>(dims.size());
  int64_t n = 1;
  for (const int64_t d : dims) n *= d;
  std::vector<T> x(static_cast<size_t>(n)), y(x.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<T>(i * 2654435761u);
  permute(x.data(), y.data(), dims.data(), axes.data(), rank, sizeof(T));
  std::vector<int64_t> strides(dims.size(), 1);
  for (int i = rank - 2; i >= 0; --i) strides[static_cast<size_t>(i)] = strides[static_cast<size_t>(i) + 1] * dims[static_cast<size_t>(i) + 1];
  for (int64_t k = 0; k < n; ++k) {
    int64_t rest = k, from = 0;
    for (int i = rank - 1; i >= 0; --i) {
      const size_t a = static_cast<size_t>(axes[static_cast<size_t>(i)]);
      from += rest % dims[a] * strides[a];
      rest /= dims[a];
    }
    ASSERT_EQ(y[static_cast<size_t>(k)], x[static_cast<size_t>(from)]) << k;
  }
}

TEST(Permute, MovesEveryElementToItsPlace) {
  everywhere([] {
    check_permute<float>({}, {});
    check_permute<float>({5}, {0});
    check_permute<uint8_t>({37, 41}, {1, 0});
    check_permute<uint16_t>({300, 257}, {1, 0});
    check_permute<uint64_t>({1, 65}, {1, 0});
    check_permute<uint32_t>({2, 3, 4, 5}, {0, 3, 1, 2});
    check_permute<uint32_t>({2, 30, 40, 17}, {0, 3, 1, 2});
    check_permute<uint32_t>({2, 17, 30, 40}, {0, 2, 3, 1});
    check_permute<uint32_t>({8, 20, 4, 33}, {0, 2, 1, 3});
    check_permute<uint32_t>({9, 8, 7, 2}, {2, 1, 0, 3});
    check_permute<uint32_t>({9, 8, 7, 2}, {0, 1, 2, 3});
    check_permute<uint16_t>({2, 3, 1, 2, 2, 3, 1, 2}, {7, 6, 5, 4, 3, 2, 1, 0});
    check_permute<uint8_t>({3, 2, 2, 3, 2, 2, 2, 3}, {1, 0, 3, 2, 5, 4, 7, 6});
    check_permute<uint8_t>({3, 0, 2}, {2, 1, 0});
  });
}

TEST(Rows, AreGatheredAndAddedByIndexAndStopAtABadOne) {
  everywhere([] {
    const int64_t rows = 50, cols = 33, n = 2000;
    const auto table = numbers<float>(rows * cols), x = numbers<float>(n * cols, -1, 1, 2);
    std::vector<int32_t> index;
    for (int64_t i = 0; i < n; ++i) index.push_back(static_cast<int32_t>(i * 7 % rows));
    std::vector<float> y(x.size()), sums(table.size(), 0.0f);
    ASSERT_TRUE(gather_rows(table.data(), rows, cols * sizeof(float), index.data(), n, y.data()));
    for (int64_t i = 0; i < n * cols; ++i) ASSERT_EQ(y[static_cast<size_t>(i)], table[static_cast<size_t>(i / cols * 7 % rows * cols + i % cols)]);
    ASSERT_TRUE(scatter_add_rows(sums.data(), rows, cols, index.data(), n, x.data()));
    double total = 0, want = 0;
    for (const float v : sums) total += v;
    for (const float v : x) want += v;
    EXPECT_NEAR(total, want, 1e-3);
    const std::vector<int64_t> bad = {0, 1, rows, 2};
    const Status s = gather_rows(table.data(), rows, cols * sizeof(float), bad.data(), 4, y.data());
    EXPECT_EQ(s.kind, Status::index_out_of_range);
    EXPECT_EQ(s.position, 2);
    EXPECT_EQ(s.value, rows);
    const int64_t negative = -1;
    EXPECT_FALSE(scatter_add_rows(sums.data(), rows, cols, &negative, 1, x.data()));
  });
}

}  // namespace
}  // namespace tenure::kernels
