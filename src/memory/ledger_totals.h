// Accounts as a whole, for exports and for the judgement of ticks.
#pragma once

#include <functional>
#include <vector>

#include <tenure/moment.h>

#include "memory/ledger.h"

namespace tenure::memory {

/// Accounts under which anything was ever asked for, largest live first.
std::vector<AccountTotals> account_totals();
/// Live buffers and bytes of every account in use. `visit` runs under the ledger's lock.
void visit_accounts(const std::function<void(AccountId, int64_t count, int64_t bytes)>& visit);

}  // namespace tenure::memory
