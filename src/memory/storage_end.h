// The end of a buffer where nothing unusual is to be done, inline where objects end. Only counted.cc includes this.
#pragma once

#include "memory/charge.h"
#include "memory/pool.h"
#include "memory/storage.h"

namespace tenure::memory {

[[gnu::always_inline]] inline bool Storage::end_plainly(Storage* dead) noexcept {
#if TENURE_LEDGER && !TENURE_MALLOC_POOL
  constexpr int own = slab_class(sizeof(Storage));
  const int cls = dead->class_;
  if (cls == kNotPlain) [[unlikely]]
    return false;
  detail::Row* row;
  if (!plain_discharge(dead->account(), dead->bytes_, dead->capacity_, row) || !slab_has_room(Heap::data, cls) || !slab_has_room(Heap::objects, own))
      [[unlikely]]
    return not_plain(), false;
  slab_put(Heap::data, cls, dead->data_);
  commit_discharge(row, dead->bytes_, dead->capacity_);
  detail::count_kind_here(Kind::storage, -1);
  slab_put(Heap::objects, own, dead);
  return true;
#else
  static_cast<void>(dead);
  return false;
#endif
}

}  // namespace tenure::memory
