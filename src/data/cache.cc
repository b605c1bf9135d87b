// cache(): the recipe owns the kept elements, with a bound; they go with the last Dataset and Iterator that name it.
// A pass keeps what it sees and gives it to the recipe at its end; a half-read pass gives nothing.
#include <mutex>

#include "data/recipe.h"
#include "memory/lifecycle.h"

namespace tenure::data {
namespace {

class CacheRecipe final : public Recipe, public memory::Lifecycle {
 public:
  CacheRecipe(memory::HeldOf<Recipe> below, size_t bytes) : Recipe(std::move(below)), bytes_(bytes) {}
  int64_t cardinality() const override { return below_->cardinality(); }
  std::string text() const override { return "cache"; }
  void trace(memory::EdgeVisitor& v) const override {
    Recipe::trace(v);
    std::lock_guard lock(mutex_);
    for (size_t i = 0; i < kept_.size(); ++i) kept_[i].trace(v, "cache", static_cast<int64_t>(i));
  }
  Says says() const override { return {memory::Standing::expected, fmt::format("cache() keeps a pass of at most {} bytes", bytes_)}; }
  memory::HeldOf<Stage> open(const Opening& opening) const override;

  size_t bound() const noexcept { return bytes_; }
  /// The first whole pass wins.
  void publish(std::vector<Kept> kept) const {
    std::lock_guard lock(mutex_);
    if (whole_) return;
    kept_ = std::move(kept);
    whole_ = true;
  }
  bool whole() const {
    std::lock_guard lock(mutex_);
    return whole_;
  }
  /// Only when whole(): nothing changes after that.
  bool at(size_t i, Batch& out) const {
    std::lock_guard lock(mutex_);
    if (i >= kept_.size()) return false;
    out = kept_[i].copy();
    return true;
  }

 private:
  size_t bytes_;
  mutable std::mutex mutex_;
  mutable std::vector<Kept> kept_;
  mutable bool whole_ = false;
};

class ReadCache final : public Stage {
 public:
  ReadCache(memory::HeldOf<Recipe> recipe, const CacheRecipe& cache) : Stage(std::move(recipe), {}, "cache"), cache_(cache) {}

 private:
  bool step(Batch& out) override { return cache_.at(next_++, out); }

  const CacheRecipe& cache_;
  size_t next_ = 0;
};

class FillCache final : public Stage, public memory::Lifecycle {
 public:
  FillCache(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, const CacheRecipe& cache)
      : Stage(std::move(recipe), std::move(below), "cache"), cache_(cache) {}
  void trace(memory::EdgeVisitor& v) const override {
    Stage::trace(v);
    for (size_t i = 0; i < seen_.size(); ++i) seen_[i].trace(v, "cache", static_cast<int64_t>(i));
  }
  Says says() const override { return {memory::Standing::expected, fmt::format("a pass fills a cache of at most {} bytes", cache_.bound())}; }
  std::optional<Filling> filling() const override { return Filling{bytes_, cache_.bound()}; }

 private:
  bool step(Batch& out) override {
    if (!below_->next(out)) {
      if (!over_ && !ended_) cache_.publish(std::move(seen_));
      seen_.clear();
      ended_ = true;
      return false;
    }
    if (over_) return true;
    bytes_ += out.bytes();
    if (bytes_ > cache_.bound()) {
      over_ = true;
      seen_.clear();
      memory::log(fmt::format("cache: {} would take more than {} bytes; it is not kept", cache_.describe(), cache_.bound()));
    } else {
      seen_.emplace_back(out);
    }
    return true;
  }

  const CacheRecipe& cache_;
  std::vector<Kept> seen_;
  size_t bytes_ = 0;
  bool over_ = false, ended_ = false;
};

memory::HeldOf<Stage> CacheRecipe::open(const Opening& opening) const {
  if (whole()) return memory::HeldOf<Stage>(new ReadCache(self(), *this));
  return memory::HeldOf<Stage>(new FillCache(self(), below_->open(opening), *this));
}

}  // namespace

Dataset Dataset::cache(size_t bytes) const {
  check(recipe_ != nullptr, Code::InvalidArgument, "Dataset: this handle is empty (default-made, moved from, or released)");
  return dataset_of(new CacheRecipe(memory::HeldOf<Recipe>(recipe_), bytes));
}

}  // namespace tenure::data
