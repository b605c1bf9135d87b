// tenure inspect | diff | convert: model files as they lie on disk.
#include <fmt/format.h>

#include "commands.h"

namespace cli {

void add_inspect(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("inspect", "Show what is in a model file without running it: members, layers, weights, what is not supported");
  auto path = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  c->add_option("file", *path, "A .keras archive or its folder, a .weights.h5, or a .h5 of older Keras")->required();
  c->add_flag("--json", *json, "As JSON, with the whole configuration");
  c->footer(
      "Of every array: shape, least, greatest and mean of its finite values, and how many are NaN or infinite.\n"
      "Examples:\n"
      "  tenure inspect model.keras\n"
      "  tenure inspect model.weights.h5 --json\n"
      "Exit code: 0 looked at, also where load_model would refuse the file; 3 could not be read.\n");
  c->callback([=, &action] {
    action = [=] {
      const tenure::FileReport r = tenure::inspect_file(*path);
      fmt::print("{}", *json ? r.json() + "\n" : r.text());
      return 0;
    };
  });
}

void add_diff(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("diff", "Compare two model files: settings, arrays that are missing or of other shapes, largest differences");
  auto first = std::make_shared<std::string>(), second = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  c->add_option("first", *first, "A model file")->required();
  c->add_option("second", *second, "Another")->required();
  c->add_flag("--json", *json, "As JSON: everything, also where the text is cut");
  c->footer(
      "Values are compared exactly, arrays by their paths in the files; `tenure convert` brings two kinds of files to one.\n"
      "Examples:\n"
      "  tenure diff before.keras after.keras\n"
      "  tenure diff epoch1.weights.h5 epoch2.weights.h5 --json\n"
      "Exit code: 0 same, 1 different, 3 could not be read.\n");
  c->callback([=, &action] {
    action = [=] {
      const tenure::FileDifference d = tenure::compare_files(*first, *second);
      fmt::print("{}", *json ? d.json() + "\n" : d.text());
      return d.same() ? 0 : 1;
    };
  });
}

void add_convert(CLI::App& app, Action& action) {
  auto* c = app.add_subcommand("convert", "Write a model file as another kind: .keras or .weights.h5, by the ending");
  auto from = std::make_shared<std::string>(), to = std::make_shared<std::string>();
  c->add_option("from", *from, "A .keras archive or its folder, a .h5 of older Keras, or a .weights.h5")->required();
  c->add_option("to", *to, "The file to write: NAME.keras or NAME.weights.h5")->required();
  c->footer(
      "Examples:\n"
      "  tenure convert old.h5 new.keras                     a model of Keras 2 in the form of Keras 3, with its optimizer\n"
      "  tenure convert model.keras model.weights.h5         its weights alone\n"
      "Weights alone do not become a model: they have no layers. Exit code: 0 written, 3 not.\n");
  c->callback([=, &action] {
    action = [=] {
      tenure::convert_file(*from, *to);
      fmt::print("wrote {}\n", *to);
      return 0;
    };
  });
}

}  // namespace cli
