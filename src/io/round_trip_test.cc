// Files of Keras, loaded and saved: the configuration is the same but for what stands in the list of rules, and the real Keras loads it.
#include "files/json.h"
#include "io/notes.h"
#include "io/test_models.h"

namespace tenure::io {
namespace {

using files::have;
using files::sample;
using files::Scratch;
using Text = nlohmann::json;

struct Change {
  enum Kind { lost, added, other } kind;
  std::string path, key;
  Text theirs, ours;
};

void compare(const Text& theirs, const Text& ours, const std::string& path, const std::string& key, std::vector<Change>& out) {
  if (theirs.is_object() && ours.is_object()) {
    for (const auto& [k, v] : theirs.items())
      if (ours.contains(k)) compare(v, ours[k], path + "/" + k, k, out);
      else out.push_back({Change::lost, path + "/" + k, k, v, {}});
    for (const auto& [k, v] : ours.items())
      if (!theirs.contains(k)) out.push_back({Change::added, path + "/" + k, k, {}, v});
  } else if (theirs.is_array() && ours.is_array() && theirs.size() == ours.size()) {
    for (size_t i = 0; i < theirs.size(); ++i) compare(theirs[i], ours[i], path + "/" + std::to_string(i), key, out);
  } else if (theirs != ours) {
    out.push_back({Change::other, path, key, theirs, ours});
  }
}

bool one_of(const std::string& key, std::initializer_list<const char*> all) {
  return std::any_of(all.begin(), all.end(), [&](const char* k) { return key == k; });
}

// Null, false, or a structure of nothing else.
bool says_nothing(const Text& j) { return j.is_structured() ? std::all_of(j.begin(), j.end(), says_nothing) : j.is_null() || j == Text(false); }

struct Rule {
  const char* why;
  bool (*holds)(const Change&);
};

const Rule kRules[] = {
    {"numbers of Python objects are others in every run", [](const Change& c) { return c.key == "shared_object_id"; }},
    {"an option of a call that says nothing: no mask, or not training",
     [](const Change& c) { return c.kind == Change::lost && c.path.find("/kwargs/") != std::string::npos && says_nothing(c.theirs); }},
    {"a symbol's sizes are as exact as they are known here",
     [](const Change& c) { return c.path.find("/inbound_nodes/") != std::string::npos && c.key == "shape" && c.theirs.is_null(); }},
    {"settings that older versions did not have, with their defaults",
     [](const Change& c) {
       return c.kind == Change::added &&
              one_of(c.key, {"input_axes", "output_axes", "ragged", "optional", "renorm", "renorm_clipping", "renorm_momentum", "axis"});
     }},
    {"older versions write a dtype policy by its name",
     [](const Change& c) { return c.key == "dtype" && c.theirs.is_string() && c.ours.is_object() && c.ours["config"]["name"] == c.theirs; }},
    {"a class by its other name", [](const Change& c) { return c.theirs == Text("OrthogonalInitializer") && c.ours == Text("Orthogonal"); }},
    {"the op of an activation is written as the layer of that name, with a layer's settings",
     [](const Change& c) {
       return (c.key == "module" && c.theirs == Text("keras.src.activations.activations")) || (c.key == "registered_name" && c.ours.is_null()) ||
              (c.kind == Change::added && one_of(c.key, {"trainable", "dtype"}));
     }},
    {"older versions do not name an op in its own configuration", [](const Change& c) { return c.kind == Change::added && c.key == "name"; }},
    {"an optimizer given by its name is written whole",
     [](const Change& c) { return c.path == "/compile_config/optimizer" && c.theirs.is_string() && c.ours.contains("config"); }},
    {"weights of losses by output become a list in the order of the outputs",
     [](const Change& c) { return c.path == "/compile_config/loss_weights" && c.theirs.is_object() && c.ours.size() == c.theirs.size(); }},
};

Text member(const Edited& archive, const std::string& name) {
  for (const auto& [n, text] : archive.members)
    if (n == name) return Text::parse(text);
  return {};
}

Edited saved(const Model& m, const Scratch& scratch) {
  m.save(scratch / "again.keras");
  return Edited(scratch / "again.keras");
}

std::vector<std::string> all_files() {
  std::vector<std::string> out;
  for (const std::string& folder : {reference(""), sample("")})
    if (have(folder))
      for (const auto& entry : std::filesystem::directory_iterator(folder))
        if (entry.path().extension() == ".keras") out.push_back(entry.path().string());
  std::sort(out.begin(), out.end());
  return out;
}

TEST(RoundTrip, KeepsWhatKerasWrote) {
  Scratch scratch;
  int seen = 0;
  std::vector<int> used(std::size(kRules));
  for (const std::string& path : all_files()) {
    const Edited before(path);
    if (member(before, "metadata.json").value("keras_version", "").rfind("2.", 0) == 0) continue;  // comes back in the form of Keras 3
    Model m;
    const files::Caught refused = files::caught([&] { m = load_model(path); });
    if (refused.code == Code::Unsupported) continue;  // samples_test.cc says which
    ASSERT_FALSE(refused.code) << refused.text;
    ++seen;
    const Edited after = saved(m, scratch);
    std::vector<Change> changes;
    compare(member(before, "config.json"), member(after, "config.json"), "", "", changes);
    for (const Change& c : changes) {
      auto rule = std::find_if(std::begin(kRules), std::end(kRules), [&](const Rule& r) { return r.holds(c); });
      if (rule != std::end(kRules)) ++used[static_cast<size_t>(rule - std::begin(kRules))];
      else
        ADD_FAILURE() << path << ": " << c.path
                      << (c.kind == Change::lost    ? " is lost: "
                          : c.kind == Change::added ? " is new: "
                                                    : ": ")
                      << c.theirs.dump().substr(0, 200) << " became " << c.ours.dump().substr(0, 200);
    }
    const Text said = member(before, "metadata.json"), metadata = member(after, "metadata.json");
    for (const auto& [key, value] : said.items())
      if (key == "keras_version" || key == "date_saved") EXPECT_TRUE(metadata.contains(key)) << path;
      else EXPECT_EQ(metadata.value(key, Text()), value) << path << ": " << key;
  }
  EXPECT_GE(seen, 15);
  if (!have(sample("cnn_a.keras"))) return;
  for (size_t i = 0; i < used.size(); ++i) EXPECT_GT(used[i], 0) << "nothing differs that way any more: " << kRules[i].why;
}

// Keys that no version of Keras has written yet: of an envelope, of a setting, of what stands inside a setting, of compile and of the file.
Edited from_the_future() {
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  for (auto& layer : config["config"]["layers"]) {
    if (layer["class_name"] != "Dense") continue;
    layer["note"] = {{"by", "nobody"}, {"list", {1, nullptr}}};
    layer["config"]["future"] = nullptr;
    layer["config"]["kernel_initializer"]["also"] = "kept";
    layer["build_config"]["more"] = {7};
  }
  config["config"]["remark"] = "of the model";
  config["compile_config"]["steps_per_execution"] = 4;
  config["compile_config"]["jit_compile"] = "auto";
  config["compile_config"]["auto_scale_loss"] = true;
  config["compile_config"]["optimizer"]["note"] = 3;
  archive.set_config(config);
  auto metadata = nlohmann::ordered_json::parse(archive["metadata.json"]);
  metadata["author"] = "somebody";
  archive["metadata.json"] = metadata.dump();
  return archive;
}

void expect_the_future(const Edited& e, bool compiled) {
  const Text config = member(e, "config.json");
  int dense = 0;
  for (const Text& layer : config["config"]["layers"]) {
    if (layer["class_name"] != "Dense") continue;
    ++dense;
    EXPECT_EQ(layer.value("note", Text()), Text({{"by", "nobody"}, {"list", {1, nullptr}}}));
    EXPECT_TRUE(layer["config"].contains("future"));
    EXPECT_EQ(layer["config"]["kernel_initializer"].value("also", ""), "kept");
    EXPECT_EQ(layer["build_config"].value("more", Text()), Text({7}));
  }
  EXPECT_GT(dense, 0);
  EXPECT_EQ(config["config"].value("remark", ""), "of the model");
  EXPECT_EQ(member(e, "metadata.json").value("author", ""), "somebody");
  const Text& compile = config["compile_config"];
  if (!compiled) return;
  EXPECT_EQ(compile.value("steps_per_execution", 0), 4);
  EXPECT_EQ(compile.value("jit_compile", ""), "auto");
  EXPECT_TRUE(compile.value("auto_scale_loss", false));
  EXPECT_EQ(compile["optimizer"].value("note", 0), 3);
}

TEST(RoundTrip, KeepsKeysThatNobodyKnowsYet) {
  Scratch scratch;
  const Model m = from_the_future().load();
  expect_the_future(saved(m, scratch), true);
  expect_the_future(saved(load_model(scratch / "again.keras"), scratch), true);
  expect_the_future(saved(m.clone(), scratch), false);
}

TEST(RoundTrip, ForgetsHowTheFileWasCompiledWhenTheModelIsCompiledAnew) {
  Scratch scratch;
  const Model m = from_the_future().load();
  m.compile({.optimizer = "sgd", .loss = "mse"});
  const Text compile = member(saved(m, scratch), "config.json")["compile_config"];
  EXPECT_EQ(compile["steps_per_execution"], 1);
  EXPECT_EQ(compile["jit_compile"], false);
  EXPECT_FALSE(compile.contains("auto_scale_loss"));
  EXPECT_FALSE(compile["optimizer"].contains("note"));
}

TEST(RoundTrip, ALayerThatTakesAnothersPlaceKeepsNoneOfItsNotes) {
  Scratch scratch;
  Edited archive(reference("cnn.keras"));
  auto config = archive.config();
  for (auto& layer : config["config"]["layers"])
    if (layer["name"] == "stem_relu") layer["note"] = 1;
  archive.set_config(config);
  const Model m = archive.load({.substitute = {{"stem_relu", layers::Activation{.activation = "tanh"}}}, .compile = false});
  const Text config_again = member(saved(m, scratch), "config.json");
  for (const Text& layer : config_again["config"]["layers"]) EXPECT_FALSE(layer.contains("note"));
}

TEST(RoundTrip, MissingKeysAreFoundAtEveryDepth) {
  using Ordered = nlohmann::ordered_json;
  Ordered ours = Ordered::parse(R"({"a": 1, "list": [{"x": 1}, {"y": 2}], "other": "text"})");
  const Text theirs = Text::parse(R"({"a": 2, "b": null, "list": [{"x": 1, "z": 3}, {"y": 2}], "other": {"k": 1}, "shared_object_id": 5})");
  const auto missing = missing_in(ours, theirs);
  ASSERT_TRUE(missing);
  EXPECT_EQ(*missing, Text::parse(R"({"b": null, "list": [{"z": 3}, null]})"));
  put_back(ours, *missing);
  EXPECT_EQ(ours.dump(), R"({"a":1,"list":[{"x":1,"z":3},{"y":2}],"other":"text","b":null})");
  EXPECT_FALSE(missing_in(ours, Text::parse(R"({"a": 3, "list": [1]})")));
}

// ---- the real Keras ---------------------------------------------------------------------------------------------------------------------

TEST(KerasLoadsAgain, WhatItWroteItself) {
  const std::string python = keras_python();
  if (python.empty()) GTEST_SKIP() << "no Python with Keras (TENURE_KERAS_PYTHON or build/venv)";
  Scratch scratch;
  std::string files;
  auto add = [&](const std::string& path, const std::string& recording) {
    const std::string name = std::filesystem::path(path).stem().string();
    const Model m = load_model(path);
    m.save(scratch / (name + ".keras"));
    NamedTensors io;
    const Tensors x = recorded(recording, "in_");
    for (size_t i = 0; i < x.size(); ++i) io.emplace_back("in_" + std::to_string(i), x[i]);
    const Outputs y = m.predict(x);
    for (size_t i = 0; i < y.size(); ++i) io.emplace_back("out_" + std::to_string(i), y[i]);
    Variables state = m.compiled() ? m.optimizer().variables() : Variables();
    for (size_t i = 0; i < state.size(); ++i) io.emplace_back("opt_" + std::to_string(i), state[i].value());
    save_npz(scratch / (name + "_io.npz"), io);
    files += " " + scratch / (name + ".keras") + " " + scratch / (name + "_io.npz");
  };
  // Keras cannot load its own io_networks: lists come back where its adaptive pooling wants tuples.
  for (const char* name : {"cnn", "functional_zoo", "io_ops", "io_structures", "io_outputs", "io_sequential", "io_numbers", "layers_more"})
    add(reference(std::string(name) + ".keras"), reference(std::string(name) + "_io.npz"));
  for (const char* name :
       {"attention_causal", "attention_mha", "attention_more", "cnn_a", "features", "nested", "old_3_3_3", "rnn_gru", "rnn_mask", "text"})
    if (have(sample(std::string(name) + ".keras"))) add(sample(std::string(name) + ".keras"), sample(std::string(name) + ".io.npz"));
  const std::string command = python + " " + reference("keras_loads_ours.py") + files + " >" + scratch / "log" + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << files::get(scratch / "log").substr(0, 6000);
}

}  // namespace
}  // namespace tenure::io
