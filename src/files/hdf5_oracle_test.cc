// libhdf5 as the oracle: what it writes in forms that our writer does not use, and what it reads from Keras' own files.
#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstring>

#include "files/hdf5.h"
#include "files/test_files.h"
#include "files/zip.h"

namespace tenure::files {
namespace {

/// Builds a file in memory through libhdf5.
class Maker {
 public:
  explicit Maker(bool latest = false) {
    static int counter = 0;
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, false);
    if (latest) H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
    file = H5Fcreate(("oracle-" + std::to_string(counter++)).c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
  }
  ~Maker() {
    if (file >= 0) H5Fclose(file);
  }
  Maker(const Maker&) = delete;
  Maker& operator=(const Maker&) = delete;

  /// `plist` gets the chunks and filters. Takes over type and plist.
  void dataset(const char* name, hid_t type, hid_t memory, std::vector<hsize_t> dims, const void* values, hid_t plist) {
    const hid_t space = dims.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t set = H5Dcreate2(file, name, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    ASSERT_GE(set, 0);
    if (values) { ASSERT_GE(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0); }
    H5Dclose(set), H5Sclose(space);
    if (plist != H5P_DEFAULT) H5Pclose(plist);
  }
  std::string bytes() {
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    std::string out(static_cast<size_t>(H5Fget_file_image(file, nullptr, 0)), '\0');
    H5Fget_file_image(file, out.data(), out.size());
    return out;
  }
  Hdf5Node root() { return Hdf5File(Bytes::copy(bytes(), "x.h5")).root(); }

  hid_t file = -1;
};

hid_t chunked(std::vector<hsize_t> chunk, int gzip = 0, bool shuffle = false) {
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(plist, static_cast<int>(chunk.size()), chunk.data());
  if (shuffle) H5Pset_shuffle(plist);
  if (gzip) H5Pset_deflate(plist, static_cast<unsigned>(gzip));
  return plist;
}

std::vector<int32_t> count_up(size_t n) {
  std::vector<int32_t> v(n);
  for (size_t i = 0; i < n; ++i) v[i] = static_cast<int32_t>(i * 7);
  return v;
}

TEST(Hdf5Oracle, ChunksWithFiltersAreRead) {
  const auto values = count_up(7 * 10 * 3);
  Maker m;
  m.dataset("plain", H5T_STD_I32LE, H5T_NATIVE_INT32, {7, 10, 3}, values.data(), chunked({2, 4, 3}));
  m.dataset("gzip", H5T_STD_I32LE, H5T_NATIVE_INT32, {7, 10, 3}, values.data(), chunked({3, 3, 2}, 6));
  m.dataset("shuffle", H5T_STD_I32BE, H5T_NATIVE_INT32, {7, 10, 3}, values.data(), chunked({7, 10, 3}, 0, true));
  m.dataset("both", H5T_STD_I32LE, H5T_NATIVE_INT32, {210}, values.data(), chunked({1}, 9, true));
  m.dataset("large", H5T_STD_I32LE, H5T_NATIVE_INT32, {210}, values.data(), chunked({64}, 9, true));
  const Hdf5Node root = m.root();
  for (const std::string& name : root.children()) {
    const Array a = root.at(name).read();
    EXPECT_EQ(a.elements(), 210) << name;
    EXPECT_EQ(a.values<int32_t>(), values) << name;
  }
}

TEST(Hdf5Oracle, ChunksNeverWrittenHoldTheFillValue) {
  Maker m;
  const hid_t plist = chunked({4});
  const int32_t seven = 7;
  H5Pset_fill_value(plist, H5T_NATIVE_INT32, &seven);
  m.dataset("sevens", H5T_STD_I32LE, H5T_NATIVE_INT32, {6}, nullptr, plist);
  m.dataset("zeros", H5T_STD_I32LE, H5T_NATIVE_INT32, {3}, nullptr, chunked({2}));
  m.dataset("late", H5T_STD_I32LE, H5T_NATIVE_INT32, {3}, nullptr, H5P_DEFAULT);
  const Hdf5Node root = m.root();
  EXPECT_EQ(root.at("sevens").read().values<int32_t>(), std::vector<int32_t>(6, 7));
  EXPECT_EQ(root.at("zeros").read().values<int32_t>(), std::vector<int32_t>(3, 0));
  EXPECT_EQ(root.at("late").read().values<int32_t>(), std::vector<int32_t>(3, 0));
}

TEST(Hdf5Oracle, CompactAndEmptyDatasetsAreRead) {
  Maker m;
  const auto values = count_up(5);
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_layout(plist, H5D_COMPACT);
  m.dataset("compact", H5T_STD_I32LE, H5T_NATIVE_INT32, {5}, values.data(), plist);
  const hid_t null = H5Screate(H5S_NULL);
  H5Dclose(H5Dcreate2(m.file, "null", H5T_IEEE_F32LE, null, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(null);
  const Hdf5Node root = m.root();
  EXPECT_EQ(root.at("compact").read().values<int32_t>(), values);
  EXPECT_EQ(root.at("null").read().elements(), 0);
}

TEST(Hdf5Oracle, EveryNumberTypeIsRead) {
  Maker m;
  const double values[] = {1, 0, 100};
  struct Row {
    const char* name;
    hid_t type;
    DType dtype;
  };
  const Row rows[] = {{"i8", H5T_STD_I8LE, int8},       {"u8", H5T_STD_U8BE, uint8},      {"i16", H5T_STD_I16LE, int16},
                      {"i16b", H5T_STD_I16BE, int16},   {"u16", H5T_STD_U16LE, uint32},   {"u16b", H5T_STD_U16BE, uint32},
                      {"i32b", H5T_STD_I32BE, int32},   {"u32", H5T_STD_U32LE, uint32},   {"i64", H5T_STD_I64LE, int64},
                      {"u64b", H5T_STD_U64BE, uint64},  {"f32", H5T_IEEE_F32LE, float32}, {"f32b", H5T_IEEE_F32BE, float32},
                      {"f64", H5T_IEEE_F64LE, float64}, {"f64b", H5T_IEEE_F64BE, float64}};
  for (const Row& r : rows) m.dataset(r.name, r.type, H5T_NATIVE_DOUBLE, {3}, values, H5P_DEFAULT);
  const Hdf5Node root = m.root();
  for (const Row& r : rows) {
    EXPECT_EQ(root.at(r.name).spec(), (Spec{{3}, r.dtype})) << r.name;
    EXPECT_EQ(root.at(r.name).read().as_double(), (std::vector<double>{1, 0, 100})) << r.name;
  }
}

TEST(Hdf5Oracle, TextsOfEveryKindAreRead) {
  Maker m;
  const hid_t fixed = H5Tcopy(H5T_C_S1), padded = H5Tcopy(H5T_C_S1), spaces = H5Tcopy(H5T_FORTRAN_S1), vlen = H5Tcopy(H5T_C_S1);
  H5Tset_size(fixed, 5), H5Tset_size(padded, 4), H5Tset_strpad(padded, H5T_STR_NULLPAD), H5Tset_size(spaces, 4), H5Tset_size(vlen, H5T_VARIABLE);
  m.dataset("fixed", fixed, fixed, {2}, "ab\0\0\0cdef", H5P_DEFAULT);
  m.dataset("padded", padded, padded, {2}, "ab\0\0cdef", H5P_DEFAULT);
  m.dataset("spaces", spaces, spaces, {2}, "ab  cdef", H5P_DEFAULT);
  const char* words[] = {"first", "", "the third"};
  m.dataset("vlen", vlen, vlen, {3}, words, H5P_DEFAULT);
  m.dataset("chunks", vlen, vlen, {3}, words, chunked({2}, 3));
  const hid_t space = H5Screate(H5S_SCALAR), attribute = H5Acreate2(m.file, "old", fixed, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, fixed, "text");
  H5Aclose(attribute), H5Sclose(space), H5Tclose(fixed), H5Tclose(padded), H5Tclose(spaces), H5Tclose(vlen);
  const Hdf5Node root = m.root();
  for (const char* name : {"fixed", "padded", "spaces"}) EXPECT_EQ(root.at(name).read_texts(), (std::vector<std::string>{"ab", "cdef"})) << name;
  for (const char* name : {"vlen", "chunks"}) EXPECT_EQ(root.at(name).read_texts(), (std::vector<std::string>{"first", "", "the third"})) << name;
  EXPECT_EQ(root.text("old"), "text");
  expect_error(Code::Unsupported, "x.h5: /vlen: expected numbers, got texts", [&] { (void)root.at("vlen").read(); });
}

TEST(Hdf5Oracle, WhatLeavesTheFileIsRefused) {
  Maker m;
  H5Lcreate_soft("/data", m.file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_external("/etc/passwd", "/x", m.file, "external", H5P_DEFAULT, H5P_DEFAULT);
  const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(plist, "/etc/passwd", 0, 12);
  m.dataset("data", H5T_STD_I32LE, H5T_NATIVE_INT32, {3}, nullptr, plist);
  const hid_t virtual_list = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t three = 3;
  const hid_t space = H5Screate_simple(1, &three, nullptr);
  H5Pset_virtual(virtual_list, space, "other.h5", "x", space);
  m.dataset("virtual", H5T_STD_I32LE, H5T_NATIVE_INT32, {3}, nullptr, virtual_list);
  H5Sclose(space);
  const Hdf5Node root = m.root();
  EXPECT_EQ(root.children(), (std::vector<std::string>{"data", "external", "soft", "virtual"}));
  expect_error(Code::Unsupported, "x.h5: /: 'soft' is a soft link to '/data'", [&] { root.at("soft"); });
  expect_error(Code::Unsupported, "an external link", [&] { root.at("external"); });
  expect_error(Code::Unsupported, "x.h5: /data: values in other files (byte ", [&] { (void)root.at("data").read(); });
  expect_error(Code::Unsupported, "virtual", [&] { (void)root.at("virtual").read(); });
}

TEST(Hdf5Oracle, WhatIsNotUnderstoodIsNamed) {
  Maker m;
  const auto values = count_up(4);
  const hid_t pair = H5Tcreate(H5T_COMPOUND, 8);
  H5Tinsert(pair, "a", 0, H5T_STD_I32LE), H5Tinsert(pair, "b", 4, H5T_STD_I32LE);
  m.dataset("pairs", pair, pair, {2}, values.data(), H5P_DEFAULT);
  H5Tclose(pair);
  const hid_t checked = chunked({2});
  H5Pset_fletcher32(checked);
  m.dataset("checked", H5T_STD_I32LE, H5T_NATIVE_INT32, {4}, values.data(), checked);
  const hid_t opaque = H5Tcreate(H5T_OPAQUE, 2);
  m.dataset("opaque", opaque, opaque, {2}, values.data(), H5P_DEFAULT);
  H5Tclose(opaque);
  m.dataset("shared", H5T_STD_I32LE, H5T_NATIVE_INT32, {4}, values.data(), H5P_DEFAULT);
  H5Lcreate_hard(m.file, "shared", m.file, "again", H5P_DEFAULT, H5P_DEFAULT);
  const Hdf5Node root = m.root();
  expect_error(Code::Unsupported, "/pairs: expected numbers, got compound values", [&] { (void)root.at("pairs").read(); });
  expect_error(Code::Unsupported, "/checked: filter 3 (fletcher32); expected gzip or shuffle", [&] { (void)root.at("checked").read(); });
  expect_error(Code::Unsupported, "opaque values of 2 bytes", [&] { (void)root.at("opaque").read(); });
  EXPECT_EQ(root.at("again").read().values<int32_t>(), values) << "a dataset may have two names";
}

TEST(Hdf5Oracle, TheNewerFormatIsReadWhereItIsSimple) {
  Maker m(true);
  const auto values = count_up(4);
  H5Gclose(H5Gcreate2(m.file, "group", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  m.dataset("group/x", H5T_STD_I32LE, H5T_NATIVE_INT32, {4}, values.data(), H5P_DEFAULT);
  m.dataset("group/chunks", H5T_STD_I32LE, H5T_NATIVE_INT32, {4}, values.data(), chunked({2}));
  H5Gclose(H5Gcreate2(m.file, "dense", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  for (int i = 0; i < 20; ++i) H5Gclose(H5Gcreate2(m.file, ("dense/" + std::to_string(i)).c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  const hid_t scalar = H5Screate(H5S_SCALAR), crowd = H5Gcreate2(m.file, "crowd", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  for (int i = 0; i < 20; ++i) H5Aclose(H5Acreate2(crowd, std::to_string(i).c_str(), H5T_STD_I32LE, scalar, H5P_DEFAULT, H5P_DEFAULT));
  const hid_t one = H5Acreate2(m.file, "one", H5T_STD_I32LE, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(one, H5T_NATIVE_INT32, &values[1]);
  H5Aclose(one), H5Gclose(crowd), H5Sclose(scalar);
  const Hdf5Node root = m.root();
  EXPECT_EQ(root.at("group/x").read().values<int32_t>(), values);
  EXPECT_EQ(root.attribute("one").values<int32_t>()[0], 7);
  expect_error(Code::Unsupported, "/crowd: attributes in dense storage", [&] { (void)root.at("crowd").has_attribute("x"); });
  expect_error(Code::Unsupported, "default libver", [&] { (void)root.at("group/chunks").read(); });
  expect_error(Code::Unsupported, "/dense: a group in dense storage", [&] { root.at("dense"); });
}

TEST(Hdf5Oracle, MutatedChunksLoadOrThrow) {
  Maker m;
  const auto values = count_up(300);
  m.dataset("a", H5T_STD_I32LE, H5T_NATIVE_INT32, {10, 30}, values.data(), chunked({3, 8}, 4, true));
  m.dataset("b", H5T_STD_I32LE, H5T_NATIVE_INT32, {300}, values.data(), chunked({2}));
  const hid_t vlen = H5Tcopy(H5T_C_S1);
  H5Tset_size(vlen, H5T_VARIABLE);
  const char* words[] = {"first", "second", "the third"};
  m.dataset("c", vlen, vlen, {3}, words, chunked({2}));
  H5Tclose(vlen);
  int numbers = 0;
  survive_mutations(m.bytes(), 2500, 6, [&](const Bytes& bytes) {
    const Hdf5Node root = Hdf5File(bytes).root();
    caught([&] { (void)root.at("b").read(), ++numbers; });
    caught([&] { (void)root.at("c").read_texts(); });
    (void)root.at("a").read();
  });
  EXPECT_GT(numbers, 500);
}

/// Compares one object with what libhdf5 makes of it; returns the number of datasets.
int compare(const Hdf5Node& node, hid_t file) {
  if (node.is_group()) {
    H5G_info_t info;
    const hid_t group = H5Gopen2(file, node.path().c_str(), H5P_DEFAULT);
    EXPECT_GE(H5Gget_info(group, &info), 0);
    H5Gclose(group);
    const auto names = node.children();
    EXPECT_EQ(names.size(), info.nlinks) << node.path();
    int n = 0;
    for (const std::string& name : names) n += compare(node.at(name), file);
    return n;
  }
  const hid_t set = H5Dopen2(file, node.path().c_str(), H5P_DEFAULT), type = H5Dget_type(set);
  const Array a = node.read();
  std::string values(static_cast<size_t>(H5Dget_storage_size(set)), '\0');
  EXPECT_GE(H5Dread(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  EXPECT_EQ(a.bytes.text(), values) << node.path();
  H5Tclose(type), H5Dclose(set);
  return 1;
}

TEST(Hdf5Oracle, KerasFilesReadAsByLibhdf5) {
  const std::string folder = sample("");
  if (!have(folder)) GTEST_SKIP() << "the sample models are not beside the repository";
  int files = 0, datasets = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string(), extension = entry.path().extension().string();
    if (extension != ".h5" && extension != ".keras") continue;
    const Bytes whole = Bytes::map(path);
    const Bytes h5 = extension == ".h5" ? whole : ZipFile(whole).read("model.weights.h5");
    const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_fapl_core(access, 1 << 16, false);
    H5Pset_file_image(access, const_cast<std::byte*>(h5.data()), h5.size());
    const hid_t file = H5Fopen(("image-" + std::to_string(files)).c_str(), H5F_ACC_RDONLY, access);
    ASSERT_GE(file, 0) << path;
    datasets += compare(Hdf5File(h5).root(), file);
    H5Fclose(file), H5Pclose(access);
    ++files;
  }
  EXPECT_GT(files, 20);
  EXPECT_GT(datasets, 200);
}

TEST(Hdf5Oracle, LegacyKerasAttributesAreRead) {
  if (!have(sample("k2_seq.h5"))) GTEST_SKIP() << "the sample models are not beside the repository";
  const Hdf5File file(Bytes::map(sample("k2_seq.h5")));
  EXPECT_EQ(file.root().text("keras_version"), "2.21.0");
  EXPECT_EQ(file.root().text("model_config").substr(0, 15), "{\"class_name\": ");
  const Hdf5Node weights = file.root().at("model_weights");
  EXPECT_EQ(weights.texts("layer_names"), (std::vector<std::string>{"dense", "dropout", "batch_normalization", "leaky_re_lu", "dense_1"}));
  EXPECT_EQ(weights.at("dense").texts("weight_names"), (std::vector<std::string>{"dense/kernel:0", "dense/bias:0"}));
  EXPECT_TRUE(weights.at("dropout").texts("weight_names").empty());
  const Hdf5File low(ZipFile(Bytes::map(sample("lowprec.keras"))).read("model.weights.h5"));
  EXPECT_EQ(low.root().at("layers/dense/vars/0").spec(), (Spec{{4, 4}, bfloat16}));
  EXPECT_EQ(low.root().at("layers/dense_2/vars/0").spec(), (Spec{{4, 4}, float16}));
}

}  // namespace
}  // namespace tenure::files
