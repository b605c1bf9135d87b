#include "memory/moment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/series.h"
#include "memory/test_owner.h"

namespace tenure::memory {
namespace {

// A file that is gone with the test.
class Temporary {
 public:
  explicit Temporary(const char* name) : path((std::filesystem::temp_directory_path() / (std::to_string(getpid()) + name)).string()) {}
  ~Temporary() {
    std::error_code ignored;
    std::filesystem::remove(path, ignored);
  }
  std::string text() const {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  const std::string path;
};

// A root box that holds two buffers and an inner box with a third.
struct Scene {
  HeldOf<Box> inner{new Box("inner", Kind::queue)};
  Handle<Box> root{new Box("root", Kind::function)};
  uint64_t buffer = 0;
  Scene() {
    Enter at("scene");
    for (size_t n : {100, 200}) root->put(bytes_of(n).get());
    HeldOf<Storage> third = bytes_of(3000);
    buffer = third->birth();
    inner->put(third.get());
    root->put(inner.get());
    inner = {};
  }
};

TEST(Moment, AFileAnswersAsTheProcessDid) {
  Scene scene;
  Moment now = Moment::now();
  Temporary file("moment.json");
  now.write(file.path);
  Moment read = Moment::read(file.path);
  EXPECT_EQ(read.counts().live_bytes, now.counts().live_bytes);
  EXPECT_EQ(read.balance().rss, now.balance().rss);
  EXPECT_EQ(read.accounts().size(), now.accounts().size());
  EXPECT_TRUE(read.audit().ok());
  ASSERT_FALSE(read.largest(1).empty());
  EXPECT_EQ(read.largest(1), std::vector<uint64_t>{scene.buffer});
  Why w = read.why(scene.buffer);
  EXPECT_EQ(w.text(), now.why(scene.buffer).text());
  ASSERT_EQ(w.chains.size(), 1u);
  EXPECT_EQ(w.chains[0].links[0].holder, "root");
  EXPECT_EQ(w.chains[0].links[0].label, "held[2]");
  EXPECT_EQ(w.chains[0].retained, 3300u);
  EXPECT_EQ(read.with_signature(w.chains[0].signature), std::vector<uint64_t>{scene.buffer});
  EXPECT_EQ(now.diff(read).find(" 0 buffers born"), std::string::npos);
  EXPECT_NE(now.diff(read).find("\n0 buffers born, 0 died, 3 stayed\n"), std::string::npos) << now.diff(read);
  EXPECT_THROW(read.why(1u << 30), Error);
}

TEST(Moment, TheDifferenceNamesAccountAndHolder) {
  Scene scene;
  Moment before = Moment::now();
  {
    Enter at("later");
    scene.root->put(bytes_of(5000).get());
  }
  std::string text = before.diff(Moment::now());
  EXPECT_NE(text.find("live 3300 -> 8300 bytes (+5000)"), std::string::npos) << text;
  EXPECT_NE(text.find("1 buffers born, 0 died, 3 stayed"), std::string::npos) << text;
  EXPECT_NE(text.find("         +5000      +1  /later (temporary), held by root, sig "), std::string::npos) << text;
}

TEST(Moment, DamagedFilesAreRefused) {
  Scene scene;
  Temporary file("moment.json");
  Moment::now().write(file.path);
  std::string good = file.text();
  auto refused = [&](const std::string& text) {
    std::ofstream(file.path, std::ios::binary) << text;
    try {
      Moment::read(file.path);
      return false;
    } catch (const Error& e) { return e.code() == Code::Io; }
  };
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused("{}"));
  EXPECT_TRUE(refused(good.substr(0, good.size() / 2)));
  auto changed = [&](auto&& change) {
    auto j = nlohmann::ordered_json::parse(good);
    change(j);
    return j.dump();
  };
  EXPECT_TRUE(refused(changed([](auto& j) { j["tenure_snapshot"] = 2; })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["balance"].erase("pool"); })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["balance"]["heap"] = "much"; })));
  EXPECT_FALSE(refused(changed([](auto& j) { j["balance"].erase("heap"); }))) << "a row that older snapshots lack";
  EXPECT_EQ(Moment::read(file.path).balance().heap, 0u);
  EXPECT_TRUE(refused(changed([](auto& j) { j["references"][1] = 1000; })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["references"][2] = 1000; })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["references"].erase(0); })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["objects"][1] = 99; })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["objects"][14] = 0; })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["objects"][0] = "x"; })));
  EXPECT_TRUE(refused(changed([](auto& j) { j["strings"] = 1; })));
  EXPECT_FALSE(refused(good));
  EXPECT_THROW(Moment::read("/nowhere/at.json"), Error);
  EXPECT_THROW(write_snapshot("/nowhere/at.json"), Error);
}

