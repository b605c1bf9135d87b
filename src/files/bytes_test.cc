#include "files/bytes.h"

#include <sys/stat.h>

#include <stdexcept>

#include "files/array.h"
#include "files/test_files.h"

namespace tenure::files {
namespace {

TEST(Bytes, AMappedFileIsReadAndNamed) {
  Scratch scratch;
  put(scratch / "a", "hello world");
  const Bytes b = Bytes::map(scratch / "a");
  EXPECT_EQ(b.text(), "hello world");
  EXPECT_EQ(b.name(), scratch / "a");
}

TEST(Bytes, ASliceKeepsTheOwnerAlive) {
  Scratch scratch;
  put(scratch / "a", "hello world");
  Bytes part;
  {
    const Bytes whole = Bytes::map(scratch / "a");
    part = whole.slice(6, 5);
    EXPECT_EQ(part.data(), whole.data() + 6);
  }
  std::filesystem::remove(scratch / "a");
  EXPECT_EQ(part.text(), "world");
}

TEST(Bytes, ASliceOutsideIsRefused) {
  const Bytes b = Bytes::copy("0123456789", "digits");
  EXPECT_EQ(b.slice(10, 0).size(), 0u);
  expect_error(Code::Io, "digits: expected 2 bytes at offset 9, but it ends at 10", [&] { b.slice(9, 2); });
  expect_error(Code::Io, "digits", [&] { b.slice(1, SIZE_MAX); });
  expect_error(Code::Io, "digits", [&] { b.slice(SIZE_MAX, 1); });
}

TEST(Bytes, AnEmptyFileAFolderAndAMissingFileAreToldApart) {
  Scratch scratch;
  put(scratch / "empty", "");
  EXPECT_TRUE(Bytes::map(scratch / "empty").empty());
  expect_error(Code::NotFound, "missing", [&] { Bytes::map(scratch / "missing"); });
  expect_error(Code::Io, "folder", [&] { Bytes::map(scratch / ""); });
  expect_error(Code::Io, "device or pipe", [] { Bytes::map("/dev/null"); });
}

TEST(Bytes, NoMemoryIsAnError) {
  expect_error(Code::OutOfMemory, "huge", [] { Bytes::make(SIZE_MAX / 4, "huge", [](std::span<std::byte>) {}); });
}

TEST(WriteFile, ReplacesTheOldFileAndKeepsItsPermissions) {
  Scratch scratch;
  put(scratch / "a", "old");
  ASSERT_EQ(::chmod((scratch / "a").c_str(), 0640), 0);
  const Bytes old = Bytes::map(scratch / "a");
  write_file_atomically(scratch / "a", [](FileSink& sink) { sink.write("new and longer"); });
  EXPECT_EQ(get(scratch / "a"), "new and longer");
  EXPECT_EQ(old.text(), "old") << "a mapping of the replaced file stays valid";
  struct stat info = {};
  ASSERT_EQ(::stat((scratch / "a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0640u);
  EXPECT_EQ(scratch.files(), 1u);
}

TEST(WriteFile, AnExceptionLeavesTheOldFileAndNoTemporary) {
  Scratch scratch;
  put(scratch / "a", "old");
  EXPECT_THROW(write_file_atomically(scratch / "a",
                                     [](FileSink& sink) {
                                       sink.write("half");
                                       throw std::runtime_error("stop");
                                     }),
               std::runtime_error);
  EXPECT_EQ(get(scratch / "a"), "old");
  EXPECT_EQ(scratch.files(), 1u);
}

TEST(WriteFile, FollowsASymbolicLink) {
  Scratch scratch;
  put(scratch / "a", "old");
  std::filesystem::create_symlink("a", scratch / "link");
  write_file_atomically(scratch / "link", [](FileSink& sink) { sink.write("new"); });
  EXPECT_EQ(get(scratch / "a"), "new");
  EXPECT_TRUE(std::filesystem::is_symlink(scratch / "link"));
}

TEST(WriteFile, SaysWhichFileCannotBeWritten) {
  Scratch scratch;
  expect_error(Code::NotFound, scratch / "no/such/folder", [&] { write_file_atomically(scratch / "no/such/folder", [](FileSink&) {}); });
  expect_error(Code::Io, "it is a folder", [&] { write_file_atomically(scratch / ".", [](FileSink&) {}); });
  expect_error(Code::Io, "it is a device or pipe", [] { PendingFile("/dev/null"); });
  expect_error(Code::Io, "No space left", [] { write_file_atomically("/dev/full", [](FileSink& sink) { sink.write("x"); }); });
}

TEST(Array, WidensEveryElementType) {
  EXPECT_EQ(Array::of<int16_t>({3}, {-1, 0, 32767}).as_double(), (std::vector<double>{-1, 0, 32767}));
  EXPECT_EQ(Array::of<uint64_t>({2}, {1, uint64_t{1} << 62}).as_int64(), (std::vector<int64_t>{1, int64_t{1} << 62}));
  const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x7c00, 0x3555};
  const Array f16 = Array::from(float16, {5}, Bytes::borrow(std::as_bytes(std::span(halves))));
  EXPECT_EQ(f16.as_double(), (std::vector<double>{1, -2, std::ldexp(1, -24), std::numeric_limits<double>::infinity(), 0.333251953125}));
  const uint16_t brains[] = {0x3f80, 0xc000, 0x3eab};
  EXPECT_EQ(Array::from(bfloat16, {3}, Bytes::borrow(std::as_bytes(std::span(brains)))).as_double(), (std::vector<double>{1, -2, 0.333984375}));
  expect_error(Code::InvalidArgument, "int64", [] { (void)Array::of<uint64_t>({1}, {UINT64_MAX}).as_int64(); });
  expect_error(Code::DType, "whole numbers", [] { (void)Array::of<float>({1}, {1}).as_int64(); });
  expect_error(Code::DType, "expected float64 values, got float32", [] { (void)Array::of<float>({1}, {1}).values<double>(); });
}

TEST(Array, SizesMustFit) {
  expect_error(Code::Shape, "expected 24 bytes for float32[2,3], got 4", [] { Array::from(float32, {2, 3}, Bytes::copy("1234")); });
  expect_error(Code::Io, "more than a machine can hold", [] { checked_bytes({int64_t{1} << 40, int64_t{1} << 40}, 4, "x"); });
  expect_error(Code::Io, "more than a machine can hold", [] { checked_bytes({0, int64_t{1} << 40, int64_t{1} << 40}, 4, "x"); });
  EXPECT_EQ(checked_bytes({0, 5}, 4, "x"), 0u);
}

}  // namespace
}  // namespace tenure::files
