// The stages of a Dataset: map, shuffle, batch, prefetch, take, skip, repeat (cache: cache.cc).
// Above a source with rows, shuffle, take, skip and repeat only choose row numbers; elsewhere they pass elements on.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <random>

#include <tenure/strings.h>

#include "data/ahead.h"
#include "data/rng.h"
#include "memory/lifecycle.h"

namespace tenure::data {
namespace {

using memory::HeldOf;

HeldOf<Recipe> held(Recipe* r) {
  check(r != nullptr, Code::InvalidArgument, "Dataset: this handle is empty (default-made, moved from, or released)");
  return HeldOf<Recipe>(r);
}

// ---- map, prefetch -----------------------------------------------------------------------------------------------------------

class MapRecipe final : public Recipe {
 public:
  MapRecipe(HeldOf<Recipe> below, std::function<Batch(Batch)> fn, MapOptions options)
      : Recipe(std::move(below)), fn_(std::move(fn)), options_(options) {}
  int64_t cardinality() const override { return below_->cardinality(); }
  std::string text() const override { return "map"; }
  HeldOf<Stage> open(const Opening& opening) const override;
  Batch call(Batch in, int64_t number) const {
    try {
      return fn_(std::move(in));
    } catch (Error& e) {
      e.add_frame(fmt::format("Dataset.map, element {} of {}", number, below_->describe()));
      throw;
    }
  }

 private:
  std::function<Batch(Batch)> fn_;
  MapOptions options_;
};

/// Elements of the stage below, through a map or as they are.
class StageProducer final : public Producer {
 public:
  StageProducer(Stage& below, const MapRecipe* map) : below_(below), map_(map) {}
  bool pull(Job& job) override {
    job.row = number_++;
    return below_.next(job.in);
  }
  bool work(Job& job, Batch& out) override {
    out = map_ ? map_->call(std::move(job.in), job.row) : std::move(job.in);
    return true;
  }

 private:
  Stage& below_;
  const MapRecipe* map_;
  int64_t number_ = 0;
};

HeldOf<Stage> MapRecipe::open(const Opening& opening) const {
  HeldOf<Stage> below = below_->open(opening);
  auto producer = std::make_unique<StageProducer>(*below, this);
  return open_producer(self(), std::move(below), "map", std::move(producer),
                       {options_.workers, static_cast<size_t>(options_.workers) * 16, options_.bytes});
}

class PrefetchRecipe final : public Recipe {
 public:
  PrefetchRecipe(HeldOf<Recipe> below, int64_t n, size_t bytes) : Recipe(std::move(below)), n_(n), bytes_(bytes) {}
  int64_t cardinality() const override { return below_->cardinality(); }
  std::string text() const override { return fmt::format("prefetch({})", n_); }
  HeldOf<Stage> open(const Opening& opening) const override {
    HeldOf<Stage> below = below_->open(opening);
    auto producer = std::make_unique<StageProducer>(*below, nullptr);
    return open_producer(self(), std::move(below), "prefetch", std::move(producer), {1, static_cast<size_t>(n_), bytes_});
  }

 private:
  int64_t n_;
  size_t bytes_;
};

// ---- shuffle -----------------------------------------------------------------------------------------------------------------

/// Draws from a window of `size` items: fill(item) adds the next one or says there is none.
template <class T>
class Window {
 public:
  Window(int64_t size, Rng rng) : size_(static_cast<size_t>(size)), rng_(rng) {}
  template <class Fill>
  bool draw(T& out, Fill&& fill) {
    while (!ended_ && items_.size() < size_) {
      T item{};
      if (fill(item)) items_.push_back(std::move(item));
      else ended_ = true;
    }
    if (items_.empty()) return false;
    T& chosen = items_[rng_.below(items_.size())];
    out = std::move(chosen);
    if (&chosen != &items_.back()) chosen = std::move(items_.back());
    items_.pop_back();
    return true;
  }
  const std::vector<T>& items() const noexcept { return items_; }

