#include "memory/record.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "base/check.h"
#include "memory/storage.h"

namespace tenure::memory {

namespace detail {
std::atomic<bool> recording_on{false};
}

namespace {

using detail::NoteKind;

// Four words a slot: ticks; bytes, category and direction; birth; account and the tag. The tag is the low half of the event's number plus
// one, written last: a slot that is being written, or holds an older event, does not match and is left out.
struct EventSlot {
  std::atomic<uint64_t> ticks, what, birth, tag;
};
constexpr size_t kMost = size_t{1} << 20, kNotes = 4096;

struct Note {
  uint64_t number, ticks;
  RecordedNote note;
};

struct Recorder {
  std::atomic<EventSlot*> ring{nullptr};
  std::atomic<uint64_t> next{0};  // number of the next event; grows over all recordings
  std::atomic<uint64_t> mask{0};
  uint64_t first = 0;  // number of this recording's first event
  uint64_t first_ticks = 0;
  std::chrono::steady_clock::time_point begun;
  std::mutex mutex;  // around all that follows, and around beginning and ending
  std::vector<Note> notes;
  std::shared_ptr<const Recording> last;
  uint64_t recordings = 0;  // begun so far
};

// Never destroyed: buffers may die after main.
Recorder& recorder() noexcept {
  static auto* r = new Recorder;
  return *r;
}

uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#else
  return static_cast<uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
#endif
}

void begin(Recorder& r, size_t events) {
  if (!r.ring.load()) {
    // Fresh pages of the system: what is never written takes no memory.
    auto* ring = static_cast<EventSlot*>(std::calloc(kMost, sizeof(EventSlot)));
    check(ring != nullptr, Code::OutOfMemory, "record: the system has no {} bytes for the ring of events", kMost * sizeof(EventSlot));
    r.ring.store(ring);
  }
  size_t size = 1;
  while (size < events) size *= 2;
  r.mask.store(size - 1);
  r.notes.clear();
  r.last.reset();
  ++r.recordings;
  r.first = r.next.load();
  r.first_ticks = ticks();
  r.begun = std::chrono::steady_clock::now();
  detail::recording_on.store(true);
}

// Events [from, next) of the ring, oldest first.
void read_events(Recorder& r, Recording& out, double scale, std::vector<uint64_t>& numbers) {
  uint64_t end = r.next.load(), mask = r.mask.load(), from = std::max(r.first, end > mask + 1 ? end - mask - 1 : 0);
  out.lost = from - r.first;
  out.events.reserve(end - from);
  int64_t last = 0;
  for (uint64_t n = from; n < end; ++n) {
    const EventSlot& s = r.ring.load()[n & mask];
    uint64_t tag = s.tag.load(std::memory_order_acquire);
    if (static_cast<uint32_t>(tag >> 32) != static_cast<uint32_t>(n + 1)) {
      ++out.lost;
      continue;
    }
    uint64_t what = s.what.load(std::memory_order_relaxed);
    RecordedEvent e;
    auto since = static_cast<int64_t>(s.ticks.load(std::memory_order_relaxed) - r.first_ticks);
    e.nanoseconds = last = std::max(last, static_cast<int64_t>(static_cast<double>(since) * scale));
    e.released = what & 1;
    e.buffer = {s.birth.load(std::memory_order_relaxed), static_cast<size_t>(what >> 8), static_cast<AccountId>(tag),
                static_cast<Category>((what >> 1) & 127)};
    out.events.push_back(e);
    numbers.push_back(n);
  }
}

// When a recording stopped, since its beginning.
struct Stop {
  uint64_t recording = 0, ticks = 0;
  double nanoseconds = 0;
};

void end(Recorder& r, const Stop& stop, std::vector<BufferStamp> live) {
  auto out = std::make_shared<Recording>();
  double scale = stop.ticks ? stop.nanoseconds / static_cast<double>(stop.ticks) : 1;
  out->duration = static_cast<int64_t>(stop.nanoseconds);
  out->live = std::move(live);
  std::vector<uint64_t> numbers;
  read_events(r, *out, scale, numbers);
  for (Note& n : r.notes) {
    n.note.nanoseconds = static_cast<int64_t>(static_cast<double>(n.ticks - r.first_ticks) * scale);
    n.note.before = static_cast<size_t>(std::lower_bound(numbers.begin(), numbers.end(), n.number) - numbers.begin());
    out->notes.push_back(std::move(n.note));
  }
  r.notes.clear();
  auto resolve = [&](AccountId a) {
    if (auto [it, fresh] = out->paths.try_emplace(a); fresh) it->second = path_of(a);
  };
  for (const RecordedEvent& e : out->events) resolve(e.buffer.account);
  for (const BufferStamp& b : out->live) resolve(b.account);
  r.last = std::move(out);
}

}  // namespace

