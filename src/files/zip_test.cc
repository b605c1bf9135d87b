#include "files/zip.h"

#include <zlib.h>

#include <cstring>

#include "files/test_files.h"

namespace tenure::files {
namespace {

void append(std::string& to, uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> 8 * i);
}

/// An archive built by hand, so that it can be wrong.
struct Forged {
  std::string name, data;
  uint16_t method = 0, flags = 0;
  uint32_t size = 0, crc = 0, attributes = 0;
  std::optional<uint32_t> central_size, central_packed, local_size;

  static Forged stored(std::string name, std::string data) {
    Forged f{std::move(name), std::move(data)};
    f.size = static_cast<uint32_t>(f.data.size());
    f.crc = static_cast<uint32_t>(::crc32(0, reinterpret_cast<const Bytef*>(f.data.data()), f.size));
    return f;
  }
  static Forged deflated(std::string name, const std::string& data) {
    Forged f = stored(std::move(name), data);
    f.method = 8;
    z_stream z = {};
    deflateInit2(&z, 9, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
    f.data.resize(deflateBound(&z, data.size()));
    z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data())), z.avail_in = static_cast<uInt>(data.size());
    z.next_out = reinterpret_cast<Bytef*>(f.data.data()), z.avail_out = static_cast<uInt>(f.data.size());
    deflate(&z, Z_FINISH);
    f.data.resize(z.total_out);
    deflateEnd(&z);
    return f;
  }
};

std::string forge(const std::vector<Forged>& members) {
  std::string out, directory;
  for (const Forged& m : members) {
    const auto packed = static_cast<uint32_t>(m.data.size());
    const size_t offset = out.size();
    const auto common = [&](std::string& to, uint32_t size, uint32_t packed_size) {
      append(to, 20, 2), append(to, m.flags, 2), append(to, m.method, 2), append(to, 0, 2), append(to, 33, 2), append(to, m.crc, 4);
      append(to, packed_size, 4), append(to, size, 4), append(to, m.name.size(), 2), append(to, 0, 2);
    };
    out += "PK\3\4";
    common(out, m.local_size.value_or(m.size), packed);
    out += m.name + m.data;
    directory += "PK\1\2";
    append(directory, 3 << 8 | 20, 2);
    common(directory, m.central_size.value_or(m.size), m.central_packed.value_or(packed));
    append(directory, 0, 2), append(directory, 0, 2), append(directory, 0, 2), append(directory, m.attributes, 4), append(directory, offset, 4);
    directory += m.name;
  }
  const size_t at = out.size();
  out += directory + std::string("PK\5\6\0\0\0\0", 8);
  append(out, members.size(), 2), append(out, members.size(), 2), append(out, directory.size(), 4), append(out, at, 4), append(out, 0, 2);
  return out;
}

void expect_refused(const std::vector<Forged>& members, const std::string& part, Code code = Code::Io, ZipLimits limits = {}) {
  expect_error(code, part, [&] {
    const ZipFile zip(Bytes::copy(forge(members), "bad.zip"), limits);
    for (const ZipMember& m : zip.members()) zip.read(m.name);
  });
}

TEST(Zip, AStoredMemberIsASliceOfTheArchive) {
  const Bytes archive =
      Bytes::copy(forge({Forged::stored("a.txt", "hello"), Forged::stored("dir/b.txt", "world!"), Forged::stored("empty", "")}), "x.zip");
  const ZipFile zip(archive);
  ASSERT_EQ(zip.members().size(), 3u);
  EXPECT_EQ(zip.members()[1].name, "dir/b.txt");
  const Bytes b = zip.read("dir/b.txt");
  EXPECT_EQ(b.text(), "world!");
  EXPECT_EQ(b.name(), "x.zip!dir/b.txt");
  EXPECT_GE(b.data(), archive.data());
  EXPECT_LT(b.data(), archive.data() + archive.size());
  EXPECT_EQ(zip.read("empty").size(), 0u);
  EXPECT_EQ(zip.find("nothing"), nullptr);
  expect_error(Code::NotFound, "no member 'nothing'", [&] { zip.read("nothing"); });
}

