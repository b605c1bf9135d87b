#include "files/npy.h"

#include "files/gz.h"
#include "files/idx.h"
#include "files/test_files.h"
#include "paths.h"

namespace tenure::files {
namespace {

std::string npy(const std::string& header, const std::string& values, int version = 1) {
  std::string out = "\x93NUMPY";
  out += static_cast<char>(version);
  out += '\0';
  const size_t n = header.size();
  out += static_cast<char>(n & 255);
  out += static_cast<char>(n >> 8);
  if (version > 1) out += std::string(2, '\0');
  return out + header + values;
}

Array parse(const std::string& header, const std::string& values, int version = 1) {
  return read_npy(Bytes::copy(npy(header, values, version), "x.npy"));
}

std::string raw(std::initializer_list<int> bytes) {
  std::string s;
  for (int b : bytes) s += static_cast<char>(b);
  return s;
}

TEST(Npy, EveryVersionAndSpacingIsRead) {
  const std::string values = raw({1, 0, 0, 0, 2, 0, 0, 0});
  for (int version : {1, 2, 3}) {
    const Array a = parse("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }   \n", values, version);
    EXPECT_EQ(a.spec(), (Spec{{2}, int32}));
    EXPECT_EQ(a.values<int32_t>(), (std::vector<int32_t>{1, 2}));
  }
  EXPECT_EQ(parse("{\"shape\":(1L,2L),\"fortran_order\":False,\"descr\":\"<i4\"}", values).shape, (Shape{1, 2}));
  EXPECT_EQ(parse("{'descr': '<i8', 'fortran_order': False, 'shape': (), }", values).elements(), 1);
  EXPECT_EQ(parse("{'descr': '<i8', 'fortran_order': False, 'shape': (0, 7), }", "").shape, (Shape{0, 7}));
}

TEST(Npy, ElementTypesAreNamedAndConverted) {
  const auto one = [](const std::string& descr, const std::string& values) {
    return parse("{'descr': '" + descr + "', 'fortran_order': False, 'shape': (1,), }", values);
  };
  EXPECT_EQ(one(">i4", raw({0, 0, 1, 2})).values<int32_t>()[0], 258);
  EXPECT_EQ(one(">f8", raw({0x3f, 0xf8, 0, 0, 0, 0, 0, 0})).values<double>()[0], 1.5);
  EXPECT_EQ(one("<u2", raw({0xff, 0xfe})).values<uint32_t>()[0], 0xfeffu);
  EXPECT_EQ(one(">u2", raw({0xff, 0xfe})).values<uint32_t>()[0], 0xfffeu);
  EXPECT_EQ(one("|b1", raw({7})).bytes.text(), "\1");
  EXPECT_EQ(one("<f2", raw({0, 0x3c})).dtype, float16);
  EXPECT_EQ(one("<V2", raw({0x80, 0x3f})).as_double()[0], 1);
  EXPECT_EQ(one("|V2", raw({0x80, 0x3f})).dtype, bfloat16);
  EXPECT_EQ(one("|u1", raw({9})).values<uint8_t>()[0], 9);
}

TEST(Npy, WhatIsNotANumberIsRefusedByName) {
  const auto refused = [](const std::string& descr, const std::string& part) {
    expect_error(Code::Unsupported, part, [&] { parse("{'descr': " + descr + ", 'fortran_order': False, 'shape': (1,), }", "12345678"); });
  };
  refused("'|O'", "Python objects");
  refused("'<c8'", "complex numbers");
  refused("'<M8[ns]'", "dates");
  refused("'|V7'", "unknown");
  refused("[('a', '<f4')]", "structured");
}

TEST(Npy, StringsAreUtf8OfOneWidth) {
  const auto points = [](std::initializer_list<uint32_t> list) {
    std::string s;
    for (uint32_t c : list) s.append(reinterpret_cast<const char*>(&c), 4);
    return s;
  };
  const Array a = parse("{'descr': '<U2', 'fortran_order': False, 'shape': (3,), }", points({'a', 0, 0x20ac, 0x1f600, 0, 0}));
  EXPECT_EQ(a.text(0), "a");
  EXPECT_EQ(a.text(1), "\u20ac\U0001f600");
  EXPECT_EQ(a.text(2), "");
  const Array turned = parse("{'descr': '>U1', 'fortran_order': False, 'shape': (1,), }", std::string("\0\0\0z", 4));
  EXPECT_EQ(turned.text(0), "z");
  EXPECT_EQ(parse("{'descr': '|S3', 'fortran_order': False, 'shape': (2,), }", std::string("ab\0xyz", 6)).text(0), "ab");
  EXPECT_EQ(parse("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", points({0xd800})).text(0), "\ufffd");
  std::string written;
  for (const Bytes& part : npy_parts(a)) written += part.text();
  const Array again = read_npy(Bytes::copy(written));
  EXPECT_EQ(again.spec(), a.spec());
  for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(again.text(i), a.text(i));
  const auto refused = [](const std::string& header, const std::string& values) { expect_error(Code::Io, "", [&] { parse(header, values); }); };
  refused("{'descr': '<U99999999999999', 'fortran_order': False, 'shape': (1,), }", "1234");
  refused("{'descr': '<U2', 'fortran_order': False, 'shape': (1,), }", "1234");
  refused("{'descr': '<U0', 'fortran_order': False, 'shape': (4,), }", "");
  refused("{'descr': '|Sx', 'fortran_order': False, 'shape': (1,), }", "1");
}

TEST(Npy, FortranOrderIsTurned) {
  const Array a = parse("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 3), }", raw({1, 4, 2, 5, 3, 6}));
  EXPECT_EQ(a.values<int8_t>(), (std::vector<int8_t>{1, 2, 3, 4, 5, 6}));
  const Array b = parse("{'descr': '|i1', 'fortran_order': True, 'shape': (2, 2, 2), }", raw({0, 4, 2, 6, 1, 5, 3, 7}));
  EXPECT_EQ(b.values<int8_t>(), (std::vector<int8_t>{0, 1, 2, 3, 4, 5, 6, 7}));
}

TEST(Npy, DamagedFilesAreRefused) {
  const auto refused = [](const std::string& header, const std::string& values, const std::string& part, Code code = Code::Io) {
    expect_error(code, part, [&] { parse(header, values); });
  };
  const std::string good = "{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }";
  refused(good, "1234567", "expected 8 bytes of values for <i4[2], got 7");
  refused(good, "123456789", "got 9");
  refused("{'descr': '<i4', 'fortran_order': False, 'shape': (-2,), }", "", "expected a size");
  refused("{'descr': '<i4', 'fortran_order': False, 'shape': (99999999999999999999,), }", "", "expected a size");
  refused("{'descr': '<i4', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", "", "more than a machine can hold");
  refused("{'descr': '<i4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }", "1234", "at most 8 dimensions", Code::Unsupported);
  refused("{'descr': '<i4', 'shape': (2,), }", "12345678", "lacks");
  refused("{'descr': '<i4', 'fortran_order': __import__('os'), 'shape': (2,), }", "12345678", "expected True or False");
  refused("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), 'more': 1}", "12345678", "unexpected key");
  refused(good + "x", "12345678", "text after");
  refused("{'descr", "", "unfinished");
  expect_error(Code::Io, "not a npy file", [] { read_npy(Bytes::copy("hello")); });
  expect_error(Code::Unsupported, "version", [] { read_npy(Bytes::copy(npy("{}", "", 4))); });
  const std::string whole = npy(good, "12345678");
  for (size_t n = 0; n < whole.size(); ++n) EXPECT_TRUE(caught([&] { read_npy(Bytes::copy(whole.substr(0, n))); }).code.has_value()) << n;
}

TEST(Npy, WhatIsWrittenIsReadBackAndAligned) {
  Scratch scratch;
  for (const Shape& shape : {Shape{}, Shape{6}, Shape{2, 3}, Shape{0, 3}, Shape{1, 2, 3, 1}}) {
    std::vector<float> values(static_cast<size_t>(shape.elements()), 1.5f);
    const Array a = Array::of<float>(shape, values);
    EXPECT_EQ(npy_parts(a)[0].size() % 64, 0u);
    write_npy(scratch / "a.npy", a);
    const Array b = read_npy(scratch / "a.npy");
    EXPECT_EQ(b.spec(), a.spec());
    EXPECT_EQ(b.values<float>(), values);
  }
  const Array brain = Array::from(bfloat16, {1}, Bytes::copy("\x80\x3f"));
  write_npy(scratch / "b.npy", brain);
  EXPECT_EQ(read_npy(scratch / "b.npy").spec(), brain.spec());
}

TEST(Npy, MutatedFilesLoadOrThrow) {
  const std::string good = npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", std::string(24, '\1'));
  EXPECT_GT(survive_mutations(good, 5000, 2, [](const Bytes& bytes) { read_npy(bytes); }), 0);
}

TEST(Npz, KeepsNamesAndOrder) {
  Scratch scratch;
  const std::vector<NamedArray> arrays = {{"y", Array::of<int64_t>({2}, {5, 6})}, {"dir/x", Array::of<float>({1, 2}, {1, 2})}};
  write_npz(scratch / "a.npz", arrays);
  const NpzFile npz(scratch / "a.npz");
  EXPECT_EQ(npz.names(), (std::vector<std::string>{"y", "dir/x"}));
  EXPECT_EQ(npz.read("dir/x").values<float>(), (std::vector<float>{1, 2}));
  EXPECT_EQ(npz.read_all()[0].array.values<int64_t>(), (std::vector<int64_t>{5, 6}));
  EXPECT_EQ(NpzFile(npz_bytes(arrays)).names(), npz.names());
  expect_error(Code::NotFound, "no array 'z'", [&] { npz.read("z"); });
}

TEST(Npz, FilesOfNumPyAreRead) {
  if (!have(sample("golden_ops.npz"))) GTEST_SKIP() << "the samples are not beside the repository";
  const NpzFile npz(sample("golden_ops.npz"));
  EXPECT_GT(npz.names().size(), 10u);
  int refused = 0;
  for (const std::string& name : npz.names()) {
    const Caught c = caught([&] { npz.read(name).as_double(); });
    EXPECT_TRUE(!c.code || *c.code == Code::Unsupported) << c.text;
    refused += c.code.has_value();
  }
  EXPECT_LT(refused, static_cast<int>(npz.names().size()) / 2);
  const NpzFile io(sample("seq_mlp.io.npz"));
  EXPECT_EQ(io.names(), (std::vector<std::string>{"in_0", "out_0"}));
  const Array text = NpzFile(sample("text.io.npz")).read("in_0");
  EXPECT_EQ(text.shape, (Shape{2, 1}));
  EXPECT_EQ(text.text(0), "The cat, sat!");
}

TEST(Gz, MembersAreUnpackedWithinLimits) {
  const std::string a =
      raw({0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 0x57, 0, 0, 0xf6, 0xf9, 0x81, 0xed, 6, 0, 0, 0});  // "hello "
  const Bytes one = Bytes::copy(a, "a.gz");
  EXPECT_EQ(gunzip(one).text(), "hello ");
  EXPECT_EQ(gunzip(Bytes::copy(a + a)).text(), "hello hello ");
  EXPECT_EQ(gunzip(one, 6).size(), 6u);
  expect_error(Code::Io, "expands to more than 5 bytes", [&] { gunzip(one, 5); });
  expect_error(Code::Io, "not a gzip file", [] { gunzip(Bytes::copy("hello")); });
  expect_error(Code::Io, "damaged", [&] { gunzip(Bytes::copy(a + "rest")); });
  for (size_t n = 0; n < a.size(); ++n) EXPECT_TRUE(caught([&] { gunzip(Bytes::copy(a.substr(0, n))); }).code.has_value()) << n;
}

TEST(Idx, EveryElementTypeIsTurnedRound) {
  EXPECT_EQ(read_idx(Bytes::copy(raw({0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3}))).values<uint8_t>(), (std::vector<uint8_t>{1, 2, 3}));
  EXPECT_EQ(read_idx(Bytes::copy(raw({0, 0, 0xb, 1, 0, 0, 0, 1, 1, 2}))).values<int16_t>(), (std::vector<int16_t>{258}));
  EXPECT_EQ(read_idx(Bytes::copy(raw({0, 0, 0xd, 1, 0, 0, 0, 1, 0x3f, 0xc0, 0, 0}))).values<float>(), (std::vector<float>{1.5f}));
  EXPECT_EQ(read_idx(Bytes::copy(raw({0, 0, 9, 2, 0, 0, 0, 2, 0, 0, 0, 0}))).shape, (Shape{2, 0}));
}

TEST(Idx, DamagedFilesAreRefused) {
  expect_error(Code::Io, "not an idx file", [] { read_idx(Bytes::copy("hello")); });
  expect_error(Code::Io, "element type", [] { read_idx(Bytes::copy(raw({0, 0, 7, 1, 0, 0, 0, 0}))); });
  expect_error(Code::Io, "dimensions", [] { read_idx(Bytes::copy(raw({0, 0, 8, 9, 0, 0, 0, 0}))); });
  expect_error(Code::Io, "cut off", [] { read_idx(Bytes::copy(raw({0, 0, 8, 3, 0, 0, 0, 0}))); });
  expect_error(Code::Io, "expected 2 bytes", [] { read_idx(Bytes::copy(raw({0, 0, 8, 1, 0, 0, 0, 2, 1}))); });
  expect_error(Code::Io, "machine", [] { read_idx(Bytes::copy(raw({0, 0, 0xe, 3, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}))); });
}

TEST(Idx, MnistIsRead) {
  const std::string folder = tests::source_dir() + "/../shared/data/mnist/";
  if (!have(folder)) GTEST_SKIP() << "the MNIST files are not beside the repository";
  EXPECT_EQ(read_idx(folder + "t10k-images-idx3-ubyte.gz").spec(), (Spec{{10000, 28, 28}, uint8}));
  const Array labels = read_idx(folder + "t10k-labels-idx1-ubyte.gz");
  EXPECT_EQ(labels.values<uint8_t>()[0], 7);
}

}  // namespace
}  // namespace tenure::files