void detail::record_event(bool released, Category category, AccountId account, uint64_t birth, size_t bytes) noexcept {
  Recorder& r = recorder();
  uint64_t n = r.next.fetch_add(1, std::memory_order_relaxed);
  EventSlot& s = r.ring.load(std::memory_order_relaxed)[n & r.mask.load(std::memory_order_relaxed)];
  s.tag.store(0, std::memory_order_relaxed);
  s.ticks.store(ticks(), std::memory_order_relaxed);
  s.what.store(uint64_t{bytes} << 8 | static_cast<uint64_t>(category) << 1 | (released ? 1 : 0), std::memory_order_relaxed);
  s.birth.store(birth, std::memory_order_relaxed);
  s.tag.store((n + 1) << 32 | account, std::memory_order_release);
}

void detail::record_note(NoteKind kind, size_t bytes, int64_t limit, int64_t used, std::string_view text) noexcept {
  Recorder& r = recorder();
  std::lock_guard lock(r.mutex);
  if (!recording_on.load() || r.notes.size() >= kNotes) return;
  try {
    r.notes.push_back({r.next.load(), ticks(), {0, 0, kind, bytes, limit, used, std::string(text)}});
  } catch (...) {  // a note that cannot be kept is not worth the program
  }
}

std::mutex& detail::record_mutex() noexcept { return recorder().mutex; }

std::vector<BufferStamp> live_buffers(bool borrowed) {
  std::vector<BufferStamp> out;
  for_each_live([&](Counted& c) {
    if (c.kind() != Kind::storage) return;
    auto& s = static_cast<Storage&>(c);
    if (borrowed || !s.borrowed()) out.push_back({s.birth(), s.bytes(), s.account(), s.category()});
  });
  std::sort(out.begin(), out.end(), [](const BufferStamp& a, const BufferStamp& b) { return a.birth < b.birth; });
  return out;
}

std::shared_ptr<const Recording> last_recording() {
  std::lock_guard lock(recorder().mutex);
  return recorder().last;
}

void record(bool on, size_t events) {
  check(events >= 2 && events <= kMost, Code::InvalidArgument, "record: expected 2 to {} events to keep, got {}", kMost, events);
  Recorder& r = recorder();
  Stop stop;
  {
    std::lock_guard lock(r.mutex);
    if (on) begin(r, events);
    if (on || !detail::recording_on.load()) return;
    detail::recording_on.store(false);
    stop = {r.recordings, ticks() - r.first_ticks, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - r.begun).count()};
  }
  // The walk comes without the mutex: it waits for destructors, one of which may have something to note, and a fork takes its locks first.
  std::vector<BufferStamp> live = live_buffers();
  std::lock_guard lock(r.mutex);
  if (r.recordings == stop.recording) end(r, stop, std::move(live));  // else another thread began anew meanwhile
}

bool recording() noexcept { return detail::recording_on.load(std::memory_order_relaxed); }

void mark(std::string_view text) {
  record_rare(NoteKind::mark, 0, 0, 0, [&] { return text; });
}

}  // namespace tenure::memory
