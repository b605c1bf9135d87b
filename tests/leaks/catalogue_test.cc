// Every scenario of the catalogue by exact counts; for what the program itself holds, the holder's path word for word.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "leaks/catalogue.h"
#include "paths.h"

namespace tenure::leaks {

void PrintTo(const Scenario& s, std::ostream* out) { *out << s.id << ": " << s.what; }

namespace {

std::string rows_file() { return tests::source_dir() + "/tests/leaks/catalogue.tsv"; }
std::string number_of(const std::string& id) { return id.size() > 2 && id[0] != '7' ? id.substr(0, 2) : id; }

class Leaks : public testing::TestWithParam<Scenario> {};

std::string without_indices(const std::string& s) { return std::regex_replace(s, std::regex("\\[[0-9]+\\]"), "[*]"); }

TEST_P(Leaks, KeepsItsGuarantee) {
  const Scenario& s = GetParam();
  Action call = s.make();
  if (s.holder.empty()) {
    for (int64_t i = 0; i < s.warmup; ++i) call();
    memory::Now before = memory::now();
    for (int64_t i = 0; i < s.calls; ++i) call();
    memory::Now after = memory::now();
    EXPECT_EQ(after.live_bytes, before.live_bytes);
    EXPECT_EQ(after.buffers, before.buffers);
    EXPECT_EQ(after.tensors, before.tensors);
    EXPECT_EQ(after.nodes, before.nodes);
    for (size_t k = 0; k < memory::kinds; ++k) EXPECT_EQ(after.count[k], before.count[k]) << to_string(static_cast<memory::Kind>(k));
    EXPECT_TRUE(memory::audit().ok()) << memory::audit().text();
  } else {
    memory::Steadiness found = memory::steadiness(call, {.calls = s.calls, .warmup = s.warmup});
    EXPECT_EQ(found.verdict, memory::Verdict::leak) << found.text();
    bool told = false;
    for (const memory::Growth& g : found.growing)
      for (const std::string& h : g.holders) told = told || without_indices(h) == s.holder;
    EXPECT_TRUE(told) << "expected the holder\n  " << s.holder << "\nin\n" << without_indices(found.text());
  }
}

INSTANTIATE_TEST_SUITE_P(Catalogue, Leaks, testing::ValuesIn(catalogue()), [](const auto& info) { return "Id" + info.param.id; });

TEST(LeaksCatalogue, EveryIdHasAScenarioOrAReason) {
  std::set<std::string> have;
  for (const Scenario& s : catalogue()) have.insert(number_of(s.id));
  std::set<std::string> listed;
  for (const Recorded& r : recorded(rows_file())) {
    listed.insert(r.id);
    EXPECT_NE(have.count(r.id) == 1, !r.reason.empty()) << r.id << ": expected a scenario or a reason, and not both";
  }
  for (const std::string& id : have) EXPECT_TRUE(listed.count(id)) << id << " is not in catalogue.tsv";
  EXPECT_EQ(listed.size(), 64u);
}

TEST(LeaksCatalogue, ListsWhatTheReferenceLists) {
  std::string path = tests::source_dir() + "/../shared/reference/leaks.md";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "the reference page is not here";
  std::set<std::string> listed;
  for (const Recorded& r : recorded(rows_file())) listed.insert(r.id);
  std::ifstream in(path);
  std::regex row("\\| *([0-9][0-9][abc]?) *\\|.*");
  size_t found = 0;
  std::smatch m;
  for (std::string line; std::getline(in, line);)
    if (std::regex_match(line, m, row)) {
      ++found;
      EXPECT_TRUE(listed.count(m[1])) << m[1];
    }
  EXPECT_EQ(found + 5, listed.size());
}

}  // namespace
}  // namespace tenure::leaks