 private:
  size_t size_;
  Rng rng_;
  std::vector<T> items_;
  bool ended_ = false;
};

class ShuffleCursor final : public RowCursor {
 public:
  ShuffleCursor(std::unique_ptr<RowCursor> below, int64_t size, Rng rng) : below_(std::move(below)), window_(size, rng) {}
  bool next(int64_t& row) override {
    return window_.draw(row, [&](int64_t& r) { return below_->next(r); });
  }

 private:
  std::unique_ptr<RowCursor> below_;
  Window<int64_t> window_;
};

class ShuffleStage final : public Stage, public memory::Lifecycle {
 public:
  ShuffleStage(HeldOf<Recipe> recipe, HeldOf<Stage> below, int64_t size, Rng rng)
      : Stage(std::move(recipe), std::move(below), "shuffle"), window_(size, rng) {}
  void trace(memory::EdgeVisitor& v) const override {
    Stage::trace(v);
    for (size_t i = 0; i < window_.items().size(); ++i) window_.items()[i].trace(v, "buffer", static_cast<int64_t>(i));
  }
  Says says() const override {
    return {memory::Standing::unknown, "a pass under way keeps what it shuffles", "read the pass to its end, or drop its Iterator"};
  }

 private:
  bool step(Batch& out) override {
    Kept drawn;
    bool more = window_.draw(drawn, [&](Kept& k) {
      Batch b;
      if (!below_->next(b)) return false;
      k = Kept(std::move(b));
      return true;
    });
    if (more) out = drawn.take();
    return more;
  }

  Window<Kept> window_;
};

class ShuffleRecipe final : public Recipe {
 public:
  ShuffleRecipe(HeldOf<Recipe> below, int64_t size, uint64_t seed, bool again) : Recipe(std::move(below)), size_(size), seed_(seed), again_(again) {}
  int64_t cardinality() const override { return below_->cardinality(); }
  std::string text() const override { return fmt::format("shuffle({})", size_); }
  const Rows* rows() const override { return below_->rows(); }
  std::unique_ptr<RowCursor> cursor(const Opening& opening) const override {
    Rng r = rng(opening);
    return std::make_unique<ShuffleCursor>(below_->cursor(opening), size_, r);
  }
  HeldOf<Stage> open(const Opening& opening) const override {
    if (rows()) return open_rows(self(), opening);
    Rng r = rng(opening);
    return HeldOf<Stage>(new ShuffleStage(self(), below_->open(opening), size_, r));
  }

 private:
  Rng rng(const Opening& opening) const { return Rng(seed_, !again_ ? 0 : opening.epoch ? *opening.epoch : passes_.fetch_add(1)); }

  int64_t size_;
  uint64_t seed_;
  bool again_;
  mutable std::atomic<uint64_t> passes_{0};
};

// ---- batch -------------------------------------------------------------------------------------------------------------------

/// One tensor of a batch in the making. Lives on the stack of a step.
class Column {
 public:
  Column(Spec row, int64_t n) : row_(row), n_(n) {
    Spec whole = row;
    whole.shape.insert(0, n);
    if (row.dtype != DType::string) out_ = make_tensor(whole);
  }
  void add(const Tensor& t, int64_t i, const char* what, size_t k) {
    check(t.concrete() && t.spec() == row_, Code::Shape, "batch: element {} has {}[{}] of {}, expected {} as in the first of this batch", i, what, k,
          t.concrete() ? to_string(t.spec()) : "no values", row_);
    if (row_.dtype == DType::string)
      for (std::string& s : to_strings(t)) texts_.push_back(std::move(s));
    else if (row_.bytes()) std::memcpy(mutable_data(out_) + static_cast<size_t>(i) * row_.bytes(), t.bytes().data(), row_.bytes());
  }
  /// The first `n` rows, in a buffer of their size.
  Tensor finish(int64_t n) {
    if (n == n_ && out_.defined()) return std::move(out_);
    Spec part = row_;
    part.shape.insert(0, n);
    if (row_.dtype == DType::string) return strings(texts_, part.shape);
    return make_view(out_, part, 0).clone();
  }

