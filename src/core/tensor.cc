// Tensors, nodes and variables: making them, looking into them, and what they own.
#include <tenure/tensor.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <ostream>

#include "core/context.h"
#include "core/node.h"
#include "core/strings.h"
#include "core/variable_body.h"
#include "memory/objects.h"

namespace tenure {

using memory::Counted;
using memory::Storage;

thread_local constinit ThreadContext thread_context{};

namespace detail {
void retain(TensorBody* body) noexcept { body->retain(Counted::kUser); }
void release(TensorBody* body) noexcept { body->release(Counted::kUser); }
}  // namespace detail

namespace {
// Reports below ask here what a tensor sees of its buffer.
[[maybe_unused]] const bool facts_are_told = [] {
  memory::tensor_facts = [](const memory::Counted& c) -> memory::TensorFacts {
    auto& b = static_cast<const TensorBody&>(c);
    if (!b.concrete()) return {};
    return {b.spec().bytes(), static_cast<size_t>(b.spec().shape.elements())};
  };
  return true;
}();
}  // namespace

// ---- TensorBody --------------------------------------------------------------------------------------------------------------

TensorBody::TensorBody(const Spec& spec, memory::HeldOf<Node> node, uint32_t index) noexcept
    : Counted(memory::Kind::tensor), spec_(spec), node_(std::move(node)), index_(index) {}
TensorBody::~TensorBody() = default;

void TensorBody::trace(memory::EdgeVisitor& v) const {
  v.edge(storage_.get(), "buffer");
  v.edge(node_.get(), "node");
  v.edge(mask_.get(), "mask");
}

std::string TensorBody::describe() const {
  const bool whole = concrete() && (spec_.dtype == DType::string ? offset_ == 0 : spec_.bytes() >= storage_->bytes());
  const char* what = concrete() ? (whole ? "tensor" : "view") : symbolic() ? "symbolic tensor" : traced() ? "traced tensor" : "spec";
  return fmt::format("{} {}", what, spec_);
}

namespace {

Tensor adopt(TensorBody* b) noexcept {
  b->retain(Counted::kUser);
  return Tensor(b);
}

double load(const std::byte* p, DType t, int64_t i) {
  auto as = [&]<class T>(T) {
    T v;
    std::memcpy(&v, p + static_cast<size_t>(i) * sizeof(T), sizeof(T));
    return static_cast<double>(v);
  };
  switch (t) {
    case DType::float32: return as(float{});
    case DType::float64: return as(double{});
    case DType::int8: return as(int8_t{});
    case DType::uint8:
    case DType::bool_: return as(uint8_t{});
    case DType::int16: return as(int16_t{});
    case DType::int32: return as(int32_t{});
    case DType::int64: return as(int64_t{});
    case DType::uint32: return as(uint32_t{});
    case DType::uint64: return as(uint64_t{});
    case DType::bfloat16: {
      uint16_t half;
      std::memcpy(&half, p + 2 * i, 2);
      uint32_t bits = uint32_t{half} << 16;
      float f;
      std::memcpy(&f, &bits, 4);
      return f;
    }
    case DType::float16: {
      uint16_t h;
      std::memcpy(&h, p + 2 * i, 2);
      int exponent = (h >> 10) & 31, fraction = h & 1023;
      double v = exponent == 31 ? (fraction ? NAN : INFINITY) : exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24);
      return h & 0x8000 ? -v : v;
    }
    case DType::string: break;
  }
  fail(Code::DType, "tensor: a {} has no numbers to read", t);
}

const TensorBody& body_of(const TensorBody* b) {
  check(b != nullptr, Code::InvalidArgument, "tensor: this handle is empty (default-made, moved from, or released)");
  return *b;
}

const TensorBody& with_values(const TensorBody* b) {
  const TensorBody& body = body_of(b);
  if (body.concrete()) [[likely]]
    return body;
  if (body.traced() && !trace_open(body.trace_id()))
    fail(Code::InvalidArgument, "tensor: this {} belongs to a trace that has ended; return it from the traced function instead of storing it",
         body.spec());
  fail(Code::InvalidArgument, "tensor: a {} {} has no values; values exist in eager tensors only{}",
       body.symbolic() ? "symbolic"
       : body.traced() ? "traced"
                       : "abstract",
       body.spec(), body.traced() ? " (a traced function may not branch on values)" : "");
}

}  // namespace

