// tenure: the command line.
#include <fmt/format.h>

#include <cstdio>
#include <iostream>

#include "commands.h"

int main(int argc, char** argv) {
  // What stands behind `--` is another program's, with options of its own.
  std::vector<std::string> program;
  for (int i = 1; i < argc; ++i)
    if (std::string_view(argv[i]) == "--") {
      program.assign(argv + i + 1, argv + argc);
      argc = i;
    }
  CLI::App app{"Tenure: Keras for C++, with every tensor's lifetime accounted for."};
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of every command");
  app.footer(
      "Examples:\n"
      "  tenure demo                                         the whole way once, from images on disk to an answered question\n"
      "  tenure summary model.keras\n"
      "  tenure predict model.keras --inputs in.npz --outputs out.npz\n"
      "  tenure verify model.keras io.npz                    compare with outputs that Keras recorded\n"
      "  tenure inspect model.keras                          what is in a file: members, layers, weights, what is not supported\n"
      "  tenure diff before.keras after.keras                settings and weights that differ; exit code 0: same, 1: different\n"
      "  tenure convert old.h5 new.keras                     from one kind of file to another\n"
      "  tenure mem plan model.keras --batch 32              peak bytes before anything runs\n"
      "  tenure mem report model.keras -o report.html        one page about its memory: timeline, peak, holders, plan\n"
      "  tenure memcheck model.keras --iters 1000            does calling it leak? exit code 0 says no\n"
      "  tenure memcheck -- ./program --its options          does it leak? any program linked with Tenure\n");
  cli::Action action;
  cli::add_demo(app, action);
  cli::add_train(app, action);
  cli::add_predict(app, action);
  cli::add_evaluate(app, action);
  cli::add_summary(app, action);
  cli::add_verify(app, action);
  cli::add_inspect(app, action);
  cli::add_diff(app, action);
  cli::add_convert(app, action);
  cli::add_mem(app, action);
  cli::add_memcheck(app, action, program);
  cli::add_lists(app, action);
  CLI11_PARSE(app, argc, argv);
  tenure::set_log_sink([](std::string_view text) { std::cerr << "tenure: " << text << '\n'; });
  try {
    return action ? action() : 3;
  } catch (const tenure::Error& e) {
    std::fflush(stdout);
    std::cerr << "tenure: " << e.what() << '\n';
  } catch (const std::exception& e) {
    std::fflush(stdout);
    std::cerr << "tenure: " << e.what() << '\n';
  }
  return 3;
}