TEST(Moment, AnUnnamedReferenceIsARootOfItsOwn) {
  HeldOf<Storage> hidden = bytes_of(64);
  Why w = Moment::now().why(hidden->birth());
  ASSERT_EQ(w.chains.size(), 1u);
  EXPECT_EQ(w.unexplained, 1u);
  EXPECT_EQ(w.chains[0].links[0].kind, "unnamed");
  EXPECT_EQ(w.chains[0].links[0].standing, Standing::stuck);
}

TEST(Accounts, BytesEverAskedForAreKept) {
  Enter at("asked for");
  for (int i = 0; i < 5; ++i) bytes_of(1000);
  HeldOf<Storage> kept = bytes_of(24);
  for (const AccountTotals& a : account_totals())
    if (a.path == "/asked for") {
      EXPECT_EQ(a.allocations, 6u);
      EXPECT_EQ(a.allocated_bytes, 5024u);
      EXPECT_EQ(a.live_bytes, 24u);
      EXPECT_EQ(a.live_count, 1u);
    }
}

TEST(Prometheus, FiguresAreThoseOfNow) {
  Enter at("a \"name\"");
  HeldOf<Storage> kept = bytes_of(24);
  std::string text = prometheus();
  EXPECT_NE(text.find("# TYPE tenure_live_bytes gauge\ntenure_live_bytes " + std::to_string(now().live_bytes) + "\n"), std::string::npos);
  EXPECT_NE(text.find("tenure_account_bytes{account=\"/a \\\"name\\\"\"} 24\n"), std::string::npos) << text;
  EXPECT_NE(text.find("tenure_objects{kind=\"buffer\"} "), std::string::npos);
}

TEST(Trace, BuffersAreSpansAndCountersAddUp) {
  HeldOf<Storage> before = bytes_of(1 << 20);
  record(true);
  mark("step 1");
  {
    Enter at("traced");
    HeldOf<Storage> s = bytes_of(2 << 20);
    s->set_category(Category::activation);
    bytes_of(10);
  }
  record(false);
  Temporary file("trace.json");
  export_trace(file.path);
  auto j = nlohmann::json::parse(file.text());
  int begins = 0, ends = 0, marks = 0;
  int64_t most = 0;
  double last = 0;
  for (auto& e : j["traceEvents"]) {
    begins += e["ph"] == "b", ends += e["ph"] == "e", marks += e["ph"] == "i" && e["name"] == "step 1";
    if (e["ph"] != "C") continue;
    int64_t sum = 0;
    for (auto& v : e["args"]) sum += v.get<int64_t>();
    most = std::max(most, sum);
    EXPECT_GE(e["ts"].get<double>(), last);
    last = e["ts"];
  }
  EXPECT_EQ(begins, 2);  // the large one is one span though its category changed; the small one is left out
  EXPECT_EQ(ends, 2);
  EXPECT_EQ(marks, 1);
  EXPECT_EQ(most, (3 << 20) + 10);
}

std::vector<Range> series(auto&& f, int n = 160) {
  std::vector<Range> out;
  for (int block = 0; block < 16; ++block) {
    Range r{INT64_MAX, INT64_MIN};
    for (int i = block * n / 16; i < (block + 1) * n / 16; ++i) r.low = std::min<int64_t>(r.low, f(i)), r.high = std::max<int64_t>(r.high, f(i));
    out.push_back(r);
  }
  return out;
}

TEST(Series, FloorsDecide) {
  EXPECT_EQ(judge(series([](int i) { return i; })), Verdict::leak);
  EXPECT_EQ(judge(series([](int i) { return i / 5 + i * 7 % 5; })), Verdict::leak);
  EXPECT_EQ(judge(series([](int) { return 3; })), Verdict::clean);
  EXPECT_EQ(judge(series([](int i) { return std::min(i, 60); })), Verdict::clean);
  EXPECT_EQ(judge(series([](int i) { return i % 40; })), Verdict::clean);
  EXPECT_EQ(judge({{1, 1}, {2, 2}}), Verdict::clean);
  EXPECT_NEAR(line_of({{0, 1}, {1, 3}, {2, 5}, {3, 7}}).slope, 2, 1e-12);
}

}  // namespace
}  // namespace tenure::memory
