// The catalogue of leaks: what users of other frameworks reported, in its C++ meaning. Each scenario is one call that is repeated.
// catalogue.tsv lists every id with the figures recorded for the peers; an id without a scenario has its reason there.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include <tenure/tenure.h>

namespace tenure::leaks {

using Action = std::function<void()>;

struct Scenario {
  std::string id;                ///< of the catalogue; a letter at the end tells variants apart
  std::string what;              ///< what one call does
  std::function<Action()> make;  ///< sets up and returns the call; what it captures dies with it
  int64_t warmup = 20;           ///< calls until bounded caches are full
  int64_t calls = 40;            ///< judged calls: every count stays exactly as it was
  std::string holder = {};       ///< not empty: the program itself holds; the path that must be told, indices as [*]
};

void symbolic_scenarios(std::vector<Scenario>& to);
void model_scenarios(std::vector<Scenario>& to);
void training_scenarios(std::vector<Scenario>& to);
void function_scenarios(std::vector<Scenario>& to);
void tape_scenarios(std::vector<Scenario>& to);
void data_scenarios(std::vector<Scenario>& to);
void rebuilt_scenarios(std::vector<Scenario>& to);
void held_scenarios(std::vector<Scenario>& to);
std::vector<Scenario> catalogue();

/// One line of catalogue.tsv.
struct Recorded {
  std::string id, peer, kb_per_call, objects_per_call, us_per_call, grows, reason;
};
std::vector<Recorded> recorded(const std::string& path);

/// A guarantee beyond the counts, checked inside a call.
inline void require(bool ok, const char* what) {
  if (!ok) throw Error(Code::Internal, what);
}

/// Dense(16) -> Dense(4) over 8 features, compiled unless said otherwise.
Model small_model(bool compiled = true);

}  // namespace tenure::leaks
