#include "graph/executable.h"

#include <algorithm>
#include <cstring>

#include "base/parallel.h"
#include "core/context.h"
#include "memory/living.h"

namespace tenure {

using memory::Counted;
using memory::Storage;

void PackSet::trace(memory::EdgeVisitor& v) const {
  for (size_t i = 0; i < packed.size(); ++i) v.edge(packed[i].get(), "packed", static_cast<int64_t>(i));
}

void Executable::trace(memory::EdgeVisitor& v) const {
  for (size_t i = 0; i < variables_.size(); ++i) v.edge(variables_[i].get(), "variables", static_cast<int64_t>(i));
  for (size_t i = 0; i < constants_.size(); ++i) v.edge(constants_[i].get(), "constants", static_cast<int64_t>(i));
  for (size_t i = 0; i < replay_.variables.size(); ++i) v.edge(replay_.variables[i].get(), "variables", static_cast<int64_t>(i));
  for (size_t i = 0; i < replay_.constants.size(); ++i) v.edge(replay_.constants[i].get(), "constants", static_cast<int64_t>(i));
  v.edge(packs_.get(), "packed weights");
}

size_t Executable::kept_bytes() const {
  size_t n = plan_.constant_bytes;
  std::lock_guard lock(mutex_);
  if (packs_)
    for (auto& p : packs_->packed)
      if (p) n += p->bytes();
  return n;
}

bool Executable::taped(std::span<const Tensor> args) const {
  if (!thread_context.tapes || thread_context.stopped) return false;
  for (TapeRecorder* t = thread_context.tapes; t; t = t->outer) {
    if (t->watches(args)) return true;
    for (size_t k = 0; k < replay_.variables.size(); ++k)
      if (replay_.reads[k] >= 0 && t->wants(*replay_.variables[k])) return true;
  }
  return false;
}

// ---- what is kept between calls ------------------------------------------------------------------------------------------------------

const Executable::Prepared& Executable::prepared(int threads) {
  if (threads == team_.threads) return team_;
  std::lock_guard lock(mutex_);
  if (!serial_.ready) {
    serial_.primitives.resize(instructions_.size());
    serial_.scratch.assign(instructions_.size(), 0);
    for (size_t i = 0; i < instructions_.size(); ++i) {
      const Instruction& ins = instructions_[i];
      if (!ins.op) continue;
      if (ins.op->prepare) serial_.primitives[i] = ins.op->prepare(Prep(ins.xs, ins.ys, ins.attrs.ref().p, 1));
      if (ins.op->scratch) serial_.scratch[i] = ins.op->scratch(Prep(ins.xs, ins.ys, ins.attrs.ref().p, 1, serial_.primitives[i].get()));
      if (serial_.scratch[i] > ins.scratch_bytes) serial_.extra = std::max(serial_.extra, serial_.scratch[i]);
    }
    serial_.ready = true;
  }
  return serial_;
}

memory::HeldOf<PackSet> Executable::packs(std::span<const Tensor> reads) {
  if (pack_rules_.empty()) return {};
  auto source_of = [&](const Pack& p) {
    return p.source.space == Location::constant ? constants_[static_cast<size_t>(p.source.index)].get()
                                                : reads[static_cast<size_t>(p.source.index)].body();
  };
  auto version_of = [&](const Pack& p) {
    return p.source.space == Location::constant ? 0 : variables_[static_cast<size_t>(p.source.index)]->version();
  };
  std::lock_guard lock(mutex_);
  if (packs_) {
    bool fresh = true;
    for (size_t i = 0; i < pack_rules_.size() && fresh; ++i)
      fresh = packs_->sources[i] == source_of(pack_rules_[i])->birth() && packs_->versions[i] == version_of(pack_rules_[i]);
    if (fresh) return packs_;
  }
  static const memory::NameId packed_name = memory::static_name("packed");
  memory::Enter at(packed_name);
  memory::As as(memory::Category::cache);
  memory::HeldOf<PackSet> set(new PackSet);
  for (const Pack& p : pack_rules_) {
    const Instruction& ins = instructions_[static_cast<size_t>(p.instruction)];
    Prep prep(ins.xs, ins.ys, ins.attrs.ref().p, team_.threads, team_.primitives[static_cast<size_t>(p.instruction)].get());
    const TensorBody* source = source_of(p);
    memory::HeldOf<Storage> bytes(Storage::make(ins.op->pack_bytes(prep)));
    ins.op->pack(prep, source->data() + p.source.offset, bytes->data());
    set->packed.push_back(std::move(bytes));
    set->sources.push_back(source->birth());
    set->versions.push_back(version_of(p));
  }
  packs_ = set;
  return set;
}

size_t Executable::drop_packs(size_t) {
  return memory::bytes_won([] {
    std::vector<memory::HeldOf<PackSet>> gone;
    memory::Living<Executable>::each([&](Executable& e) {
      std::unique_lock lock(e.mutex_, std::try_to_lock);
      if (lock && e.packs_) gone.push_back(std::move(e.packs_));
    });
  });
}

namespace {
[[maybe_unused]] const bool packs_reclaim = (memory::add_reclaimer("packed weights", Executable::drop_packs), true);
}

// ---- a call ---------------------------------------------------------------------------------------------------------------------------

namespace {

// Ends the writes that were begun, also when a kernel failed.
class Writing {
 public:
  explicit Writing(size_t n) { begun_.reserve(n); }
  ~Writing() {
    for (VariableBody* v : begun_) v->end_write();
  }
  void begun(VariableBody* v) { begun_.push_back(v); }

