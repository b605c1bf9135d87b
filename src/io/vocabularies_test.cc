// Vocabularies that are learned or set here, saved, loaded again, and loaded by the real Keras: tokens, indices, idf weights.
#include "io/test_models.h"

namespace tenure::io {
namespace {

using files::expect_error;
using files::Scratch;

Tensor words() { return strings({"the", "cat", "dog", "sat", "Straße", "on", "the", "日本", "mat", "é", "[UNK]", "a b"}, {4, 3}); }
Tensor gaps() { return strings({"the", "", "cat", "the", "", "", "sat", "cat", "the"}, {3, 3}); }
Tensor sentences() {
  return strings({"The cat sat on the mat.", "a dog, a cat: two ANIMALS", "", "Straße 日本 the é", "one one two", "the the the"}, {6, 1});
}
Tensor numbers() { return Tensor::from<int64_t>({3, 7, 7, 0, -2, 1000000007, 3, 9, 3, 0, 11, 7}, {4, 3}); }

struct Learner {
  const char* name;
  Layer (*make)();
  Tensor (*data)();
};

using layers::IntegerLookup;
using layers::StringLookup;
using layers::TextVectorization;

const Learner kLearners[] = {
    {"strings", [] { return Layer(StringLookup{}); }, words},
    {"strings_masked", [] { return Layer(StringLookup{.max_tokens = 7, .num_oov_indices = 2, .mask_token = ""}); }, gaps},
    {"strings_one_token", [] { return Layer(StringLookup{.max_tokens = 2}); }, words},
    {"strings_no_oov", [] { return Layer(StringLookup{.num_oov_indices = 0, .mask_token = "", .oov_token = "?"}); }, gaps},
    {"strings_multi_hot", [] { return Layer(StringLookup{.output_mode = "multi_hot"}); }, words},
    {"strings_padded", [] { return Layer(StringLookup{.max_tokens = 20, .output_mode = "count", .pad_to_max_tokens = true}); }, words},
    {"strings_tf_idf", [] { return Layer(StringLookup{.output_mode = "tf_idf"}); }, words},
    {"integers", [] { return Layer(IntegerLookup{}); }, numbers},
    {"integers_masked", [] { return Layer(IntegerLookup{.num_oov_indices = 3, .mask_token = 0}); }, numbers},
    {"integers_count", [] { return Layer(IntegerLookup{.max_tokens = 4, .output_mode = "count"}); }, numbers},
    {"integers_tf_idf", [] { return Layer(IntegerLookup{.output_mode = "tf_idf"}); }, numbers},
    {"text", [] { return Layer(TextVectorization{.output_sequence_length = 6}); }, sentences},
    {"text_ngrams", [] { return Layer(TextVectorization{.max_tokens = 12, .ngrams = 2, .output_sequence_length = 8}); }, sentences},
    {"text_characters", [] { return Layer(TextVectorization{.standardize = "lower", .split = "character", .output_sequence_length = 9}); },
     sentences},
    {"text_whole", [] { return Layer(TextVectorization{.standardize = {}, .split = {}, .output_mode = "multi_hot"}); }, sentences},
    {"text_tf_idf", [] { return Layer(TextVectorization{.output_mode = "tf_idf"}); }, sentences},
};

Model model_of(const Learner& l) {
  Layer layer = l.make();
  adapt(layer, l.data());
  Shape shape = l.data().shape();
  shape[0] = -1;
  Tensor in = Input({.dtype = l.data().dtype(), .batch_shape = shape});
  return Model(Functional{.inputs = {in}, .outputs = {Tensor(layer(in))}, .name = l.name});
}

TEST(Vocabularies, GoThroughFiles) {
  for (const Learner& l : kLearners) {
    SCOPED_TRACE(l.name);
    const Model m = model_of(l), again = load_model(model_bytes(m));
    EXPECT_EQ(get_vocabulary(again.layers().back()), get_vocabulary(m.layers().back()));
    EXPECT_TRUE(same_values(again.predict(l.data()), m.predict(l.data())));
  }
}

TEST(Vocabularies, KerasLoadsThem) {
  const std::string python = keras_python();
  if (python.empty()) GTEST_SKIP() << "no Python with Keras (TENURE_KERAS_PYTHON or build/venv)";
  Scratch scratch;
  std::string files;
  for (const Learner& l : kLearners) {
    const Model m = model_of(l);
    const std::string model = scratch / (std::string(l.name) + ".keras"), io = scratch / (std::string(l.name) + "_io.npz");
    m.save(model);
    save_npz(io, {{"in_0", l.data()}, {"out_0", m.predict(l.data())}});
    files += " " + model + " " + io;
  }
  const std::string command = python + " " + reference("keras_loads_ours.py") + files + " >" + scratch / "log" + " 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << files::get(scratch / "log").substr(0, 8000);
}

// Keras takes an empty last line for none, in its own files, too; the configuration tells how many tokens there were.
TEST(Vocabularies, AnEmptyTokenAtTheEndStays) {
  const Tensor x = strings({"a", "", "b", "b", "a", "b"}, {2, 3});
  for (const char* mode : {"int", "multi_hot", "tf_idf"}) {
    SCOPED_TRACE(mode);
    Layer layer = StringLookup{.output_mode = mode};
    adapt(layer, x);
    EXPECT_EQ(get_vocabulary(layer).back(), "");
    Tensor in = Input({.shape = {3}, .dtype = DType::string});
    const Model m(Functional{.inputs = {in}, .outputs = {Tensor(layer(in))}}), again = load_model(model_bytes(m));
    EXPECT_EQ(get_vocabulary(again.layers().back()), get_vocabulary(layer));
    EXPECT_TRUE(same_values(again.predict(x), m.predict(x)));
  }
}

// vocabulary.txt is one token a line, and Python takes many characters for the end of one.
TEST(Vocabularies, ATokenThatPythonReadsAsTwoLinesIsRefused) {
  for (const char* token : {"a\nb", "a\rb", "a\vb", "a\fb", "a\x1c",
                            "a\x1e"
                            "b",
                            "a\xc2\x85",
                            "a\xe2\x80\xa8"
                            "b",
                            "\xe2\x80\xa9"}) {
    Layer layer = StringLookup{};
    set_vocabulary(layer, {"plain", token});
    Tensor in = Input({.shape = {1}, .dtype = DType::string});
    const Model m(Functional{.inputs = {in}, .outputs = {Tensor(layer(in))}});
    expect_error(Code::Unsupported, "line break", [&] { (void)model_bytes(m); });
  }
  // In a configuration it is text like any other.
  Layer layer = StringLookup{.vocabulary = {"a\nb", "c"}};
  Tensor in = Input({.shape = {1}, .dtype = DType::string});
  const Model again = load_model(model_bytes(Model(Functional{.inputs = {in}, .outputs = {Tensor(layer(in))}})));
  EXPECT_EQ(get_vocabulary(again.layers().back()), (std::vector<std::string>{"[UNK]", "a\nb", "c"}));
}

// Sequences as long as the longest text of a batch: steps are not traced, and train the same as steps that ask for that.
TEST(Vocabularies, ModelsWhoseSizesDependOnValuesTrain) {
  auto trained = [](bool eagerly) {
    set_random_seed(5);
    const Layer text = TextVectorization{};
    adapt(text, sentences());
    Sequential m{layers::InputLayer{.shape = {1}, .dtype = DType::string}, text, layers::Embedding{.input_dim = 20, .output_dim = 3},
                 layers::GlobalAveragePooling1D{}, layers::Dense{.units = 1}};
    m.compile({.optimizer = "sgd", .loss = "mse", .run_eagerly = eagerly});
    const Tensor y = reshape(arange(0, 6, 1, float32), {6, 1});
    const History h = m.fit(sentences(), y, {.batch_size = 3, .epochs = 2, .verbose = 0, .shuffle = false});
    (void)m.evaluate(sentences(), y, {.verbose = 0});
    return h["loss"];
  };
  const auto losses = trained(false);
  EXPECT_LT(losses.back(), losses.front());
  EXPECT_EQ(losses, trained(true));
}

}  // namespace
}  // namespace tenure::io
