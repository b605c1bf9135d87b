// compile_config as CompileOptions, and back. Nothing here owns anything.
#include <algorithm>

#include "base/check.h"
#include "io/read_model.h"

namespace tenure::io {

namespace {

constexpr const char* kWay = "load_model(path, {.compile = false}), then compile the model in C++";

/// Runs `f`; what it refuses is noted.
template <class F>
void noting(Problems& problems, const char* what, F&& f) {
  try {
    f();
  } catch (const Error& e) {
    if (e.code() == Code::Internal || e.code() == Code::OutOfMemory) throw;
    problems.add(fmt::format("compile: {}", what), e.message(), kWay);
  }
}

bool is_one(const Json& j) { return j.is_string() || (j.is_object() && j.contains("class_name")); }

Loss loss_from(const Json& j) {
  Loss loss;
  if (!j.is_null()) loss.from_json(j.dump());
  return loss;
}

LossList losses_from(const Json& j) {
  LossList out;
  if (j.is_null()) return out;
  if (is_one(j)) {
    out.items.push_back(loss_from(j));
  } else if (j.is_array()) {
    for (const Json& item : j) {
      check(item.is_null() || is_one(item), Code::Unsupported, "expected one loss an output, got {}", item.dump().substr(0, 120));
      out.items.push_back(loss_from(item));
    }
  } else {
    check(j.is_object(), Code::Unsupported, "expected a loss, a list or a dictionary of losses, got {}", j.dump().substr(0, 120));
    for (const auto& [name, item] : j.items()) {
      check(item.is_null() || is_one(item), Code::Unsupported, "expected one loss an output, got {}", item.dump().substr(0, 120));
      out.names.push_back(name);
      out.items.push_back(loss_from(item));
    }
  }
  return out;
}

std::vector<Metric> metrics_of_one(const Json& j) {
  std::vector<Metric> out;
  if (j.is_null()) return out;
  if (is_one(j)) return {Metric::from_json(j.dump())};
  check(j.is_array(), Code::Unsupported, "expected metrics, got {}", j.dump().substr(0, 120));
  for (const Json& item : j) {
    check(is_one(item), Code::Unsupported, "expected a metric, got {}", item.dump().substr(0, 120));
    out.push_back(Metric::from_json(item.dump()));
  }
  return out;
}

MetricList metrics_from(const Json& j, size_t outputs) {
  MetricList out;
  if (j.is_null()) return out;
  if (j.is_object() && !is_one(j)) {
    for (const auto& [name, item] : j.items()) {
      out.names.push_back(name);
      out.items.push_back(metrics_of_one(item));
    }
    return out;
  }
  const bool by_output = j.is_array() && (outputs > 1 || std::any_of(j.begin(), j.end(), [](const Json& item) { return item.is_array(); }));
  if (!by_output) {
    out.items.push_back(metrics_of_one(j));
    return out;
  }
  for (const Json& item : j) out.items.push_back(metrics_of_one(item));
  return out;
}

std::vector<double> weights_from(const Json& j, const std::vector<std::string>& outputs) {
  auto number = [&](const Json& item) {
    check(item.is_number() || item.is_null(), Code::Unsupported, "expected numbers, got {}", j.dump().substr(0, 120));
    return item.is_null() ? 1.0 : item.get<double>();
  };
  if (j.is_null()) return {};
  if (j.is_number()) return {j.get<double>()};
  std::vector<double> out;
  if (j.is_array())
    for (const Json& item : j) out.push_back(number(item));
  else
    for (const std::string& name : outputs) out.push_back(number(j.value(name, Json())));
  return out;
}

}  // namespace

CompileOptions read_compile(const Json& config, const std::vector<std::string>& outputs, Problems& problems) {
  CompileOptions o;
  auto part = [&](const char* name) { return config.value(name, Json()); };
  noting(problems, "optimizer", [&] {
    const Json optimizer = part("optimizer");
    check(is_one(optimizer), Code::Unsupported, "expected an optimizer, got {}", optimizer.dump().substr(0, 120));
    o.optimizer = Optimizer::from_json(optimizer.dump());
  });
  noting(problems, "loss", [&] { o.loss = losses_from(part("loss")); });
  noting(problems, "loss_weights", [&] { o.loss_weights = weights_from(part("loss_weights"), outputs); });
  noting(problems, "metrics", [&] { o.metrics = metrics_from(part("metrics"), outputs.size()); });
  noting(problems, "weighted_metrics", [&] { o.weighted_metrics = metrics_from(part("weighted_metrics"), outputs.size()); });
  o.run_eagerly = part("run_eagerly") == Json(true);
  return o;
}

}  // namespace tenure::io
