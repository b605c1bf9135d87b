// Memory that explains itself: why something is alive, moments kept in files, the judgement of a program by its ticks, exports.
//
// A chain leads from a root (what the program itself holds) to a buffer. Each holder on it has a standing: expected (it keeps this by
// design), unknown, or stuck (its life says that nobody will need this any more). The references between the last expected holder and the
// first stuck one are the suspects. A signature names a chain without addresses, names or indices: it is the same in every run.
// Threads: any; all of it follows references and wants the other threads quiet, as memory::audit() does.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <tenure/memory.h>

namespace tenure::memory {

enum class Standing : uint8_t { expected, unknown, stuck };
TENURE_API const char* to_string(Standing s) noexcept;

/// One holder of a chain.
struct Link {
  std::string holder;  ///< "GradientTape with 3 entries, closed"
  std::string kind;    ///< "tape", "tensor", "handles" for those of the program
  std::string label;   ///< the reference to the next link, "entries[3]"; empty for the last link and for handles
  Standing standing = Standing::unknown;
  std::string reason;    ///< why this standing; may be empty
  bool suspect = false;  ///< the reference to the next link is one to look at
};
/// From a root to a buffer (or to a tensor without values).
struct TENURE_API Chain {
  std::vector<Link> links;
  std::string signature;  ///< eight hexadecimal digits
  size_t retained = 0;    ///< bytes that would go with the first holder that is not expected (with the root, where all are)
  std::string fix;        ///< what ends it, in one sentence, where one is known
  /// A line a holder, the reference below it, suspects underlined. `generic`: indices as [*], so that equal signatures read equal.
  std::string text(bool generic = false) const;
};
/// Why a buffer is alive.
struct TENURE_API Why {
  uint64_t id = 0;   ///< birth number of the buffer (of the tensor, where it has no values)
  std::string what;  ///< "buffer of 400 bytes, temporary, asked for by /exp"
  size_t bytes = 0;  ///< 0 without values
  std::string account;
  Category category = Category::temporary;
  size_t unexplained = 0;     ///< owner references that nobody names; 0 unless there is a mistake
  std::vector<Chain> chains;  ///< caches and named holders first, then tapes and graphs, queues, variables, the program's handles; shorter first
  std::string text() const;
  std::string json() const;
};
/// explain() with standings, signatures, retained sizes and the way out. Throws InvalidArgument for an empty handle.
TENURE_API Why why(const Tensor& t);
TENURE_API std::ostream& operator<<(std::ostream& out, const Why& w);

/// An account of a moment; `allocated_bytes` are all bytes ever asked for under it.
struct AccountTotals {
  std::string path;
  size_t live_bytes = 0, live_count = 0, peak_bytes = 0;
  uint64_t allocations = 0, allocated_bytes = 0;
};

struct MomentData;  // internal

/// Everything that was alive at one moment, with who held it: to ask now, or to keep in a file and ask later, elsewhere.
class TENURE_API Moment {
 public:
  /// What is alive now. Holds names and numbers, no object.
  static Moment now();
  /// Reads what write() wrote. Throws Io where there is none, where it is damaged or of a newer version.
  static Moment read(const std::string& path);
  /// One JSON object (docs/memory.md tells its format). Written beside and renamed: a failed write changes nothing. Throws Io.
  void write(const std::string& path) const;

  const Now& counts() const;
  const Balance& balance() const;
  const Audit& audit() const;
  const std::vector<AccountTotals>& accounts() const;
  /// Birth numbers of the `n` largest buffers, largest first.
  std::vector<uint64_t> largest(size_t n) const;
  /// Birth numbers of buffers with a chain of that signature, by birth; at most `n`.
  std::vector<uint64_t> with_signature(std::string_view signature, size_t n = 16) const;
  /// Throws NotFound for a number that no live buffer or tensor has.
  Why why(uint64_t id) const;
  /// What was born and died in between (same process), or what differs by account (two processes), largest change first.
  std::string diff(const Moment& after) const;

  /// Nodes are buffers and owners, edges are labelled references; opens in the memory panel of Chrome's developer tools.
  void export_heapsnapshot(const std::string& path) const;
  /// profile.proto (gzip): objects, space, alloc_objects, alloc_space by account, outermost frame first; opens with `go tool pprof`.
  void export_pprof(const std::string& path) const;

 private:
  explicit Moment(std::shared_ptr<const MomentData> data) : data_(std::move(data)) {}
  std::shared_ptr<const MomentData> data_;
};
/// Moment::now().write(path).
TENURE_API void write_snapshot(const std::string& path);

/// Moment::now() as these formats. Throw Io where the file cannot be written; then there is no new file.
TENURE_API void export_pprof(const std::string& path);
TENURE_API void export_heapsnapshot(const std::string& path);
/// The last recording (memory::record) as Chrome trace events: counters by category, one asynchronous span for each buffer of at least
/// `from_bytes`, instants for marks and budget events. Ends a recording under way; without one the trace is empty. Opens in Perfetto and chrome://tracing.
TENURE_API void export_trace(const std::string& path, size_t from_bytes = 64 << 10);

/// Figures of now in the Prometheus text format (version 0.0.4): live, peak, in-use and cached bytes, objects by kind, bytes by category,
/// the 50 largest accounts, allocations. No server: hand it to the one the program has.
TENURE_API std::string prometheus();

/// Ends an iteration of the program, at a point of that name. Costs one load unless the program runs under `tenure memcheck -- PROGRAM`:
/// then exact counts are taken here and judged. Model's fit, evaluate and predict tick by themselves ("fit.batch", "fit.epoch", "fit", "evaluate", "predict");
/// where the program ticks itself often enough, its own points decide.
TENURE_API void tick(std::string_view point = "tick");

}  // namespace tenure::memory
