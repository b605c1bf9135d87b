// The recorder: a bounded ring of what happened to buffers, off unless somebody asked for it.
// Owns: one ring, made by the first record(true) and never freed (a thread may be writing), and what the last recording was made into.
// Threads: any thread records; a slot is claimed by one add and its tag is written last. Off, an event costs one relaxed load.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory/ledger.h"

namespace tenure::memory {

namespace detail {
extern std::atomic<bool> recording_on;
void record_event(bool released, Category category, AccountId account, uint64_t birth, size_t bytes) noexcept;
/// Rare events beside the ring, under a mutex. At most 4096 a recording; later ones are not kept.
enum class NoteKind : uint8_t { mark, refused, reclaimed, limit };
void record_note(NoteKind kind, size_t bytes, int64_t limit, int64_t used, std::string_view text) noexcept;
/// For fork(): taken before, released on both sides.
std::mutex& record_mutex() noexcept;
}  // namespace detail

inline void record_buffer(bool released, Category category, AccountId account, uint64_t birth, size_t bytes) noexcept {
  if (detail::recording_on.load(std::memory_order_relaxed)) [[unlikely]]
    detail::record_event(released, category, account, birth, bytes);
}
/// `text` is only made where a recording is under way.
template <class F>
void record_rare(detail::NoteKind kind, size_t bytes, int64_t limit, int64_t used, F&& text) {
  if (detail::recording_on.load(std::memory_order_relaxed)) [[unlikely]]
    detail::record_note(kind, bytes, limit, used, text());
}

/// What is known of a buffer, and what of it happened when.
struct BufferStamp {
  uint64_t birth = 0;
  size_t bytes = 0;
  AccountId account = 0;
  Category category = Category::temporary;
};
struct RecordedEvent {
  int64_t nanoseconds = 0;  ///< since the recording began; never falls
  bool released = false;
  BufferStamp buffer;
};
struct RecordedNote {
  int64_t nanoseconds = 0;
  size_t before = 0;  ///< index of the event it stands before
  detail::NoteKind kind = detail::NoteKind::mark;
  size_t bytes = 0;
  int64_t limit = 0, used = 0;
  std::string text;
};
/// A recording that has ended. Paths are those of its end.
struct Recording {
  std::vector<RecordedEvent> events;  ///< the newest that the ring held, oldest first
  uint64_t lost = 0;                  ///< older events that it did not hold
  int64_t duration = 0;               ///< nanoseconds
  std::vector<RecordedNote> notes;
  std::vector<BufferStamp> live;  ///< buffers alive at the end, by birth
  std::unordered_map<AccountId, std::string> paths;
};
/// The last recording that ended, or null.
std::shared_ptr<const Recording> last_recording();
/// Buffers alive now, by birth; borrowed ones, which are not the ledger's, if asked for.
std::vector<BufferStamp> live_buffers(bool borrowed = false);

}  // namespace tenure::memory
