// When memory is short: the ladder of those who can give some back, and the refusal at its end, which names who asked, who has most, what was
// tried and the cheapest way out.
#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "memory/ledger_table.h"
#include "memory/ledger_totals.h"
#include "memory/pool.h"
#include "memory/record.h"
#include "memory/storage.h"
#include "memory/walk.h"

namespace tenure::memory {

using namespace detail;

namespace {

// The steps in their order, whoever comes first; others follow.
constexpr std::array<std::string_view, 3> kLadder = {"packed weights", "old traces", "prefetch depth"};

// Of the last reclaim of this thread. Trivially destructible.
struct Tried {
  char text[384];
  size_t length;
};
Tried& last_tried() noexcept {
  static thread_local constinit Tried t{};
  return t;
}

void tell(std::string_view step, size_t freed, size_t wanted, std::string_view what) {
  record_rare(NoteKind::reclaimed, freed, process_limit.load(), capacity_in_use(), [&] { return std::string(step); });
  log(fmt::format("memory is short: {} bytes are wanted; {} {} {}", wanted, step, what, freed));
  Tried& told = last_tried();
  auto end = fmt::format_to_n(told.text + told.length, sizeof told.text - told.length, "{}{} {} bytes", told.length ? ", " : "", step, freed);
  told.length = std::min(sizeof told.text, told.length + end.size);
}

}  // namespace

void add_reclaimer(const char* name, Reclaimer r) {
  Table& t = table();
  std::lock_guard lock(t.mutex);
  for (auto& [n, f] : t.reclaimers)
    if (f == r) return;
  t.reclaimers.emplace_back(name, r);
  std::stable_sort(t.reclaimers.begin(), t.reclaimers.end(), [](auto& a, auto& b) {
    return std::find(kLadder.begin(), kLadder.end(), a.first) < std::find(kLadder.begin(), kLadder.end(), b.first);
  });
}

size_t detail::reclaim(size_t wanted) {
  static thread_local bool reclaiming = false;
  if (std::exchange(reclaiming, true)) return 0;
  std::vector<std::pair<const char*, Reclaimer>> ladder;
  {
    std::lock_guard lock(table().mutex);
    ladder = table().reclaimers;
  }
  last_tried().length = 0;
  // Free blocks, among them the arenas of calls that have ended, count against no budget: they go back to the system, which has as little.
  tell("pool and idle arenas", pool_trim(), wanted, "gave back to the system");
  size_t won = 0;
  for (auto& [name, r] : ladder) {
    size_t freed = r(wanted);
    won += freed;
    tell(name, freed, wanted, "gave back");
    if (won >= wanted) break;
  }
  reclaiming = false;
  return won;
}

std::string detail::tried() {
  Tried& t = last_tried();
  return std::string(t.text, std::exchange(t.length, 0));
}

namespace {

// An account, and of the largest buffer under it, where it was looked for: what it is for and who holds it.
struct Top {
  AccountId account = 0;
  size_t bytes = 0;
  bool seen = false;
  Category category = Category::temporary;
  std::string holder = {};
};

class Finder final : public EdgeVisitor {
 public:
  explicit Finder(const Counted* target) : target_(target) {}
  void edge(const Counted* target, std::string_view label, int64_t index) override {
    if (target != target_ || found) return;
    found = from;
    as = edge_text(label, index);
  }
  void user_edge(const Counted*, std::string_view, int64_t) override {}
  const Counted* from = nullptr;
  const Counted* found = nullptr;
  std::string as;