TEST(Zip, ADeflatedMemberIsUnpackedAndOutlivesTheArchive) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += std::to_string(i);
  Bytes b;
  {
    const ZipFile zip(Bytes::copy(forge({Forged::deflated("a", text), Forged::deflated("none", "")})));
    b = zip.read("a");
    EXPECT_EQ(zip.read("none").size(), 0u);
  }
  EXPECT_EQ(b.text(), text);
}

TEST(Zip, DangerousNamesAreRefused) {
  for (const char* name : {"/etc/passwd", "../x", "a/../../x", "a\\b", "c:x", "a//b", "./a", "a/..", "a\nb"}) {
    expect_refused({Forged::stored(name, "x")}, "is refused");
    ZipWriter writer;
    expect_error(Code::InvalidArgument, "is refused", [&] { writer.add(name, Bytes()); });
  }
  expect_refused({Forged::stored("", "x")}, "");
}

TEST(Zip, DuplicatesLinksAndDevicesAreRefused) {
  expect_refused({Forged::stored("a", "x"), Forged::stored("a", "y")}, "bad.zip");
  Forged link = Forged::stored("a", "/etc/passwd");
  link.attributes = 0120777u << 16;
  expect_refused({link}, "symbolic link");
  link.attributes = 0020666u << 16;
  expect_refused({link}, "special file");
}

TEST(Zip, EncryptedMembersAndUnknownMethodsAreUnsupported) {
  Forged secret = Forged::stored("a", "secret");
  secret.flags = 1;
  expect_refused({secret}, "encrypted", Code::Unsupported);
  Forged odd = Forged::stored("a", "x");
  odd.method = 12;
  expect_refused({odd}, "method 12", Code::Unsupported);
}

TEST(Zip, ADirectoryThatLiesAboutSizesIsRefused) {
  Forged f = Forged::stored("a", "hello");
  f.central_size = 6;
  expect_refused({f}, "bad.zip");
  f = Forged::stored("a", "hello");
  f.central_packed = f.central_size = 1u << 30;
  expect_refused({f}, "bad.zip");
  f = Forged::stored("a", "hello");
  f.local_size = 4;
  expect_refused({f}, "bad.zip");
  f = Forged::deflated("a", std::string(100000, 'x'));
  f.central_size = f.local_size = 50000;
  expect_refused({f}, "longer than the 50000 bytes");
  f.central_size = f.local_size = 200000;
  expect_refused({f}, "bad.zip");
}

TEST(Zip, AWrongChecksumIsRefused) {
  Forged f = Forged::stored("a", "hello");
  f.crc ^= 1;
  expect_refused({f}, "damaged");
  f = Forged::deflated("a", "hello hello hello");
  f.crc ^= 1;
  expect_refused({f}, "damaged");
  f = Forged::deflated("a", "hello hello hello");
  f.data[2] = static_cast<char>(f.data[2] ^ 0x55);
  expect_refused({f}, "bad.zip: member 'a'");
}

TEST(Zip, BombsAreRefusedBeforeTheyAreUnpacked) {
  const std::string zeros(size_t{20} << 20, '\0');
  const Forged bomb = Forged::deflated("a", zeros);
  ASSERT_LT(bomb.data.size() * 1000, zeros.size());
  expect_refused({bomb}, "more than 1000 times");
  EXPECT_EQ(ZipFile(Bytes::copy(forge({bomb})), {.free_bytes = zeros.size()}).read("a").size(), zeros.size());
  const Forged small = Forged::deflated("a", std::string(1 << 20, '\0'));
  Forged other = small;
  other.name = "b";
  expect_refused({small, other}, "expands to more than 2000000 bytes", Code::Io, {.max_total_bytes = 2000000});
  expect_refused({small, other}, "more than 50 times", Code::Io, {.max_ratio = 50, .free_bytes = 0});
  expect_refused({small, other}, "at most 1 members", Code::Io, {.max_members = 1});
}