 private:
  Spec row_;
  int64_t n_;
  Tensor out_;                      // stack-bound
  std::vector<std::string> texts_;  // in place of it
};

struct Columns {
  std::vector<Column> columns = {};
  void add(const Tensors& parts, int64_t i, int64_t n, const char* what) {
    if (i == 0)
      for (const Tensor& t : parts) {
        check(t.concrete(), Code::InvalidArgument, "batch: element 0 has {} without values", what);
        check(t.rank() < Shape::max_rank, Code::Shape, "batch: expected at most {} dimensions, got {}", Shape::max_rank - 1, t.spec());
        columns.emplace_back(t.spec(), n);
      }
    check(parts.size() == columns.size(), Code::Shape, "batch: element {} has {} {}, expected {} as in the first of this batch", i, parts.size(),
          what, columns.size());
    for (size_t k = 0; k < parts.size(); ++k) columns[k].add(parts[k], i, what, k);
  }
  Tensors finish(int64_t n) {
    Tensors out;
    for (Column& c : columns) out.push_back(c.finish(n));
    return out;
  }
};

/// Stacks elements: holds one element and the batch at a time.
class BatchStage final : public Stage {
 public:
  BatchStage(HeldOf<Recipe> recipe, HeldOf<Stage> below, int64_t n, bool drop)
      : Stage(std::move(recipe), std::move(below), "batch"), n_(n), drop_(drop) {}

 private:
  bool step(Batch& out) override {
    Columns x, y, weights;
    Batch element;
    int64_t got = 0;
    for (; got < n_ && below_->next(element); ++got) {
      x.add(element.x, got, n_, "x");
      y.add(element.y, got, n_, "y");
      weights.add(element.weights, got, n_, "weights");
    }
    if (got == 0 || (drop_ && got < n_)) return false;
    out = {x.finish(got), y.finish(got), weights.finish(got)};
    return true;
  }

  int64_t n_;
  bool drop_;
};

/// Takes batches straight from a source that gathers.
class GatherStage final : public Stage {
 public:
  GatherStage(HeldOf<Recipe> recipe, const Rows& rows, std::unique_ptr<RowCursor> cursor, int64_t n, bool drop)
      : Stage(std::move(recipe), {}, "batch"), rows_(rows), cursor_(std::move(cursor)), n_(static_cast<size_t>(n)), drop_(drop) {}

 private:
  bool step(Batch& out) override {
    chosen_.clear();
    int64_t row;
    while (chosen_.size() < n_ && cursor_->next(row)) chosen_.push_back(row);
    if (chosen_.empty() || (drop_ && chosen_.size() < n_)) return false;
    out = rows_.gather(chosen_);
    return true;
  }

  const Rows& rows_;
  std::unique_ptr<RowCursor> cursor_;
  size_t n_;
  bool drop_;
  std::vector<int64_t> chosen_;
};

class BatchRecipe final : public Recipe {
 public:
  BatchRecipe(HeldOf<Recipe> below, int64_t n, bool drop) : Recipe(std::move(below)), n_(n), drop_(drop) {}
  int64_t cardinality() const override {
    int64_t c = below_->cardinality();
    return c < 0 ? c : c / n_ + (!drop_ && c % n_ ? 1 : 0);
  }
  std::string text() const override { return fmt::format("batch({})", n_); }
  HeldOf<Stage> open(const Opening& opening) const override {
    const Rows* rows = below_->rows();
    if (rows && rows->gathers()) return HeldOf<Stage>(new GatherStage(self(), *rows, below_->cursor(opening), n_, drop_));
    return HeldOf<Stage>(new BatchStage(self(), below_->open(opening), n_, drop_));
  }