 private:
  const Counted* target_;
};

// Who owns `target`. What the program wrote is not asked: it may wait for what this thread has locked.
Finder owner_of(const Counted& target) {
  Finder finder(&target);
  for_each_live([&](Counted& c) {
    if (finder.found || c.kind() == Kind::layer || c.kind() == Kind::holder || c.kind() == Kind::callback) return;
    finder.from = &c;
    c.trace(finder);
  });
  return finder;
}

std::string holder_of(const Storage& buffer) {
  Finder first = owner_of(buffer);
  if (!first.found) return "";
  if (first.found->kind() != Kind::tensor) return fmt::format("{} as {}", first.found->describe(), first.as);
  if (uint32_t n = first.found->users()) return fmt::format("{} handle{} of your own program", n, n == 1 ? "" : "s");
  Finder second = owner_of(*first.found);
  return second.found ? fmt::format("{} as {}", second.found->describe(), second.as) : "";
}

constexpr size_t kFewObjects = 100'000, kListed = 3;

// Holders can be named where this thread is the only one that has ever made anything: no other changes what is looked at, or waits.
bool may_look() {
  size_t live[kinds], all = 0;
  live_counts(live);
  for (size_t n : live) all += n;
  return registered().count.load() <= 1 && all <= kFewObjects;
}

// What costs least to let go of: the smallest account that would do, weights and slots left aside.
const Top* cheapest(const std::vector<Top>& rows, size_t lacking) {
  const Top* least = nullptr;
  for (const Top& t : rows)  // rows fall: the last one that suffices is the smallest
    if (t.bytes >= lacking && t.category != Category::parameter && t.category != Category::optimizer_state) least = &t;
  return least;
}

std::vector<Top> largest_accounts() {
  std::vector<Top> rows;
  visit_accounts([&](AccountId id, int64_t, int64_t bytes) {
    if (bytes > 0) rows.push_back({id, static_cast<size_t>(bytes)});
  });
  std::stable_sort(rows.begin(), rows.end(), [](const Top& a, const Top& b) { return a.bytes > b.bytes; });
  return rows;
}

// A smaller call where the call is what asks, else something to let go of; a larger budget always.
std::string way_out(const std::string& who, const Top* least, size_t bytes, size_t lacking, int64_t enough) {
  std::string out;
  if (who.ends_with("/arena") && lacking < bytes)
    out = fmt::format("a batch of at most {} % of this one, since the call takes all its memory at once; or ", (bytes - lacking) * 100 / bytes);
  else if (least)
    out = fmt::format("dropping what {} has ({} bytes; {}); or ", path_of(least->account), least->bytes,
                      least->holder.empty() ? "memory::explain() on one of its tensors names who holds it" : "held by " + least->holder);
  return out + fmt::format("a budget of {} bytes", enough);
}

}  // namespace

void refuse(size_t bytes, int64_t limit, int64_t used, const char* whose) {
  record_rare(NoteKind::refused, bytes, limit, used, [] { return path_of(current_account()); });
  const std::string who = path_of(current_account()), ladder = tried();
  const int64_t enough = used + static_cast<int64_t>(bytes), lacking = enough - limit;
  std::vector<Top> rows = largest_accounts();
  const auto needed = static_cast<size_t>(std::max<int64_t>(lacking, 1));
  const Top* least = nullptr;
  if (may_look()) {
    Walk walk;  // what is found below stays
    std::unordered_map<AccountId, const Storage*> largest;
    for_each_live([&](Counted& c) {
      if (c.kind() != Kind::storage) return;
      auto& s = static_cast<const Storage&>(c);
      const Storage*& known = largest[s.account()];
      if (!s.borrowed() && (!known || known->bytes() < s.bytes())) known = &s;
    });
    for (Top& t : rows)
      if (auto it = largest.find(t.account); it != largest.end() && it->second) t.category = it->second->category(), t.seen = true;
    least = cheapest(rows, needed);
    for (Top& t : rows)
      if (t.seen && (&t == least || &t < rows.data() + kListed)) t.holder = holder_of(*largest[t.account]);
  } else {
    least = cheapest(rows, needed);
  }
  std::string top;
  for (size_t i = 0; i < rows.size() && i < kListed; ++i)
    top += fmt::format("\n    {:>12} bytes  {}{}{}", rows[i].bytes, path_of(rows[i].account), rows[i].holder.empty() ? "" : ", held by ",
                       rows[i].holder);
  fail(Code::OutOfMemory,
       "memory budget: {} asked for {} bytes, but the budget of {} is {} bytes and {} are in use: {} bytes too few; nothing was written\n"
       "  largest accounts:{}\n  tried: {}\n  cheapest way out: {}",
       who, bytes, whose, limit, used, lacking, top.empty() ? " none" : top, ladder.empty() ? "nothing" : ladder,
       way_out(who, least, bytes, needed, enough));
}

}  // namespace tenure::memory