 private:
  std::vector<VariableBody*> begun_;
};

}  // namespace

Tensors Executable::run(std::span<const Tensor> args) {
  std::unique_lock<std::mutex> writer;
  if (!writes_.empty()) writer = std::unique_lock<std::mutex>(writer_);
  static const memory::NameId arena_name = memory::static_name("arena");

  // One handle per variable for the call: what is read stays whole.
  std::vector<Tensor> reads(variables_.size());
  for (size_t k = 0; k < variables_.size(); ++k)
    if (read_[k]) reads[k] = variables_[k]->read();

  // All memory of the call, before anything is written.
  memory::HeldOf<Storage> arena;
  if (arena_bytes_) {
    memory::Enter at(arena_name);
    arena = memory::HeldOf<Storage>(Storage::make(arena_bytes_, memory::current_account(), memory::Category::activation));
  }
  std::vector<Tensor> own(own_specs_.size());
  for (size_t i = 0; i < own.size(); ++i) own[i] = make_tensor(own_specs_[i]);
  memory::HeldOf<PackSet> packed = packs(reads);

  Team team;
  const Prepared& ready = prepared(team.threads());
  memory::HeldOf<Storage> extra;  // when the team is taken, a kernel may want more than was planned
  if (ready.extra) extra = memory::HeldOf<Storage>(Storage::make(ready.extra));

  constexpr size_t kFew = 24;
  std::byte* few[kFew];
  std::vector<std::byte*> many;
  size_t n_in = args.size(), n_const = constants_.size(), n_var = variables_.size(), n_own = own.size();
  size_t total = 1 + n_in + n_const + 2 * n_var + n_own;
  std::byte** base = few;
  if (total > kFew) many.resize(total), base = many.data();
  // Bases by space: arena | inputs | constants | variables read | variables written | outputs.
  size_t start[6] = {0, 1, 1 + n_in, 1 + n_in + n_const, 1 + n_in + n_const + n_var, 1 + n_in + n_const + 2 * n_var};
  base[0] = arena ? static_cast<std::byte*>(arena->data()) : nullptr;
  for (size_t i = 0; i < n_in; ++i) base[start[Location::input] + i] = args[i].body()->data();
  for (size_t i = 0; i < n_const; ++i) base[start[Location::constant] + i] = constants_[i] ? constants_[i]->data() : nullptr;
  for (size_t k = 0; k < n_var; ++k) base[start[Location::var_in] + k] = reads[k].defined() ? reads[k].body()->data() : nullptr;
  for (size_t i = 0; i < n_own; ++i) base[start[Location::output] + i] = mutable_data(own[i]);

  Writing writing(writes_.size());
  std::vector<Tensor> fresh(writes_.empty() ? 0 : n_var);
  auto take_variables = [&] {
    // In a fixed order over all variables, so that two writers cannot wait for each other.
    std::vector<size_t> order;
    for (const Write& w : writes_) order.push_back(static_cast<size_t>(w.variable));
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return variables_[a]->birth() < variables_[b]->birth(); });
    std::vector<size_t> shared;
    for (size_t k : order) {
      std::byte* p = variables_[k]->begin_write(reads[k]);
      if (p) writing.begun(variables_[k].get());
      else shared.push_back(k);
      base[start[Location::var_out] + k] = p;
    }
    for (size_t k : shared) {  // somebody else sees the old value: it stays, a new buffer takes the new one
      memory::Enter at(memory::Enter::At{variables_[k]->account()});
      memory::As as(variables_[k]->category());
      fresh[k] = make_tensor(variables_[k]->spec());
      base[start[Location::var_out] + k] = mutable_data(fresh[k]);
    }
  };

  const void* in[64];
  void* out[32];
  std::vector<const void*> in_many;
  std::vector<void*> out_many;
  auto where = [&](const Location& l) { return base[start[l.space] + static_cast<size_t>(l.index)] + l.offset; };
  for (size_t i = 0; i < instructions_.size(); ++i) {
    if (static_cast<int32_t>(i) == first_write_ && !writes_.empty()) take_variables();
    const Instruction& ins = instructions_[i];
    const void** inputs = in;
    void** outputs = out;
    if (ins.in.size() > std::size(in)) in_many.resize(ins.in.size()), inputs = in_many.data();
    if (ins.out.size() > std::size(out)) out_many.resize(ins.out.size()), outputs = out_many.data();
    for (size_t k = 0; k < ins.in.size(); ++k) inputs[k] = where(ins.in[k]);
    for (size_t k = 0; k < ins.out.size(); ++k) outputs[k] = where(ins.out[k]);
    if (ins.tiles) {
      ins.tiles->run(inputs, outputs);
    } else if (!ins.op) {
      if (size_t bytes = ins.ys[0].bytes()) std::memcpy(outputs[0], inputs[0], bytes);
    } else if (ins.op->tile) {
      run_tiled(*ins.op, ins.attrs.ref().p, ins.xs, ins.ys[0], inputs, outputs[0]);
    } else {
      void* scratch = ins.scratch_bytes ? base[0] + ins.scratch_offset : nullptr;
      if (ready.scratch[i] > ins.scratch_bytes) scratch = extra->data();
      const void* pack = ins.pack >= 0 ? packed->packed[static_cast<size_t>(ins.pack)]->data() : nullptr;
      Status status = ins.op->run(Run(ins.xs, ins.ys, ins.attrs.ref().p, ready.threads, ready.primitives[i].get(), inputs, outputs, scratch, pack));
      if (!status.ok()) [[unlikely]]
        throw_status(*ins.op, status, ins.xs);
    }
  }
  if (!writes_.empty()) {
    if (first_write_ == static_cast<int32_t>(instructions_.size())) take_variables();
    for (const Write& w : writes_)
      if (w.copy)
        if (size_t bytes = variables_[static_cast<size_t>(w.variable)]->spec().bytes())
          std::memcpy(base[start[Location::var_out] + static_cast<size_t>(w.variable)], where(w.from), bytes);
    for (const Write& w : writes_)
      if (auto k = static_cast<size_t>(w.variable); fresh[k].defined()) variables_[k]->replace(std::move(fresh[k]));
  }

  Tensors results;
  results.reserve(results_.size());
  for (const Result& r : results_) {
    auto index = static_cast<size_t>(r.index);
    const Tensor base_tensor = r.kind == Result::own        ? own[index]
                               : r.kind == Result::input    ? args[index]
                               : r.kind == Result::constant ? constants_[index].tensor()
                                                            : reads[index];
    bool whole = r.offset == 0 && base_tensor.spec() == r.spec;
    results.push_back(whole ? base_tensor : make_view(base_tensor, r.spec, r.offset));
  }
  return results;
}

