// Looking into model files without making a model of them: what is inside, how two differ, from one kind to another.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <tenure/dtype.h>

namespace tenure {

/// An array of a file.
struct FileArray {
  std::string path;   ///< in the file: "/layers/dense/vars/0"
  std::string layer;  ///< as the file calls it; may be empty
  Spec spec;
  double minimum = 0, maximum = 0, mean = 0;  ///< of the finite values
  uint64_t nonfinite = 0;                     ///< NaN or infinite
};

/// What a model file says of itself. Nothing of it was run.
struct TENURE_API FileReport {
  struct Member {
    std::string name;
    uint64_t bytes = 0;  ///< unpacked
  };
  std::string path, kind;  ///< kind: "Keras 3 model", "Keras 2 model", "legacy model of Keras (HDF5)", "weights", "legacy weights of Keras (HDF5)"
  std::string keras_version;
  std::vector<Member> members;    ///< of an archive
  std::string config;             ///< JSON in the form of Keras 3; empty: weights only
  std::vector<FileArray> arrays;  ///< weights, and the optimizer's state
  std::string unsupported;        ///< what load_model() would refuse, as it would say it; empty: nothing

  uint64_t values() const noexcept;     ///< numbers in all arrays
  uint64_t nonfinite() const noexcept;  ///< of them NaN or infinite
  std::string text() const;
  std::string json() const;
};
/// Of a .keras archive or its folder, a .weights.h5, or a legacy .h5. Throws NotFound, Io for a damaged file, Unsupported for another kind.
TENURE_API FileReport inspect_file(const std::string& path);

/// How two model files differ.
struct TENURE_API FileDifference {
  struct Value {
    std::string where, first, second;  ///< empty: not there
  };
  struct Array {
    std::string path;
    double largest = 0;  ///< max|a-b|; infinite where only one is finite
  };
  std::vector<Value> config;  ///< settings, by layer
  std::vector<Value> arrays;  ///< missing in one of the files, or of other shapes or types
  std::vector<Array> values;  ///< that differ, the largest difference first
  bool same() const noexcept { return config.empty() && arrays.empty() && values.empty(); }
  std::string text() const;
  std::string json() const;
};
/// Arrays are compared by their paths, exactly; dates and the order of members do not count.
TENURE_API FileDifference compare_files(const std::string& first, const std::string& second);

/// Writes `from` (.keras, legacy .h5, .weights.h5) as `to`, whose ending says what it becomes: .keras or .weights.h5. Weights alone become no
/// model. Throws as load_model and save_model do; `to` is replaced in one step, or stays as it was.
TENURE_API void convert_file(const std::string& from, const std::string& to);

}  // namespace tenure
