// Direct: the caller does the work. Ahead: worker threads do, and leave the results in a queue in the order of pulling.
//
// Ahead owns its threads and its queue. Workers refer to it raw: its destructor stops and joins them, then the queue's elements go.
// Nothing is lost when a pass is dropped half-way: an element in the making is finished and freed by its worker.
#include "data/ahead.h"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/parallel.h"
#include "memory/lifecycle.h"
#include "memory/living.h"

namespace tenure::data {
namespace {

class Direct final : public Stage {
 public:
  Direct(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, std::string_view name, std::unique_ptr<Producer> producer)
      : Stage(std::move(recipe), std::move(below), name), producer_(std::move(producer)) {}
  int64_t skipped() const noexcept override { return skipped_ + Stage::skipped(); }

 private:
  bool step(Batch& out) override {
    for (;;) {
      Producer::Job job;
      if (!producer_->pull(job)) return false;
      if (producer_->work(job, out)) return true;
      ++skipped_;
    }
  }

  std::unique_ptr<Producer> producer_;
  int64_t skipped_ = 0;
};

/// The starter's account, category and budget, kept for as long as workers may run.
class Inherited {
 public:
  explicit Inherited(memory::AccountId account) : context_(memory::Context::current()) {
    context_.account = account;
    context_.category = memory::Category::input;
    if (context_.budget) context_.budget->retain();
  }
  ~Inherited() {
    if (context_.budget) context_.budget->release();
  }
  Inherited(const Inherited&) = delete;
  Inherited& operator=(const Inherited&) = delete;
  const memory::Context& get() const noexcept { return context_; }

 private:
  memory::Context context_;
};

class Ahead final : public Stage, public memory::Lifecycle {
 public:
  Ahead(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, std::string_view name, std::unique_ptr<Producer> producer,
        const AheadLimits& limits)
      : Stage(std::move(recipe), std::move(below), name), producer_(std::move(producer)), limits_(limits), inherited_(at_) {
    memory::Living<Ahead>::add(this);
  }

  int64_t skipped() const noexcept override { return skipped_.load(std::memory_order_relaxed) + Stage::skipped(); }

  void trace(memory::EdgeVisitor& v) const override {
    Stage::trace(v);
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < slots_.size(); ++i) slots_[i].kept.trace(v, "queue", static_cast<int64_t>(i));
  }
  Says says() const override {
    return {memory::Standing::unknown, fmt::format("a pass under way keeps at most {} elements", limits_.count),
            "read the pass to its end, or drop its Iterator"};
  }

  // A budget is short: every queue runs half as far ahead from now on. What is in it belongs to the consumer, so no byte is won at once.
  static size_t run_less_ahead(size_t) {
    memory::Living<Ahead>::each([](Ahead& a) {
      std::unique_lock lock(a.mutex_, std::try_to_lock);
      if (lock) a.limits_.count = std::max<size_t>(1, a.limits_.count / 2);
    });
    return 0;
  }

 private:
  struct Slot {
    Kept kept = {};
    std::exception_ptr error = {};
    bool done = false, left_out = false;
  };

  ~Ahead() override {
    memory::Living<Ahead>::remove(this);
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
    }
    space_.notify_all();
    for (std::thread& t : threads_) t.join();
  }

  bool step(Batch& out) override {
    if (threads_.empty()) start();
    std::unique_lock lock(mutex_);
    for (;;) {
      ready_.wait(lock, [&] { return slots_.empty() ? ended_ : slots_.front().done; });
      if (slots_.empty()) return false;
      Slot s = std::move(slots_.front());
      slots_.pop_front();
      ++first_;
      bytes_ -= s.kept.bytes();
      out = s.kept.take();
      space_.notify_all();
      if (s.error) std::rethrow_exception(s.error);
      if (!s.left_out) return true;
      skipped_.fetch_add(1, std::memory_order_relaxed);
    }
  }

  void start() {
    try {
      for (int i = 0; i < limits_.workers; ++i) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& e) {
      if (threads_.empty())
        fail(Code::Io, "{}: expected to start {} worker threads, but the system refuses: {}", recipe_->describe(), limits_.workers, e.what());
    }
  }

  /// Whether one more element may be begun: what it will take is guessed from the largest so far, so the first is made alone.
  bool room() const noexcept {
    if (slots_.empty()) return true;
    if (slots_.size() >= limits_.count) return false;
    if (running_ > 0 && largest_ == 0) return false;
    return bytes_ + (running_ + 1) * largest_ <= limits_.bytes;
  }

