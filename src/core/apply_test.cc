#include <gtest/gtest.h>

#include <cmath>
#include <optional>
#include <random>

#include <tenure/memory.h>

#include "core/lanes.h"
#include "core/test_ops.h"

namespace tenure {
namespace {

using memory::now;
using namespace testing_ops;

TEST(Apply, MovedInBuffersAreTakenOver) {
  Tensor a = Tensor::from({1.0f, 2.0f}), b = Tensor::from({10.0f, 20.0f});
  const void* where = a.data<float>().data();
  auto before = now();
  Tensor y = apply(plus, std::move(a), b);
  EXPECT_EQ(y.data<float>().data(), where);
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{11, 22}));
  EXPECT_EQ(now().allocations, before.allocations);
  EXPECT_EQ(now().buffers, before.buffers);
  EXPECT_EQ(now().tensors, before.tensors);
}

TEST(Apply, ABufferThatSomebodyElseSeesIsNotTaken) {
  Tensor a = Tensor::from({1.0f, 2.0f}), b = Tensor::from({10.0f, 20.0f});
  Tensor copy = a;
  EXPECT_NE(apply(plus, std::move(a), b).data<float>().data(), copy.data<float>().data());
  EXPECT_EQ(copy.to_vector<float>(), (std::vector<float>{1, 2}));

  Tensor base = Tensor::from({1.0f, 2.0f});
  Tensor view = make_view(base, base.spec(), 0);
  apply(plus, std::move(base), b);
  EXPECT_EQ(view.to_vector<float>(), (std::vector<float>{1, 2}));  // a view of the same storage forbids it

  Held owner(Tensor::from({1.0f, 2.0f}));
  apply(plus, owner.tensor(), b);
  EXPECT_EQ(owner.tensor().at(0), 1.0);

  std::vector<float> mine{1, 2};
  apply(plus, Tensor::borrow(mine.data(), {2}, float32), b);
  EXPECT_EQ(mine[0], 1.0f);  // nor are somebody else's bytes written
}

TEST(Apply, TheSameTensorTwiceIsNotTaken) {
  Tensor a = Tensor::from({1.0f, 2.0f});
  EXPECT_EQ(apply(plus, a, a).to_vector<float>(), (std::vector<float>{2, 4}));
  EXPECT_EQ(a.at(0), 1.0);
}

TEST(Apply, ABroadcastInputIsNoPlaceForTheOutput) {
  Tensor y = apply(plus, Tensor::from({1.0f}), Tensor::from({10.0f, 20.0f, 30.0f}));
  EXPECT_EQ(y.to_vector<float>(), (std::vector<float>{11, 21, 31}));
}

TEST(Apply, AViewOpAllocatesNothing) {
  Tensor a = Tensor::from({1.0f, 2.0f, 3.0f, 4.0f}, {2, 2});
  auto before = now();
  Tensor y = apply(flat, a);
  EXPECT_EQ(now().buffers, before.buffers);
  EXPECT_EQ(now().tensors, before.tensors + 1);
  EXPECT_EQ(y.data<float>().data(), a.data<float>().data());
}

TEST(Apply, SeveralOutputsAndTheirBuffers) {
  Tensor x[] = {Tensor::from({1.0f, 2.0f})};
  Tensors ys = apply_all(twice, x);
  ASSERT_EQ(ys.size(), 2u);
  EXPECT_EQ(ys[1].at(1), 2.0);
}

TEST(Apply, AFailedKernelNamesOpPositionAndInputsAndLeavesNothing) {
  auto before = now();
  try {
    apply(reversed, Tensor::from({1.0f, -2.0f, 3.0f}));
    FAIL();
  } catch (const Error& e) {
    std::string text = e.what();
    EXPECT_NE(text.find("reversed: value is negative: -2 at position 1"), std::string::npos) << text;
    EXPECT_NE(text.find("reversed, called with float32[3]"), std::string::npos) << text;
  }
  EXPECT_EQ(now().objects, before.objects);
}

TEST(Apply, ABadShapeNamesBothAndTheCall) {
  try {
    apply(plus, Tensor::empty({2, 3}), Tensor::empty({4}));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), Code::Shape);
    EXPECT_NE(std::string(e.what()).find("plus, called with float32[2,3], float32[4]"), std::string::npos) << e.what();
  }
}

TEST(Apply, AResultIsChargedToItsOp) {
  memory::Scope scope("mine");
  Tensor y = apply(plus, Tensor::from({1.0f}), Tensor::from({1.0f, 2.0f}));
  EXPECT_EQ(memory::explain(y).account, "/mine/plus");
  Tensor z = apply(plus, std::move(y), Tensor::from({1.0f}));
  EXPECT_EQ(memory::explain(z).account, "/mine/plus");
}

