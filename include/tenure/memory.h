// Memory: who asked for every byte, who keeps it alive, and how much of it there may be.
//
// Exact: counts and bytes are integers kept by the ledger, in every build. RSS is a witness beside them, never the judge.
// Threads: everything here may be called from any thread. audit() and explain() follow references and want the other threads quiet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/tensor.h>

namespace tenure {

constexpr size_t operator""_KiB(unsigned long long n) { return static_cast<size_t>(n) << 10; }
constexpr size_t operator""_MiB(unsigned long long n) { return static_cast<size_t>(n) << 20; }
constexpr size_t operator""_GiB(unsigned long long n) { return static_cast<size_t>(n) << 30; }

namespace memory {

/// What a buffer is for; set by its owner when it is allocated.
enum class Category : uint8_t { temporary, parameter, optimizer_state, gradient, activation, input, constant, cache };
TENURE_API const char* to_string(Category c) noexcept;

/// The kinds of counted objects.
enum class Kind : uint8_t {
  storage,
  tensor,
  variable,
  node,
  layer,
  tape,
  function,
  executable,
  dataset,
  queue,
  optimizer,
  metric,
  callback,
  holder,
  other
};
inline constexpr size_t kinds = static_cast<size_t>(Kind::other) + 1;
TENURE_API const char* to_string(Kind k) noexcept;

/// The counts of this moment.
struct Now {
  size_t live_bytes = 0;     ///< bytes of all live buffers, as asked for
  size_t peak_bytes = 0;     ///< highest live_bytes since start or reset_peak(); exact to 64 KiB a thread
  size_t buffers = 0;        ///< live buffers (Storage)
  size_t tensors = 0;        ///< live tensor bodies, concrete or symbolic
  size_t nodes = 0;          ///< live symbolic applications
  size_t objects = 0;        ///< live counted objects of every kind
  size_t in_use_bytes = 0;   ///< what live buffers take after rounding
  size_t cached_bytes = 0;   ///< free blocks kept by the pool
  size_t object_bytes = 0;   ///< bytes of the counted objects' own slabs
  uint64_t allocations = 0;  ///< buffers ever allocated
  size_t rss_bytes = 0;      ///< resident set of the process; filled by now(true) only
  size_t count[kinds] = {};  ///< live objects by Kind
};
/// Counts; with `rss` also the resident set (reads a system file).
TENURE_API Now now(bool rss = false);
/// Starts a new high-water mark at the present live bytes.
TENURE_API void reset_peak();

/// One account: everything asked for under one origin path such as "/fit/step/conv2d/conv".
struct Account {
  std::string path;
  size_t live_bytes = 0, live_count = 0, peak_bytes = 0;
  uint64_t allocations = 0;
};

/// One live buffer.
struct Buffer {
  uint64_t id = 0;  ///< birth number, never used again
  size_t bytes = 0;
  std::string account;
  Category category = Category::temporary;
};

/// What lived at one moment. Compare two with diff().
struct TENURE_API Snapshot {
  Now counts;
  std::vector<Account> accounts;  ///< with live bytes or a peak; largest live first
  std::vector<Buffer> buffers;    ///< by birth
  uint64_t sequence = 0;          ///< births after this moment have a larger id
  std::string text() const;
  std::string json() const;
};
TENURE_API Snapshot snapshot();

/// Exact by birth number: what of `after` was born since `before`, and what of `before` died.
struct TENURE_API Diff {
  std::vector<Buffer> born, died;
  int64_t bytes = 0;  ///< after minus before
  std::string text() const;
};
TENURE_API Diff diff(const Snapshot& before, const Snapshot& after);

/// The accounts at the highest live bytes since start or reset_peak().
struct TENURE_API Peak {
  size_t bytes = 0;
  std::vector<Account> accounts;  ///< live_bytes as they were at the peak
  std::string text() const;
};
TENURE_API Peak peak();

/// Where the process' resident memory is: the rows add up to rss by construction of `unexplained`.
struct TENURE_API Balance {
  size_t live = 0, arena = 0, rounding = 0;
  size_t pool = 0, objects = 0;   ///< resident pages of free blocks | of tensors' bodies, nodes and layers
  size_t heap = 0;                ///< behind malloc since the library was loaded, but for the large blocks that malloc maps one by one
  size_t code_and_libraries = 0;  ///< file-backed resident pages
  size_t baseline = 0;            ///< anonymous resident memory before the first tensor (C++ run time, libraries' data)
  int64_t unexplained = 0;        ///< rss minus all of the above: malloc's large blocks, threads' own arenas, stacks, JIT code
  size_t rss = 0;
  std::string text() const;
};
TENURE_API Balance balance();

/// One reference that keeps something alive.
struct Hop {
  std::string holder;  ///< "Variable dense/kernel", "GradientTape", "your own handles"
  std::string label;   ///< the edge, e.g. "entries[3].saves[0]"
  size_t bytes = 0;    ///< bytes of the holder itself, if it is a buffer
};
/// Why a tensor is alive.
struct TENURE_API Explanation {
  Spec spec;
  size_t bytes = 0;     ///< bytes of the buffer (for a view: of its base)
  bool view = false;    ///< smaller than its buffer
  std::string account;  ///< who asked
  Category category = Category::temporary;
  uint64_t id = 0;
  size_t user_handles = 0;              ///< Tensor handles outside the library
  size_t unexplained = 0;               ///< owner references that nobody's trace() names; 0 unless there is a mistake
  std::vector<std::vector<Hop>> paths;  ///< each from the buffer outwards to a root
  std::string text() const;
};
TENURE_API Explanation explain(const Tensor& t);
TENURE_API std::ostream& operator<<(std::ostream& out, const Explanation& e);

/// Every owner reference against every traced edge. ok() when they are equal for every live object.
struct TENURE_API Audit {
  size_t objects = 0, edges = 0;
  std::vector<std::string> problems;  ///< one line each: object, references counted, edges traced
  bool ok() const noexcept { return problems.empty(); }
  std::string text() const;
};
TENURE_API Audit audit();

/// Throws InvalidArgument listing what is alive, by account and holder, unless no buffer, tensor body or node lives (and audit() is ok).
TENURE_API void expect_empty();

/// The verdict on a series of counts or of a repeated action.
enum class Verdict : uint8_t { clean, leak, inconclusive };
TENURE_API const char* to_string(Verdict v) noexcept;

/// One line of a steadiness report: an account or kind whose floor moved.
struct Growth {
  std::string what;
  double per_call = 0;  ///< objects a call
  double bytes_per_call = 0;
  std::vector<std::string> holders;  ///< a chain in a line, from the object outwards
  std::vector<std::string> cards;    ///< of each of them its signature, retained bytes, and every holder with its standing
};
struct TENURE_API Steadiness {
  Verdict verdict = Verdict::clean;
  int64_t calls = 0;
  Now before, after;  ///< after warm-up | after the last call
  std::vector<Growth> growing;
  double rss_slope = 0, rss_slope_low = 0, rss_slope_high = 0;  ///< bytes a call, 95 % interval
  bool rss_conclusive = true;                                   ///< half-width at most 64 B a call
  double micros_per_call = 0;
  std::string text() const;
  std::string json() const;
};
struct SteadyOptions {
  int64_t calls = 160;  ///< judged calls; growth is confirmed at four times as many
  int64_t warmup = 20;  ///< calls before the first count; caches fill legitimately
  bool rss = false;     ///< also sample RSS for the witness column
};
/// Repeats `action` and judges exact counts by the floors of quarters. RSS never decides.
TENURE_API Steadiness steadiness(const std::function<void()>& action, const SteadyOptions& options = {});
/// Throws InvalidArgument with the report unless the verdict is clean.
TENURE_API void expect_steady(const std::function<void()>& action, const SteadyOptions& options = {});

/// A limit on live bytes of the process (rounded sizes); 0 removes it. Charged before every allocation, never exceeded.
/// An allocation beyond it throws OutOfMemory naming the requester, the largest accounts and what was tried.
TENURE_API void set_budget(size_t bytes);
TENURE_API size_t budget();

/// Begins to record what happens to buffers, or ends it. Off, a buffer costs one relaxed load more; on, some ten nanoseconds an event and no
/// allocation. The newest `events` (rounded up to a power of two, at most 1,048,576) are kept, at 32 bytes each, the rest is counted as lost.
/// record(true) forgets the recording before it; record(false) keeps its own, with what was alive at its end, for write_report().
TENURE_API void record(bool on, size_t events = size_t{1} << 18);
TENURE_API bool recording() noexcept;
/// A named moment of the recording under way ("step 3"): a line in the timeline. At most 4096 of them and of budget events are kept.
TENURE_API void mark(std::string_view text);

/// The arena of a planned call as a picture: block by block where it lies and how long (Plan::picture).
struct PlanBlock {
  size_t offset = 0, bytes = 0;
  int32_t first = 0, last = 0;  ///< instructions, inclusive
  std::string what;             ///< account and spec
};
struct PlanPicture {
  std::string name;
  size_t arena_bytes = 0, lower_bound = 0, output_bytes = 0, constant_bytes = 0;
  std::vector<std::string> instructions;
  std::vector<PlanBlock> blocks;
};

/// What a report is to show beside the ledger, the holders and the last recording. Pointers are read during the call only.
struct ReportOptions {
  std::string title = "Memory report";
  const Snapshot* before = nullptr;  ///< with `after`: the two sides of the difference
  const Snapshot* after = nullptr;
  std::vector<Steadiness> judged;  ///< verdicts; the worst one is the report's
  std::vector<PlanPicture> plans;
};
/// Writes one HTML file with everything in it: verdict, balance sheet, timeline, peak, holders, leaks, difference, plans, budget events.
/// Ends a recording under way. Wants the other threads quiet, as audit() does. Throws Unsupported where the library was built without the page,
/// Io where the file cannot be written; then there is no new file.
TENURE_API void write_report(const std::string& path, const ReportOptions& options = {});
/// The same as data: the JSON object that the page reads (report/README.md tells its format).
TENURE_API std::string report_json(const ReportOptions& options = {});
/// Whether this library carries the page.
TENURE_API bool can_report() noexcept;

/// Gives cached free blocks back to the system. Returns the bytes given back.
TENURE_API size_t trim();

/// What a Scope does at its end about buffers born inside that still live and were not kept.
enum class OnEscape : uint8_t { ignore, report, fail };
inline constexpr OnEscape ignore = OnEscape::ignore, report = OnEscape::report;

struct ScopeOptions {
  size_t budget = 0;                      ///< bytes that may be live inside at once; 0: no limit of its own
  OnEscape on_escape = OnEscape::ignore;  ///< report: to the log sink; fail: close() throws (the destructor reports)
};

/// A name on the origin path of everything allocated inside. RAII, of one thread; workers inherit it.
class TENURE_API Scope {
 public:
  explicit Scope(std::string_view name, ScopeOptions options = {});
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  /// Lets `t` out: it is not reported as escaped.
  const Tensor& keep(const Tensor& t);
  Tensor keep(Tensor&& t);
  /// What would be reported now.
  std::vector<Buffer> escaping() const;
  /// Ends the scope early; with on_escape = fail throws InvalidArgument if something escaped.
  void close();
  size_t live_bytes() const;

 private:
  struct Impl;
  void let_out(uint64_t id);
  std::unique_ptr<Impl> impl_;
};

/// Receives the edges of a holder.
class TENURE_API Visitor {
 public:
  virtual ~Visitor() = default;
  /// `t` is kept under `label` (e.g. "history"), `index` counts within it or is -1.
  void tensor(const Tensor& t, std::string_view label, int64_t index = -1);

 protected:
  virtual void user_edge(const void* body, std::string_view label, int64_t index) = 0;
};

/// Gives tensors that user code keeps a name in reports: `Holder h{"audit log", [&](Visitor& v) { for (auto& t : log) v.tensor(t, "log"); }};`
/// The function is called while a report is made, on the reporting thread; it must outlive nothing but the Holder.
class TENURE_API Holder {
 public:
  Holder(std::string name, std::function<void(Visitor&)> trace);
  ~Holder();
  Holder(const Holder&) = delete;
  Holder& operator=(const Holder&) = delete;

 private:
  void* impl_;
};

}  // namespace memory

/// Receives the library's few messages (retraces, escapes, skipped files); by default nobody does. Called from any thread.
TENURE_API void set_log_sink(std::function<void(std::string_view)> sink);

}  // namespace tenure
