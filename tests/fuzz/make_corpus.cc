// Writes seeds for the fuzzers: make_corpus FOLDER [MODEL.keras ...].
#include <fmt/format.h>
#include <hdf5.h>
#include <zlib.h>

#include <cstring>
#include <filesystem>
#include <vector>

#include "files/hdf5_write.h"
#include "files/npy.h"
#include "files/zip.h"

using namespace tenure;
using namespace tenure::files;

namespace {

Bytes small_hdf5() {
  Hdf5Writer w;
  w.add_dataset("layers/dense/vars/0", Array::of<float>({2, 3}, {1, 2, 3, 4, 5, 6}));
  w.add_dataset("layers/dense/vars/1", Array::of<int64_t>({}, {7}));
  w.add_dataset("flags", Array::of<bool>({2}, {true, false}));
  w.add_dataset("brain", Array::from(bfloat16, {1}, Bytes::copy("\x80\x3f")));
  w.set_text("layers/dense/vars", "name", "dense");
  w.set_texts("/", "names", std::vector<std::string>{"a", "bc"});
  w.set_numbers("/", "rate", Array::of<double>({}, {0.5}));
  return w.to_bytes();
}

/// Forms that our writer does not use: chunks with filters, fixed texts, compact values, the newer object headers.
void chunked_hdf5(const std::string& path, bool latest) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (latest) H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110);
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access);
  const hsize_t dims[] = {5, 6}, chunk[] = {2, 4};
  std::vector<int> values(30, 3);
  const hid_t space = H5Screate_simple(2, dims, nullptr), text = H5Tcopy(H5T_C_S1), vlen = H5Tcopy(H5T_C_S1);
  H5Tset_size(text, 4), H5Tset_size(vlen, H5T_VARIABLE);
  for (int kind = 0; kind < 3; ++kind) {
    const hid_t plist = H5Pcreate(H5P_DATASET_CREATE);
    if (kind < 2) H5Pset_chunk(plist, 2, chunk);
    if (kind == 1) H5Pset_shuffle(plist), H5Pset_deflate(plist, 6), H5Pset_fill_value(plist, H5T_NATIVE_INT, values.data());
    if (kind == 2) H5Pset_layout(plist, H5D_COMPACT);
    const hid_t set = H5Dcreate2(file, std::to_string(kind).c_str(), H5T_STD_I32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    H5Dwrite(set, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
    H5Dclose(set), H5Pclose(plist);
  }
  const hid_t scalar = H5Screate(H5S_SCALAR), attribute = H5Acreate2(file, "fixed", text, scalar, H5P_DEFAULT, H5P_DEFAULT);
  H5Awrite(attribute, text, "abc");
  const hid_t set = H5Dcreate2(file, "text", vlen, scalar, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  const char* word = "word";
  H5Dwrite(set, vlen, H5S_ALL, H5S_ALL, H5P_DEFAULT, &word);
  H5Lcreate_soft("/0", file, "soft", H5P_DEFAULT, H5P_DEFAULT);
  H5Aclose(attribute), H5Dclose(set), H5Sclose(scalar), H5Sclose(space), H5Tclose(text), H5Tclose(vlen), H5Fclose(file), H5Pclose(access);
}

void gzip(const std::string& path, std::string_view text) {
  const gzFile file = gzopen(path.c_str(), "wb9");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
}

void save(const std::string& path, std::string_view text) {
  write_file_atomically(path, [&](FileSink& sink) { sink.write(text); });
}

/// A file of memory::write_snapshot(): a buffer, the tensor that holds it, a tape that holds the tensor.
std::string snapshot() {
  std::string kinds;
  for (const char* kind : {"buffer", "tensor", "variable", "node", "layer", "tape", "function", "executable", "dataset", "queue", "optimizer",
                           "metric", "callback", "holder", "other"})
    kinds += fmt::format("{}\"{}\":{}", kinds.empty() ? "" : ",", kind, kinds.empty() ? 1 : 0);
  return fmt::format(
      R"({{"tenure_snapshot":1,"made":"2026-01-01 00:00 UTC","process":"7.9","counts":{{"live_bytes":400,"peak_bytes":800,"buffers":1,"tensors":1,)"
      R"("nodes":0,"objects":3,"in_use_bytes":448,"cached_bytes":0,"object_bytes":512,"allocations":2,"rss_bytes":1000000}},"by_kind":{{{}}},)"
      R"("balance":{{"live":400,"arena":0,"rounding":48,"pool":0,"objects":512,"code_and_libraries":9,"baseline":8,"unexplained":-7,"rss":970}},)"
      R"("audit":{{"objects":3,"edges":2,"problems":[]}},"accounts":[{{"path":"/exp","live_bytes":400,"live_count":1,"peak_bytes":400,"allocations":2,)"
      R"("allocated_bytes":800}}],"strings":["","/exp","GradientTape with 1 entry","entries","storage","ends it"],)"
      R"("objects":[1,0,2,0,0,1,0,0,0,0,0,400,1,100,2,1,2,0,0,1,0,0,0,1,0,400,2,100,3,5,0,2,0,1,2,2,5,0,0,0,3,1],)"
      R"("references":[1,0,4,-1,1,2,1,3,0,1]}})",
      kinds);
}

/// A model file as fuzz_keras takes it apart: the length of config.json, its text, the weights. No checksum stops a changed byte.
void model_parts(const std::string& folder, const std::string& path) {
  const ZipFile zip(Bytes::map(path));
  const Bytes config = zip.read("config.json"), weights = zip.read("model.weights.h5");
  const auto length = static_cast<uint32_t>(config.size());
  std::string text(sizeof length, '\0');
  std::memcpy(text.data(), &length, sizeof length);
  const std::string name = std::filesystem::path(path).stem().string();
  save(folder + "/keras/" + name, text.append(config.text()).append(weights.text()));
  save(folder + "/weights/" + name, weights.text());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string folder = argv[1];
  for (const char* reader : {"zip", "hdf5", "npy", "idx", "keras", "weights", "inspect", "vocabulary", "snapshot"})
    std::filesystem::create_directories(folder + "/" + reader);
  save(folder + "/hdf5/small", small_hdf5().text());
  chunked_hdf5(folder + "/hdf5/chunks", false);
  chunked_hdf5(folder + "/hdf5/latest", true);
  ZipWriter zip;
  zip.add("metadata.json", Bytes::copy("{}"));
  zip.add("assets/a", Bytes::copy("text text text"));
  zip.write(folder + "/zip/stored");
  // A deflated member, as Python's zipfile writes it.
  const unsigned char deflated[] = {'P', 'K', 3, 4, 20, 0, 0, 0, 8,  0,   0,    0,    33,   0,    'G', 'B', 0xad, 39, 5,  0,   0,
                                    0,   20,  0, 0, 0,  1, 0, 0, 0,  'a', 0xab, 0xa8, 0xc0, 4,    0,   'P', 'K',  1,  2,  20,  3,
                                    20,  0,   0, 0, 8,  0, 0, 0, 33, 0,   'G',  'B',  0xad, 39,   5,   0,   0,    0,  20, 0,   0,
                                    0,   1,   0, 0, 0,  0, 0, 0, 0,  0,   0,    0,    0,    0x80, 1,   0,   0,    0,  0,  'a', 'P',
                                    'K', 5,   6, 0, 0,  0, 0, 1, 0,  1,   0,    47,   0,    0,    0,   36,  0,    0,  0,  0,   0};
  save(folder + "/zip/deflated", {reinterpret_cast<const char*>(deflated), sizeof deflated});
  const NamedArray arrays[] = {{"x", Array::of<float>({1, 2}, {1, 2})}, {"y", Array::of<int64_t>({}, {3})}};
  write_npz(folder + "/npy/npz", arrays);
  write_npy(folder + "/npy/npy", arrays[0].array);
  using namespace std::string_literals;
  save(folder + "/npy/big", "\x93NUMPY\1\0\x3a\0{'descr': '>i2', 'fortran_order': True, 'shape': (2, 1), }1234"s);
  const std::string idx = "\0\0\xb\2\0\0\0\1\0\0\0\2abcd"s;
  save(folder + "/idx/plain", idx);
  gzip(folder + "/idx/gzip", idx);
  save(folder + "/npy/strings",
       "\x93NUMPY\1\0\x3b\0{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }\n\n"s + "a\0\0\0\xe9\0\0\0\xe5\x65\0\0\0\0\0\0"s);
  save(folder + "/npy/bytes", "\x93NUMPY\1\0\x3a\0{'descr': '|S3', 'fortran_order': True, 'shape': (2,), }\n\nabcd\0\0"s);
  save(folder + "/vocabulary/words",
       "[UNK]\nthe\ncat\nStra\xc3\x9f"
       "e\n\xe6\x97\xa5");
  save(folder + "/vocabulary/masked", "\n[UNK]\r\nthe\n\n");
  save(folder + "/vocabulary/numbers", "-1\n-1\n3\n-7\n9223372036854775807");
  save(folder + "/snapshot/small", snapshot());
  for (int i = 2; i < argc; ++i) model_parts(folder, argv[i]);
  return 0;
}