void check_holdable(const Spec& spec) {
  if (std::find(spec.shape.begin(), spec.shape.end(), 0) != spec.shape.end()) return;
  auto bytes = static_cast<int64_t>(size_of(spec.dtype));
  bool fits = true;
  for (int64_t d : spec.shape.dims())
    if (d > 0) fits &= !__builtin_mul_overflow(bytes, d, &bytes);
  check(fits && bytes <= int64_t{1} << 46, Code::OutOfMemory, "tensor: {} asked for {}, which no machine can hold",
        memory::path_of(memory::current_account()), spec);
}

Tensor make_tensor(const Spec& spec) {
  check(spec.shape.known(), Code::Shape, "tensor: values need known sizes, got {}", spec);
  check(spec.dtype != DType::string, Code::DType,
        "tensor: strings {} cannot be made without their texts (they cannot be shuffled, gathered or computed)", spec);
  check_holdable(spec);
  Storage* s = Storage::make(spec.bytes());
  s->retain(Counted::kOwner);
  return adopt(new TensorBody(spec, s, 0));
}

Tensor make_view(const Tensor& base, const Spec& spec, size_t byte_offset) {
  TensorBody* b = base.body();
  b->storage()->retain(Counted::kOwner);
  return adopt(new TensorBody(spec, b->storage(), b->offset() + byte_offset));
}

Tensor make_abstract(const Spec& spec) {
  check_holdable(spec);
  return adopt(new TensorBody(spec));
}

// ---- Tensor ------------------------------------------------------------------------------------------------------------------

const Shape& Tensor::shape() const { return body_of(body_).spec().shape; }
DType Tensor::dtype() const { return body_of(body_).spec().dtype; }
bool Tensor::symbolic() const { return body_ && (body_->symbolic() || body_->traced()); }
bool Tensor::concrete() const { return body_ && body_->concrete(); }
uint64_t Tensor::id() const noexcept { return body_ ? body_->birth() : 0; }

size_t Tensor::use_count() const noexcept { return body_ ? size_t{body_->users()} + body_->owners() : 0; }

Tensor Tensor::empty(const Shape& shape, DType dtype) { return make_tensor({shape, dtype}); }

Tensor Tensor::number(double value, DType dtype) {
  Tensor t = make_tensor({Shape{}, dtype});
  std::byte* p = mutable_data(t);
  if (dtype == DType::float32) {
    auto f = static_cast<float>(value);
    std::memcpy(p, &f, 4);
  } else if (dtype == DType::int32) {
    auto i = static_cast<int32_t>(value);
    std::memcpy(p, &i, 4);
  } else {
    *p = std::byte{value != 0};
  }
  t.body()->set_number(value);
  return t;
}

Tensor Tensor::copy_of(const void* data, size_t count, DType dtype, const Shape& shape) {
  check(shape.known() && static_cast<int64_t>(count) == shape.elements(), Code::Shape, "Tensor::from: shape {} needs {} values, got {}", shape,
        shape.elements(), count);
  Tensor t = make_tensor({shape, dtype});
  if (count) std::memcpy(mutable_data(t), data, count * size_of(dtype));
  return t;
}

Tensor Tensor::borrow(const void* data, const Shape& shape, DType dtype, std::function<void()> release) {
  Spec spec{shape, dtype};
  check(dtype != DType::string, Code::DType, "Tensor::borrow: strings are copied: strings()");
  check(shape.known(), Code::Shape, "Tensor::borrow: values need known sizes, got {}", spec);
  check(data != nullptr || spec.bytes() == 0, Code::InvalidArgument, "Tensor::borrow: expected the address of {} bytes, got null", spec.bytes());
  Storage* s = Storage::borrow(const_cast<void*>(data), spec.bytes(), std::move(release));
  s->retain(Counted::kOwner);
  return adopt(new TensorBody(spec, s, 0));
}

