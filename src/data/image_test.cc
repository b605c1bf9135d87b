// Decoders against Pillow and TensorFlow (tests/reference/make_images.py), damaged files, and what is written.
#include <zlib.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "data/image.h"
#include "data/test_data.h"

namespace tenure::data {
namespace {

std::span<const std::byte> bytes_of(const std::string& s) { return std::as_bytes(std::span(s.data(), s.size())); }
std::vector<uint8_t> pixels(const Tensor& t) { return t.to_vector<uint8_t>(); }

const std::vector<std::string>& all_pictures() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out;
    for (const auto& e : std::filesystem::directory_iterator(reference("")))
      if (e.path().extension() == ".png" || e.path().extension() == ".jpg") out.push_back(e.path().filename().string());
    std::sort(out.begin(), out.end());
    return out;
  }();
  return names;
}

TEST(Image, EveryKindOfPictureDecodesAsPillowAndTensorFlowDo) {
  const files::NpzFile golden(reference("expected.npz"));
  int compared = 0;
  for (const std::string& name : golden.names()) {
    const size_t colon = name.find(':');
    if (colon == std::string::npos || name.substr(0, colon) == "folder") continue;
    const std::string file = name.substr(0, colon);
    const int channels = name.back() - '0';
    const files::Array expected = golden.read(name);
    Tensor got = decode_image(bytes_of(files::get(reference(file))), channels, file);
    ASSERT_EQ(got.spec(), expected.spec()) << name;
    EXPECT_EQ(pixels(got), expected.values<uint8_t>()) << name;
    ++compared;
  }
  EXPECT_EQ(compared, 36);
}

TEST(Image, ZeroChannelsMeansAsStored) {
  for (auto [name, channels] : {std::pair{"rgb.png", 3},
                                {"rgba.png", 4},
                                {"grey.png", 1},
                                {"grey1.png", 1},
                                {"grey16.png", 1},
                                {"grey_alpha.png", 4},
                                {"palette.png", 3},
                                {"palette_trns.png", 4},
                                {"photo.jpg", 3},
                                {"grey.jpg", 1},
                                {"cmyk.jpg", 3}}) {
    Tensor t = decode_image(bytes_of(files::get(reference(name))));
    EXPECT_EQ(t.dim(2), channels) << name;
    EXPECT_EQ(t.dtype(), uint8);
  }
}

TEST(Image, ATruncatedFileIsAnErrorAtEveryLength) {
  for (const std::string& name : all_pictures()) {
    const std::string whole = files::get(reference(name));
    const memory::Now before = memory::now();
    for (size_t n = 0; n < whole.size(); n += 1 + whole.size() / 97) {
      if (whole.size() - n <= 2) break;  // a JPEG without its last marker alone is complete for the library
      expect_error(Code::Io, name, [&] { decode_image(bytes_of(whole).first(n), 3, name); });
    }
    EXPECT_EQ(memory::now().live_bytes, before.live_bytes);
    EXPECT_EQ(memory::now().objects, before.objects);
  }
}

TEST(Image, DamagedBytesGiveAPictureOrAnErrorAndLeakNothing) {
  for (const std::string& name : all_pictures()) {
    const std::string whole = files::get(reference(name));
    const size_t before = memory::now().live_bytes;
    files::survive_mutations(whole, 300, 11, [&](const files::Bytes& b) { decode(b.span(), 3, name); });
    EXPECT_EQ(memory::now().live_bytes, before);
  }
}

TEST(Image, AnOversizedPictureIsRefusedBeforeAnythingIsAllocated) {
  std::string png = files::get(reference("rgb.png"));
  auto set = [&](uint32_t w, uint32_t h) {
    for (int i = 0; i < 4; ++i)
      png[static_cast<size_t>(16 + i)] = static_cast<char>(w >> (24 - 8 * i)),
                                   png[static_cast<size_t>(20 + i)] = static_cast<char>(h >> (24 - 8 * i));
    uLong crc = crc32(0, reinterpret_cast<const Bytef*>(png.data() + 12), 17);
    for (int i = 0; i < 4; ++i) png[static_cast<size_t>(29 + i)] = static_cast<char>(crc >> (24 - 8 * i));
  };
  const uint64_t before = memory::now().allocations;
  set(30000, 30000);
  expect_error(Code::Io, "30000 x 30000", [&] { decode_image(bytes_of(png), 3, "bomb.png"); });
  set(40000, 2);
  expect_error(Code::Io, "bomb.png", [&] { decode_image(bytes_of(png), 3, "bomb.png"); });
  set(0, 2);
  expect_error(Code::Io, "bomb.png", [&] { decode_image(bytes_of(png), 3, "bomb.png"); });
  std::string jpeg = files::get(reference("photo.jpg"));
  const size_t frame = jpeg.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  jpeg[frame + 5] = jpeg[frame + 7] = '\x80';
  jpeg[frame + 6] = jpeg[frame + 8] = '\x01';
  expect_error(Code::Io, "32769 x 32769", [&] { decode_image(bytes_of(jpeg), 3, "bomb.jpg"); });
  EXPECT_EQ(memory::now().allocations, before);
}

