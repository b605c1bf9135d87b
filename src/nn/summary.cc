// Model::summary: Keras' table.
#include <algorithm>
#include <numeric>

#include "nn/functional.h"
#include "nn/model_state.h"

namespace tenure {
namespace {

using Cells = std::vector<std::string>;

size_t width_of(std::string_view text) {  // of UTF-8, in characters
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

std::string shortened(const std::string& text, size_t width) {
  if (width_of(text) <= width) return text;
  return text.substr(0, width - 1) + "…";
}

// Lines of at most `width`, broken at spaces and line ends.
std::vector<std::string> wrapped(const std::string& text, size_t width) {
  std::vector<std::string> lines{""};
  size_t at = 0;
  while (at <= text.size()) {
    size_t end = text.find_first_of(" \n", at);
    std::string word = text.substr(at, end == std::string::npos ? end : end - at);
    bool fits = lines.back().empty() || width_of(lines.back()) + 1 + width_of(word) <= width;
    if (!fits) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    if (end == std::string::npos) break;
    if (text[end] == '\n') lines.emplace_back();
    at = end + 1;
  }
  for (std::string& l : lines) l = shortened(l, width);
  return lines;
}

class Table {
 public:
  /// `widths` with one space on either side of the text.
  Table(std::vector<int> widths, Cells header, std::string align) : widths_(std::move(widths)), align_(std::move(align)) {
    rule("┏", "━", "┳", "┓\n");
    line(header, "┃");
    rule("┡", "━", "╇", "┩\n");
  }
  void row(const Cells& cells) {
    if (rows_++) rule("├", "─", "┼", "┤\n");
    line(cells, "│");
  }
  std::string finish() {
    rule("└", "─", "┴", "┘\n");
    return std::move(out_);
  }

 private:
  void rule(const char* left, const char* dash, const char* middle, const char* right) {
    for (size_t i = 0; i < widths_.size(); ++i) {
      out_ += i ? middle : left;
      for (int k = 0; k < widths_[i]; ++k) out_ += dash;
    }
    out_ += right;
  }
  void line(const Cells& cells, const char* bar) {
    std::vector<std::vector<std::string>> parts;
    size_t height = 1;
    for (size_t i = 0; i < cells.size(); ++i) {
      parts.push_back(wrapped(cells[i], static_cast<size_t>(widths_[i] - 2)));
      height = std::max(height, parts.back().size());
    }
    for (size_t y = 0; y < height; ++y) {
      for (size_t i = 0; i < cells.size(); ++i) {
        std::string text = y < parts[i].size() ? parts[i][y] : "";
        size_t room = static_cast<size_t>(widths_[i] - 2) - width_of(text);
        size_t before = align_[i] == 'r' ? room : align_[i] == 'c' ? room / 2 : 0;
        out_ += std::string(bar) + " " + std::string(before, ' ') + text + std::string(room - before, ' ') + " ";
      }
      out_ += std::string(bar) + "\n";
    }
  }
  std::vector<int> widths_;
  std::string align_, out_;
  int rows_ = 0;
};

std::string grouped(int64_t n) {
  std::string digits = std::to_string(n), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i && (digits.size() - i) % 3 == 0) out += ',';
    out += digits[i];
  }
  return out;
}

std::string size_text(double bytes) {
  const char* units[] = {"B", "KB", "MB", "GB", "TB"};
  size_t u = 0;
  for (; bytes >= 1024 && u + 1 < std::size(units); ++u) bytes /= 1024;
  return fmt::format("{:.2f} {}", bytes, units[u]);
}

std::string shape_text(const Shape& s) {
  std::string out;
  for (int64_t d : s) out += (out.empty() ? "" : ", ") + (d < 0 ? std::string("None") : std::to_string(d));
  return "(" + out + ")";
}

std::string shapes_text(const std::vector<Spec>& specs) {
  if (specs.size() == 1) return shape_text(specs[0].shape);
  std::string out;
  for (const Spec& s : specs) out += (out.empty() ? "" : ", ") + shape_text(s.shape);
  return "[" + out + "]";
}

std::vector<Spec> specs_of_node(const Node* n) {
  std::vector<Spec> in;
  for (size_t i = 0; i < n->inputs(); ++i) in.push_back(n->input_body(i)->spec());
  if (!n->callee()) {
    Abstractly abstractly;
    Tensors xs;
    for (size_t i = 0; i < n->inputs(); ++i) xs.push_back(n->input_body(i)->concrete() ? n->input(i) : make_abstract(in[i]));
    return specs_of(apply_all(*n->op(), xs, n->attrs()));
  }
  auto& l = *static_cast<LayerBody*>(n->callee());
  return in.empty() ? std::vector<Spec>{input_spec(l)} : l.output_specs(in, Call{});
}

// An op's class as Keras names it: true_divide is TrueDivide.
std::string camel(std::string_view snake) {
  std::string out;
  bool up = true;
  for (char c : snake) {
    if (c == '_') up = true;
    else out += up ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c, up = false;
  }
  return out;
}

class Rows {
 public:
  Rows(Table& table, const SummaryOptions& o, bool connected) : table_(table), o_(o), connected_(connected) {}