std::span<const std::byte> Tensor::bytes() const {
  const TensorBody& b = with_values(body_);
  check(b.spec().dtype != DType::string, Code::DType, "tensor: strings {} have no bytes of one size; read them with string_at()", b.spec());
  return {b.data(), b.spec().bytes()};
}

const void* Tensor::raw(DType expected) const {
  const TensorBody& b = with_values(body_);
  check(b.spec().dtype == expected, Code::DType, "tensor: expected {} values, but this is {}", expected, b.spec());
  return b.data();
}

double Tensor::number_at(int64_t i, bool only) const {
  const TensorBody& b = with_values(body_);
  int64_t n = b.spec().shape.elements();
  check(!only || n == 1, Code::Shape, "item: expected one value, got {}", b.spec());
  check(i >= 0 && i < n, Code::InvalidArgument, "at: expected an index in [0, {}), got {}", n, i);
  return load(b.data(), b.spec().dtype, i);
}

Tensor Tensor::clone() const {
  const TensorBody& b = with_values(body_);
  if (b.spec().dtype == DType::string) return texts::copy(*this);
  Tensor t = make_tensor(b.spec());
  if (b.spec().bytes()) std::memcpy(mutable_data(t), b.data(), b.spec().bytes());
  return t;
}

namespace {
void print(std::string& out, const Tensor& t, int axis, int64_t& at) {
  const Shape& s = t.shape();
  if (axis == s.rank()) {
    if (t.dtype() == DType::string) {
      out += fmt::format("\"{}\"", texts::at(t.body()->data(), at++));
      return;
    }
    double v = t.at(at++);
    out += t.dtype() == bool_ ? (v != 0 ? "true" : "false") : fmt::format("{:.6g}", v);
    return;
  }
  out += "{";
  int64_t inner = 1;
  for (int i = axis + 1; i < s.rank(); ++i) inner *= s[i];
  for (int64_t i = 0; i < s[axis]; ++i) {
    if (i) out += ", ";
    if (s[axis] > 8 && i == 4) {
      out += "..., ";
      at += (s[axis] - 8) * inner;
      i = s[axis] - 4;
    }
    print(out, t, axis + 1, at);
  }
  out += "}";
}
}  // namespace

std::string to_string(const Tensor& t) {
  if (!t.defined()) return "Tensor()";
  std::string out = to_string(t.spec());
  if (!t.concrete()) return out + (t.symbolic() ? " symbolic" : " abstract");
  if (t.size() == 0) return out + " {}";
  int64_t at = 0;
  out += ' ';
  print(out, t, 0, at);
  return out;
}

std::ostream& operator<<(std::ostream& out, const Tensor& t) { return out << to_string(t); }

const Tensor& Outputs::at(size_t i) const {
  check(i < items_.size(), Code::InvalidArgument, "outputs: expected an index below {}, got {}", items_.size(), i);
  return items_[i];
}
const Tensor& Outputs::operator[](std::string_view name) const {
  for (size_t i = 0; i < names_.size(); ++i)
    if (names_[i] == name) return items_[i];
  fail(Code::NotFound, "outputs: no output is named '{}'; there are: {}", name, fmt::join(names_, ", "));
}
const Tensor& Outputs::one() const {
  expect(1);
  return items_[0];
}
void Outputs::expect(size_t n) const {
  check(items_.size() == n, Code::InvalidArgument, "outputs: expected {}, but there are {}", n == 1 ? "exactly one" : std::to_string(n),
        items_.size());
}

// ---- Node --------------------------------------------------------------------------------------------------------------------

