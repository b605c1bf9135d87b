// JPEG by TurboJPEG. Every call owns its decoder or encoder; errors are return values, nothing jumps through our frames.
#include <turbojpeg.h>

#include <climits>
#include <cstring>
#include <memory>

#include "core/body.h"
#include "data/image.h"

namespace tenure::data {
namespace {

struct Destroy {
  void operator()(void* h) const noexcept { tjDestroy(h); }
};
using Turbo = std::unique_ptr<void, Destroy>;

/// Adobe's inverted CMYK, as TensorFlow turns it into RGB.
Tensor from_cmyk(const Tensor& cmyk, int channels) {
  const int64_t n = cmyk.dim(0) * cmyk.dim(1);
  Tensor out = make_tensor({Shape{cmyk.dim(0), cmyk.dim(1), channels}, uint8});
  const auto* x = reinterpret_cast<const uint8_t*>(mutable_data(cmyk));
  auto* y = reinterpret_cast<uint8_t*>(mutable_data(out));
  for (int64_t i = 0; i < n; ++i, x += 4, y += channels) {
    unsigned rgb[3];
    for (int c = 0; c < 3; ++c) rgb[c] = x[c] * unsigned{x[3]} / 255u;
    if (channels == 1) y[0] = static_cast<uint8_t>((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000u) >> 16);
    else
      for (int c = 0; c < 3; ++c) y[c] = static_cast<uint8_t>(rgb[c]);
    if (channels == 4) y[3] = 255;
  }
  return out;
}

}  // namespace

bool is_jpeg(std::span<const std::byte> b) noexcept {
  return b.size() >= 3 && b[0] == std::byte{0xff} && b[1] == std::byte{0xd8} && b[2] == std::byte{0xff};
}

Tensor decode_jpeg(std::span<const std::byte> bytes, int channels, const std::string& name, const ImageLimits& limits) {
  Turbo turbo(tjInitDecompress());
  check(turbo != nullptr, Code::OutOfMemory, "JPEG: no memory for the decoder");
  auto* in = reinterpret_cast<const unsigned char*>(bytes.data());
  const auto size = static_cast<unsigned long>(bytes.size());
  int width = 0, height = 0, sampling = 0, space = 0;
  // A warning here is also an error: what the header says decides how much is allocated.
  check(tjDecompressHeader3(turbo.get(), in, size, &width, &height, &sampling, &space) == 0, Code::Io, "{}: damaged JPEG: {}", name,
        tjGetErrorStr2(turbo.get()));
  check_size(width, height, name, limits);
  const bool cmyk = space == TJCS_CMYK || space == TJCS_YCCK;
  if (channels == 0) channels = space == TJCS_GRAY ? 1 : 3;
  const int read = cmyk ? 4 : channels;
  const int format = cmyk ? TJPF_CMYK : channels == 1 ? TJPF_GRAY : channels == 3 ? TJPF_RGB : TJPF_RGBA;
  Tensor out = make_tensor({Shape{height, width, read}, uint8});
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS | TJFLAG_STOPONWARNING;
  check(tjDecompress2(turbo.get(), in, size, reinterpret_cast<unsigned char*>(mutable_data(out)), width, 0, height, format, flags) == 0, Code::Io,
        "{}: damaged JPEG: {}", name, tjGetErrorStr2(turbo.get()));
  return cmyk ? from_cmyk(out, channels) : out;
}

std::vector<std::byte> encode_jpeg(const Tensor& image, int quality) {
  check(quality >= 1 && quality <= 100, Code::InvalidArgument, "encode_jpeg: expected a quality of 1 to 100, got {}", quality);
  const Tensor pixels = to_pixels(image, "encode_jpeg");
  check(pixels.dim(0) <= 65500 && pixels.dim(1) <= 65500, Code::Shape, "encode_jpeg: {} is larger than 65500 a side", image.spec());
  const int64_t c = pixels.dim(2);
  Turbo turbo(tjInitCompress());
  check(turbo != nullptr, Code::OutOfMemory, "JPEG: no memory for the encoder");
  const int width = static_cast<int>(pixels.dim(1)), height = static_cast<int>(pixels.dim(0)), sampling = c == 1 ? TJSAMP_GRAY : TJSAMP_444;
  const unsigned long room = tjBufSize(width, height, sampling);
  check(room != ULONG_MAX, Code::Shape, "encode_jpeg: {} is too large", image.spec());
  std::vector<std::byte> out(room);
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  unsigned long size = room;
  const int format = c == 1 ? TJPF_GRAY : c == 3 ? TJPF_RGB : TJPF_RGBA;
  check(tjCompress2(turbo.get(), reinterpret_cast<const unsigned char*>(pixels.bytes().data()), width, 0, height, format, &to, &size, sampling,
                    quality, TJFLAG_ACCURATEDCT | TJFLAG_NOREALLOC) == 0,
        Code::Io, "encode_jpeg: {}", tjGetErrorStr2(turbo.get()));
  out.resize(size);
  out.shrink_to_fit();
  return out;
}

}  // namespace tenure::data
