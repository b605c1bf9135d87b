#include "memory/record.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "memory/page.h"
#include "memory/test_owner.h"

namespace tenure::memory {
namespace {

using detail::NoteKind;

TEST(Record, OffNothingIsKept) {
  record(true);
  record(false);
  bytes_of(100);
  EXPECT_FALSE(recording());
  ASSERT_NE(last_recording(), nullptr);
  EXPECT_EQ(last_recording()->events.size(), 0u);
}

TEST(Record, ABufferIsTwoEventsWithItsStamp) {
  record(true);
  EXPECT_TRUE(recording());
  uint64_t birth = 0;
  {
    Enter at("recorded");
    As what(Category::gradient);
    HeldOf<Storage> s = bytes_of(640);
    birth = s->birth();
  }
  record(false);
  auto r = last_recording();
  ASSERT_EQ(r->events.size(), 2u);
  EXPECT_EQ(r->lost, 0u);
  for (const RecordedEvent& e : r->events) {
    EXPECT_EQ(e.buffer.birth, birth);
    EXPECT_EQ(e.buffer.bytes, 640u);
    EXPECT_EQ(e.buffer.category, Category::gradient);
    EXPECT_EQ(r->paths.at(e.buffer.account), "/recorded");
    EXPECT_GE(e.nanoseconds, 0);
    EXPECT_LE(e.nanoseconds, r->duration);
  }
  EXPECT_FALSE(r->events[0].released);
  EXPECT_TRUE(r->events[1].released);
}

TEST(Record, ABufferThatDiesWithItsOwnerIsReleasedUnderItsOwnNumber) {
  HeldOf<Box> box(new Box);
  record(true);
  for (size_t n : {10, 20, 30}) box->put(bytes_of(n).get());
  box.reset();
  record(false);
  auto r = last_recording();
  ASSERT_EQ(r->events.size(), 6u);
  std::unordered_map<uint64_t, int> live;
  for (const RecordedEvent& e : r->events) live[e.buffer.birth] += e.released ? -1 : 1;
  EXPECT_EQ(live.size(), 3u);
  for (auto& [birth, n] : live) EXPECT_EQ(n, 0) << birth;
}

TEST(Record, TheRingKeepsTheNewestAndCountsTheRest) {
  record(true, 8);
  for (size_t i = 1; i <= 10; ++i) bytes_of(i);
  record(false);
  auto r = last_recording();
  EXPECT_EQ(r->lost, 12u);
  ASSERT_EQ(r->events.size(), 8u);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(r->events[i].buffer.bytes, 7 + i / 2);
  EXPECT_THROW(record(true, 1), Error);
  EXPECT_THROW(record(true, (size_t{1} << 20) + 1), Error);
}

TEST(Record, ABufferThatMovesLeavesOneAccountForTheOther) {
  HeldOf<Storage> s;
  {
    Enter at("from");
    s = bytes_of(64);
  }
  record(true);
  {
    Enter at("to");
    As what(Category::activation);
    s->restamp();
  }
  s->set_category(Category::cache);
  s->set_category(Category::cache);
  record(false);
  auto r = last_recording();
  ASSERT_EQ(r->events.size(), 4u);
  EXPECT_TRUE(r->events[0].released && !r->events[1].released && r->events[2].released && !r->events[3].released);
  EXPECT_EQ(r->paths.at(r->events[0].buffer.account), "/from");
  EXPECT_EQ(r->paths.at(r->events[1].buffer.account), "/to");
  EXPECT_EQ(r->events[1].buffer.category, Category::activation);
  EXPECT_EQ(r->events[3].buffer.category, Category::cache);
  ASSERT_EQ(r->live.size(), 1u);
  EXPECT_EQ(r->live[0].category, Category::cache);
}

TEST(Record, BorrowedBytesAreNotTheLedgers) {
  char theirs[16];
  record(true);
  HeldOf<Storage>(Storage::borrow(theirs, sizeof theirs, nullptr));
  record(false);
  EXPECT_EQ(last_recording()->events.size(), 0u);
}

TEST(Record, LiveAtTheEndLessTheEventsIsLiveAtTheStart) {
  HeldOf<Storage> before = bytes_of(100), dies = bytes_of(200);
  size_t start = now().live_bytes;
  record(true);
  HeldOf<Storage> born = bytes_of(4000);
  dies.reset();
  bytes_of(50000);
  record(false);
  auto r = last_recording();
  int64_t live = 0;
  for (const BufferStamp& b : r->live) live += static_cast<int64_t>(b.bytes);
  EXPECT_EQ(static_cast<size_t>(live), now().live_bytes);
  for (const RecordedEvent& e : r->events) live += (e.released ? 1 : -1) * static_cast<int64_t>(e.buffer.bytes);
  EXPECT_EQ(static_cast<size_t>(live), start);
}

TEST(Record, MarksAndBudgetEventsStandAtTheirPlace) {
  record(true);
  bytes_of(10);
  mark("middle");
  bytes_of(20);
  set_budget(now().in_use_bytes + 4096);
  {
    Enter at("greedy");
    EXPECT_THROW(bytes_of(1 << 20), Error);
  }
  set_budget(0);
  record(false);
  mark("not recorded");
  auto r = last_recording();
  ASSERT_GE(r->notes.size(), 4u);
  EXPECT_EQ(r->notes[0].text, "middle");
  EXPECT_EQ(r->notes[0].before, 2u);
  EXPECT_EQ(r->notes[1].kind, NoteKind::limit);
  EXPECT_EQ(r->notes[1].before, 4u);
  size_t refused = 0;
  for (const RecordedNote& n : r->notes)
    if (n.kind == NoteKind::refused) {
      ++refused;
      EXPECT_EQ(n.text, "/greedy");
      EXPECT_GE(n.bytes, size_t{1} << 20);
      EXPECT_GT(n.limit, 0);
    }
  EXPECT_EQ(refused, 1u);
  EXPECT_EQ(r->notes.back().kind, NoteKind::limit);
  EXPECT_EQ(r->events.size(), 4u);
}

TEST(Record, ThreadsLoseNothing) {
  record(true);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([] {
      for (int i = 0; i < 1000; ++i) bytes_of(64);
    });
  for (auto& t : threads) t.join();
  record(false);
  auto r = last_recording();
  EXPECT_EQ(r->lost, 0u);
  ASSERT_EQ(r->events.size(), 8000u);
  int64_t live = 0;
  for (const RecordedEvent& e : r->events) live += e.released ? -1 : 1;
  EXPECT_EQ(live, 0);
}

TEST(Record, BeginningAgainForgetsTheRecordingBefore) {
  record(true);
  bytes_of(1);
  record(true);
  bytes_of(2);
  record(false);
  ASSERT_EQ(last_recording()->events.size(), 2u);
  EXPECT_EQ(last_recording()->events[0].buffer.bytes, 2u);
}

TEST(Report, ItsNumbersAreTheLedgers) {
  HeldOf<Box> box(new Box("a box of the test"));
  Snapshot before = snapshot();
  record(true);
  {
    Enter at("reported");
    box->put(bytes_of(3000).get());
    bytes_of(500);
  }
  Snapshot after = snapshot();
  ReportOptions options;
  options.title = "a <title>";
  options.before = &before, options.after = &after;
  options.plans.push_back({"step", 128, 128, 4, 0, {"add /x"}, {{0, 100, 0, 0, "/x float32[25]"}}});
  auto j = nlohmann::json::parse(report_json(options));
  EXPECT_FALSE(recording());
  EXPECT_EQ(j["tenure"], 1);
  EXPECT_EQ(j["title"], "a <title>");
  EXPECT_EQ(j["counts"]["live_bytes"], now().live_bytes);
  EXPECT_EQ(j["counts"]["buffers"], now().buffers);
  EXPECT_EQ(j["events"]["count"], 3);
  EXPECT_EQ(j["live"]["count"], now().buffers);
  EXPECT_EQ(j["objects"]["of"], now().objects);
  int64_t sum = 0, top = 0;
  for (auto& row : j["balance"]) sum += row[1].get<int64_t>();
  EXPECT_EQ(sum, j["rss"]);
  for (size_t i = 0; i < j["objects"]["parent"].size(); ++i)
    if (j["objects"]["parent"][i] == -1) top += j["objects"]["retained"][i].get<int64_t>();
  for (auto& row : j["objects"]["rest"])
    if (row[0] == -1) top += row[2].get<int64_t>();
  EXPECT_EQ(top, static_cast<int64_t>(now().live_bytes));
  EXPECT_EQ(j["diff"]["rows"].size(), 6u);
  EXPECT_EQ(j["diff"]["rows"][3], 3000);
  EXPECT_EQ(j["plans"][0]["blocks"].size(), 5u);
  EXPECT_EQ(j["verdict"]["state"], "unjudged");
  EXPECT_NE(std::find(j["strings"].begin(), j["strings"].end(), "a box of the test"), j["strings"].end());
}

TEST(Report, IsOneFileOrAClearWord) {
  std::string path = (std::filesystem::temp_directory_path() / fmt::format("tenure_report_{}.html", static_cast<const void*>(&path))).string();
  if (!can_report()) {
    try {
      write_report(path);
      FAIL() << "expected a refusal";
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), Code::Unsupported);
      EXPECT_NE(std::string(e.what()).find("npm"), std::string::npos);
    }
    EXPECT_FALSE(std::filesystem::exists(path));
    return;
  }
  ReportOptions options;
  options.title = "</script><b>";
  write_report(path, options);
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  std::filesystem::remove(path);
  EXPECT_NE(text.str().find("\\u003c/script>\\u003cb>"), std::string::npos);
  EXPECT_EQ(text.str().find(detail::page_data_marker), std::string::npos);
  std::string nowhere = "/no such folder/report.html";
  EXPECT_THROW(write_report(nowhere), Error);
}

}  // namespace
}  // namespace tenure::memory