Node::Node(const Op& op, AttrRef attrs, std::span<Tensor> inputs) : Counted(memory::Kind::node), op_(&op), attrs_(attrs) {
  inputs_.reserve(inputs.size());
  for (Tensor& t : inputs) inputs_.emplace_back(std::move(t));
}

Node::Node(memory::HeldOf<Callee> callee, std::span<const Tensor> inputs, std::span<const Tensor> extra, std::string arguments)
    : Counted(memory::Kind::node), callee_(std::move(callee)), extra_(extra.size()), arguments_(std::move(arguments)) {
  inputs_.reserve(inputs.size() + extra.size());
  for (const Tensor& t : inputs) inputs_.emplace_back(t);
  for (const Tensor& t : extra) inputs_.emplace_back(t);
}

void Node::trace(memory::EdgeVisitor& v) const {
  v.edge(callee_.get(), "callee");
  for (size_t i = 0; i < inputs_.size(); ++i) v.edge(inputs_[i].get(), "inputs", static_cast<int64_t>(i));
}

std::string Node::describe() const { return fmt::format("node of {}", op_ ? std::string(op_->name) : callee_ ? callee_->describe() : "Input"); }

// ---- Variable ----------------------------------------------------------------------------------------------------------------

VariableBody::VariableBody(Tensor initial, std::string name, bool trainable)
    : Counted(memory::Kind::variable), spec_(initial.spec()), value_(std::move(initial)), trainable_(trainable), name_(std::move(name)) {
  category_ = value_->storage()->category();
}

void VariableBody::set_category(memory::Category c) noexcept {
  category_ = c;
  value_->storage()->set_category(c);
}

std::unique_lock<std::mutex> VariableBody::settled() const {
  std::unique_lock<std::mutex> lock(mutex_);
  while (writing_.load(std::memory_order_relaxed) != 0) {
    lock.unlock();
    writing_.wait(1);
    lock.lock();
  }
  return lock;
}

Tensor VariableBody::read() const {
  const auto lock = settled();
  return value_.tensor();
}

std::byte* VariableBody::begin_write(const Tensor& mine) {
  const auto lock = settled();
  TensorBody* own = value_.get();
  bool alone = own == mine.body() && own->refs() == kOwner + kUser && own->storage()->refs() == kOwner && !own->storage()->borrowed();
  if (!alone) return nullptr;
  writing_.store(1, std::memory_order_relaxed);
  return own->data();
}

void VariableBody::end_write() noexcept {
  {
    std::lock_guard lock(mutex_);
    touched();  // before the new bytes can be read: they never go with an old version
    writing_.store(0);
  }
  writing_.notify_all();
}

void VariableBody::replace(Tensor value) {
  Held held(std::move(value));
  {
    const auto lock = settled();
    std::swap(value_, held);
  }
  touched();
}

void VariableBody::write(Tensor value) {
  TensorBody* b = value.body();
  if (b->sole() && b->spec().bytes() == b->storage()->bytes()) {
    // The buffer, not the body: to a tape the value read later is a source of its own, and it is no C++ number.
    b->storage()->set_category(category_);
    return replace(adopt(new TensorBody(spec_, b->take_storage(), 0)));
  }
  {
    const auto lock = settled();
    TensorBody* own = value_.get();
    bool alone = own->refs() == kOwner && own->storage()->refs() == kOwner && !own->storage()->borrowed();
    if (alone && own->storage() != b->storage()) {
      std::memcpy(own->data(), b->data(), spec_.bytes());
      return touched();
    }
  }
  memory::As as(category_);
  memory::Enter at(memory::Enter::At{account()});
  replace(value.clone());
}

void VariableBody::trace(memory::EdgeVisitor& v) const { v.edge(value_.get(), "value"); }
std::string VariableBody::describe() const { return fmt::format("Variable {}", name_.empty() ? to_string(spec_) : name_); }

