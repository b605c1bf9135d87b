#include "leaks/catalogue.h"

#include <fstream>
#include <sstream>

namespace tenure::leaks {

std::vector<Scenario> catalogue() {
  std::vector<Scenario> all;
  symbolic_scenarios(all);
  model_scenarios(all);
  training_scenarios(all);
  function_scenarios(all);
  tape_scenarios(all);
  data_scenarios(all);
  rebuilt_scenarios(all);
  held_scenarios(all);
  return all;
}

std::vector<Recorded> recorded(const std::string& path) {
  std::vector<Recorded> rows;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::vector<std::string> f;
    std::istringstream fields(line);
    for (std::string field; std::getline(fields, field, '\t');) f.push_back(field);
    f.resize(7);
    rows.push_back({f[0], f[1], f[2], f[3], f[4], f[5], f[6]});
  }
  return rows;
}

Model small_model(bool compiled) {
  Model model = Sequential({layers::InputLayer{.shape = {8}}, layers::Dense{.units = 16, .activation = "relu"}, layers::Dense{.units = 4}});
  if (compiled) model.compile({.optimizer = "adam", .loss = "mse", .metrics = {"mae"}});
  return model;
}

}  // namespace tenure::leaks
