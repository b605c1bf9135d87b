// For tests: the plainest owner there is. It owns what is put into it and says so.
#pragma once

#include <vector>

#include "memory/counted.h"
#include "memory/storage.h"

namespace tenure::memory {

class Box final : public Counted {
 public:
  explicit Box(std::string name = "box", Kind kind = Kind::other) : Counted(kind), name_(std::move(name)) {}
  void put(Counted* what) { held_.emplace_back(what); }
  void drop() { held_.clear(); }
  /// Keeps an owner reference that trace() does not tell of: the mistake that audits are for.
  void hide(Counted* what) { hidden_ = HeldOf<Counted>(what); }
  void trace(EdgeVisitor& v) const override {
    for (size_t i = 0; i < held_.size(); ++i) v.edge(held_[i].get(), "held", static_cast<int64_t>(i));
  }
  std::string describe() const override { return name_; }

 private:
  std::string name_;
  std::vector<HeldOf<Counted>> held_;
  HeldOf<Counted> hidden_;
};

inline HeldOf<Storage> bytes_of(size_t n) { return HeldOf<Storage>(Storage::make(n)); }

}  // namespace tenure::memory
