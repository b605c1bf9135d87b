// tenure ops | layers | version: what the registries know.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "commands.h"

namespace cli {
namespace {

using Json = nlohmann::ordered_json;

struct Format {
  bool json = false, markdown = false;
};

std::string saves_text(const tenure::Saves& s) {
  std::string out;
  for (int i = 0; i < 16; ++i)
    if (s.inputs >> i & 1)
      out += (out.empty() ? "" : ", ") + std::string(s.inputs == 0xffff ? "all inputs" : fmt::format("input {}", i)), i = s.inputs == 0xffff ? 16 : i;
  for (int i = 0; i < 16; ++i)
    if (s.outputs >> i & 1) out += (out.empty() ? "" : ", ") + fmt::format("output {}", i);
  return out.empty() ? "nothing" : out;
}

int list_ops(const Format& f) {
  auto ops = tenure::Registry::global().all();
  if (f.json) {
    Json all = Json::array();
    for (const tenure::Op* op : ops)
      all.push_back({{"name", op->name},
                     {"gradient", op->grad != nullptr},
                     {"elementwise", op->tile != nullptr},
                     {"stateful", (op->traits & tenure::stateful) != 0},
                     {"saves", saves_text(op->saves)},
                     {"specimens", op->specimens}});
    fmt::print("{}\n", all.dump(1));
    return 0;
  }
  if (f.markdown)
    fmt::print(
        "# Ops\n\nWhat `tenure ops --markdown` prints: every op of the registry. Names are keras.ops' where it has one.\n\n| op | gradient | kept "
        "for it | kind |\n|---|---|---|---|\n");
  for (const tenure::Op* op : ops) {
    const char* kind = op->tile ? "elementwise" : op->traits & tenure::stateful ? "stateful" : op->view ? "view where it can" : "";
    if (f.markdown) fmt::print("| `{}` | {} | {} | {} |\n", op->name, op->grad ? "yes" : "no", op->grad ? saves_text(op->saves) : "", kind);
    else fmt::print("{:<34} {:<12} {:<22} {}\n", op->name, op->grad ? "gradient" : "", op->grad ? "keeps " + saves_text(op->saves) : "", kind);
  }
  return 0;
}

int list_layers(const Format& f) {
  const auto& registry = tenure::LayerRegistry::global();
  Json all = Json::array();
  if (f.markdown)
    fmt::print(
        "# Layers\n\nWhat `tenure layers --markdown` prints: every layer class of the registry with its configuration.\n\n| layer | configuration "
        "with its defaults |\n|---|---|\n");
  for (const std::string& name : registry.names()) {
    std::string config = registry.defaults(name);
    if (f.json) all.push_back({{"class_name", name}, {"config", Json::parse(config)}});
    else if (f.markdown) fmt::print("| `{}` | `{}` |\n", name, config);
    else fmt::print("{:<26} {}\n", name, config);
  }
  if (f.json) fmt::print("{}\n", all.dump(1));
  return 0;
}

}  // namespace

void add_lists(CLI::App& app, Action& action) {
  for (const char* name : {"ops", "layers"}) {
    bool ops = std::string(name) == "ops";
    auto* c = app.add_subcommand(name, ops ? "List every op: gradient, what is kept for it" : "List every layer class with its configuration");
    auto f = std::make_shared<Format>();
    c->add_flag("--json", f->json, "As JSON");
    c->add_flag("--markdown", f->markdown, "As a table for docs/");
    c->callback([=, &action] { action = [=] { return ops ? list_ops(*f) : list_layers(*f); }; });
  }
  auto* version = app.add_subcommand("version", "Print the version, the kernels and the threads");
  auto json = std::make_shared<bool>(false);
  version->add_flag("--json", *json, "As JSON");
  version->callback([=, &action] {
    action = [=] {
      tenure::BuildInfo b = tenure::build_info();
      if (*json) fmt::print("{}\n", Json{{"version", TENURE_VERSION}, {"kernels", b.kernels}, {"isa", b.isa}, {"threads", b.threads}}.dump());
      else fmt::print("tenure {}  kernels: {}  instruction set: {}  threads: {}\n", TENURE_VERSION, b.kernels, b.isa, b.threads);
      return 0;
    };
  });
}

}  // namespace cli