TEST(Apply, CountsItsEntries) {
  uint64_t before = eager_ops();
  apply(plus, Tensor::from({1.0f}), Tensor::from({2.0f}));
  EXPECT_EQ(eager_ops(), before + 1);
  apply(plus, input({1}), input({1}));
  EXPECT_EQ(eager_ops(), before + 1);
}

TEST(Apply, ZeroSizedTensorsGoThrough) {
  EXPECT_EQ(apply(plus, Tensor::empty({0, 3}), Tensor::empty({3})).shape(), (Shape{0, 3}));
  EXPECT_EQ(apply(plus, Tensor::empty({2, 0}), Tensor::empty({1, 1})).size(), 0);
}

TEST(Lanes, RowsColumnsAndScalarsAreToldApart) {
  Shape y{4, 6};
  float data[24] = {};
  auto kind = [&](const Shape& x) { return lane_of({x, float32}, y, 24, data).kind; };
  EXPECT_EQ(kind({4, 6}), Lane::same);
  EXPECT_EQ(kind({1, 4, 6}), Lane::same);
  EXPECT_EQ(kind({}), Lane::scalar);
  EXPECT_EQ(kind({1, 1}), Lane::scalar);
  EXPECT_EQ(kind({6}), Lane::periodic);
  EXPECT_EQ(kind({4, 1}), Lane::strided);
}

// Any broadcastable pair, against indices computed one by one.
TEST(Lanes, BroadcastingAgreesWithIndexArithmetic) {
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    int rank = static_cast<int>(random() % 5) + 1;
    std::vector<int64_t> dims;
    int64_t n = 1;
    for (int i = 0; i < rank; ++i) dims.push_back(random() % 12 == 0 ? 700 : static_cast<int64_t>(random() % 5) + 1), n *= dims.back();
    if (n > 300'000) continue;
    auto part = [&] {
      std::vector<int64_t> d = dims;
      for (auto& v : d)
        if (random() % 3 == 0) v = 1;
      d.erase(d.begin(), d.begin() + static_cast<std::ptrdiff_t>(random() % (d.size() + 1)));
      Tensor t = Tensor::empty(Shape(std::span<const int64_t>(d)));
      for (int64_t i = 0; i < t.size(); ++i) reinterpret_cast<float*>(mutable_data(t))[i] = static_cast<float>(random() % 1000);
      return t;
    };
    Tensor a = part(), b = part();
    Tensor y = apply(plus, a, b);
    Shape s = y.shape();
    auto value = [&](const Tensor& t, int64_t flat) {
      int64_t at = 0, stride = 1;
      for (int i = s.rank() - 1; i >= 0; --i) {
        int64_t index = flat % s[i];
        flat /= s[i];
        int k = i - (s.rank() - t.rank());
        if (k < 0) continue;
        at += (t.shape()[k] == 1 ? 0 : index) * stride;
        stride *= t.shape()[k];
      }
      return t.data<float>()[static_cast<size_t>(at)];
    };
    auto d = y.data<float>();
    for (int64_t i = 0; i < y.size(); i += 1 + y.size() / 5000)
      ASSERT_EQ(d[static_cast<size_t>(i)], value(a, i) + value(b, i))
          << a.spec().shape.rank() << " " << to_string(a.spec()) << " " << to_string(b.spec()) << " at " << i;
  }
}

struct Spelled {
  double limit = 0;
  std::vector<int64_t> axes = {1, 2};
  std::optional<double> rate;
  bool keep = true;
};
template <class V>
void fields(V& v, Spelled& s) {
  v("limit", s.limit), v("axes", s.axes), v("rate", s.rate), v("keep", s.keep);
}

TEST(Attributes, AreEqualExactlyWhenTheirTextIs) {
  auto text = [](const Spelled& s) { return AttrBox(AttrRef{&s, attrs_of<Spelled>()}).json(); };
  EXPECT_EQ(text({}), R"({"limit":0.0,"axes":[1,2],"rate":null,"keep":true})");
  EXPECT_NE(text({.limit = INFINITY}), text({.limit = -INFINITY}));
  EXPECT_NE(text({.limit = INFINITY}), text({.limit = NAN}));
  EXPECT_NE(text({.limit = 0.1}), text({.limit = 0.1 + 1e-17 * 2}));
  for (double v : std::initializer_list<double>{0.0, -INFINITY, INFINITY, 1e300, 0.1}) {
    Spelled back;
    from_json(text({.limit = v, .rate = 0.5}), attrs_of<Spelled>(), &back);
    EXPECT_EQ(back.limit, v);
    EXPECT_EQ(back.rate, 0.5);
  }
  Spelled s;
  EXPECT_THROW(from_json(R"({"unknown": 1})", attrs_of<Spelled>(), &s), Error);
  EXPECT_THROW(from_json(R"({"limit": "many"})", attrs_of<Spelled>(), &s), Error);
  EXPECT_THROW(from_json("[", attrs_of<Spelled>(), &s), Error);
}

}  // namespace
}  // namespace tenure
