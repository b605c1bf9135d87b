// A GoogleTest listener: every test must end with no live buffer, tensor or node and no unexplained reference.
//   int main(int argc, char** argv) { testing::InitGoogleTest(&argc, argv); tenure::install_leak_listener(); return RUN_ALL_TESTS(); }
#pragma once

#include <gtest/gtest.h>

#include <tenure/memory.h>

namespace tenure {

/// Fails the test that leaves tensors alive, and prints what lives and who holds it. What lived before the test is not its fault.
class LeakListener : public testing::EmptyTestEventListener {
 public:
  void OnTestStart(const testing::TestInfo&) override { before_ = memory::snapshot(); }
  void OnTestEnd(const testing::TestInfo& info) override {
    if (info.result()->Skipped()) return;
    memory::Now now = memory::now();
    memory::Diff diff = memory::diff(before_, memory::snapshot());
    if (!diff.born.empty() || now.tensors > before_.counts.tensors || now.nodes > before_.counts.nodes || now.objects > before_.counts.objects)
      ADD_FAILURE() << "tensors outlive the test: " << now.tensors << " tensors, " << now.nodes << " nodes, " << now.objects
                    << " objects (before: " << before_.counts.objects << ")\n"
                    << diff.text();
    memory::Audit audit = memory::audit();
    if (!audit.ok()) ADD_FAILURE() << audit.text();
    before_ = {};
  }

 private:
  memory::Snapshot before_;
};

/// GoogleTest owns the listener.
inline void install_leak_listener() { testing::UnitTest::GetInstance()->listeners().Append(new LeakListener); }

}  // namespace tenure