  void run() noexcept {
    memory::Adopt adopt(inherited_.get());
    run_serially(true);
    while (one()) {}
  }

  /// One element; false when there is no more to do.
  bool one() noexcept {
    Producer::Job job;
    uint64_t number;
    std::exception_ptr error;
    {
      std::lock_guard pulling(pull_mutex_);  // held while waiting: numbers are given in the order of pulling
      {
        std::unique_lock lock(mutex_);
        space_.wait(lock, [&] { return stop_ || ended_ || room(); });
        if (stop_ || ended_) return false;
        number = first_ + slots_.size();
        slots_.emplace_back();
        ++running_;
      }
      bool more = true;
      try {
        more = producer_->pull(job);
      } catch (...) { error = std::current_exception(); }
      if (!more) {
        std::lock_guard lock(mutex_);
        slots_.pop_back();
        --running_;
        ended_ = true;
        ready_.notify_one();
        return false;
      }
    }
    bool made = false;
    Batch out;
    if (!error) {
      try {
        made = work(job, out, number);
      } catch (...) { error = std::current_exception(); }
    }
    job = {};
    finish(number, made, std::move(out), std::move(error));
    return true;
  }

  // An element that is made from its row alone can be made again: where memory is refused while others wait in front of it, it waits until
  // they were taken and tries once more.
  bool work(Producer::Job& job, Batch& out, uint64_t number) {
    bool again = job.in.x.empty();
    try {
      return producer_->work(job, out);
    } catch (const Error& e) {
      if (!again || e.code() != Code::OutOfMemory) throw;
      std::unique_lock lock(mutex_);
      if (first_ == number) throw;
      space_.wait(lock, [&] { return stop_ || first_ == number; });
      if (stop_) throw;
    }
    out = {};
    return producer_->work(job, out);
  }

  void finish(uint64_t number, bool made, Batch out, std::exception_ptr error) noexcept {
    std::lock_guard lock(mutex_);
    Slot& s = slots_[number - first_];
    if (error) {
      s.error = std::move(error);
      ended_ = true;
    } else if (made) {
      s.kept = Kept(std::move(out));
      bytes_ += s.kept.bytes();
      largest_ = std::max(largest_, s.kept.bytes());
    } else {
      s.left_out = true;
    }
    s.done = true;
    --running_;
    ready_.notify_one();
    space_.notify_all();
  }

  std::unique_ptr<Producer> producer_;
  AheadLimits limits_;
  Inherited inherited_;
  std::atomic<int64_t> skipped_{0};

  std::mutex pull_mutex_;
  mutable std::mutex mutex_;  // guards all below
  std::condition_variable space_, ready_;
  std::deque<Slot> slots_;
  uint64_t first_ = 0;  // the number of slots_.front()
  size_t running_ = 0, bytes_ = 0, largest_ = 0;
  bool ended_ = false, stop_ = false;
  std::vector<std::thread> threads_;
};

[[maybe_unused]] const bool ahead_reclaims = (memory::add_reclaimer("prefetch depth", Ahead::run_less_ahead), true);

/// Rows of a source, fetched.
class RowProducer final : public Producer {
 public:
  RowProducer(const Rows& rows, std::unique_ptr<RowCursor> cursor) : rows_(rows), cursor_(std::move(cursor)) {}
  bool pull(Job& job) override { return cursor_->next(job.row); }
  bool work(Job& job, Batch& out) override { return rows_.fetch(job.row, out); }

 private:
  const Rows& rows_;
  std::unique_ptr<RowCursor> cursor_;
};

}  // namespace

memory::HeldOf<Stage> open_producer(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, std::string_view name,
                                    std::unique_ptr<Producer> producer, const AheadLimits& limits) {
  Stage* s;
  if (limits.workers > 0) s = new Ahead(std::move(recipe), std::move(below), name, std::move(producer), limits);
  else s = new Direct(std::move(recipe), std::move(below), name, std::move(producer));
  return memory::HeldOf<Stage>(s);
}

memory::HeldOf<Stage> open_rows(memory::HeldOf<Recipe> recipe, const Opening& opening) {
  const Rows& rows = *recipe->rows();
  auto producer = std::make_unique<RowProducer>(rows, recipe->cursor(opening));
  const int workers = rows.workers();
  return open_producer(std::move(recipe), {}, "read", std::move(producer), {workers, static_cast<size_t>(workers) * 16, rows.ahead_bytes()});
}

}  // namespace tenure::data