 private:
  int64_t n_;
  bool drop_;
};

// ---- take, skip --------------------------------------------------------------------------------------------------------------

class CutCursor final : public RowCursor {
 public:
  CutCursor(std::unique_ptr<RowCursor> below, int64_t skip, int64_t take) : below_(std::move(below)), skip_(skip), take_(take) {}
  bool next(int64_t& row) override {
    if (take_ <= 0) return false;
    for (; skip_ > 0; --skip_)
      if (!below_->next(row)) return skip_ = 0, take_ = 0, false;
    --take_;
    return below_->next(row);
  }

 private:
  std::unique_ptr<RowCursor> below_;
  int64_t skip_, take_;
};

class CutStage final : public Stage {
 public:
  CutStage(HeldOf<Recipe> recipe, HeldOf<Stage> below, int64_t skip, int64_t take)
      : Stage(std::move(recipe), std::move(below), "take"), skip_(skip), take_(take) {}
  int64_t skipped() const noexcept override { return skipped_ + Stage::skipped(); }

 private:
  bool step(Batch& out) override {
    if (take_ <= 0) {
      skipped_ = skipped();
      below_.reset();  // what is queued below goes now
      return false;
    }
    for (; skip_ > 0; --skip_)
      if (!below_->next(out)) return skip_ = 0, take_ = 0, false;
    --take_;
    return below_->next(out);
  }

  int64_t skip_, take_, skipped_ = 0;
};

constexpr int64_t kAll = INT64_MAX;

/// Leaves out `skip` elements, then passes on `take`.
class CutRecipe final : public Recipe {
 public:
  CutRecipe(HeldOf<Recipe> below, int64_t skip, int64_t take) : Recipe(std::move(below)), skip_(skip), take_(take) {}
  int64_t cardinality() const override {
    int64_t c = below_->cardinality();
    if (c == infinite) return take_ == kAll ? infinite : take_;
    return c < 0 ? c : std::min(std::max<int64_t>(c - skip_, 0), take_);
  }
  std::string text() const override { return take_ == kAll ? fmt::format("skip({})", skip_) : fmt::format("take({})", take_); }
  const Rows* rows() const override { return below_->rows(); }
  std::unique_ptr<RowCursor> cursor(const Opening& opening) const override {
    return std::make_unique<CutCursor>(below_->cursor(opening), skip_, take_);
  }
  HeldOf<Stage> open(const Opening& opening) const override {
    if (rows()) return open_rows(self(), opening);
    return HeldOf<Stage>(new CutStage(self(), below_->open(opening), skip_, take_));
  }

 private:
  int64_t skip_, take_;
};

// ---- repeat ------------------------------------------------------------------------------------------------------------------

/// Which epoch pass `r` of a repeat is.
Opening repetition(const Opening& opening, int64_t r, int64_t n) {
  if (!opening.epoch) return opening;
  uint64_t first = n > 0 ? *opening.epoch * static_cast<uint64_t>(n) : Rng::mix(*opening.epoch);
  return {first + static_cast<uint64_t>(r)};
}

class RepeatCursor final : public RowCursor {
 public:
  RepeatCursor(const Recipe& below, Opening opening, int64_t n) : below_(below), opening_(opening), n_(n) {}
  bool next(int64_t& row) override {
    for (;;) {
      if (!current_) {
        if (n_ >= 0 && done_ == n_) return false;
        current_ = below_.cursor(repetition(opening_, done_, n_));
        some_ = false;
      }
      if (current_->next(row)) return some_ = true;
      current_.reset();
      ++done_;
      if (!some_) return n_ = done_, false;
    }
  }

 private:
  const Recipe& below_;
  Opening opening_;
  int64_t n_, done_ = 0;
  std::unique_ptr<RowCursor> current_;
  bool some_ = false;
};

class RepeatStage final : public Stage {
 public:
  RepeatStage(HeldOf<Recipe> recipe, const Recipe& source, Opening opening, int64_t n)
      : Stage(std::move(recipe), {}, "repeat"), source_(source), opening_(opening), n_(n), home_(memory::current_account()) {}
  int64_t skipped() const noexcept override { return skipped_ + Stage::skipped(); }

