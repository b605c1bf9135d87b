// What a Moment holds.
#pragma once

#include <tenure/moment.h>

#include "memory/ledger_totals.h"
#include "memory/objects.h"

namespace tenure::memory {

struct MomentData {
  std::string made, process;
  Now counts;
  Balance balance;
  Audit audit;
  std::vector<AccountTotals> accounts;
  ObjectGraph graph;  // detached
};

}  // namespace tenure::memory
