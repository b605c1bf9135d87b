// tenure mem | memcheck: what a model needs, and whether calling it leaks.
#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include <nlohmann/json.hpp>

#include "commands.h"
#include "terminal.h"

namespace cli {

using namespace tenure;

namespace {

std::vector<Shape> batch_shapes(const Model& model, int64_t batch) {
  std::vector<Shape> shapes;
  for (const Tensor& t : model.inputs()) {
    Shape s = t.shape();
    s[0] = batch;
    for (int i = 1; i < s.rank(); ++i)
      if (s[i] < 0) throw Error(Code::Shape, fmt::format("input {} has unknown sizes besides the batch: {}", i, to_string(t.spec())));
    shapes.push_back(s);
  }
  return shapes;
}

int plan(const std::string& path, int64_t batch, bool training, bool text, bool json) {
  Model model = load_model(path);
  PrepareOptions o;
  o.shapes = batch_shapes(model, batch);
  o.training = training;
  Plan p = model.prepare(o);
  size_t weights = 0;
  for (const Variable& v : model.variables()) weights += v.spec().bytes();
  if (json) {
    fmt::print("{}\n", nlohmann::ordered_json{{"batch", batch},
                                              {"training", training},
                                              {"peak_bytes", p.peak_bytes()},
                                              {"arena_bytes", p.arena_bytes},
                                              {"output_bytes", p.output_bytes},
                                              {"constant_bytes", p.constant_bytes},
                                              {"weight_bytes", weights},
                                              {"lower_bound", p.lower_bound},
                                              {"traced_ops", p.traced_ops},
                                              {"instructions", p.instructions}}
                           .dump(1));
    return 0;
  }
  fmt::print("{} of {}, batch {}\n", training ? "train step" : "prediction", path, batch);
  fmt::print("  peak a call   {:>14} bytes  {}\n", grouped(static_cast<int64_t>(p.peak_bytes())), "one arena and the outputs: all that a call takes");
  fmt::print("  arena         {:>14} bytes  lower bound of this order {} ({:.3f}x)\n", grouped(static_cast<int64_t>(p.arena_bytes)),
             grouped(static_cast<int64_t>(p.lower_bound)),
             p.lower_bound ? static_cast<double>(p.arena_bytes) / static_cast<double>(p.lower_bound) : 1.0);
  fmt::print("  outputs       {:>14} bytes\n", grouped(static_cast<int64_t>(p.output_bytes)));
  fmt::print("  weights       {:>14} bytes  held by the model\n", grouped(static_cast<int64_t>(weights)));
  fmt::print("  {} ops traced, {} instructions\n", p.traced_ops, p.instructions);
  if (text) fmt::print("{}", p.text);
  return 0;
}

struct ReportRun {
  std::string model, out = "report.html";
  int64_t batch = 8, steps = 3;
  bool training = false, judge = false;
};

// Runs the model op by op, so that the timeline shows every layer, then as one traced call; the plan of the traced call goes with it.
int report(const ReportRun& run) {
  if (!memory::can_report())
    throw Error(Code::Unsupported, "mem report: this build carries no page: npm was not found, or could not fetch its packages, when it was built");
  Model model = load_model(run.model);
  TensorList args(made_up_inputs(model, run.batch));
  Variables weights = model.trainable_variables();
  auto eager = [&] {
    if (!run.training || weights.empty()) return model(args, {.training = false}), void();
    GradientTape tape;
    Tensor loss = sum(model(args, {.training = true})[0]);
    memory::mark("backward");
    tape.gradient(loss, weights);
  };
  PrepareOptions plan;
  plan.shapes = batch_shapes(model, run.batch);
  plan.training = run.training && model.compiled();
  memory::ReportOptions options;
  options.title =
      fmt::format("{} of {}, batch {}", run.training ? "Training" : "Prediction", run.model.substr(run.model.find_last_of('/') + 1), run.batch);
  options.plans.push_back(model.prepare(plan).picture);
  if (run.judge) options.judged.push_back(memory::steadiness([&] { model.predict(args); }));
  memory::Snapshot before = memory::snapshot();
  memory::record(true);
  for (int64_t i = 1; i <= run.steps; ++i) {
    memory::mark(fmt::format("step {}", i));
    memory::Scope scope("step");
    eager();
  }
  memory::mark("traced prediction");
  model.predict(args);
  memory::record(false);
  memory::Snapshot after = memory::snapshot();
  options.before = &before, options.after = &after;
  memory::write_report(run.out, options);
  fmt::print("{} written: {} steps op by op, one traced prediction, the plan of the {}\n", run.out, run.steps,
             plan.training ? "train step" : "prediction");
  return 0;
}

int check_model(const std::string& path, int64_t iters, const std::string& json_path, bool json) {
  Model model = load_model(path);
  Tensors inputs = model.inputs();
  TensorList args(made_up_inputs(model, 1));
  Variables weights = model.trainable_variables();
  struct Way {
    const char* name;
    std::function<void()> call;
  };
  Function traced{model};
  std::vector<Way> ways = {
      {"eager", [&] { model(args); }},
      {"traced", [&] { traced.call(args.items()); }},
      {"tape", [&] { value_and_gradient([&] { return sum(model(args)[0]); }, weights); }},
      {"symbolic", [&] { model(TensorList(inputs)); }},
      {"predict", [&] { model.predict(args); }},
  };
  if (weights.empty()) ways.erase(ways.begin() + 2);
  int exit = 0;
  nlohmann::ordered_json all;
  all["version"] = 1, all["model"] = path, all["ways"] = nlohmann::ordered_json::array();
  for (Way& w : ways) {
    memory::Steadiness s = memory::steadiness(w.call, {.calls = iters, .rss = true});
    int code = s.verdict == memory::Verdict::clean ? 0 : s.verdict == memory::Verdict::leak ? 1 : 2;
    exit = exit == 1 || code == 1 ? 1 : std::max(exit, code);
    nlohmann::ordered_json row = nlohmann::ordered_json::parse(s.json());
    row["way"] = w.name;
    all["ways"].push_back(row);
    if (!json) {
      fmt::print("{:<10} {:>12}  live tensors {} -> {}, bytes {} -> {}, {:.1f} us a call\n", w.name, memory::to_string(s.verdict), s.before.tensors,
                 s.after.tensors, s.before.live_bytes, s.after.live_bytes, s.micros_per_call);
      if (code != 0) fmt::print("{}", s.text());
    }
  }
  memory::Audit audit = memory::audit();
  all["audit_ok"] = audit.ok();
  if (!audit.ok()) exit = 1;
  if (!json) fmt::print("{}", audit.text());
  all["exit"] = exit;
  if (json) fmt::print("{}\n", all.dump(1));
  if (!json_path.empty()) std::ofstream(json_path) << all.dump(1) << '\n';
  return exit;
}

}  // namespace

Tensors made_up_inputs(const Model& model, int64_t batch) {
  Tensors x;
  SeedGenerator seed(1);
  for (const Shape& s : batch_shapes(model, batch)) x.push_back(random::uniform(s, seed));
  Tensors inputs = model.inputs();
  for (size_t i = 0; i < x.size(); ++i)
    if (!is_float(inputs[i].dtype())) x[i] = zeros(x[i].shape(), inputs[i].dtype());
  return x;
}

void add_mem(CLI::App& app, Action& action) {
  auto* mem = app.add_subcommand("mem", "Memory: what a model needs, as figures and as a report to look at");
  mem->require_subcommand(1);
  auto* c = mem->add_subcommand("plan", "Print peak bytes of a call, before anything runs");
  auto path = std::make_shared<std::string>();
  auto batch = std::make_shared<int64_t>(1);
  auto training = std::make_shared<bool>(false), text = std::make_shared<bool>(false), json = std::make_shared<bool>(false);
  c->add_option("model", *path, "A .keras file")->required();
  c->add_option("--batch", *batch, "Examples a call")->capture_default_str()->check(CLI::PositiveNumber);
  c->add_flag("--train", *training, "Plan the train step (the model must be compiled)");
  c->add_flag("--instructions", *text, "Print every instruction with its place");
  c->add_flag("--json", *json, "As JSON");
  c->footer("Example:\n  tenure mem plan model.keras --batch 32\n");
  c->callback([=, &action] { action = [=] { return plan(*path, *batch, *training, *text, *json); }; });

  add_moments(*mem, action);

  auto* r = mem->add_subcommand("report", "Run the model and write one HTML file about its memory");
  auto run = std::make_shared<ReportRun>();
  r->add_option("model", run->model, "A .keras file")->required();
  r->add_option("-o,--output", run->out, "The file to write")->capture_default_str();
  r->add_option("--batch", run->batch, "Examples a call")->capture_default_str()->check(CLI::PositiveNumber);
  r->add_option("--steps", run->steps, "Calls to record")->capture_default_str()->check(CLI::Range(1, 1000));
  r->add_flag("--train", run->training, "Forward and backward under a tape, and the plan of the train step where the model is compiled");
  r->add_flag("--judge", run->judge, "Also repeat the prediction and say whether it leaks");
  r->footer("Example:\n  tenure mem report model.keras --train --batch 32 -o report.html\n");
  r->callback([=, &action] { action = [=] { return report(*run); }; });
}

void add_memcheck(CLI::App& app, Action& action, const std::vector<std::string>& program) {
  auto* c = app.add_subcommand("memcheck", "Does calling this model leak, does this program? Exact counts decide");
  auto path = std::make_shared<std::string>(), file = std::make_shared<std::string>();
  auto iters = std::make_shared<int64_t>(160);
  auto json = std::make_shared<bool>(false);
  c->add_option("model", *path, "A .keras file; or, behind --, a program linked with Tenure and its arguments");
  c->add_option("--iters", *iters, "Judged calls of each way, or ticks of the program (growth is confirmed at four times as many)")
      ->capture_default_str()
      ->check(CLI::Range(40, 1 << 24));
  c->add_option("--json", *file, "Write the verdict to a file; '-' prints it")->expected(0, 1)->default_str("-");
  auto check = std::make_shared<ProgramCheck>();
  c->add_option("--warmup", check->warmup, "Ticks of the program before the first that counts")->capture_default_str()->check(CLI::Range(1, 1 << 24));
  c->add_option("--suppress", check->suppress,
                "Leaks of the program that are known: lines of 'SIGNATURE YYYY-MM-DD reason', the last day they count");
  c->footer(
      "Exit code: 0 clean, 1 leak, 2 inconclusive, 3 could not run.\nExamples:\n  tenure memcheck model.keras --iters 1000 --json verdict.json\n"
      "  tenure memcheck --suppress known.txt -- ./train --epochs 3\n");
  c->callback([=, &action] {
    bool print = c->count("--json") > 0 && (file->empty() || *file == "-");
    if (path->empty() == program.empty()) throw CLI::ValidationError("memcheck", "wants a .keras file, or a program behind --");
    if (!program.empty()) {
      check->program = program, check->iters = *iters, check->json = print ? "-" : *file;
      action = [=] { return check_program(*check); };
      return;
    }
    action = [=] { return check_model(*path, *iters, print ? "" : *file, print); };
  });
}

}  // namespace cli
