// PNG by libpng. Its errors arrive by longjmp: the functions with setjmp hold no C++ object, and what libpng allocated belongs to Reader.
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "core/body.h"
#include "data/image.h"

namespace tenure::data {
namespace {

constexpr size_t kMessage = 160;

/// What the callbacks see. Plain memory.
struct PngSource {
  const std::byte* at;
  size_t left;
  char message[kMessage];
};

[[noreturn]] void on_error(png_structp png, png_const_charp text) {
  auto* s = static_cast<PngSource*>(png_get_error_ptr(png));
  std::strncpy(s->message, text, kMessage - 1);
  std::longjmp(png_jmpbuf(png), 1);
}
void on_warning(png_structp, png_const_charp) {}
void on_read(png_structp png, png_bytep to, size_t n) {
  auto* s = static_cast<PngSource*>(png_get_io_ptr(png));
  if (n > s->left) png_error(png, "the file is cut off");
  std::memcpy(to, s->at, n);
  s->at += n;
  s->left -= n;
}

struct Header {
  png_uint_32 width = 0, height = 0;
  int depth = 0, color = 0, passes = 1, channels = 0;
  size_t row_bytes = 0;
};

/// Owns libpng's structures.
class Reader {
 public:
  Reader(std::span<const std::byte> bytes, const ImageLimits& limits) : source_{bytes.data(), bytes.size(), {}} {
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &source_, on_error, on_warning);
    info_ = png_ ? png_create_info_struct(png_) : nullptr;
    if (!info_) {
      png_destroy_read_struct(&png_, &info_, nullptr);
      fail(Code::OutOfMemory, "PNG: no memory for the decoder");
    }
    png_set_read_fn(png_, &source_, on_read);
    png_set_user_limits(png_, static_cast<png_uint_32>(limits.max_side), static_cast<png_uint_32>(limits.max_side));
    png_set_chunk_cache_max(png_, 64);
    png_set_chunk_malloc_max(png_, 8u << 20);
  }
  ~Reader() { png_destroy_read_struct(&png_, &info_, nullptr); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  bool header(Header& h) { return read_header(png_, info_, h); }
  bool start(int channels, Header& h) { return begin_rows(png_, info_, channels, h); }
  bool rows(std::byte* to, const Header& h) { return read_rows(png_, to, h.row_bytes, h.height, h.passes); }
  const char* message() const noexcept { return source_.message; }

 private:
  static bool read_header(png_structp png, png_infop info, Header& h) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_read_info(png, info);
    png_get_IHDR(png, info, &h.width, &h.height, &h.depth, &h.color, nullptr, nullptr, nullptr);
    if (png_get_valid(png, info, PNG_INFO_tRNS)) h.color |= PNG_COLOR_MASK_ALPHA;  // seen by the caller as a picture with alpha
    return true;
  }

  /// Sets the conversions to 8 bits and `channels` (1: only for grey files).
  static bool begin_rows(png_structp png, png_infop info, int channels, Header& h) {
    if (setjmp(png_jmpbuf(png))) return false;
    if (h.depth == 16) png_set_strip_16(png);
    png_set_expand(png);  // palette to RGB, few bits to 8, tRNS to alpha
    if (channels >= 3) png_set_gray_to_rgb(png);
    if (channels == 4) png_set_add_alpha(png, 255, PNG_FILLER_AFTER);
    else png_set_strip_alpha(png);
    h.passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    h.channels = png_get_channels(png, info);
    h.row_bytes = png_get_rowbytes(png, info);
    return true;
  }

  static bool read_rows(png_structp png, std::byte* to, size_t row_bytes, png_uint_32 height, int passes) {
    if (setjmp(png_jmpbuf(png))) return false;
    all_rows(png, to, row_bytes, height, passes);
    return true;
  }
  /// Jumped over on errors: trivial variables only. An interlaced picture comes in passes over the same rows.
  static void all_rows(png_structp png, std::byte* to, size_t row_bytes, png_uint_32 height, int passes) {
    for (int pass = 0; pass < passes; ++pass)
      for (png_uint_32 y = 0; y < height; ++y) png_read_row(png, reinterpret_cast<png_bytep>(to + y * row_bytes), nullptr);
    png_read_end(png, nullptr);
  }

  PngSource source_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

/// Pillow's weights in 16 bits.
Tensor grey(const Tensor& rgb) {
  Tensor out = make_tensor({Shape{rgb.dim(0), rgb.dim(1), 1}, uint8});
  const auto* x = reinterpret_cast<const uint8_t*>(mutable_data(rgb));
  auto* y = reinterpret_cast<uint8_t*>(mutable_data(out));
  for (int64_t i = 0; i < out.size(); ++i)
    y[i] = static_cast<uint8_t>((x[3 * i] * 19595u + x[3 * i + 1] * 38470u + x[3 * i + 2] * 7471u + 0x8000u) >> 16);
  return out;
}

}  // namespace

bool is_png(std::span<const std::byte> b) noexcept {
  static constexpr unsigned char magic[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  return b.size() >= 8 && std::memcmp(b.data(), magic, 8) == 0;
}

Tensor decode_png(std::span<const std::byte> bytes, int channels, const std::string& name, const ImageLimits& limits) {
  Reader reader(bytes, limits);
  Header h;
  check(reader.header(h), Code::Io, "{}: damaged PNG: {}", name, reader.message());
  check_size(h.width, h.height, name, limits);
  const bool color = h.color & PNG_COLOR_MASK_COLOR, alpha = h.color & PNG_COLOR_MASK_ALPHA;
  if (channels == 0) channels = alpha ? 4 : color ? 3 : 1;
  const int read = channels == 1 && color ? 3 : channels;
  check(reader.start(read, h), Code::Io, "{}: damaged PNG: {}", name, reader.message());
  ensure(h.channels == read && h.row_bytes == size_t{h.width} * static_cast<size_t>(read), "libpng gives the channels it was asked for");
  Tensor out = make_tensor({Shape{h.height, h.width, read}, uint8});
  check(reader.rows(mutable_data(out), h), Code::Io, "{}: damaged PNG: {}", name, reader.message());
  return read == channels ? out : grey(out);
}

std::vector<std::byte> encode_png(const Tensor& image) {
  const Tensor pixels = to_pixels(image, "encode_png");
  png_image png;
  std::memset(&png, 0, sizeof png);
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(pixels.dim(1));
  png.height = static_cast<png_uint_32>(pixels.dim(0));
  png.format = pixels.dim(2) == 1 ? PNG_FORMAT_GRAY : pixels.dim(2) == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_RGBA;
  check(pixels.dim(0) <= (1 << 24) && pixels.dim(1) <= (1 << 24) && pixels.size() < (int64_t{1} << 31), Code::Shape,
        "encode_png: {} is too large for one PNG", image.spec());
  std::vector<std::byte> out(PNG_IMAGE_PNG_SIZE_MAX(png));
  png_alloc_size_t size = out.size();
  const int ok = png_image_write_to_memory(&png, out.data(), &size, 0, pixels.bytes().data(), 0, nullptr);
  const std::string message = png.message;
  png_image_free(&png);
  check(ok != 0, Code::Io, "encode_png: {}", message);
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

}  // namespace tenure::data
