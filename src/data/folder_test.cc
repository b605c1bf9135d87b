// image_folder against Keras' image_dataset_from_directory (tests/reference/make_images.py), damaged files, MNIST, and the drawn pictures.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>

#include "data/glyphs.h"
#include "data/test_data.h"
#include "files/gz.h"

namespace tenure::data {
namespace {

namespace fs = std::filesystem;

std::string relative(const Dataset& d, const std::string& root) {
  std::string out;
  for (const std::string& p : d.file_paths()) out += (out.empty() ? "" : "\n") + p.substr(root.size() + 1);
  return out;
}
std::string text(const files::Array& a) { return std::string(a.bytes.text()); }

/// Class folders a and b with `good` pictures each whose pixels tell which they are.
void make_folder(const Scratch& scratch, int good) {
  for (const char* name : {"a", "b"}) {
    fs::create_directories(scratch / name);
    for (int i = 0; i < good; ++i)
      save_image(scratch / (std::string(name) + "/" + std::to_string(100 + i) + ".png"),
                 Tensor::from<uint8_t>({static_cast<uint8_t>(i + (name[0] == 'b' ? 100 : 0))}, {1, 1}));
  }
}
std::vector<float> firsts(const Dataset& d, std::optional<uint64_t> epoch = {}) {
  std::vector<float> out;
  Iterator it = d.open(epoch);
  for (Batch b; it.next(b);)
    for (int64_t i = 0; i < b.size(); ++i) out.push_back(static_cast<float>(b.x[0].at(i * (b.x[0].size() / b.size()))));
  return out;
}

TEST(ImageFolder, GivesWhatKerasGives) {
  const files::NpzFile golden(reference("expected.npz"));
  for (const char* interpolation : {"bilinear", "nearest"})
    for (int workers : {0, 1, 2}) {
      const files::Array x = golden.read(std::string("folder:") + interpolation + ":x"),
                         y = golden.read(std::string("folder:") + interpolation + ":y");
      Dataset d = image_folder(reference("classes"), {.image_size = {12, 10}, .shuffle = false, .interpolation = interpolation, .workers = workers})
                      .batch(16);
      EXPECT_EQ(d.class_names(), (std::vector<std::string>{"a_first", "b_second", "c_third"}));
      Iterator it = d.open();
      Batch b;
      ASSERT_TRUE(it.next(b));
      ASSERT_EQ(b.x[0].spec(), x.spec());
      ASSERT_EQ(b.y[0].spec(), y.spec());
      EXPECT_EQ(b.y[0].to_vector<int32_t>(), y.values<int32_t>());
      const std::vector<float> expected = x.values<float>(), got = b.x[0].to_vector<float>();
      float worst = 0;
      for (size_t i = 0; i < got.size(); ++i) worst = std::max(worst, std::fabs(got[i] - expected[i]));
      EXPECT_LE(worst, 255 * 1e-6f) << interpolation;
      EXPECT_FALSE(it.next(b));
    }
}

TEST(ImageFolder, SplitsAndMixesTheFilesAsKerasDoesForASeed) {
  const files::NpzFile golden(reference("expected.npz"));
  for (const char* subset : {"training", "validation"}) {
    Dataset d = image_folder(reference("classes"), {.image_size = 8, .seed = 7, .validation_split = 0.35, .subset = subset});
    EXPECT_EQ(relative(d, reference("classes")), text(golden.read(std::string("folder:") + subset + ":paths")));
  }
}

TEST(ImageFolder, LabelsFollowTheirFilesThroughTheShuffle) {
  Scratch scratch;
  make_folder(scratch, 20);
  for (int workers : {1, 2}) {
    Dataset d = image_folder(scratch / "", {.color_mode = "grayscale", .image_size = 1, .seed = 3, .workers = workers});
    EXPECT_EQ(d.cardinality(), 40);
    int n = 0;
    for (Batch& b : d) {
      EXPECT_EQ(b.y[0].item<int>(), b.x[0].item() >= 100 ? 1 : 0);
      ++n;
    }
    EXPECT_EQ(n, 40);
    EXPECT_EQ(firsts(d, 5), firsts(image_folder(scratch / "", {.color_mode = "grayscale", .image_size = 1, .seed = 3, .workers = 0}), 5))
        << "at any number of workers";
    EXPECT_NE(firsts(d, 5), firsts(d, 6));
  }
}

TEST(ImageFolder, LabelModesAndClassOrder) {
  Scratch scratch;
  make_folder(scratch, 2);
  auto labels = [&](ImageFolderOptions o) {
    o.image_size = 1, o.shuffle = false;
    Iterator it = image_folder(scratch / "", o).batch(4).open();
    Batch b;
    EXPECT_TRUE(it.next(b));
    return b.y.empty() ? std::string("none") : to_string(b.y[0]);
  };
  EXPECT_EQ(labels({}).substr(0, 8), "int32[4]");
  EXPECT_EQ(labels({.label_mode = "binary"}).substr(0, 12), "float32[4,1]");
  EXPECT_EQ(labels({.label_mode = "categorical"}).substr(0, 12), "float32[4,2]");
  EXPECT_EQ(labels({.label_mode = "none"}), "none");
  EXPECT_EQ(labels({.class_names = {"b", "a"}}), labels({})) << "labels count in the order given";
  EXPECT_EQ(firsts(image_folder(scratch / "", {.class_names = {"b", "a"}, .image_size = 1, .shuffle = false})), (std::vector<float>{100, 101, 0, 1}));
}

TEST(ImageFolder, ADamagedFileIsFatalWithItsPathOrSkippedAndReportedOnce) {
  Scratch scratch;
  make_folder(scratch, 5);
  const std::string bad = scratch / "a/102.png", cut = scratch / "b/101.jpg";
  files::put(bad, "not a picture");
  files::put(cut, files::get(reference("photo.jpg")).substr(0, 500));
  for (int workers : {0, 2}) {
    Iterator it = image_folder(scratch / "", {.image_size = 1, .shuffle = false, .workers = workers}).batch(3).prefetch(2).open();
    Batch b;
    expect_error(Code::Io, bad, [&] { it.next(b); });
    expect_error(Code::Io, bad, [&] { it.next(b); });
  }
  for (int workers : {0, 2}) {
    Logged log;
    Dataset d = image_folder(scratch / "", {.image_size = 1, .shuffle = false, .on_corrupt = OnCorrupt::skip, .workers = workers});
    EXPECT_EQ(d.cardinality(), 11);
    for (int pass = 0; pass < 2; ++pass) {
      Iterator it = d.batch(4).open();
      int64_t n = 0;
      for (Batch b; it.next(b);) n += b.size();
      EXPECT_EQ(n, 9);
      EXPECT_EQ(it.skipped(), 2);
    }
    EXPECT_EQ(d.skipped(), 2);
    ASSERT_EQ(log.lines().size(), 2u);
    EXPECT_NE((log.lines()[0] + log.lines()[1]).find(bad), std::string::npos);
    EXPECT_NE((log.lines()[0] + log.lines()[1]).find(cut), std::string::npos);
  }
}

TEST(ImageFolder, AFolderOfDamagedFilesEndsInAnErrorEvenRepeatedForEver) {
  Scratch scratch;
  fs::create_directories(scratch / "a");
  for (int i = 0; i < 5; ++i) files::put(scratch / ("a/" + std::to_string(i) + ".png"), "no");
  Dataset d = image_folder(scratch / "", {.image_size = 1, .on_corrupt = OnCorrupt::skip}).repeat().batch(2);
  expect_error(Code::Io, "all 5 files", [&] { firsts(d); });
}

TEST(ImageFolder, AHalfReadFolderFreesItsPicturesAndStaysWithinItsBytes) {
  Scratch scratch;
  make_folder(scratch, 100);
  const size_t before = memory::now().live_bytes, one = 64 * 64 * 3 * 4;
  size_t peak = 0;
  {
    Dataset d = image_folder(scratch / "", {.image_size = 64, .seed = 1, .workers = 2, .bytes = 10 * one});
    Iterator it = d.open();
    Batch b;
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(it.next(b));
      peak = std::max(peak, memory::now().live_bytes - before);
    }
  }
  EXPECT_LE(peak, 11 * one + 4096);
  EXPECT_EQ(memory::now().live_bytes, before);
}

TEST(ImageFolder, WrongUseIsOneClearError) {
  Scratch scratch;
  make_folder(scratch, 1);
  auto code = [&](Code c, const std::string& part, ImageFolderOptions o) { expect_error(c, part, [&] { image_folder(scratch / "", o); }); };
  expect_error(Code::NotFound, "nowhere", [&] { image_folder(scratch / "nowhere"); });
  expect_error(Code::NotFound, "no class folders", [&] { image_folder(scratch / "a"); });
  code(Code::InvalidArgument, "label_mode", {.label_mode = "float"});
  code(Code::InvalidArgument, "color_mode", {.color_mode = "bgr"});
  code(Code::InvalidArgument, "interpolation", {.interpolation = "area"});
  code(Code::InvalidArgument, "image_size", {.image_size = 0});
  code(Code::InvalidArgument, "validation_split", {.seed = 1, .validation_split = 1.5, .subset = "training"});
  code(Code::InvalidArgument, "belong together", {.seed = 1, .validation_split = 0.5});
  code(Code::InvalidArgument, "seed", {.validation_split = 0.5, .subset = "training"});
  code(Code::InvalidArgument, "subset", {.seed = 1, .validation_split = 0.5, .subset = "both"});
  code(Code::NotFound, "no class folder 'c'", {.class_names = {"a", "c"}});
  code(Code::NotFound, "validation pictures", {.seed = 1, .validation_split = 0.1, .subset = "validation"});
}

TEST(ImageFolder, OtherPicturesAreCountedInTheLog) {
  Scratch scratch;
  make_folder(scratch, 1);
  files::put(scratch / "a/x.gif", "GIF89a");
  files::put(scratch / "a/notes.txt", "");
  Logged log;
  EXPECT_EQ(image_folder(scratch / "").cardinality(), 2);
  ASSERT_EQ(log.lines().size(), 1u);
  EXPECT_NE(log.lines()[0].find("1 pictures of other kinds"), std::string::npos);
}

TEST(Glyphs, TheSameSeedDrawsTheSameFilesInTenFolders) {
  Scratch scratch;
  int64_t last = 0;
  draw_glyphs(scratch / "one", 50, 7, [&](int64_t done, int64_t total) {
    EXPECT_EQ(total, 50);
    EXPECT_EQ(done, ++last);
  });
  draw_glyphs(scratch / "two", 40, 7);
  draw_glyphs(scratch / "other", 10, 8);
  EXPECT_EQ(last, 50);
  EXPECT_EQ(scratch.files(), 3u) << "no temporary folder stays";
  Dataset d = image_folder(scratch / "one", {.color_mode = "grayscale", .image_size = {28, 28}, .shuffle = false});
  EXPECT_EQ(d.cardinality(), 50);
  ASSERT_EQ(d.class_names().size(), 10u);
  for (size_t i = 0; i < 10; ++i) EXPECT_EQ(d.class_names()[i], kGlyphNames[i]);
  EXPECT_EQ(files::get(scratch / "one/star/00037.png"), files::get(scratch / "two/star/00037.png")) << "a picture depends on seed and number only";
  EXPECT_NE(files::get(scratch / "one/star/00007.png"), files::get(scratch / "other/star/00007.png"));
  Tensor t = load_image(scratch / "one/ring/00005.png", {.color_mode = "grayscale"});
  EXPECT_EQ(t.shape(), (Shape{28, 28, 1}));
}

TEST(Glyphs, AnInterruptedDrawingLeavesNothing) {
  Scratch scratch;
  EXPECT_THROW(draw_glyphs(scratch / "new", 50, 7,
                           [](int64_t done, int64_t) {
                             if (done == 20) throw std::runtime_error("stop");
                           }),
               std::runtime_error);
  EXPECT_EQ(scratch.files(), 0u);
  fs::create_directories(scratch / "old");
  expect_error(Code::InvalidArgument, "exists", [&] { draw_glyphs(scratch / "old", 10); });
  expect_error(Code::Io, "null", [&] { draw_glyphs("/dev/null/x", 10); });
}

TEST(Mnist, IdxFilesAndTheirPngFoldersHoldTheSamePictures) {
  const std::string images = mnist("t10k-images-idx3-ubyte.gz"), labels = mnist("t10k-labels-idx1-ubyte.gz");
  if (!fs::exists(images)) GTEST_SKIP() << "MNIST is not there: " << images;
  EXPECT_EQ(idx(images, labels).cardinality(), 10000);
  // The first 500, as plain files with the same headers.
  Scratch scratch;
  const int64_t n500 = 500;
  auto head = [](const std::string& gz, size_t header, size_t item) {
    std::string s(files::gunzip(files::Bytes::map(gz)).text().substr(0, header + 500 * item));
    s[6] = 1, s[7] = static_cast<char>(500 - 256);
    return s;
  };
  files::put(scratch / "images", head(images, 16, 784));
  files::put(scratch / "labels", head(labels, 8, 1));
  Dataset straight = idx(scratch / "images", scratch / "labels");
  EXPECT_EQ(straight.cardinality(), n500);
  export_idx_as_png(scratch / "images", scratch / "labels", scratch / "png");
  Dataset folder = image_folder(scratch / "png", {.color_mode = "grayscale", .image_size = 28, .shuffle = false});
  EXPECT_EQ(folder.cardinality(), n500);
  EXPECT_EQ(folder.class_names(), (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}));
  std::map<int, std::vector<std::vector<float>>> by_label;
  for (Batch& b : straight) by_label[b.y[0].item<int>()].push_back(b.x[0].to_vector<float>());
  std::map<int, size_t> at;
  int64_t wrong = 0, n = 0;
  for (Batch& b : folder) {
    const int label = b.y[0].item<int>();
    wrong += by_label[label].at(at[label]++) != b.x[0].to_vector<float>();
    ++n;
  }
  EXPECT_EQ(n, n500);
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace tenure::data