Tensor read_variable(VariableBody& v) {
  if (thread_context.abstract) return make_abstract(v.spec());
  Tensor t = thread_context.trace ? thread_context.trace->read(v) : v.read();
  if (thread_context.tapes && !thread_context.stopped)
    for (TapeRecorder* tape = thread_context.tapes; tape; tape = tape->outer) tape->read(v, t);
  return t;
}

void assign_variable(VariableBody& v, Tensor value) {
  check(value.defined(), Code::InvalidArgument, "assign: expected a value of {} for Variable {}, got an empty handle", v.spec(), v.name());
  check(value.shape() == v.spec().shape, Code::Shape, "assign: Variable {} is {}, got a value of {}", v.name(), v.spec(), value.spec());
  check(value.dtype() == v.spec().dtype, Code::DType, "assign: Variable {} is {}, got a value of {}", v.name(), v.spec(), value.spec());
  if (thread_context.abstract) return;
  if (thread_context.trace) return thread_context.trace->assign(v, std::move(value));
  check(value.concrete(), Code::InvalidArgument, "assign: Variable {} takes values, got a symbolic {}", v.name(), value.spec());
  v.write(std::move(value));
}

Variable::Variable(Tensor initial, VariableOptions options) {
  check(!initial.defined() || initial.dtype() != DType::string, Code::DType, "Variable {}: strings cannot be trained or written, got {}",
        options.name, initial.spec());
  check(initial.concrete(), Code::InvalidArgument, "Variable {}: expected an initial value, got {}", options.name,
        initial.defined() ? "a symbolic tensor" : "an empty handle");
  bool take = initial.body()->sole() && initial.spec().bytes() == initial.body()->storage()->bytes();
  Tensor own = take ? adopt(new TensorBody(initial.spec(), initial.body()->take_storage(), 0)) : initial.clone();
  if (own.body()->storage()->category() == memory::Category::temporary) own.body()->storage()->set_category(memory::Category::parameter);
  body_ = new VariableBody(std::move(own), std::move(options.name), options.trainable);
  body_->retain(Counted::kUser);
  if (TraceRecorder* trace = thread_context.trace ? thread_context.trace : thread_context.hidden) {
    try {
      trace->created(*body_);
    } catch (...) {
      body_->release(Counted::kUser);
      throw;
    }
  }
}
Variable::Variable(VariableBody* body) noexcept : body_(body) {
  if (body_) body_->retain(Counted::kUser);
}
Variable::Variable(const Variable& o) noexcept : Variable(o.body_) {}
Variable::~Variable() {
  if (body_) body_->release(Counted::kUser);
}

namespace {
VariableBody& body_of(VariableBody* b) {
  check(b != nullptr, Code::InvalidArgument, "Variable: this handle is empty (default-made, moved from, or released)");
  return *b;
}
}  // namespace

Tensor Variable::value() const { return read_variable(body_of(body_)); }
const Shape& Variable::shape() const { return body_of(body_).spec().shape; }
DType Variable::dtype() const { return body_of(body_).spec().dtype; }
const std::string& Variable::name() const { return body_of(body_).name(); }
bool Variable::trainable() const { return body_of(body_).trainable(); }
void Variable::set_trainable(bool on) { body_of(body_).set_trainable(on); }
void Variable::assign(Tensor value) {
  VariableBody& b = body_of(body_);
  if (value.defined() && value.body()->weak() && value.concrete() && value.spec() != b.spec() && value.shape() == b.spec().shape) {
    double v = value.body()->number();
    Tensor cast = make_tensor(b.spec());
    if (b.spec().dtype == DType::float64) std::memcpy(mutable_data(cast), &v, 8);
    else if (b.spec().dtype == DType::float32) {
      auto f = static_cast<float>(v);
      std::memcpy(mutable_data(cast), &f, 4);
    } else if (b.spec().dtype == DType::int64) {
      auto n = static_cast<int64_t>(v);
      std::memcpy(mutable_data(cast), &n, 8);
    } else cast = std::move(value);
    value = std::move(cast);
  }
  assign_variable(b, std::move(value));
}

}  // namespace tenure
