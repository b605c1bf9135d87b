// Data: recipes for batches, and pictures.
//
// A Dataset is a recipe: a source (arrays, .npz, idx, image folders, a function) and stages on top of it. It owns its source and stages
// downward only. Opening it gives an Iterator, which owns its queues and worker threads; dropping it, half-read or not, joins them and
// frees everything at once. Threads: a Dataset may be opened from any thread; one Iterator belongs to one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <tenure/ops.h>
#include <tenure/tensor.h>

namespace tenure {
namespace data {

class Recipe;  // internal: one stage of a Dataset
class Stage;   // internal: one stage of an open Iterator

/// One element of a Dataset: a single example below batch(), a batch above it. `y` and `weights` may be empty.
struct Batch {
  Tensors x, y = {}, weights = {};
  /// The first size of the first input; 0 without inputs.
  int64_t size() const { return x.empty() || x[0].rank() == 0 ? 0 : x[0].dim(0); }
  /// The bytes of all values.
  size_t bytes() const;
};

/// What cardinality() says of datasets that never end, and of those that do not know.
inline constexpr int64_t infinite = -1, unknown = -2;

/// One pass over a Dataset.
class TENURE_API Iterator {
 public:
  Iterator() noexcept = default;
  Iterator(Iterator&& o) noexcept : stage_(std::exchange(o.stage_, nullptr)) {}
  Iterator& operator=(Iterator&& o) noexcept {
    std::swap(stage_, o.stage_);
    return *this;
  }
  ~Iterator() { close(); }
  explicit Iterator(Stage* stage) noexcept;  // adds a handle

  /// Drops what `out` held, then fills it. False at the end. Throws what a stage threw, on whichever thread (e.g. Io naming a corrupt
  /// image); after an error every further call throws it again.
  bool next(Batch& out);
  /// Files left out so far in this pass because they are damaged (OnCorrupt::skip).
  int64_t skipped() const noexcept;
  /// Joins the workers and frees the queues now.
  void close() noexcept;
  explicit operator bool() const noexcept { return stage_ != nullptr; }
  Stage* stage() const noexcept { return stage_; }

 private:
  Stage* stage_ = nullptr;
};

struct MapOptions {
  int workers = 0;                  ///< threads that call the function; 0: the thread that calls next(). The order stays.
  size_t bytes = size_t{64} << 20;  ///< bound on finished and running results, as for prefetch
};

/// A counted handle to a recipe: cheap to copy. Stages return a new Dataset and leave this one as it is.
class TENURE_API Dataset {
 public:
  Dataset() noexcept = default;
  Dataset(const Dataset& o) noexcept;
  Dataset(Dataset&& o) noexcept : recipe_(std::exchange(o.recipe_, nullptr)) {}
  Dataset& operator=(Dataset o) noexcept {
    std::swap(recipe_, o.recipe_);
    return *this;
  }
  ~Dataset();
  explicit Dataset(Recipe* recipe) noexcept;  // adds a handle

  /// fn of every element. With workers it is called from several threads at once. What it captures lives as long as the Dataset.
  Dataset map(std::function<Batch(Batch)> fn, MapOptions options = {}) const;
  /// Draws each element at random from the next `buffer_size` ones, which are held. Over a source with rows (arrays, npz, idx, image
  /// folders) it holds row numbers instead of values. Without a seed the order differs from Dataset to Dataset.
  Dataset shuffle(int64_t buffer_size, std::optional<uint64_t> seed = {}, bool reshuffle_each_iteration = true) const;
  /// Stacks n elements along a new first axis; the last batch may be smaller.
  Dataset batch(int64_t n, bool drop_remainder = false) const;
  /// A worker thread runs up to n elements and `bytes` ahead. The bound may be passed by one element larger than all before it.
  Dataset prefetch(int64_t n, size_t bytes = size_t{64} << 20) const;
  Dataset take(int64_t n) const;
  Dataset skip(int64_t n) const;
  /// n passes after each other; -1: for ever.
  Dataset repeat(int64_t n = -1) const;
  /// Keeps the elements of the first whole pass for later ones, in the Dataset. What would need more than `bytes` is not kept (logged).
  Dataset cache(size_t bytes = size_t{256} << 20) const;

  /// Elements of a pass, `infinite` or `unknown`. Damaged files that are skipped count here: a pass may give fewer.
  int64_t cardinality() const;
  /// Different damaged files found so far (OnCorrupt::skip).
  int64_t skipped() const;
  /// The classes of an image folder in label order; empty for other sources.
  const std::vector<std::string>& class_names() const;
  /// The files of an image folder, in the order of an unshuffled pass.
  std::vector<std::string> file_paths() const;
  /// "image_folder(digits) > shuffle(1000) > batch(32)".
  std::string describe() const;

  /// Starts a pass. `epoch` fixes the order that shuffle draws; without it every pass gets the next one.
  Iterator open(std::optional<uint64_t> epoch = {}) const;

  /// `for (Batch& b : dataset)`: one pass.
  class Pass {
   public:
    explicit Pass(Iterator it) : it_(std::move(it)) { ++*this; }
    Batch& operator*() noexcept { return batch_; }
    Pass& operator++() {
      more_ = it_.next(batch_);
      return *this;
    }
    bool operator!=(std::default_sentinel_t) const noexcept { return more_; }

