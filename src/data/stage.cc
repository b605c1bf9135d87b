// Handles, elements at rest, and what all stages share.
#include "core/context.h"
#include "data/recipe.h"

namespace tenure::data {

using memory::Counted;

// ---- Batch and Kept ----------------------------------------------------------------------------------------------------------

size_t Batch::bytes() const {
  size_t n = 0;
  for (const Tensors* part : {&x, &y, &weights})
    for (const Tensor& t : *part)
      if (t.concrete()) n += t.spec().bytes();
  return n;
}

Kept::Kept(Batch&& b) : x_(b.x.size()), y_(b.y.size()), bytes_(b.bytes()) {
  values_.reserve(x_ + y_ + b.weights.size());
  for (Tensors* part : {&b.x, &b.y, &b.weights})
    for (Tensor& t : *part) values_.emplace_back(std::move(t));
}

Kept::Kept(const Batch& b) : x_(b.x.size()), y_(b.y.size()), bytes_(b.bytes()) {
  values_.reserve(x_ + y_ + b.weights.size());
  for (const Tensors* part : {&b.x, &b.y, &b.weights})
    for (const Tensor& t : *part) values_.emplace_back(t);
}

Batch Kept::take() {
  Batch b;
  for (size_t i = 0; i < values_.size(); ++i) (i < x_ ? b.x : i < x_ + y_ ? b.y : b.weights).push_back(values_[i].take());
  *this = {};
  return b;
}

Batch Kept::copy() const {
  Batch b;
  for (size_t i = 0; i < values_.size(); ++i) (i < x_ ? b.x : i < x_ + y_ ? b.y : b.weights).push_back(values_[i].tensor());
  return b;
}

void Kept::trace(memory::EdgeVisitor& v, std::string_view label, int64_t index) const {
  for (const Held& h : values_) v.edge(h.get(), label, index);
}

namespace {
class CountCursor final : public RowCursor {
 public:
  explicit CountCursor(int64_t n) : n_(n) {}
  bool next(int64_t& row) override {
    row = next_;
    return next_ < n_ && ++next_;
  }

 private:
  int64_t n_, next_ = 0;
};
}  // namespace

std::unique_ptr<RowCursor> count_cursor(int64_t n) { return std::make_unique<CountCursor>(n); }

// ---- Recipe and Stage ---------------------------------------------------------------------------------------------------------

Batch Rows::gather(std::span<const int64_t>) const {
  ensure(false, "this source does not gather");
  return {};
}

std::unique_ptr<RowCursor> Recipe::cursor(const Opening&) const {
  ensure(false, "a recipe with rows has a cursor");
  return nullptr;
}

const std::vector<std::string>& Recipe::class_names() const {
  static const std::vector<std::string> none;
  return below_ ? below_->class_names() : none;
}

std::string Recipe::describe() const { return below_ ? below_->describe() + " > " + text() : text(); }

Stage::Stage(memory::HeldOf<Recipe> recipe, memory::HeldOf<Stage> below, std::string_view name)
    : Counted(memory::Kind::queue),
      recipe_(std::move(recipe)),
      below_(std::move(below)),
      at_(memory::child(memory::current_account(), memory::static_name(name))) {}

std::string Stage::describe() const { return "Iterator stage " + recipe_->text(); }

void Stage::trace(memory::EdgeVisitor& v) const {
  v.edge(recipe_.get(), "recipe");
  v.edge(below_.get(), "source");
}

bool Stage::next(Batch& out) {
  out = {};
  if (error_) rethrow(error_);
  memory::Enter at(memory::Enter::At{at_});
  try {
    return step(out);
  } catch (...) {
    out = {};
    error_ = std::current_exception();
  }
  rethrow(error_);
}

void rethrow(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& e) { throw Error(e); }
}

// ---- Iterator and Dataset ------------------------------------------------------------------------------------------------------

Iterator::Iterator(Stage* stage) noexcept : stage_(stage) {
  if (stage_) stage_->retain(Counted::kUser);
}

bool Iterator::next(Batch& out) {
  check(stage_ != nullptr, Code::InvalidArgument, "Iterator: this iterator is closed (default-made, moved from, or close() was called)");
  Eagerly eagerly;  // a tape or trace of the reader does not see how its data are made
  memory::As as(memory::Category::input);
  return stage_->next(out);
}

int64_t Iterator::skipped() const noexcept { return stage_ ? stage_->skipped() : 0; }

void Iterator::close() noexcept {
  if (Stage* s = std::exchange(stage_, nullptr)) s->release(Counted::kUser);
}

namespace {
const Recipe& recipe_of(const Recipe* r) {
  check(r != nullptr, Code::InvalidArgument, "Dataset: this handle is empty (default-made, moved from, or released)");
  return *r;
}
}  // namespace

Dataset::Dataset(Recipe* recipe) noexcept : recipe_(recipe) {
  if (recipe_) recipe_->retain(Counted::kUser);
}
Dataset::Dataset(const Dataset& o) noexcept : Dataset(o.recipe_) {}
Dataset::~Dataset() {
  if (recipe_) recipe_->release(Counted::kUser);
}

int64_t Dataset::cardinality() const { return recipe_of(recipe_).cardinality(); }
int64_t Dataset::skipped() const { return recipe_of(recipe_).skipped(); }
const std::vector<std::string>& Dataset::class_names() const { return recipe_of(recipe_).class_names(); }
std::vector<std::string> Dataset::file_paths() const { return recipe_of(recipe_).file_paths(); }
std::string Dataset::describe() const { return recipe_of(recipe_).describe(); }

Iterator Dataset::open(std::optional<uint64_t> epoch) const {
  const Recipe& r = recipe_of(recipe_);
  memory::Enter at("data");
  memory::HeldOf<Stage> stage = r.open({epoch});
  return Iterator(stage.get());
}

}  // namespace tenure::data