TEST(Zip, WhatIsNoArchiveIsAnError) {
  expect_error(Code::Io, "not a", [] { ZipFile(Bytes::copy("hello", "x")); });
  expect_error(Code::Io, "not a", [] { ZipFile(Bytes::copy(std::string(1000, 'x'), "x")); });
  expect_error(Code::Io, "", [] { ZipFile{Bytes()}; });
  const std::string good = forge({Forged::stored("a", "hello"), Forged::deflated("b", "world world world")});
  for (size_t n = 0; n < good.size(); ++n) EXPECT_TRUE(caught([&] { ZipFile(Bytes::copy(good.substr(0, n))); }).code.has_value()) << n;
}

TEST(Zip, WhatIsWrittenIsReadBack) {
  Scratch scratch;
  const std::string big(300000, 'x');
  ZipWriter writer;
  writer.add("metadata.json", Bytes::copy("{}"));
  writer.add("data", std::vector{Bytes::copy("head"), Bytes(), Bytes::copy(big), Bytes::copy("tail")});
  writer.add("none", Bytes());
  expect_error(Code::InvalidArgument, "occurs twice", [&] { writer.add("data", Bytes()); });
  writer.write(scratch / "a.zip");
  EXPECT_EQ(scratch.files(), 1u);
  const std::string in_memory(writer.to_bytes().text());
  EXPECT_EQ(get(scratch / "a.zip"), in_memory);
  const ZipFile zip(Bytes::map(scratch / "a.zip"));
  ASSERT_EQ(zip.members().size(), 3u);
  EXPECT_EQ(zip.members()[0].name, "metadata.json");
  EXPECT_TRUE(zip.members()[1].stored);
  EXPECT_EQ(zip.read("data").text(), "head" + big + "tail");
  EXPECT_EQ(in_memory.substr(10, 4), std::string("\0\0\x21\0", 4)) << "1980-01-01 00:00";
}

TEST(Zip, AnArchiveOfNothingIsWrittenAndRead) {
  Scratch scratch;
  ZipWriter().write(scratch / "a.zip");
  EXPECT_EQ(ZipFile(Bytes::map(scratch / "a.zip")).members().size(), 0u);
  EXPECT_EQ(ZipFile(ZipWriter().to_bytes()).members().size(), 0u);
}

TEST(Zip, AFailedWriteLeavesTheOldFile) {
  Scratch scratch;
  ZipWriter writer;
  writer.add("a", Bytes::copy("x"));
  expect_error(Code::NotFound, "no/such", [&] { writer.write(scratch / "no/such/a.zip"); });
  EXPECT_EQ(scratch.files(), 0u);
  expect_error(Code::Io, "No space left", [&] { writer.write("/dev/full"); });
  EXPECT_TRUE(is_device("/dev/full")) << "a device is never replaced";
}

TEST(Zip, MutatedArchivesLoadOrThrow) {
  const std::string good =
      forge({Forged::stored("a", std::string(100, 'h')), Forged::deflated("d/b", std::string(5000, 'w')), Forged::stored("c", "")});
  const int loaded = survive_mutations(good, 3000, 1, [](const Bytes& bytes) {
    const ZipFile zip(bytes, {.max_total_bytes = 1 << 24});
    for (const ZipMember& m : zip.members()) zip.read(m.name);
  });
  EXPECT_GT(loaded, 0);
}

TEST(Zip, KerasFilesOpen) {
  if (!have(sample("seq_mlp.keras"))) GTEST_SKIP() << "the sample models are not beside the repository";
  for (const char* name : {"seq_mlp.keras", "text.keras", "k2_func_v3.keras", "old_3_3_3.keras"}) {
    const Bytes archive = Bytes::map(sample(name));
    const ZipFile zip(archive);
    EXPECT_EQ(zip.members()[0].name, "metadata.json");
    const Bytes weights = zip.read("model.weights.h5");
    EXPECT_EQ(weights.text().substr(1, 3), "HDF");
    EXPECT_TRUE(weights.data() > archive.data() && weights.data() < archive.data() + archive.size());
    EXPECT_EQ(zip.read("config.json").text().front(), '{');
  }
}

}  // namespace
}  // namespace tenure::files
