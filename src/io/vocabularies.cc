#include "io/vocabularies.h"

#include "base/check.h"
#include "nn/vocabulary.h"

namespace tenure::io {

namespace {

constexpr const char* kIdf = "idf_weights";

nn::Vocabularied* vocabulary_of(const WeightGroup& g) { return g.layer && !g.again ? dynamic_cast<nn::Vocabularied*>(&g.layer->object()) : nullptr; }

std::vector<std::string> places(const WeightGroup& g) {
  if (g.layer->object().class_name() == "TextVectorization") return {g.path, g.path + "/_lookup_layer"};
  return {g.path};
}

/// Whether Python's splitlines, by which Keras reads the file, would make two tokens of one.
bool breaks_line(std::string_view token) {
  using namespace std::string_view_literals;
  if (token.find_first_of("\n\v\f\r\x1c\x1d\x1e"sv) != std::string_view::npos) return true;
  for (std::string_view wide : {"\xc2\x85"sv, "\xe2\x80\xa8"sv, "\xe2\x80\xa9"sv})
    if (token.find(wide) != std::string_view::npos) return true;
  return false;
}

/// Lines as they are written, without empty ones at the end.
std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const size_t end = text.find_first_of("\r\n");
    lines.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + (text.substr(end, 2) == "\r\n" ? 2 : 1));
  }
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

/// How many tokens the configuration speaks of; 0: of none.
int64_t promised_size(const LayerBody& layer) {
  const nn::Json config = layer.config();
  auto it = config.find("vocabulary_size");
  return it != config.end() && it->is_number_integer() ? it->get<int64_t>() : 0;
}

}  // namespace

std::vector<std::string> vocabulary_groups(const WeightGroup& g) {
  std::vector<std::string> out;
  if (vocabulary_of(g))
    for (const std::string& place : places(g)) out.push_back("/" + place + "/vars");
  return out;
}

void read_vocabularies(const std::vector<WeightGroup>& groups, const Archive& archive, const std::optional<files::Hdf5Node>& root) {
  for (const WeightGroup& g : groups) {
    nn::Vocabularied* v = vocabulary_of(g);
    const std::string member = "assets/" + g.path + "/vocabulary.txt";
    if (!v || v->configured() || !archive.has(member)) continue;
    const std::string text(archive.read(member).text());
    std::vector<std::string> lines = lines_of(text);
    std::vector<double> idf;
    if (root)
      if (const auto node = root->find(g.path + "/vars/" + kIdf); node && node->is_dataset()) idf = node->read().as_double();
    // An empty token may be the last one: Keras loses it and refuses its own file; the configuration or the weights tell of it.
    if (text.ends_with('\n') && (idf.size() == lines.size() + 1 || promised_size(*g.layer) == static_cast<int64_t>(lines.size()) + 1))
      lines.emplace_back();
    try {
      if (!lines.empty()) v->set_vocabulary(lines, idf);
    } catch (Error& e) {
      e.add_frame(fmt::format("{} of {}", member, archive.name()));
      throw;
    }
  }
}

void write_vocabularies(const LayerBody& model, files::ZipWriter& zip) {
  for (const WeightGroup& g : weight_groups(model, is_authors_model(model))) {
    const nn::Vocabularied* v = vocabulary_of(g);
    if (!v || v->configured()) continue;
    const std::vector<std::string> tokens = v->vocabulary(true);
    const std::string text = fmt::format("{}", fmt::join(tokens, "\n"));
    for (const std::string& t : tokens)
      check(!breaks_line(t), Code::Unsupported,
            "{}: a token with a line break in it cannot be written into vocabulary.txt; give the vocabulary in the configuration", g.label);
    for (const std::string& place : places(g)) zip.add("assets/" + place + "/vocabulary.txt", files::Bytes::copy(text));
  }
}

void write_idf(const WeightGroup& g, files::Hdf5Writer& out) {
  const nn::Vocabularied* v = vocabulary_of(g);
  if (!v) return;
  const Tensor idf = v->idf_weights();
  for (const std::string& place : places(g)) {
    if (place != g.path) {
      out.add_group(place + "/vars");
      out.set_text(place + "/vars", "name", "string_lookup");
    }
    if (idf.defined()) out.add_dataset(place + "/vars/" + kIdf, array_of(idf));
  }
}

}  // namespace tenure::io
