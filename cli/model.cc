// tenure summary | predict | evaluate | verify | train: a model file at work.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <iostream>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"

namespace cli {

using namespace tenure;
namespace fs = std::filesystem;

Shape example_shape(const Model& model) {
  Tensors in = model.inputs();
  if (in.empty()) throw Error(Code::InvalidArgument, "the model has no inputs");
  Shape s = in[0].shape();
  s.erase(0);
  return s;
}

void DataOptions::add_to(CLI::App& c) {
  c.add_option("--data", path, "Folder with one folder of JPEG/PNG images a class, or a .npz with x and y")->required();
  c.add_option("--batch", batch, "Examples a batch")->capture_default_str()->check(CLI::PositiveNumber);
  c.add_option("--validation-split", validation_split, "Fraction kept for validation")->capture_default_str()->check(CLI::Range(0.0, 0.95));
  c.add_option("--subset", subset, "training or validation part of the split")->check(CLI::IsMember({"training", "validation"}));
  c.add_option("--seed", seed, "Seed of shuffling and of the split")->capture_default_str();
  c.add_flag("--skip-corrupt", skip_corrupt, "Leave damaged images out (reported) instead of stopping");
}

Dataset DataOptions::open(const Shape& image, const std::string& part, bool shuffle) const {
  if (path.size() > 4 && path.substr(path.size() - 4) == ".npz") {
    Dataset d = data::npz(path);
    return (shuffle ? d.shuffle(1 << 16, seed) : d).batch(batch).prefetch(4);
  }
  data::ImageFolderOptions o;
  if (image.rank() != 3)
    throw Error(Code::Shape, fmt::format("the model takes {}, not images [height, width, channels]; give a .npz", to_string(image)));
  o.image_size = {image[0] < 0 ? 224 : image[0], image[1] < 0 ? 224 : image[1]};
  o.color_mode = image[2] == 1 ? "grayscale" : image[2] == 4 ? "rgba" : "rgb";
  o.seed = seed;
  o.shuffle = shuffle || validation_split > 0;
  if (validation_split > 0) o.validation_split = validation_split, o.subset = part;
  o.on_corrupt = skip_corrupt ? data::OnCorrupt::skip : data::OnCorrupt::fail;
  return data::image_folder(path, o).batch(batch).prefetch(4);
}

Model small_cnn(const Shape& image, int64_t classes, const std::string& name) {
  using namespace tenure::layers;
  return Sequential({Layer(InputLayer{.shape = image}), Rescaling{.scale = 1.0 / 255},
                     Conv2D{.filters = 16, .kernel_size = 3, .padding = "same", .use_bias = false}, BatchNormalization{.momentum = 0.9},
                     Activation{.activation = "relu"}, MaxPooling2D{}, Conv2D{.filters = 32, .kernel_size = 3, .padding = "same", .use_bias = false},
                     BatchNormalization{.momentum = 0.9}, Activation{.activation = "relu"}, MaxPooling2D{}, Flatten{}, Dropout{.rate = 0.3},
                     Dense{.units = 64, .activation = "relu"}, Dense{.units = classes, .activation = "softmax"}},
                    name);
}

namespace {

std::vector<std::string> image_files(const std::string& path) {
  std::vector<std::string> files;
  auto is_image = [](const fs::path& p) {
    std::string e = p.extension().string();
    std::transform(e.begin(), e.end(), e.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return e == ".png" || e == ".jpg" || e == ".jpeg";
  };
  if (fs::is_directory(path)) {
    for (auto& e : fs::recursive_directory_iterator(path))
      if (e.is_regular_file() && is_image(e.path())) files.push_back(e.path().string());
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  if (files.empty()) throw Error(Code::NotFound, path + ": no JPEG or PNG images here");
  return files;
}

// The arrays for a model's inputs: by name where all names are there, else in the file's order.
Tensors inputs_of(const Model& model, const NamedTensors& arrays, const std::string& path) {
  std::vector<std::string> names = model.input_names();
  Tensors x;
  for (const std::string& name : names)
    for (auto& [key, t] : arrays)
      if (key == name) x.push_back(t);
  if (x.size() == names.size()) return x;
  if (arrays.size() < names.size())
    throw Error(Code::InvalidArgument,
                fmt::format("{}: the model takes {} inputs ({}), the file has {} arrays", path, names.size(), fmt::join(names, ", "), arrays.size()));
  x.clear();
  for (size_t i = 0; i < names.size(); ++i) x.push_back(arrays[i].second);
  return x;
}

struct PredictArgs {
  std::string model, inputs, outputs;
  std::vector<std::string> images, classes;
  int64_t batch = 32;
  int top = 3;
  bool json = false;
};

int predict_images(const Model& model, const PredictArgs& a) {
  Shape s = example_shape(model);
  if (s.rank() != 3) throw Error(Code::Shape, "the model takes " + to_string(s) + ", not images; use --inputs");
  std::vector<std::string> files;
  for (const std::string& p : a.images)
    for (std::string& f : image_files(p)) files.push_back(std::move(f));
  nlohmann::ordered_json all = nlohmann::ordered_json::array();
  for (const std::string& file : files) {
    data::LoadImageOptions o;
    o.color_mode = s[2] == 1 ? "grayscale" : s[2] == 4 ? "rgba" : "rgb";
    if (s[0] > 0 && s[1] > 0) o.target_size = Pair(s[0], s[1]);
    Tensor y = model.predict(expand_dims(data::load_image(file, o), 0));
    std::vector<int> order(static_cast<size_t>(y.size()));
    for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int>(i);
    std::stable_sort(order.begin(), order.end(), [&](int p, int q) { return y.at(p) > y.at(q); });
    order.resize(std::min(order.size(), static_cast<size_t>(std::max(1, a.top))));
    nlohmann::ordered_json row{{"file", file}, {"top", nlohmann::ordered_json::array()}};
    std::string line = file + ":";
    for (int k : order) {
      std::string name = static_cast<size_t>(k) < a.classes.size() ? a.classes[static_cast<size_t>(k)] : std::to_string(k);
      row["top"].push_back({{"class", name}, {"index", k}, {"score", y.at(k)}});
      line += fmt::format("  {} {:.1f} %", name, 100 * y.at(k));
    }
    if (a.json) all.push_back(row);
    else fmt::print("{}\n", line);
  }
  if (a.json) fmt::print("{}\n", all.dump(1));
  return 0;
}

int predict(const PredictArgs& a) {
  Model model = load_model(a.model);
  if (a.inputs.empty() == a.images.empty()) throw Error(Code::InvalidArgument, "predict: give either --inputs in.npz or images (files or folders)");
  if (!a.images.empty()) return predict_images(model, a);
  if (a.outputs.empty()) throw Error(Code::InvalidArgument, "predict: --inputs needs --outputs out.npz");
  Tensors x = inputs_of(model, load_npz(a.inputs), a.inputs);
  PredictOptions o;
  o.batch_size = a.batch;
  Outputs y = model.predict(TensorList(x), o);
  std::vector<std::string> names = model.output_names();
  NamedTensors arrays;
  for (size_t i = 0; i < y.size(); ++i) arrays.emplace_back(names[i], y[i]);
  save_npz(a.outputs, arrays);
  if (a.json) fmt::print("{}\n", nlohmann::json{{"outputs", a.outputs}, {"arrays", y.size()}}.dump());
  else
    for (size_t i = 0; i < y.size(); ++i) fmt::print("{}: {} {}\n", a.outputs, names[i], to_string(y[i].spec()));
  return 0;
}

int verify_file(const std::string& path, const std::string& io, double tolerance, bool json) {
  Model model = load_model(path);
  VerifyReport r = verify(model, io, {.tolerance = tolerance});
  if (json) fmt::print("{}\n", r.json());
  else fmt::print("{}", r.text());
  return r.ok() ? 0 : 1;
}

int evaluate_file(const std::string& path, const DataOptions& d, bool json) {
  Model model = load_model(path);
  Results r = model.evaluate(d.open(example_shape(model), d.subset.empty() ? "validation" : d.subset, false), {.verbose = json ? 0 : -1});
  if (json) {
    nlohmann::ordered_json j;
    for (auto& [name, value] : r.items) j[name] = value;
    fmt::print("{}\n", j.dump());
  } else {
    for (auto& [name, value] : r.items) fmt::print("{}: {:.6f}\n", name, value);
  }
  return 0;
}

struct TrainArgs {
  DataOptions data;
  std::string model, save = "model.keras";
  int64_t epochs = 5;
  double learning_rate = 1e-3;
};

int train(const TrainArgs& a) {
  Model model;
  Shape image{28, 28, 1};
  if (!a.model.empty()) {
    model = load_model(a.model);
    image = example_shape(model);
  }
  Dataset training = a.data.open(image, "training", true);
  if (a.model.empty()) {
    auto classes = static_cast<int64_t>(training.class_names().size());
    if (classes < 2) throw Error(Code::InvalidArgument, "train: without --model the data must be a folder with at least two class folders");
    model = small_cnn(image, classes);
  }
  if (!model.compiled())
    model.compile(
        {.optimizer = optimizers::Adam{.learning_rate = a.learning_rate}, .loss = "sparse_categorical_crossentropy", .metrics = {"accuracy"}});
  FitOptions o;
  o.epochs = a.epochs;
  if (a.data.validation_split > 0) o.validation_data = ValidationData(a.data.open(image, "validation", false));
  model.fit(training, o);
  model.save(a.save);
  fmt::print("saved {}\n", a.save);
  return 0;
}

}  // namespace

void add_summary(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("summary", "Print a model's layers, shapes and parameters");
  auto path = std::make_shared<std::string>();
  auto nested = std::make_shared<bool>(false), json = std::make_shared<bool>(false);
  c->add_option("model", *path, "A .keras file")->required();
  c->add_flag("--expand-nested", *nested, "Show the layers of nested models");
  c->add_flag("--json", *json, "The configuration as Keras writes it");
  c->callback([=, &action] {
    action = [=] {
      Model m = load_model(*path);
      fmt::print("{}\n", *json ? m.to_json() : m.summary({.expand_nested = *nested}));
      return 0;
    };
  });
}

void add_predict(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("predict", "Run a model on arrays or images");
  auto a = std::make_shared<PredictArgs>();
  c->add_option("model", a->model, "A .keras file")->required();
  c->add_option("images", a->images, "Image files or folders of images");
  c->add_option("--inputs", a->inputs, "A .npz: arrays by input name, else in order");
  c->add_option("--outputs", a->outputs, "The .npz to write: arrays by output name, in the model's order");
  c->add_option("--classes", a->classes, "Names of the classes, in order")->delimiter(',');
  c->add_option("--batch", a->batch, "Examples a batch")->capture_default_str()->check(CLI::PositiveNumber);
  c->add_option("--top", a->top, "Classes to print an image")->capture_default_str()->check(CLI::PositiveNumber);
  c->add_flag("--json", a->json, "As JSON");
  c->footer("Examples:\n  tenure predict m.keras --inputs in.npz --outputs out.npz\n  tenure predict digits.keras photo.png scans/ --top 3\n");
  c->callback([=, &action] { action = [=] { return predict(*a); }; });
}

void add_verify(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("verify", "Compare a model with inputs and outputs that Keras recorded (tools/keras_io.py makes them)");
  auto path = std::make_shared<std::string>(), io = std::make_shared<std::string>();
  auto tolerance = std::make_shared<double>(1e-5);
  auto json = std::make_shared<bool>(false);
  c->add_option("model", *path, "A .keras file")->required();
  c->add_option("io", *io, "A .npz with inputs and expected outputs")->required();
  c->add_option("--tolerance", *tolerance, "Largest |a-b| allowed, times max(1, max|b|)")->capture_default_str();
  c->add_flag("--json", *json, "As JSON");
  c->footer("Exit code: 0 equal, 1 different, 3 could not run.\n");
  c->callback([=, &action] { action = [=] { return verify_file(*path, *io, *tolerance, *json); }; });
}

void add_evaluate(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("evaluate", "Loss and metrics of a compiled model on labelled data");
  auto path = std::make_shared<std::string>();
  auto d = std::make_shared<DataOptions>();
  auto json = std::make_shared<bool>(false);
  c->add_option("model", *path, "A .keras file")->required();
  d->add_to(*c);
  c->add_flag("--json", *json, "As JSON");
  c->callback([=, &action] { action = [=] { return evaluate_file(*path, *d, *json); }; });
}

void add_train(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("train", "Train a model on labelled images or arrays");
  auto a = std::make_shared<TrainArgs>();
  a->data.add_to(*c);
  c->add_option("--model", a->model, "A .keras file to go on with; without it a small convolutional network for 28x28 grey images");
  c->add_option("--save", a->save, "Where the trained model goes")->capture_default_str();
  c->add_option("--epochs", a->epochs, "Passes over the data")->capture_default_str()->check(CLI::PositiveNumber);
  c->add_option("--learning-rate", a->learning_rate, "Adam's, for a model that is not compiled")->capture_default_str();
  c->footer("Example:\n  tenure train --data shapes/ --validation-split 0.2 --epochs 3 --save shapes.keras\n");
  c->callback([=, &action] { action = [=] { return train(*a); }; });
}

}  // namespace cli
