// Recipes and stages: what a Dataset is made of, and what an Iterator is made of.
//
// A Recipe owns the recipe it stands on, never what stands on it; it holds no queue and no thread. A Stage owns its recipe, the stage
// below it and what it has queued. So dropping a Dataset while it is read leaves the pass whole, and dropping both frees everything.
#pragma once

#include <tenure/data.h>

#include <exception>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/body.h"

namespace tenure::data {

/// An element at rest: owner references, named in trace().
class Kept {
 public:
  Kept() = default;
  explicit Kept(Batch&& b);
  explicit Kept(const Batch& b);
  /// The references become the caller's handles.
  Batch take();
  Batch copy() const;
  size_t bytes() const noexcept { return bytes_; }
  void trace(memory::EdgeVisitor& v, std::string_view label, int64_t index = -1) const;

 private:
  std::vector<Held> values_;
  size_t x_ = 0, y_ = 0, bytes_ = 0;
};

/// A source whose elements can be had by number, in any order, from any thread.
class Rows {
 public:
  virtual ~Rows() = default;
  virtual int64_t count() const = 0;
  /// Fills `out`; false if this row is damaged and to be left out.
  virtual bool fetch(int64_t row, Batch& out) const = 0;
  /// gather() works and is cheaper than stacking elements.
  virtual bool gathers() const { return false; }
  virtual Batch gather(std::span<const int64_t> rows) const;
  /// Threads that should fetch, and how many bytes they may be ahead.
  virtual int workers() const { return 0; }
  virtual size_t ahead_bytes() const { return 0; }
};

/// Chooses rows, in order. Refers to recipes that its stage keeps alive.
class RowCursor {
 public:
  virtual ~RowCursor() = default;
  /// False at the end.
  virtual bool next(int64_t& row) = 0;
};

/// All of [0, n) in order.
std::unique_ptr<RowCursor> count_cursor(int64_t n);

/// What open() tells every recipe.
struct Opening {
  std::optional<uint64_t> epoch = {};
};

class Stage;

class Recipe : public memory::Counted {
 public:
  virtual int64_t cardinality() const = 0;
  /// Where rows come from, if all stages up to this one only choose rows; then cursor() works.
  virtual const Rows* rows() const { return nullptr; }
  virtual std::unique_ptr<RowCursor> cursor(const Opening& opening) const;
  virtual memory::HeldOf<Stage> open(const Opening& opening) const = 0;
  virtual int64_t skipped() const { return below_ ? below_->skipped() : 0; }
  virtual const std::vector<std::string>& class_names() const;
  virtual std::vector<std::string> file_paths() const { return below_ ? below_->file_paths() : std::vector<std::string>{}; }
  /// This stage alone: "shuffle(1000)".
  virtual std::string text() const = 0;

  std::string describe() const override;
  void trace(memory::EdgeVisitor& v) const override { v.edge(below_.get(), "source"); }

 protected:
  explicit Recipe(memory::HeldOf<Recipe> below = {}) : Counted(memory::Kind::dataset), below_(std::move(below)) {}
  ~Recipe() override = default;
  memory::HeldOf<Recipe> self() const { return memory::HeldOf<Recipe>(const_cast<Recipe*>(this)); }

  memory::HeldOf<Recipe> below_;
};

class Stage : public memory::Counted {
 public:
  /// Iterator::next's contract: errors are kept and thrown again. What is allocated inside is charged to this stage's account.
  bool next(Batch& out);
  virtual int64_t skipped() const noexcept { return below_ ? below_->skipped() : 0; }

  std::string describe() const override;
  void trace(memory::EdgeVisitor& v) const override;

 protected:
  /// `name` is a literal: the last part of the account.
  Stage(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, std::string_view name);
  ~Stage() override = default;
  /// `out` is empty. False at the end.
  virtual bool step(Batch& out) = 0;

  memory::HeldOf<Recipe> recipe_;
  memory::HeldOf<Stage> below_;
  memory::AccountId at_;

 private:
  std::exception_ptr error_;
};

/// The elements of a recipe with rows: fetched on the calling thread or by the source's workers.
memory::HeldOf<Stage> open_rows(memory::HeldOf<Recipe> recipe, const Opening& opening);
/// Throws a copy, so that frames that callers add stay theirs.
[[noreturn]] void rethrow(const std::exception_ptr& error);

inline Dataset dataset_of(Recipe* fresh) {
  memory::HeldOf<Recipe> held(fresh);
  return Dataset(held.get());
}

}  // namespace tenure::data
