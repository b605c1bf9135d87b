#include "files/hdf5.h"

#include <cmath>

#include "files/hdf5_write.h"
#include "files/json.h"
#include "files/test_files.h"
#include "files/zip.h"

#include <nlohmann/json.hpp>

namespace tenure::files {
namespace {

/// A small file that holds every structure our writer makes.
Hdf5Writer small_file() {
  Hdf5Writer w;
  w.add_dataset("layers/dense/vars/0", Array::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  w.add_dataset("layers/dense/vars/1", Array::of<float>({3}, {7, 8, 9}));
  w.add_dataset("layers/dense/vars/10", Array::of<int64_t>({}, {-5}));
  w.add_group("/vars");
  w.set_text("layers/dense/vars", "name", "dense é");
  w.set_text("/", "empty", "");
  w.set_texts("/", "layer_names", std::vector<std::string>{"a", "", "long name number three"});
  w.set_texts("/", "none", {});
  w.set_numbers("vars", "rate", Array::of<double>({}, {0.5}));
  w.set_numbers("vars", "sizes", Array::of<int32_t>({2}, {3, 4}));
  const uint16_t brains[] = {0x3f80, 0xc000};
  w.add_dataset("low/brain", Array::from(bfloat16, {2}, Bytes::borrow(std::as_bytes(std::span(brains)))));
  w.add_dataset("low/half", Array::from(float16, {2}, Bytes::borrow(std::as_bytes(std::span(brains)))));
  w.add_dataset("low/flags", Array::of<bool>({3}, {true, false, true}));
  w.add_dataset("low/nothing", Array::of<float>({0, 4}, std::initializer_list<float>{}));
  return w;
}

/// Reads everything that can be asked of a file.
void read_all(const Hdf5Node& node) {
  for (const std::string& name : node.attributes()) {
    caught([&] { (void)node.text(name); });
    caught([&] { (void)node.texts(name); });
    caught([&] { (void)node.attribute(name).as_double(); });
  }
  if (node.is_dataset()) {
    caught([&] { (void)node.read().as_double(); });
    caught([&] { (void)node.read_texts(); });
  }
  for (const std::string& name : node.children()) caught([&] { read_all(node.at(name)); });
}

TEST(Hdf5, WhatIsWrittenIsReadBack) {
  const Hdf5File file(small_file().to_bytes("x.h5"));
  const Hdf5Node root = file.root();
  EXPECT_EQ(root.children(), (std::vector<std::string>{"layers", "low", "vars"}));
  const Hdf5Node vars = root.at("/layers/dense/vars");
  EXPECT_EQ(vars.path(), "/layers/dense/vars");
  EXPECT_EQ(vars.children(), (std::vector<std::string>{"0", "1", "10"}));
  EXPECT_EQ(vars.text("name"), "dense é");
  EXPECT_EQ(vars.at("0").spec(), (Spec{{2, 3}, float32}));
  EXPECT_EQ(vars.at("0").read().values<float>(), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(vars.at("10").read().values<int64_t>(), (std::vector<int64_t>{-5}));
  EXPECT_EQ(root.text("empty"), "");
  EXPECT_EQ(root.texts("layer_names"), (std::vector<std::string>{"a", "", "long name number three"}));
  EXPECT_EQ(root.texts("none"), std::vector<std::string>{});
  EXPECT_EQ(root.texts("empty"), std::vector<std::string>{""});
  EXPECT_EQ(root.at("vars").attribute("rate").as_double(), std::vector<double>{0.5});
  EXPECT_EQ(root.at("vars").attribute("sizes").as_int64(), (std::vector<int64_t>{3, 4}));
  EXPECT_TRUE(root.at("vars").is_group());
  EXPECT_TRUE(root.at("vars").children().empty());
  EXPECT_EQ(root.at("low/brain").spec(), (Spec{{2}, bfloat16}));
  EXPECT_EQ(root.at("low/brain").read().as_double(), (std::vector<double>{1, -2}));
  EXPECT_EQ(root.at("low/half").spec().dtype, float16);
  EXPECT_EQ(root.at("low/flags").read().values<bool>(), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(root.at("low/nothing").read().shape, (Shape{0, 4}));
}

TEST(Hdf5, ADatasetIsASliceOfTheFileAndOutlivesIt) {
  Array values;
  {
    const Bytes bytes = small_file().to_bytes();
    values = Hdf5File(bytes).root().at("layers/dense/vars/0").read();
    EXPECT_GE(values.bytes.data(), bytes.data());
    EXPECT_LT(values.bytes.data(), bytes.data() + bytes.size());
  }
  EXPECT_EQ(values.values<float>()[5], 6);
}

TEST(Hdf5, WhatIsMissingIsNotFoundAndWhatIsWrongIsNamed) {
  const Hdf5File file(small_file().to_bytes("x.h5"));
  const Hdf5Node root = file.root();
  EXPECT_FALSE(root.contains("layers/nothing/vars"));
  EXPECT_FALSE(root.contains("layers/dense/vars/0/below"));
  expect_error(Code::NotFound, "x.h5: nothing at 'layers/nothing' in /", [&] { root.at("layers/nothing"); });
  expect_error(Code::NotFound, "x.h5: /vars: no attribute 'name'", [&] { (void)root.at("vars").text("name"); });
  expect_error(Code::DType, "/vars: attribute 'rate': expected a text", [&] { (void)root.at("vars").text("rate"); });
  expect_error(Code::DType, "expected numbers, got texts", [&] { (void)root.attribute("layer_names"); });
  expect_error(Code::InvalidArgument, "/vars is not a dataset", [&] { (void)root.at("vars").read(); });
}

TEST(Hdf5, ManyChildrenComeInNaturalOrder) {
  Hdf5Writer w;
  std::vector<std::string> names;
  for (int i = 0; i < 500; ++i) names.push_back("dense_" + std::to_string(i));
  for (size_t i = 0; i < names.size(); ++i)
    w.add_dataset("layers/" + names[(i * 7) % names.size()] + "/vars/0", Array::of<int32_t>({1}, {static_cast<int>(i)}));
  const Hdf5File file(w.to_bytes());
  EXPECT_EQ(file.root().at("layers").children(), names);
  EXPECT_EQ(file.root().at("layers/dense_7/vars/0").read().values<int32_t>()[0], 1);
}

TEST(Hdf5, NaturalOrderComparesNumbersByValue) {
  EXPECT_TRUE(natural_less("2", "10"));
  EXPECT_TRUE(natural_less("a2b", "a10"));
  EXPECT_TRUE(natural_less("dense", "dense_1"));
  EXPECT_TRUE(natural_less("99999999999999999999998", "99999999999999999999999"));
  EXPECT_TRUE(natural_less("01", "1"));
  EXPECT_FALSE(natural_less("1", "01"));
  EXPECT_FALSE(natural_less("a", "a"));
  EXPECT_TRUE(natural_less("a/b", "a/c"));
}

TEST(Hdf5, TheWriterRefusesWhatCannotBe) {
  Hdf5Writer w;
  w.add_dataset("a/b", Array::of<float>({1}, {1}));
  expect_error(Code::InvalidArgument, "/a/b is already there", [&] { w.add_dataset("/a//b", Array::of<float>({1}, {1})); });
  expect_error(Code::InvalidArgument, "/a/b is a dataset, expected a group", [&] { w.add_dataset("a/b/c", Array::of<float>({1}, {1})); });
  expect_error(Code::InvalidArgument, "may not hold '..'", [&] { w.add_group("a/../b"); });
  expect_error(Code::NotFound, "nothing at /c", [&] { w.set_text("c", "name", "x"); });
  w.set_text("a", "name", "x");
  expect_error(Code::Io, "attribute 'name' of /a", [&] { w.set_text("a", "name", "y"); });
  expect_error(Code::Unsupported, "at most 64000", [&] { w.set_texts("a", "many", std::vector<std::string>(5000, "x")); });
  expect_error(Code::InvalidArgument, "in memory", [&] { w.commit(); });
  EXPECT_EQ(Hdf5File(w.to_bytes()).root().at("a").text("name"), "x") << "a refused attribute leaves the old one";
  expect_error(Code::InvalidArgument, "already finished", [&] { w.add_group("x"); });
}

TEST(Hdf5, AFileAppearsOnCommitOnly) {
  Scratch scratch;
  put(scratch / "a.h5", "old");
  {
    Hdf5Writer w(scratch / "a.h5");
    w.add_group("a");
  }
  EXPECT_EQ(get(scratch / "a.h5"), "old");
  EXPECT_EQ(scratch.files(), 1u);
  Hdf5Writer w(scratch / "a.h5");
  w.add_dataset("x", Array::of<double>({1}, {2.5}));
  w.commit();
  EXPECT_EQ(Hdf5File(Bytes::map(scratch / "a.h5")).root().at("x").read().values<double>()[0], 2.5);
  EXPECT_EQ(scratch.files(), 1u);
  expect_error(Code::NotFound, "no/such", [&] { Hdf5Writer(scratch / "no/such/a.h5"); });
}

TEST(Hdf5, TheSameContentGivesTheSameFile) { EXPECT_EQ(small_file().to_bytes().text(), small_file().to_bytes().text()); }

TEST(Hdf5, TruncatedFilesAreRefused) {
  const std::string good(small_file().to_bytes().text());
  for (size_t n = 0; n < good.size(); n += 7) EXPECT_TRUE(caught([&] { Hdf5File{Bytes::copy(good.substr(0, n))}; }).code.has_value()) << n;
  expect_error(Code::Io, "x: not an HDF5 file", [] { Hdf5File{Bytes::copy("hello", "x")}; });
}

TEST(Hdf5, GroupsThatLeadBackAreRefused) {
  // /a's header address in the root's symbol table is replaced by the root's own.
  Hdf5Writer w;
  w.add_group("a");
  std::string bad(w.to_bytes("x.h5").text());
  const size_t table = bad.find("SNOD");
  ASSERT_NE(table, std::string::npos);
  bad.replace(table + 16, 8, bad, 64, 8);
  const Hdf5File file(Bytes::copy(bad, "x.h5"));
  expect_error(Code::Unsupported, "groups must form a tree", [&] { file.root().at("a"); });
}

TEST(Hdf5, DepthIsLimited) {
  std::string deep;
  for (int i = 0; i < 70; ++i) deep += "/g";
  Hdf5Writer w;
  w.add_group(deep);
  const Hdf5File file(w.to_bytes());
  EXPECT_TRUE(file.root().contains(deep.substr(0, 2 * 64)));
  expect_error(Code::Unsupported, "more than 64 deep", [&] { file.root().at(deep); });
}

TEST(Hdf5, MutatedFilesLoadOrThrow) {
  const std::string good(small_file().to_bytes().text());
  const int loaded = survive_mutations(good, 4000, 3, [](const Bytes& bytes) { read_all(Hdf5File(bytes).root()); });
  EXPECT_GT(loaded, 1000);
}

TEST(Hdf5, MutatedKerasFilesLoadOrThrow) {
  ZipWriter zip;
  zip.add("metadata.json", Bytes::copy(R"({"keras_version": "3.15.1"})"));
  zip.add("config.json", Bytes::copy(R"({"class_name": "Sequential", "config": {"layers": [1, 2.5, "x", null]}})"));
  zip.add("model.weights.h5", small_file().to_bytes());
  const std::string good(zip.to_bytes().text());
  int passed_checksum = 0;
  survive_mutations(good, 3000, 4, [&](const Bytes& bytes) {
    const ZipFile file(bytes);
    parse_json(file.read("config.json"));
    read_all(Hdf5File(file.read("model.weights.h5")).root());
    ++passed_checksum;
  });
  EXPECT_GT(passed_checksum, 0);
}

TEST(Json, ErrorsNameThePlace) {
  EXPECT_EQ(parse_json(Bytes::copy(R"({"a": [1, "]]]\"]"]})"))["a"][0], 1);
  expect_error(Code::Io, "c.json: malformed JSON at line 2, column 8", [] { parse_json(Bytes::copy("{\"a\": 1,\n  \"b\": }", "c.json")); });
  expect_error(Code::Io, "nested more than 256 deep at line 1, column 257", [] { parse_json(Bytes::copy(std::string(100000, '['))); });
  expect_error(Code::Io, "expected at most 4", [] { parse_json(Bytes::copy("12345"), {.max_bytes = 4}); });
  expect_error(Code::Io, "malformed", [] { parse_json(Bytes()); });
  expect_error(Code::Io, "malformed", [] { parse_json(Bytes::copy("\"\xff\"")); });
  EXPECT_EQ(survive_mutations(R"({"a": [1, 2.5, "text", null, true], "b": {"c": "é\u0041"}})", 1000, 5, [](const Bytes& b) { parse_json(b); }) > 0,
            true);
}

}  // namespace
}  // namespace tenure::files