  void model(const LayerBody& m, int depth) {
    if (m.graph) {
      for (const auto& op : m.graph->operations()) operation(m, op, depth);
      return;
    }
    auto* s = dynamic_cast<SequentialObject*>(&m.object());
    for (size_t i = 0; i < m.children().size(); ++i) {
      std::vector<Spec> out;
      if (s && i < s->specs().size()) out = {s->specs()[i]};
      layer(*m.children()[i].layer, out.empty() ? "?" : shapes_text(out), "-", depth);
    }
  }

 private:
  void operation(const LayerBody& m, const FunctionalGraph::Operation& op, int depth) {
    std::string to;
    for (const Node* n : op.nodes) {
      for (size_t i = 0; i < n->inputs(); ++i) {
        const TensorBody* b = n->input_body(i);
        if (!b->symbolic()) continue;
        bool inner = std::any_of(m.graph->operations().begin(), m.graph->operations().end(),
                                 [&](const auto& o) { return std::find(o.nodes.begin(), o.nodes.end(), b->node()) != o.nodes.end(); });
        if (!inner) continue;  // what a model of inner symbols starts from
        auto a = m.graph->address_of(*b);
        to += (to.empty() ? "" : ",\n") + fmt::format("{}[{}][{}]", a.operation->name, a.node, a.tensor);
      }
    }
    if (to.empty() || depth > 0) to = "-";
    std::string shapes = shapes_text(specs_of_node(op.nodes[0]));
    if (op.layer) layer(*op.layer, shapes, to, depth);
    else row(indent(op.name, depth) + " (" + camel(op.op->op()->name) + ")", shapes, "0", to, "-");
  }

  void layer(const LayerBody& l, const std::string& shapes, const std::string& to, int depth) {
    Variables weights;
    l.collect(LayerBody::Which::weights, weights);
    int64_t n = 0;
    for (const Variable& v : weights) n += v.spec().shape.elements();
    row(indent(l.name(), depth) + " (" + l.object().class_name() + ")", shapes, l.built() ? grouped(n) : "0 (unbuilt)", to,
        weights.empty() ? "-"
        : l.trainable() ? "Y"
                        : "N");
    if (o_.expand_nested && !l.children().empty()) model(l, depth + 1);
  }

  static std::string indent(const std::string& name, int depth) {
    std::string out;
    for (int i = 0; i < depth; ++i) out += "\u00a0\u00a0\u00a0";
    return out + (depth ? "└\u00a0" : "") + name;
  }

  void row(std::string name, std::string shapes, std::string params, std::string to, std::string trains) {
    Cells cells{std::move(name), std::move(shapes), std::move(params)};
    if (connected_) cells.push_back(std::move(to));
    if (o_.show_trainable) cells.push_back(std::move(trains));
    table_.row(cells);
  }

  Table& table_;
  const SummaryOptions& o_;
  bool connected_;
};

// A chain needs no column of connections.
bool chain(const LayerBody& b) {
  if (!b.graph) return true;
  for (const auto& op : b.graph->operations())
    if (op.nodes.size() > 1 || !op.layer || op.nodes[0]->inputs() > 1) return false;
  size_t inputs = static_cast<FunctionalObject&>(b.object()).inputs();
  return inputs == 1 && b.kept.size() == 2;
}

std::string totals(const LayerBody& b) {
  auto sum = [](const Variables& vs) {
    std::pair<int64_t, double> n{0, 0};
    for (const Variable& v : vs) n.first += v.spec().shape.elements(), n.second += static_cast<double>(v.spec().bytes());
    return n;
  };
  Variables all, trains, state;
  b.collect(LayerBody::Which::weights, all);
  b.collect(LayerBody::Which::trainable, trains);
  const ModelState* s = b.model();
  if (s && s->optimizer && s->optimizer->built()) state = s->optimizer->variables();
  auto a = sum(all), t = sum(trains), o = sum(state);
  auto text = [](const char* what, std::pair<int64_t, double> n) {
    return fmt::format(" {} params: {} ({})\n", what, grouped(n.first), size_text(n.second));
  };
  return text("Total", {a.first + o.first, a.second + o.second}) + text("Trainable", t) +
         text("Non-trainable", {a.first - t.first, a.second - t.second}) + (state.empty() ? "" : text("Optimizer", o));
}

}  // namespace

std::string Model::summary(const SummaryOptions& o) const {
  LayerBody& b = body_of(*this);
  bool connected = !chain(b);
  // Inner widths of Keras' table on a terminal of 80 columns.
  std::vector<int> widths = connected ? (o.show_trainable ? std::vector<int>{19, 17, 11, 16, 7} : std::vector<int>{21, 19, 12, 19})
                                      : (o.show_trainable ? std::vector<int>{29, 23, 12, 7} : std::vector<int>{33, 24, 15});
  if (o.line_length) {
    int borders = static_cast<int>(widths.size()) + 1, have = std::accumulate(widths.begin(), widths.end(), 0), want = *o.line_length - borders;
    check(want >= 6 * static_cast<int>(widths.size()), Code::InvalidArgument, "summary: line_length {} is too small", *o.line_length);
    int used = 0;
    for (int& w : widths) used += w = w * want / have;
    widths[0] += want - used;
  }
  Cells header{"Layer (type)", "Output Shape", "Param #"};
  std::string align = "llr";
  if (connected) header.push_back("Connected to"), align += 'l';
  if (o.show_trainable) header.push_back("Trainable"), align += 'c';
  Table table(widths, header, align);
  Rows(table, o, connected).model(b, 0);
  return fmt::format("Model: \"{}\"\n", b.name()) + table.finish() + totals(b);
}

}  // namespace tenure