TEST(Image, OtherKindsOfFilesAreNamed) {
  expect_error(Code::Unsupported, "GIF", [] { decode_image(bytes_of("GIF89a......"), 3, "a.png"); });
  expect_error(Code::Unsupported, "BMP", [] { decode_image(bytes_of("BM.........."), 3, "a.png"); });
  expect_error(Code::Unsupported, "WebP", [] { decode_image(bytes_of("RIFF....WEBP"), 3, "a.png"); });
  expect_error(Code::Io, "a.png: neither JPEG nor PNG", [] { decode_image(bytes_of("hello"), 3, "a.png"); });
  expect_error(Code::Io, "empty", [] { decode_image({}, 3, "a.png"); });
  expect_error(Code::InvalidArgument, "channels", [] { decode_image(bytes_of("hello"), 2, "a.png"); });
  expect_error(Code::NotFound, "/nowhere/a.png", [] { load_image("/nowhere/a.png"); });
  expect_error(Code::Io, "regular file", [] { load_image(reference("")); });
}

TEST(Image, LoadGivesFloatsAndResizes) {
  Tensor t = load_image(reference("rgb.png"));
  EXPECT_EQ(to_string(t.spec()), "float32[13,17,3]");
  Tensor grey = load_image(reference("rgb.png"), {.color_mode = "grayscale", .target_size = Pair{6, 5}, .interpolation = "nearest"});
  EXPECT_EQ(to_string(grey.spec()), "float32[6,5,1]");
  Tensor all = load_image(reference("rgb.png"), {.color_mode = "grayscale"});
  EXPECT_EQ(grey.at(0), all.at(1 * 17 + 1)) << "floor((0 + 0.5) * 13 / 6) = 1, floor((0 + 0.5) * 17 / 5) = 1";
  expect_error(Code::InvalidArgument, "color_mode", [] { load_image(reference("rgb.png"), {.color_mode = "cmyk"}); });
  expect_error(Code::InvalidArgument, "interpolation", [] { load_image(reference("rgb.png"), {.interpolation = "lanczos3"}); });
  expect_error(Code::InvalidArgument, "target_size", [] { load_image(reference("rgb.png"), {.target_size = Pair{0, 5}}); });
}

TEST(Image, PngRoundTripsExactly) {
  for (int channels : {1, 3, 4}) {
    Tensor t = decode_image(bytes_of(files::get(reference("rgba.png"))), channels);
    const std::vector<std::byte> png = encode_png(t);
    EXPECT_EQ(pixels(decode_image(png, channels)), pixels(t));
    EXPECT_EQ(encode_png(t), png) << "the same bytes each time";
  }
  Tensor floats = Tensor::from<float>({-3, 0.4f, 254.6f, 300, NAN, 2.5f}, {2, 3});
  EXPECT_EQ(pixels(decode_image(encode_png(floats))), (std::vector<uint8_t>{0, 0, 255, 255, 0, 2}));
  EXPECT_EQ(decode_image(encode_png(Tensor::from<uint8_t>({1, 2, 3, 4}, {1, 2, 2, 1}))).shape(), (Shape{2, 2, 1}));
  expect_error(Code::Shape, "float32[2,3,5]", [] { encode_png(Tensor::empty({2, 3, 5})); });
  expect_error(Code::Shape, "encode_png", [] { encode_png(Tensor::empty({0, 3})); });
  expect_error(Code::DType, "int32", [] { encode_png(Tensor::empty({2, 3}, int32)); });
}

TEST(Image, JpegIsCloseAndSavingIsWholeOrNothing) {
  Scratch scratch;
  Tensor t = decode_image(bytes_of(files::get(reference("photo_444.jpg"))));
  Tensor again = decode_image(encode_jpeg(t, 98));
  const auto a = pixels(t), b = pixels(again);
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  EXPECT_LT(sum / static_cast<double>(a.size()), 2.0);
  for (const char* name : {"a.png", "b.JPG", "c.jpeg"}) save_image(scratch / name, t);
  EXPECT_EQ(pixels(decode_image(bytes_of(files::get(scratch / "a.png")))), a);
  EXPECT_EQ(load_image(scratch / "b.JPG").shape(), t.shape());
  files::put(scratch / "a.png", "old");
  expect_error(Code::DType, "save", [&] {
    try {
      save_image(scratch / "a.png", Tensor::empty({2, 2}, int64));
    } catch (Error& e) {
      e.add_frame("save");
      throw;
    }
  });
  EXPECT_EQ(files::get(scratch / "a.png"), "old");
  expect_error(Code::InvalidArgument, ".png, .jpg or .jpeg", [&] { save_image(scratch / "a.bmp", t); });
  expect_error(Code::NotFound, "nowhere", [&] { save_image(scratch / "nowhere/a.png", t); });
  EXPECT_EQ(scratch.files(), 3u);
}

}  // namespace
}  // namespace tenure::data
