// Folders of PNG files that we write. All go into a new folder beside the wanted one, which gets its name when it is complete.
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

#include "core/body.h"
#include "data/glyphs.h"
#include "data/image.h"
#include "files/idx.h"

namespace tenure::data {
namespace {

namespace fs = std::filesystem;

/// A folder in the making; removed unless commit() gave it its name.
class PendingFolder {
 public:
  PendingFolder(std::string path, const char* who) : path_(std::move(path)), who_(who) {
    while (path_.size() > 1 && path_.back() == '/') path_.pop_back();
    check(!path_.empty() && !fs::exists(path_), Code::InvalidArgument, "{}: expected the name of a new folder, {} exists", who_, path_);
    temporary_ = fmt::format("{}.part-{}", path_, ::getpid());
    make(temporary_);
  }
  ~PendingFolder() {
    std::error_code ignored;
    if (!temporary_.empty()) fs::remove_all(temporary_, ignored);
  }
  PendingFolder(const PendingFolder&) = delete;
  PendingFolder& operator=(const PendingFolder&) = delete;

  void add_class(std::string_view name) { make(temporary_ + "/" + std::string(name)); }
  void write(std::string_view class_name, int64_t number, const Tensor& image) {
    const std::string file = fmt::format("{}/{}/{:05}.png", temporary_, class_name, number);
    const std::vector<std::byte> bytes = encode_png(image);
    std::ofstream out(file, std::ios::binary);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.close();
    check(out.good(), Code::Io, "{}: cannot write {}: {}", who_, file, std::strerror(errno));
  }
  void commit() {
    std::error_code e;
    fs::rename(temporary_, path_, e);
    check(!e, Code::Io, "{}: cannot name the folder {}: {}", who_, path_, e.message());
    temporary_.clear();
  }

 private:
  void make(const std::string& folder) {
    std::error_code e;
    fs::create_directories(folder, e);
    check(!e, Code::Io, "{}: cannot make the folder {}: {}", who_, folder, e.message());
  }

  std::string path_, temporary_;
  const char* who_;
};

}  // namespace

void draw_glyphs(const std::string& folder, int64_t count, uint64_t seed, const Progress& progress) {
  check(count >= 0, Code::InvalidArgument, "draw_glyphs: expected count >= 0, got {}", count);
  memory::Enter at("draw_glyphs");
  PendingFolder pending(folder, "draw_glyphs");
  for (std::string_view name : kGlyphNames) pending.add_class(name);
  for (int64_t i = 0; i < count; ++i) {
    Tensor image = make_tensor({Shape{kGlyphSide, kGlyphSide}, uint8});
    draw_glyph(seed, i, std::span<uint8_t, kGlyphSide * kGlyphSide>(reinterpret_cast<uint8_t*>(mutable_data(image)), kGlyphSide * kGlyphSide));
    pending.write(kGlyphNames[i % kGlyphClasses], i, image);
    if (progress) progress(i + 1, count);
  }
  pending.commit();
}

void export_idx_as_png(const std::string& images, const std::string& labels, const std::string& folder, const Progress& progress) {
  memory::Enter at("export_idx");
  const files::Array x = files::read_idx(images), y = files::read_idx(labels);
  check(x.shape.rank() == 3 && x.dtype == uint8 && x.shape[1] > 0 && x.shape[2] > 0, Code::Io,
        "{}: expected grey images, uint8 [n, height, width], got {}", images, x.spec());
  check(y.shape.rank() == 1 && y.shape[0] == x.shape[0], Code::Shape, "export_idx_as_png: {} holds {} images, {} holds {}", images, x.shape[0],
        labels, y.spec());
  const std::vector<int64_t> classes = y.as_int64();
  PendingFolder pending(folder, "export_idx_as_png");
  const size_t bytes = static_cast<size_t>(x.shape[1] * x.shape[2]);
  for (int64_t i = 0; i < x.shape[0]; ++i) {
    const int64_t label = classes[static_cast<size_t>(i)];
    check(label >= 0, Code::Io, "{}: label {} of image {} is negative", labels, label, i);
    Tensor image = make_tensor({Shape{x.shape[1], x.shape[2]}, uint8});
    std::memcpy(mutable_data(image), x.bytes.data() + static_cast<size_t>(i) * bytes, bytes);
    const std::string name = std::to_string(label);
    pending.add_class(name);
    pending.write(name, i, image);
    if (progress) progress(i + 1, x.shape[0]);
  }
  pending.commit();
}

}  // namespace tenure::data
