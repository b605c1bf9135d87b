// Image folders: the recipe owns the list of files and labels; a picture exists from its decoding until its batch is made.
// Order and split follow Keras' image_dataset_from_directory for the same seed (NumPy's RandomState.shuffle on MT19937).
#include <algorithm>
#include <cctype>
#include <filesystem>
#include <mutex>
#include <random>
#include <set>

#include "base/parallel.h"
#include "data/image.h"
#include "data/recipe.h"

namespace tenure::data {
namespace {

namespace fs = std::filesystem;

struct Files {
  std::vector<std::string> paths = {}, classes = {};
  std::vector<int32_t> labels = {};
};

bool ends(const std::string& name, std::initializer_list<std::string_view> suffixes) {
  std::string s = name;
  std::transform(s.begin(), s.end(), s.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::any_of(suffixes.begin(), suffixes.end(),
                     [&](std::string_view e) { return s.size() >= e.size() && s.compare(s.size() - e.size(), e.size(), e) == 0; });
}

/// The pictures in and below a folder, folder by folder, sorted. Counts pictures of other kinds.
void list_pictures(const fs::path& folder, bool follow_links, std::vector<std::string>& out, int64_t& others) {
  const auto options = follow_links ? fs::directory_options::follow_directory_symlink : fs::directory_options::none;
  std::vector<std::pair<std::string, std::string>> found;  // folder, file
  for (const fs::directory_entry& e : fs::recursive_directory_iterator(folder, options)) {
    if (e.is_directory()) continue;
    std::string name = e.path().filename().string();
    if (ends(name, {".jpg", ".jpeg", ".png"})) found.emplace_back(e.path().parent_path().string(), std::move(name));
    else if (ends(name, {".bmp", ".gif", ".webp", ".tif", ".tiff"})) ++others;
  }
  std::sort(found.begin(), found.end());
  for (auto& [where, name] : found) out.push_back(where + "/" + name);
}

std::vector<std::string> class_folders(const std::string& root, const std::vector<std::string>& asked) {
  std::vector<std::string> found;
  for (const fs::directory_entry& e : fs::directory_iterator(root))
    if (e.is_directory() && e.path().filename().string()[0] != '.') found.push_back(e.path().filename().string());
  std::sort(found.begin(), found.end());
  if (asked.empty()) return found;
  for (const std::string& name : asked)
    check(std::binary_search(found.begin(), found.end(), name), Code::NotFound, "image_folder: {} has no class folder '{}'", root, name);
  return asked;
}

Files index(const std::string& root, const ImageFolderOptions& o) {
  check(fs::is_directory(root), fs::exists(root) ? Code::InvalidArgument : Code::NotFound, "image_folder: {} is not a folder", root);
  Files files;
  int64_t others = 0;
  if (o.label_mode == "none") {
    check(o.class_names.empty(), Code::InvalidArgument, "image_folder: class_names cannot be given with label_mode none");
    list_pictures(root, o.follow_links, files.paths, others);
  } else {
    files.classes = class_folders(root, o.class_names);
    check(!files.classes.empty(), Code::NotFound, "image_folder: {} holds no class folders", root);
    for (size_t c = 0; c < files.classes.size(); ++c) {
      list_pictures(fs::path(root) / files.classes[c], o.follow_links, files.paths, others);
      files.labels.resize(files.paths.size(), static_cast<int32_t>(c));
    }
  }
  if (others) memory::log(fmt::format("image_folder: {}: {} pictures of other kinds than JPEG and PNG are not used", root, others));
  return files;
}

/// NumPy's RandomState(seed).shuffle.
template <class T>
void shuffle_as_numpy(std::vector<T>& items, uint32_t seed) {
  std::mt19937 random(seed);
  for (size_t i = items.size(); i-- > 1;) {
    uint32_t mask = static_cast<uint32_t>(i), j;
    for (int shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
    while ((j = static_cast<uint32_t>(random()) & mask) > i) {}
    std::swap(items[i], items[j]);
  }
}

template <class T>
void split(std::vector<T>& items, size_t validation, bool keep_validation) {
  const auto cut = items.end() - static_cast<std::ptrdiff_t>(validation);
  if (keep_validation) items.erase(items.begin(), cut);
  else items.erase(cut, items.end());
}

class FolderRecipe final : public Recipe, public Rows {
 public:
  FolderRecipe(std::string root, Files files, const ImageFolderOptions& o)
      : root_(std::move(root)),
        files_(std::move(files)),
        size_(o.image_size),
        channels_(channels_of(o.color_mode, "image_folder")),
        nearest_(is_nearest(o.interpolation, "image_folder")),
        label_mode_(o.label_mode),
        on_corrupt_(o.on_corrupt),
        workers_(o.workers < 0 ? max_threads() : o.workers),
        bytes_(o.bytes) {}

  int64_t cardinality() const override { return count(); }
  const Rows* rows() const override { return this; }
  std::unique_ptr<RowCursor> cursor(const Opening&) const override { return count_cursor(count()); }
  memory::HeldOf<Stage> open(const Opening& opening) const override { return open_rows(self(), opening); }
  std::string text() const override { return "image_folder(" + fs::path(root_ + "/.").lexically_normal().parent_path().filename().string() + ")"; }
  const std::vector<std::string>& class_names() const override { return files_.classes; }
  std::vector<std::string> file_paths() const override { return files_.paths; }
  int64_t skipped() const override {
    std::lock_guard lock(mutex_);
    return static_cast<int64_t>(damaged_.size());
  }

  int64_t count() const override { return static_cast<int64_t>(files_.paths.size()); }
  int workers() const override { return workers_; }
  size_t ahead_bytes() const override { return bytes_; }

  bool fetch(int64_t row, Batch& out) const override {
    if (on_corrupt_ == OnCorrupt::skip && known_damaged(row)) return false;
    const std::string& path = files_.paths[static_cast<size_t>(row)];
    try {
      const ImageLimits limits;
      out.x = {to_float(decode(read_file(path, limits.max_file_bytes).bytes(), channels_, path, limits), size_, nearest_)};
    } catch (const Error& e) {
      if (on_corrupt_ == OnCorrupt::fail || e.code() == Code::OutOfMemory) throw;
      report(row, e);
      return false;
    }
    if (!files_.labels.empty()) out.y = {label(files_.labels[static_cast<size_t>(row)])};
    return true;
  }

 private:
  Tensor label(int32_t c) const {
    if (label_mode_ == "int") return Tensor::from<int32_t>({c}, Shape{});
    if (label_mode_ == "binary") return Tensor::from<float>({static_cast<float>(c)}, Shape{1});
    std::vector<float> hot(files_.classes.size(), 0.0f);
    hot[static_cast<size_t>(c)] = 1;
    return Tensor::from(hot, Shape{static_cast<int64_t>(hot.size())});
  }
  bool known_damaged(int64_t row) const {
    std::lock_guard lock(mutex_);
    return damaged_.count(row) != 0;
  }
  /// Each file once; a folder without one good file is an error, not an endless search.
  void report(int64_t row, const Error& e) const {
    size_t bad;
    {
      std::lock_guard lock(mutex_);
      if (!damaged_.insert(row).second) return;
      bad = damaged_.size();
    }
    memory::log(fmt::format("image_folder: skipped {} ({} so far)", e.message(), bad));
    check(bad < files_.paths.size(), Code::Io, "image_folder: all {} files of {} are damaged, the last one: {}", bad, root_, e.message());
  }

  std::string root_;
  Files files_;
  Pair size_;
  int channels_;
  bool nearest_;
  std::string label_mode_;
  OnCorrupt on_corrupt_;
  int workers_;
  size_t bytes_;
  mutable std::mutex mutex_;
  mutable std::set<int64_t> damaged_;  // bounded by the number of files
};

void check_options(const ImageFolderOptions& o) {
  check(o.label_mode == "int" || o.label_mode == "categorical" || o.label_mode == "binary" || o.label_mode == "none", Code::InvalidArgument,
        "image_folder: expected label_mode int, categorical, binary or none, got '{}'", o.label_mode);
  check(o.image_size.h >= 1 && o.image_size.w >= 1, Code::InvalidArgument, "image_folder: expected an image_size of at least 1 x 1, got {} x {}",
        o.image_size.h, o.image_size.w);
  check(o.validation_split >= 0 && o.validation_split < 1, Code::InvalidArgument, "image_folder: expected 0 <= validation_split < 1, got {}",
        o.validation_split);
  check((o.validation_split > 0) == !o.subset.empty(), Code::InvalidArgument, "image_folder: validation_split and subset belong together");
  check(o.subset.empty() || o.subset == "training" || o.subset == "validation", Code::InvalidArgument,
        "image_folder: expected subset training or validation, got '{}'", o.subset);
  check(!(o.validation_split > 0 && o.shuffle && !o.seed), Code::InvalidArgument,
        "image_folder: a shuffled split needs a seed, so that training and validation do not overlap");
}

}  // namespace

Dataset image_folder(const std::string& path, ImageFolderOptions options) {
  check_options(options);
  Files files;
  try {
    files = index(path, options);
  } catch (const fs::filesystem_error& e) { fail(Code::Io, "image_folder: {}: {}", path, e.code().message()); }
  check(options.label_mode != "binary" || files.classes.size() == 2, Code::InvalidArgument,
        "image_folder: label_mode binary needs 2 classes, {} has {}", path, files.classes.size());
  if (options.shuffle && !options.seed) options.seed = std::random_device{}();
  if (options.shuffle) {
    shuffle_as_numpy(files.paths, static_cast<uint32_t>(*options.seed));
    shuffle_as_numpy(files.labels, static_cast<uint32_t>(*options.seed));
  }
  if (options.validation_split > 0) {
    const auto validation = static_cast<size_t>(options.validation_split * static_cast<double>(files.paths.size()));
    split(files.paths, validation, options.subset == "validation");
    if (!files.labels.empty()) split(files.labels, validation, options.subset == "validation");
  }
  check(!files.paths.empty(), Code::NotFound, "image_folder: {} holds no {} pictures (.jpg, .jpeg, .png)", path, options.subset);
  const auto n = static_cast<int64_t>(files.paths.size());
  Dataset all = dataset_of(new FolderRecipe(path, std::move(files), options));
  return options.shuffle ? all.shuffle(n, options.seed) : all;
}

}  // namespace tenure::data
