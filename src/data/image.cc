// What JPEG and PNG share: reading the file, choosing the decoder, resizing, and saving.
#include "data/image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>

#include "core/body.h"
#include "files/bytes.h"
#include "kernels/kernels.h"

namespace tenure::data {
namespace {

const char* kind_of(std::span<const std::byte> b) {
  auto starts = [&](std::string_view magic, size_t at = 0) {
    return b.size() >= at + magic.size() && std::memcmp(b.data() + at, magic.data(), magic.size()) == 0;
  };
  if (starts("GIF8")) return "GIF";
  if (starts("BM")) return "BMP";
  if (starts("RIFF") && starts("WEBP", 8)) return "WebP";
  if (starts("II*") || starts("MM")) return "TIFF";
  return nullptr;
}

class Descriptor {
 public:
  explicit Descriptor(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  int fd_;
};

std::string lower_suffix(const std::string& path) {
  const size_t dot = path.find_last_of("./");
  std::string s = dot == std::string::npos || path[dot] == '/' ? "" : path.substr(dot);
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return s;
}

}  // namespace

void check_size(int64_t width, int64_t height, const std::string& name, const ImageLimits& limits) {
  check(width >= 1 && height >= 1, Code::Io, "{}: a picture of {} x {} pixels has no pixels", name, width, height);
  check(width <= limits.max_side && height <= limits.max_side && width <= limits.max_pixels / height, Code::Io,
        "{}: a picture of {} x {} pixels is larger than the limits ({} a side, {} in all)", name, width, height, limits.max_side, limits.max_pixels);
}

Tensor read_file(const std::string& path, size_t max_bytes) {
  Descriptor file(path);
  check(file.get() >= 0, errno == ENOENT ? Code::NotFound : Code::Io, "{}: {}", path, std::strerror(errno));
  struct stat st;
  check(::fstat(file.get(), &st) == 0, Code::Io, "{}: {}", path, std::strerror(errno));
  check(S_ISREG(st.st_mode), Code::Io, "{}: expected a regular file", path);
  const auto size = static_cast<size_t>(st.st_size);
  check(size <= max_bytes, Code::Io, "{}: {} bytes are more than the limit of {}", path, size, max_bytes);
  Tensor out = make_tensor({Shape{st.st_size}, uint8});
  for (size_t done = 0; done < size;) {
    const ssize_t n = ::read(file.get(), mutable_data(out) + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    check(n > 0, Code::Io, "{}: expected {} bytes, got {}: {}", path, size, done, n < 0 ? std::strerror(errno) : "the file became shorter");
    done += static_cast<size_t>(n);
  }
  return out;
}

Tensor decode(std::span<const std::byte> bytes, int channels, const std::string& name, const ImageLimits& limits) {
  check(channels == 0 || channels == 1 || channels == 3 || channels == 4, Code::InvalidArgument,
        "decode_image: expected 0, 1, 3 or 4 channels, got {}", channels);
  check(!bytes.empty(), Code::Io, "{}: the file is empty", name);
  if (is_png(bytes)) return decode_png(bytes, channels, name, limits);
  if (is_jpeg(bytes)) return decode_jpeg(bytes, channels, name, limits);
  if (const char* kind = kind_of(bytes)) fail(Code::Unsupported, "{}: a {} picture; expected JPEG or PNG", name, kind);
  fail(Code::Io, "{}: neither JPEG nor PNG", name);
}

Tensor to_float(const Tensor& picture, std::optional<Pair> size, bool nearest) {
  const int64_t h = picture.dim(0), w = picture.dim(1), c = picture.dim(2);
  const int64_t out_h = size ? size->h : h, out_w = size ? size->w : w;
  Tensor out = make_tensor({Shape{out_h, out_w, c}, float32});
  auto* y = reinterpret_cast<float*>(mutable_data(out));
  const auto* x = reinterpret_cast<const uint8_t*>(mutable_data(picture));
  const kernels::ResizeDesc d{1, h, w, c, out_h, out_w};
  if (out_h == h && out_w == w) {
    kernels::convert(uint8, x, float32, y, out.size());
  } else if (nearest) {
    Tensor chosen = make_tensor({out.shape(), uint8});
    kernels::resize_nearest(x, mutable_data(chosen), d, 1);
    kernels::convert(uint8, mutable_data(chosen), float32, y, out.size());
  } else {
    kernels::resize_bilinear(x, y, d);
  }
  return out;
}

int channels_of(const std::string& color_mode, const char* who) {
  if (color_mode == "grayscale") return 1;
  if (color_mode == "rgb") return 3;
  if (color_mode == "rgba") return 4;
  fail(Code::InvalidArgument, "{}: expected color_mode grayscale, rgb or rgba, got '{}'", who, color_mode);
}

bool is_nearest(const std::string& interpolation, const char* who) {
  if (interpolation == "nearest") return true;
  check(interpolation == "bilinear", Code::InvalidArgument, "{}: expected interpolation bilinear or nearest, got '{}'", who, interpolation);
  return false;
}

Tensor to_pixels(const Tensor& image, const char* who) {
  check(image.concrete(), Code::InvalidArgument, "{}: expected a picture with values", who);
  check(image.dtype() == uint8 || image.dtype() == float32, Code::DType, "{}: expected uint8 or float32, got {}", who, image.spec());
  Shape s = image.shape();
  if (s.rank() == 4 && s[0] == 1) s.erase(0);
  if (s.rank() == 2) s.push_back(1);
  check(s.rank() == 3 && (s[2] == 1 || s[2] == 3 || s[2] == 4) && s[0] > 0 && s[1] > 0, Code::Shape,
        "{}: expected [height, width] or [height, width, 1, 3 or 4], got {}", who, image.spec());
  if (image.dtype() == uint8) return make_view(image, {s, uint8}, 0);
  Tensor out = make_tensor({s, uint8});
  const std::span<const float> x = image.data<float>();
  std::byte* y = mutable_data(out);
  for (size_t i = 0; i < x.size(); ++i) y[i] = static_cast<std::byte>(x[i] > 0 ? x[i] < 255 ? static_cast<int>(std::nearbyint(x[i])) : 255 : 0);
  return out;
}

Tensor load_image(const std::string& path, LoadImageOptions options) {
  const int channels = channels_of(options.color_mode, "load_image");
  const bool nearest = is_nearest(options.interpolation, "load_image");
  if (options.target_size)
    check(options.target_size->h >= 1 && options.target_size->w >= 1, Code::InvalidArgument,
          "load_image: expected a target_size of at least 1 x 1, got {} x {}", options.target_size->h, options.target_size->w);
  memory::Enter at("load_image");
  memory::As as(memory::Category::input);
  const ImageLimits limits;
  Tensor picture = decode(read_file(path, limits.max_file_bytes).bytes(), channels, path, limits);
  return to_float(picture, options.target_size, nearest);
}

Tensor decode_image(std::span<const std::byte> bytes, int channels, std::string_view name) {
  memory::Enter at("decode_image");
  memory::As as(memory::Category::input);
  return decode(bytes, channels, std::string(name));
}

void save_image(const std::string& path, const Tensor& image) {
  const std::string suffix = lower_suffix(path);
  const bool png = suffix == ".png";
  check(png || suffix == ".jpg" || suffix == ".jpeg", Code::InvalidArgument, "save_image: expected a name that ends in .png, .jpg or .jpeg, got {}",
        path);
  const std::vector<std::byte> bytes = png ? encode_png(image) : encode_jpeg(image);
  files::write_file_atomically(path, [&](files::FileSink& sink) { sink.write(bytes); });
}

}  // namespace tenure::data