Tensors Executable::replay(std::span<const Tensor> args) {
  std::vector<Held> values(replay_.values.size());
  // Values that no later node reads are let go as the replay walks on.
  std::vector<int32_t> left = replay_.uses();
  for (size_t v = 0; v < values.size(); ++v) {
    const Value& value = replay_.values[v];
    auto index = static_cast<size_t>(value.index);
    if (value.kind == Value::input) values[v] = Held(args[index]);
    if (value.kind == Value::constant) values[v] = replay_.constants[index];
    if (value.kind == Value::variable) values[v] = Held(read_variable(*replay_.variables[index]));
  }
  auto use = [&](ValueId v) {
    auto i = static_cast<size_t>(v);
    return --left[i] == 0 ? values[i].take() : values[i].tensor();
  };
  for (const GraphNode& n : replay_.nodes) {
    memory::Enter at(memory::Enter::At{n.account});
    Tensors xs;
    for (ValueId v : n.in) xs.push_back(use(v));
    Tensors ys = apply_all(*n.op, xs, n.attrs.ref());
    for (size_t k = 0; k < ys.size(); ++k)
      if (left[static_cast<size_t>(n.out[k])] > 0) values[static_cast<size_t>(n.out[k])] = Held(std::move(ys[k]));
  }
  Tensors results;
  for (ValueId v : replay_.outputs) results.push_back(use(v));
  std::vector<Tensor> assigned(replay_.writes.size());
  for (size_t k = 0; k < assigned.size(); ++k)
    if (replay_.writes[k] >= 0) assigned[k] = use(replay_.writes[k]);
  for (size_t k = 0; k < assigned.size(); ++k)
    if (assigned[k].defined()) assign_variable(*replay_.variables[k], std::move(assigned[k]));
  return results;
}

}  // namespace tenure
