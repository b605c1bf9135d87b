// Pictures: from the bytes of a JPEG or PNG to uint8 [height, width, channels], and to what a model takes.
// Every buffer is a tensor of the ledger; the libraries' own working memory is bounded by their limits and freed on every path.
#pragma once

#include <tenure/data.h>

#include <cstddef>
#include <span>
#include <string>

namespace tenure::data {

/// What a file may ask for before anything is allocated for it.
struct ImageLimits {
  int64_t max_side = int64_t{1} << 15;
  int64_t max_pixels = int64_t{1} << 28;
  size_t max_file_bytes = size_t{1} << 30;
};

/// Throws Io naming `name` if it is damaged, cut off or larger than the limits; Unsupported for other kinds of pictures.
/// channels: 0 as stored, 1 grey, 3, 4. Colour becomes grey with ITU-R 601 weights (JPEG: its own Y); alpha is dropped or 255 is added.
Tensor decode(std::span<const std::byte> bytes, int channels, const std::string& name, const ImageLimits& limits = {});
Tensor decode_jpeg(std::span<const std::byte> bytes, int channels, const std::string& name, const ImageLimits& limits);
Tensor decode_png(std::span<const std::byte> bytes, int channels, const std::string& name, const ImageLimits& limits);
bool is_jpeg(std::span<const std::byte> bytes) noexcept;
bool is_png(std::span<const std::byte> bytes) noexcept;
/// Throws Io naming the file and its size unless it is within the limits.
void check_size(int64_t width, int64_t height, const std::string& name, const ImageLimits& limits);

/// The whole file as uint8 [n]. Throws NotFound or Io.
Tensor read_file(const std::string& path, size_t max_bytes);
/// float32 [height, width, channels] of a uint8 picture, resized as Keras does unless `size` is empty or its own.
Tensor to_float(const Tensor& picture, std::optional<Pair> size, bool nearest);
/// 1, 3 or 4. Throws InvalidArgument for other words than grayscale, rgb, rgba.
int channels_of(const std::string& color_mode, const char* who);
/// Throws InvalidArgument for other words than bilinear and nearest.
bool is_nearest(const std::string& interpolation, const char* who);
/// uint8 [height, width, channels] of what encode_png takes.
Tensor to_pixels(const Tensor& image, const char* who);

}  // namespace tenure::data