 private:
  bool step(Batch& out) override {
    for (;;) {
      if (!below_) {
        if (n_ >= 0 && done_ == n_) return false;
        memory::Enter at(memory::Enter::At{home_});
        below_ = source_.open(repetition(opening_, done_, n_));
        some_ = false;
      }
      if (below_->next(out)) return some_ = true;
      skipped_ += below_->skipped();
      below_.reset();
      ++done_;
      if (!some_) return n_ = done_, false;
    }
  }

  const Recipe& source_;
  Opening opening_;
  int64_t n_, done_ = 0, skipped_ = 0;
  memory::AccountId home_;
  bool some_ = false;
};

class RepeatRecipe final : public Recipe {
 public:
  RepeatRecipe(HeldOf<Recipe> below, int64_t n) : Recipe(std::move(below)), n_(n) {}
  int64_t cardinality() const override {
    int64_t c = below_->cardinality();
    if (c == 0 || n_ == 0) return 0;
    if (c == infinite || n_ < 0) return infinite;
    return c < 0 ? c : c * n_;
  }
  std::string text() const override { return n_ < 0 ? "repeat" : fmt::format("repeat({})", n_); }
  const Rows* rows() const override { return below_->rows(); }
  std::unique_ptr<RowCursor> cursor(const Opening& opening) const override { return std::make_unique<RepeatCursor>(*below_, opening, n_); }
  HeldOf<Stage> open(const Opening& opening) const override {
    if (rows()) return open_rows(self(), opening);
    return HeldOf<Stage>(new RepeatStage(self(), *below_, opening, n_));
  }

 private:
  int64_t n_;
};

}  // namespace

Dataset Dataset::map(std::function<Batch(Batch)> fn, MapOptions options) const {
  check(fn != nullptr, Code::InvalidArgument, "Dataset.map: expected a function, got an empty one");
  check(options.workers >= 0, Code::InvalidArgument, "Dataset.map: expected workers >= 0, got {}", options.workers);
  return dataset_of(new MapRecipe(held(recipe_), std::move(fn), options));
}

Dataset Dataset::shuffle(int64_t buffer_size, std::optional<uint64_t> seed, bool reshuffle_each_iteration) const {
  check(buffer_size >= 1, Code::InvalidArgument, "Dataset.shuffle: expected buffer_size >= 1, got {}", buffer_size);
  if (!seed) {
    std::random_device device;
    seed = (uint64_t{device()} << 32) | device();
  }
  return dataset_of(new ShuffleRecipe(held(recipe_), buffer_size, *seed, reshuffle_each_iteration));
}

Dataset Dataset::batch(int64_t n, bool drop_remainder) const {
  check(n >= 1, Code::InvalidArgument, "Dataset.batch: expected n >= 1, got {}", n);
  return dataset_of(new BatchRecipe(held(recipe_), n, drop_remainder));
}

Dataset Dataset::prefetch(int64_t n, size_t bytes) const {
  check(n >= 1, Code::InvalidArgument, "Dataset.prefetch: expected n >= 1, got {}", n);
  return dataset_of(new PrefetchRecipe(held(recipe_), n, bytes));
}

Dataset Dataset::take(int64_t n) const {
  check(n >= 0, Code::InvalidArgument, "Dataset.take: expected n >= 0, got {}", n);
  return dataset_of(new CutRecipe(held(recipe_), 0, n));
}

Dataset Dataset::skip(int64_t n) const {
  check(n >= 0, Code::InvalidArgument, "Dataset.skip: expected n >= 0, got {}", n);
  return dataset_of(new CutRecipe(held(recipe_), n, kAll));
}

Dataset Dataset::repeat(int64_t n) const {
  check(n >= -1, Code::InvalidArgument, "Dataset.repeat: expected n >= 0, or -1 for ever, got {}", n);
  return dataset_of(new RepeatRecipe(held(recipe_), n));
}

}  // namespace tenure::data
