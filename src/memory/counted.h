// Counted objects. One 64-bit word counts user handles (low half) and owner references (high half); an object dies when both are 0.
// Every counted object is enumerable (its slab is walked) and names what it owns by trace(); nobody keeps a list of references.
// Destruction is iterative: what a dying object releases is destroyed after it, from a queue of the thread, never by recursion.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "memory/ledger.h"
#include "memory/slab.h"

namespace tenure::memory {

class Counted;
class Storage;

namespace detail {
/// Live objects by kind: each thread adds to its own, the sum has meaning. Trivially destructible, folded when the thread ends.
struct KindCounts {
  std::atomic<int64_t> n[kinds];
  bool registered;
};
TENURE_HOT_TLS extern thread_local constinit KindCounts kind_counts;
void register_kind_counts() noexcept;
/// Of a thread that is registered.
inline void count_kind_here(Kind kind, int64_t d) noexcept {
  auto& n = kind_counts.n[static_cast<size_t>(kind)];
  n.store(n.load(std::memory_order_relaxed) + d, std::memory_order_relaxed);
}
inline void count_kind(Kind kind, int64_t d) noexcept {
  if (!kind_counts.registered) [[unlikely]]
    register_kind_counts();
  count_kind_here(kind, d);
}
}  // namespace detail

/// How a reference is called: "held", "held[2]".
std::string edge_text(std::string_view label, int64_t index);

/// Receives the owning edges of one object.
class EdgeVisitor {
 public:
  virtual ~EdgeVisitor() = default;
  /// One owner reference to `target` under `label`; `index` counts within it or is -1. Null targets are ignored.
  virtual void edge(const Counted* target, std::string_view label, int64_t index = -1) = 0;
  /// A user's handle that a named holder knows of; it counts in the other half of the word.
  virtual void user_edge(const Counted* /*target*/, std::string_view /*label*/, int64_t /*index*/) {}
};

class Counted {
 public:
  static constexpr uint64_t kUser = 1, kOwner = uint64_t{1} << 32;

  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

  /// Names every owner reference this object holds, each once. Const, allocation of tensors is not allowed in it.
  virtual void trace(EdgeVisitor& v) const = 0;
  /// For reports: "Variable dense/kernel".
  virtual std::string describe() const = 0;

  /// At 0 the object is new and only its maker knows it; at one unit only the releaser does: neither needs a locked instruction.
  void retain(uint64_t unit) const noexcept {
    if (word().load(std::memory_order_relaxed) == 0) word().store(unit, std::memory_order_release);
    else word().fetch_add(unit, std::memory_order_relaxed);
  }
  void release(uint64_t unit) const noexcept {
    if (word().load(std::memory_order_acquire) == unit) word().store(0, std::memory_order_relaxed);
    else if (word().fetch_sub(unit, std::memory_order_acq_rel) != unit) return;
    dispose(const_cast<Counted*>(this));
  }
  /// A user handle becomes an owner reference or back, without passing through 0.
  void convert(uint64_t from, uint64_t to) const noexcept { word().fetch_add(to - from, std::memory_order_relaxed); }
  uint32_t users() const noexcept { return static_cast<uint32_t>(word().load(std::memory_order_acquire)); }
  uint32_t owners() const noexcept { return static_cast<uint32_t>(word().load(std::memory_order_acquire) >> 32); }
  uint64_t refs() const noexcept { return word().load(std::memory_order_acquire); }

  uint64_t birth() const noexcept { return birth_; }
  Kind kind() const noexcept { return kind_; }
  AccountId account() const noexcept { return account_; }

  static void* operator new(size_t bytes) {
    if (bytes <= kSlabLimit) [[likely]]
      if (void* p = slab_alloc(Heap::objects, slab_class(bytes))) [[likely]]
        return p;
    return new_large(bytes);
  }
  static void operator delete(void* p, size_t bytes) noexcept {
    if (bytes <= kSlabLimit) [[likely]]
      slab_free(Heap::objects, slab_class(bytes), p);
    else delete_large(p);
  }

 protected:
  explicit Counted(Kind kind, AccountId account = current_account()) noexcept : birth_(next_birth()), account_(account), kind_(kind) {
    word().store(0, std::memory_order_relaxed);
    detail::count_kind(kind, 1);
  }
  /// For a maker that has looked after everything: the thread is registered, its next birth number is ready.
  struct Plain {};
  Counted(Kind kind, AccountId account, Plain) noexcept : birth_(detail::thread_state.birth++), account_(account), kind_(kind) {
    word().store(0, std::memory_order_relaxed);
    detail::count_kind_here(kind, 1);
  }
  virtual ~Counted() { detail::count_kind(kind_, -1); }

 private:
  static void dispose_fully(Counted* dead) noexcept;
  static void dispose_buffer(Counted* dead) noexcept;
  static void dispose_recorded(Counted* dead) noexcept;
  static void end(Counted* dead) noexcept;
  static void dispose(Counted* dead) noexcept;
  static void* new_large(size_t bytes);
  static void delete_large(void* p) noexcept;

  std::atomic_ref<uint64_t> word() const noexcept { return std::atomic_ref(refs_); }

  // The second word of the object: slabs rely on it. Never written plainly: who walks the live objects reads it while objects are made.
  mutable uint64_t refs_;
  uint64_t birth_;
  AccountId account_;
  Kind kind_;

 protected:
  void set_account(AccountId a) noexcept { account_ = a; }
  // Here for the sake of packing; used by Storage and by tensor bodies.
  Category category_ = Category::temporary;
  uint8_t flags_ = 0, class_ = 0;
};

/// A handle of `Unit`: Handle counts as a user's, Held as an owner's. Only library objects have Held members.
template <class T, uint64_t Unit>
class Counting {
 public:
  Counting() noexcept = default;
  Counting(std::nullptr_t) noexcept {}
  explicit Counting(T* p) noexcept : p_(p) {
    if (p_) p_->retain(Unit);
  }
  Counting(const Counting& o) noexcept : Counting(o.p_) {}
  Counting(Counting&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Counting& operator=(Counting o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Counting() {
    if (p_) p_->release(Unit);
  }
  T* get() const noexcept { return p_; }
  T* operator->() const noexcept { return p_; }
  T& operator*() const noexcept { return *p_; }
  explicit operator bool() const noexcept { return p_ != nullptr; }
  bool operator==(const Counting& o) const noexcept { return p_ == o.p_; }
  void reset() noexcept { Counting().swap(*this); }
  void swap(Counting& o) noexcept { std::swap(p_, o.p_); }
  /// Gives the reference away uncounted.
  T* leave() noexcept { return std::exchange(p_, nullptr); }
  static Counting adopt(T* p) noexcept {
    Counting c;
    c.p_ = p;
    return c;
  }

 private:
  T* p_ = nullptr;
};
template <class T>
using Handle = Counting<T, Counted::kUser>;
template <class T>
using HeldOf = Counting<T, Counted::kOwner>;

/// Visits all live objects. Approximate while other threads make or drop objects.
void for_each_live(const std::function<void(Counted&)>& visit);
/// Live objects by kind, exact.
void live_counts(size_t (&count)[kinds]) noexcept;

}  // namespace tenure::memory
