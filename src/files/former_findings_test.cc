// Inputs that fuzzers once found, read again: each loads or ends in one Error.
#include "files/hdf5.h"
#include "files/idx.h"
#include "files/npy.h"
#include "files/test_files.h"
#include "paths.h"

namespace tenure::files {
namespace {

void read_any(const std::string& reader, const Bytes& bytes) {
  if (reader == "zip") {
    const ZipFile zip(bytes);
    for (const ZipMember& m : zip.members()) zip.read(m.name);
  } else if (reader == "npy") {
    bytes.text().substr(0, 2) == "PK" ? (void)NpzFile(bytes).read_all() : (void)read_npy(bytes);
  } else if (reader == "idx") {
    read_idx(bytes);
  } else {
    ASSERT_EQ(reader, "hdf5");
    const std::function<void(const Hdf5Node&)> visit = [&](const Hdf5Node& node) {
      for (const std::string& name : node.attributes()) caught([&] { (void)node.texts(name); });
      if (node.is_dataset()) caught([&] { (void)node.read(); });
      for (const std::string& name : node.children()) caught([&] { visit(node.at(name)); });
    };
    visit(Hdf5File(bytes).root());
  }
}

TEST(FormerFindings, LoadOrThrow) {
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(tests::source_dir() + "/tests/fuzz/corpus")) {
    if (!entry.is_regular_file() || entry.path().extension() == ".md") continue;
    SCOPED_TRACE(entry.path().string());
    caught([&] { read_any(entry.path().parent_path().filename().string(), Bytes::map(entry.path().string())); });
    ++files;
  }
  RecordProperty("files", files);
}

}  // namespace
}  // namespace tenure::files