   private:
    Iterator it_;
    Batch batch_;
    bool more_ = false;
  };
  Pass begin() const { return Pass(open()); }
  std::default_sentinel_t end() const noexcept { return {}; }

  bool defined() const noexcept { return recipe_ != nullptr; }
  explicit operator bool() const noexcept { return defined(); }
  bool operator==(const Dataset& o) const noexcept { return recipe_ == o.recipe_; }
  void release() noexcept { *this = Dataset(); }
  Recipe* recipe() const noexcept { return recipe_; }

 private:
  Recipe* recipe_ = nullptr;
};

// ---- sources --------------------------------------------------------------------------------------------------------------------

/// Rows of arrays that agree in their first size. Nothing is copied before batch().
TENURE_API Dataset arrays(TensorList x, TensorList y = Tensors{}, TensorList weights = Tensors{});
/// Arrays of a .npz by name. Without names: those that begin with "x" or "input" are inputs, with "y", "output", "label" or "target"
/// targets, "sample_weight" weights, each in the file's order.
TENURE_API Dataset npz(const std::string& path, std::vector<std::string> x = {}, std::vector<std::string> y = {});

struct IdxOptions {
  bool channels = true;   ///< images of rank 2 get a last dimension of 1
  DType dtype = float32;  ///< of the images given out (0..255); the file's bytes are kept as they are
};
/// MNIST's files, plain or gzipped: images, and labels as int32.
TENURE_API Dataset idx(const std::string& images, const std::string& labels, IdxOptions options = {});

/// What to do with an image that cannot be decoded.
enum class OnCorrupt : uint8_t {
  fail,  ///< next() throws Io with the path
  skip,  ///< reported to the log sink, counted, left out
};

/// Keras: image_dataset_from_directory, one element an image.
struct ImageFolderOptions {
  std::string label_mode = "int";             ///< int (int32), categorical, binary or none
  std::vector<std::string> class_names = {};  ///< folders and their order; all, sorted, when empty
  std::string color_mode = "rgb";             ///< grayscale, rgb or rgba
  Pair image_size = {256, 256};               ///< height and width
  bool shuffle = true;                        ///< mixes the files once (Keras' order for the same seed) and anew in every pass
  std::optional<uint64_t> seed = {};          ///< needed to split a shuffled folder
  double validation_split = 0;
  std::string subset = {};                 ///< training or validation
  std::string interpolation = "bilinear";  ///< bilinear or nearest
  bool follow_links = false;
  OnCorrupt on_corrupt = OnCorrupt::fail;
  int workers = -1;                 ///< decoding threads; 0: the thread that calls next(), -1: the processor bound
  size_t bytes = size_t{64} << 20;  ///< bound on images decoded ahead
};
/// JPEG and PNG files in one folder a class: float32 [height, width, channels] from 0 to 255 and the class.
TENURE_API Dataset image_folder(const std::string& path, ImageFolderOptions options = {});

struct GeneratorOptions {
  int64_t cardinality = unknown;
  std::string name = "generator";
};
/// Elements that a function makes, until it returns nothing. Each pass calls a fresh copy of it, so a mutable lambda starts anew.
TENURE_API Dataset generator(std::function<std::optional<Batch>()> next, GeneratorOptions options = {});

// ---- pictures -------------------------------------------------------------------------------------------------------------------

struct LoadImageOptions {
  std::string color_mode = "rgb";        ///< grayscale, rgb or rgba
  std::optional<Pair> target_size = {};  ///< height and width
  std::string interpolation = "bilinear";
};
/// A JPEG or PNG as float32 [height, width, channels] from 0 to 255, as image_folder gives it. Throws Io naming the file if it is damaged.
TENURE_API Tensor load_image(const std::string& path, LoadImageOptions options = {});
/// A JPEG or PNG in memory as uint8 [height, width, channels]; channels 0: as stored. `name` stands in error messages.
TENURE_API Tensor decode_image(std::span<const std::byte> bytes, int channels = 0, std::string_view name = "image");
/// uint8, or float32 from 0 to 255 (rounded, clipped), [height, width] or [height, width, 1, 3 or 4]; one that is [1, height, width, c] too.
TENURE_API std::vector<std::byte> encode_png(const Tensor& image);
/// Without alpha; quality 1..100.
TENURE_API std::vector<std::byte> encode_jpeg(const Tensor& image, int quality = 90);
/// Writes .png, .jpg or .jpeg in one step: the file is whole or as it was.
TENURE_API void save_image(const std::string& path, const Tensor& image);

/// Called with what is done and what there is to do.
using Progress = std::function<void(int64_t done, int64_t total)>;
/// Draws `count` grey 28 x 28 pictures of ten shapes (jitter, rotation, scale, thickness, noise) as PNG files in class folders.
/// The same seed gives the same bytes. The folder must not exist; it appears when it is complete.
TENURE_API void draw_glyphs(const std::string& folder, int64_t count = 6000, uint64_t seed = 1, const Progress& progress = {});
/// Writes idx images as PNG files in folders named by their label, as draw_glyphs does.
TENURE_API void export_idx_as_png(const std::string& images, const std::string& labels, const std::string& folder, const Progress& progress = {});

}  // namespace data

using data::Batch;
using data::Dataset;

}  // namespace tenure
